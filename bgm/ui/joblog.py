"""What the log says of a job: when it was queued, started and ended, and what it took."""

from __future__ import annotations

import logging
import traceback
from pathlib import Path
from typing import Any

from bgm.digest import digest
from bgm.errors import BgmError
from bgm.log import fields
from bgm.project import Project
from bgm.ui.job import Job

log = logging.getLogger("bgm")


class JobLog:
    """An observer of jobs that writes a line for each thing that happens to one."""

    def queued(self, job: Job) -> None:
        log.info("job queued", extra=fields(**_known(job)))

    def started(self, job: Job) -> None:
        log.info("job started", extra=fields(**_known(job), waited_s=_ms(job.waited)))

    def ended(self, job: Job, result: object, error: BaseException | None) -> None:
        """A failure that is not the user's is written with its traceback."""
        unexpected = error is not None and not isinstance(error, BgmError)
        taken = {"waited_s": _ms(job.waited), "seconds": _ms(job.ran)}
        stages = {f"stage_{stage}_s": _ms(seconds) for stage, seconds in job.seconds.items()}
        told = {**_known(job), "outcome": job.state, **_cause(job, error), **taken, **stages, **_facts(job, result)}
        level = logging.ERROR if unexpected else logging.INFO
        log.log(level, "job ended", extra=fields(**told), exc_info=error if unexpected else None)


def _known(job: Job) -> dict[str, Any]:
    """The same hash stands for the same project, and nobody can get from it to the project's 192 random bits."""
    return {"job": job.id, "kind": job.kind, "queue": job.queue, "project": digest(job.project_id)[:8]}


def _cause(job: Job, error: BaseException | None) -> dict[str, Any]:
    """What failed and in which line of ours or a library's; not the message, in which a file's name may stand."""
    if error is None or job.state != "failed":
        return {}
    frames = traceback.extract_tb(error.__traceback__)
    return {"error": type(error).__name__, "at": f"{Path(frames[-1].filename).name}:{frames[-1].lineno}"}


def _facts(job: Job, result: object) -> dict[str, Any]:
    """The video's length and the engines of the stages that ran."""
    if not isinstance(result, Project):
        return {}
    used = {f"engine_{stage}": use.name.partition(":")[0] for stage, use in result.engines.items()}
    ran = {f"engine_{stage}" for stage in job.seconds}
    return {"media_s": _ms(result.duration)} | {key: name for key, name in used.items() if key in ran}


def _ms(seconds: float) -> float:
    return round(seconds, 3)
