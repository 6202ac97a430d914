"""The page's log: one line per event, as ``key=value`` (logfmt) or as JSON, with the id of its job.

We log no user data: no text, no file name, and no project id, because an id opens its project. An exception from a
library may name a file of a project: everything below the project's folder is removed from it.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

job_id: ContextVar[str | None] = ContextVar("job_id", default=None)
"""The job of the current context; every line logged in it carries the id."""

# An id is 32 characters of URL-safe base64 (bgm.ui.workspace); what follows it up to a quote or the line's end is a
# name of the user's.
_IN_PROJECT = re.compile(r"""(?<=projects[/\\])[\w-]{32}(?![\w-])[^'"\n]*""")
_PLAIN = re.compile(r'[^\s"=\\]+')


def configure(level: str, form: str) -> None:
    """Log to stderr: our records from ``level`` up, those of libraries from warning up. ``form``: text or json."""
    handler = logging.StreamHandler()
    handler.setFormatter(Lines(as_json if form == "json" else as_text))
    ours = logging.getLevelNamesMapping()[level.upper()]
    # Libraries at warning and above even under debug: theirs may log texts and paths of users.
    logging.basicConfig(level=max(ours, logging.WARNING), handlers=[handler], force=True)
    logging.getLogger("bgm").setLevel(ours)
    logging.captureWarnings(True)


def fields(**values: Any) -> dict[str, Any]:
    """Extra keys and values for a log line, for ``extra`` of a log call. None is left out."""
    return {"fields": {key: value for key, value in values.items() if value is not None}}


class Lines(logging.Formatter):
    """Format a record on one line: time, level, logger, message, job and the record's own fields."""

    def __init__(self, write: Any) -> None:
        super().__init__()
        self._write = write

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": without_projects(record.getMessage()),
        }
        if job := job_id.get():
            line["job"] = job
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["exception"] = without_projects(self.formatException(record.exc_info))
        written: str = self._write(line)
        return written


def as_json(line: Mapping[str, Any]) -> str:
    """One JSON object."""
    return json.dumps(line, default=str)


def as_text(line: Mapping[str, Any]) -> str:
    """logfmt: ``key=value`` pairs; values with spaces or special characters are quoted."""
    return " ".join(f"{key}={_quoted(str(value))}" for key, value in line.items())


def without_projects(text: str) -> str:
    """``text`` without anything after ``projects/``: the id is a secret, the names below it belong to the user."""
    return _IN_PROJECT.sub("…", text)


def _quoted(value: str) -> str:
    if value.isprintable():
        return value if _PLAIN.fullmatch(value) else json.dumps(value, ensure_ascii=False)
    # With control characters (a line break in a file's name, say) all is escaped, so that nobody can forge a line of
    # the log.
    return json.dumps(value)
