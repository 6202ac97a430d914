"""The units of a batch: which videos there are, and how one is made into its finished file.

A unit is idempotent and gives the same bytes wherever and however often it runs. Another machine may retry it after
this one died, or even run it at the same time (a partitioned node keeps working): files appear only when complete,
finished steps are not repeated, and a unit that finds its project locked waits.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

from bgm.batch import storage
from bgm.digest import digest
from bgm.errors import BadInput, BgmError, Cancelled
from bgm.progress import Listener, Step, unheard
from bgm.settings import Settings

if TYPE_CHECKING:
    from bgm.studio import Rendered

MORE_SUFFIXES = (".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".wmv", ".flv", ".3gp", ".ogv")
"""Suffixes that count as video in a folder, beside those that we write. A list may name any file, audio too."""
PROJECTS = "projects"
"""Subfolder of the results: one project per video, which the page and the shell open like any other."""
Status = Literal["made", "already there", "failed", "stopped"]
THREADS = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
}
"""Set before NumPy is imported: the order of a parallel sum changes its bits, so each unit gets one thread and a
machine runs several units instead."""
RECEIPT = "result.json"
"""In the project: digest of the inputs and of the result."""
BUSY_WAIT_S = 120.0
"""A lock is released with its process; on a network file system, when its lease ends."""

log = logging.getLogger("bgm")


@dataclass(frozen=True, slots=True)
class Unit:
    """One video. Paths that every node sees, or fsspec addresses (``s3://…``)."""

    name: str
    video: str
    out: str
    """The result; if its container can't hold the streams, the suffix of one that can is appended."""
    project: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a unit ended, for the table and, field by field, for JSON. ``why``: one sentence about a failure."""

    name: str
    status: Status
    seconds: float = 0.0
    lufs: float | None = None
    out: str = ""
    why: str = ""
    where: str = ""
    stages: Mapping[str, float] = field(default_factory=dict)
    """Seconds per stage that ran."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The units in the order given, and notes on renamed and repeated videos."""

    units: tuple[Unit, ...]
    notes: tuple[str, ...]


def plan(source: str, out: str) -> Plan:
    """The videos of a folder, of a text file that lists one per line, or the single video named.

    Raises BadInput if there is none, and if the output folder lies inside the input folder.
    """
    out = out if storage.is_address(out) else str(Path(out).resolve())
    videos, notes = _without_repeats(_videos(source, out))
    if not videos:
        raise BadInput(f"there are no videos in {source}")
    names, renamed = _names(videos)
    units = tuple(
        Unit(name, video, storage.join(out, name), storage.join(out, PROJECTS, f"{name}.bgm"))
        for name, video in zip(names, videos, strict=True)
    )
    return Plan(units, (*notes, *renamed))


def is_video(name: str) -> bool:
    """Whether a file of this name in a folder counts as a video."""
    from bgm.media.forms import VIDEO_FORMS

    hidden = PurePosixPath(name).name.startswith(".")
    return not hidden and PurePosixPath(name).suffix.lower() in (*VIDEO_FORMS, *MORE_SUFFIXES)


def _videos(source: str, out: str) -> list[str]:
    if not storage.is_address(source):
        source = str(Path(source).resolve())
    if storage.is_folder(source):
        # Results among the videos would be found by the next run, and scored again.
        if f"{out}/".startswith(f"{source.rstrip('/')}/"):
            raise BadInput(f"the results would lie among the videos: name a folder outside {source} with --out")
        return [file for file in storage.files(source) if is_video(file)]
    if is_video(source):
        return [source]
    return list(_listed(source))


def _listed(source: str) -> Iterator[str]:
    """Paths are relative to the list's folder; empty lines and lines that start with # are skipped."""
    try:
        # Windows' editors begin a text file with a byte order mark.
        text = storage.read(source).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{source} is neither a folder nor a list: it is not text in UTF-8") from error
    folder = storage.parent(source)
    for line in text.splitlines():
        entry = storage.plain(line.strip())
        if entry and not entry.startswith("#"):
            yield entry if storage.is_address(entry) else storage.join(folder, entry)


def _without_repeats(videos: Sequence[str]) -> tuple[list[str], list[str]]:
    once = list(dict.fromkeys(videos))
    repeated = [video for video in once if videos.count(video) > 1]
    return once, [f"{video} is listed more than once and made once" for video in repeated]


def _names(videos: Sequence[str]) -> tuple[list[str], list[str]]:
    """The file's own name for the first video that has it, with a digest added for the others: appending to a list
    never renames a result.
    """
    taken: set[str] = set()
    names, notes = [], []
    for video in videos:
        path = PurePosixPath(video)
        name = path.name
        # Lower case: the results may lie on a file system that tells no cases apart.
        if name.lower() in taken:
            name = f"{path.stem}-{digest(video)[:6]}{path.suffix}"
            notes.append(f"another video is called {path.name}: the result of {video} is called {name}")
        taken.add(name.lower())
        names.append(name)
    return names, notes


def one_thread() -> None:
    """Set THREADS for this process unless the environment already does. Call before NumPy is imported."""
    for name, value in THREADS.items():
        os.environ.setdefault(name, value)


def make(unit: Unit, settings: Settings, listen: Listener = unheard) -> Outcome:
    """Process one unit. A failure is an outcome; only Cancelled and what ends the process are raised."""
    told = _Told(unit.name, listen)
    try:
        # The receipt first: a batch that is run again is mostly of finished videos, and to check one costs reading it,
        # not making it.
        outcome = _already_there(unit, settings) or _made(unit, settings, told)
    except (Cancelled, KeyboardInterrupt):
        raise
    except Exception as error:  # one bad video must not end the batch
        outcome = Outcome(unit.name, "failed", why=_sentence(error, unit))
    return replace(outcome, seconds=told.elapsed(), stages=told.stages(), where=socket.gethostname())


def _made(unit: Unit, settings: Settings, told: _Told) -> Outcome:
    with storage.at_hand(unit) as here:
        rendered = _patiently(lambda: _done(here, settings, told), told)
        # The result before the receipt: a unit that dies in between is made again, and never believed to be there.
        out = here.deliver(rendered.out)
    receipt = {"out": PurePosixPath(out).name, "lufs": rendered.lufs, "key": _key(unit, settings, out)}
    storage.write(storage.join(unit.project, RECEIPT), json.dumps(receipt))
    return Outcome(unit.name, "made", lufs=rendered.lufs, out=out)


def _done(here: storage.AtHand, settings: Settings, told: _Told) -> Rendered:
    from bgm import studio
    from bgm.media.forms import check_output, suggest_suffix
    from bgm.media.probe import probe

    video, out = Path(here.unit.video), Path(here.unit.out)
    info = probe(video)
    suffix = suggest_suffix(info)
    # Appended, not replaced: talk.avi and talk.mov must not both become talk.mkv.
    out = out if out.suffix.lower() == suffix else out.with_name(out.name + suffix)
    check_output(info, out, overwrite=True, keep_original=settings.keep_original)
    project = studio.open_video(video, Path(here.unit.project), settings, overwrite=True)
    return studio.make(project, out, told, overwrite=True, saved=here.save)


def _patiently(work: Callable[[], Rendered], told: _Told) -> Rendered:
    """Retry while another process holds the project's lock: every step resumes."""
    from bgm.project import Busy

    until = time.monotonic() + BUSY_WAIT_S
    while True:
        try:
            return work()
        except Busy:
            # The other run may be this unit's own first try on a node that Ray has given up and that works on.
            if time.monotonic() > until:
                raise
            told(Step("waiting", 0.0, 0.0, None, "another run works on this video"))
            time.sleep(1.0)


def _already_there(unit: Unit, settings: Settings) -> Outcome | None:
    """The outcome if the result is up to date for this video and these settings, without downloading anything large."""
    found = storage.read_if_there(storage.join(unit.project, RECEIPT))
    try:
        receipt = json.loads(found) if found else {}
        out = storage.join(storage.parent(unit.out), str(receipt["out"]))
        lufs, key = receipt["lufs"], str(receipt["key"])
    except (ValueError, KeyError, TypeError):
        return None
    return Outcome(unit.name, "already there", lufs=lufs, out=out) if key == _key(unit, settings, out) else None


def _key(unit: Unit, settings: Settings, out: str) -> str | None:
    """Digest of everything that determines the result, and of the result; None if project or result is missing.

    All of project.json counts except the video's path, which differs between machines.
    """
    from bgm import project as projects

    text, result = storage.read_if_there(storage.join(unit.project, projects.FILE)), storage.stamp(out)
    if text is None or result is None:
        return None
    try:
        project = projects.loads(text.decode("utf-8"), Path(unit.name))
    except (BgmError, UnicodeDecodeError):
        return None
    # The video's bytes, not its name or date: a copy on another disk is the same unit.
    given = [storage.stamp(file) for file in (unit.video, *storage.subtitles_beside(unit.video))]
    return digest(projects.dumps(replace(project, video="-", settings=settings)), given, result)


def _sentence(error: Exception, unit: Unit) -> str:
    from bgm.console import explain

    if not isinstance(error, BgmError | OSError | MemoryError):
        log.exception("%s failed", unit.name)
        return f"an unexpected failure ({type(error).__name__}: {error}); the log has more"
    folders = [] if storage.is_address(unit.out) else [Path(unit.out).parent]
    return explain(error, folders)[0]


class _Told:
    """Forwards a unit's progress under its name and times its stages: the time up to a step belongs to its stage."""

    def __init__(self, name: str, listen: Listener) -> None:
        self._name, self._listen = name, listen
        self._began = self._heard = time.monotonic()
        self._seconds: dict[str, float] = {}

    def __call__(self, step: Step) -> None:
        now = time.monotonic()
        self._seconds[step.stage] = self._seconds.get(step.stage, 0.0) + now - self._heard
        self._heard = now
        self._listen(replace(step, of=self._name))

    def elapsed(self) -> float:
        return round(time.monotonic() - self._began, 3)

    def stages(self) -> dict[str, Any]:
        return {stage: round(seconds, 3) for stage, seconds in self._seconds.items()}
