"""What the page remembers beside a project: which mix and which result were made from which timeline."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bgm.digest import digest
from bgm.files import write_text
from bgm.project import Project
from bgm.timeline import Segment

FILE = "page.json"
RESULTS = "result"


@dataclass(frozen=True, slots=True)
class Result:
    """The last finished video: its file name in the folder ``result``, what it was made from, what the mix reached."""

    file: str
    key: str
    lufs: float | None = None
    true_peak_db: float | None = None
    under_speech_lu: float | None = None


@dataclass(frozen=True, slots=True)
class Records:
    """``preview`` is the key of the mix in the project's master stem."""

    preview: str | None = None
    result: Result | None = None


def load(folder: Path) -> Records:
    """What was noted for the project in ``folder``; nothing where the note is missing or from another version."""
    try:
        noted: dict[str, Any] = json.loads((folder / FILE).read_text(encoding="utf-8"))
        result = noted["result"]
        return Records(noted["preview"], _result(**result) if result else None)
    except (FileNotFoundError, ValueError, KeyError, TypeError, RecursionError):
        return Records()


def _result(file: object, **more: Any) -> Result:
    """Raises ValueError where no file can have that name."""
    if not isinstance(file, str) or len(file.encode()) > 255:
        raise ValueError("not a file's name")
    return Result(file, **more)


def save(folder: Path, records: Records) -> None:
    write_text(folder / FILE, json.dumps(asdict(records), ensure_ascii=False, indent=1))


def mix_key(project: Project) -> str:
    """Stands for all that is heard in the mix: another key means that the mix is out of date."""
    s = project.settings
    heard = [(x.start, x.end, None if x.silent else x.chosen, x.gain_db, *_fades(x)) for x in project.segments]
    return digest("mix", heard, s.lufs, s.duck, s.duck_depth_db)


def _fades(segment: Segment) -> tuple[float, ...]:
    """Nothing for none, so that mixes from before there were fades are still known."""
    return (segment.fade_in, segment.fade_out) if segment.fade_in or segment.fade_out else ()


def result_key(project: Project) -> str:
    """Stands for all that is in the finished file: its mix, and the tracks beside it."""
    lines = [(u.start, u.end, u.text) for u in project.utterances] if project.settings.subtitle_track else None
    return digest("result", mix_key(project), project.settings.keep_original, lines)


def result_path(project: Project, result: Result) -> Path:
    return project.folder / RESULTS / Path(result.file).name
