"""One unit of a batch: from the video to the finished file, byte-identical wherever and however often it runs.

Another machine may retry it after this one died, or even run it at the same time (a partitioned node keeps working):
files appear only when complete, finished steps are not repeated, and a unit that finds its project locked waits.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from bgm.batch import storage
from bgm.batch.units import Outcome, Unit
from bgm.errors import BgmError, Cancelled
from bgm.progress import Listener, Step, unheard
from bgm.settings import Settings

if TYPE_CHECKING:
    from bgm.studio import Rendered

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


def one_thread() -> None:
    """Set THREADS for this process unless the environment already does. Call before NumPy is imported."""
    for name, value in THREADS.items():
        os.environ.setdefault(name, value)


def make(unit: Unit, settings: Settings, listen: Listener = unheard) -> Outcome:
    """Process one unit. A failure is an outcome; only Cancelled and what ends the process are raised."""
    told = _Told(unit.name, listen)
    try:
        outcome = _already_there(unit, settings) or _made(unit, settings, told)
    except (Cancelled, KeyboardInterrupt):
        raise
    except Exception as error:  # one bad video must not end the batch
        outcome = Outcome(unit.name, "failed", why=_sentence(error, unit))
    return replace(outcome, seconds=told.elapsed(), stages=told.stages(), where=socket.gethostname())


def _made(unit: Unit, settings: Settings, told: _Told) -> Outcome:
    with storage.at_hand(unit) as here:
        rendered = _patiently(lambda: _done(here, settings, told), told)
        out = here.deliver(rendered.out)
    receipt = {"out": PurePosixPath(out).name, "lufs": rendered.lufs, "key": _key(unit, settings, out)}
    storage.write(storage.join(unit.project, RECEIPT), json.dumps(receipt))
    return Outcome(unit.name, "made", lufs=rendered.lufs, out=out)


def _done(here: storage.AtHand, settings: Settings, told: _Told) -> Rendered:
    from bgm import studio
    from bgm.media.forms import suggest_suffix
    from bgm.media.probe import probe
    from bgm.media.remux import check_output

    video, out = Path(here.unit.video), Path(here.unit.out)
    info = probe(video)
    suffix = suggest_suffix(info)
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
    from bgm.digest import digest

    text, result = storage.read_if_there(storage.join(unit.project, projects.FILE)), storage.stamp(out)
    if text is None or result is None:
        return None
    try:
        project = projects.loads(text.decode("utf-8"), Path(unit.name))
    except (BgmError, UnicodeDecodeError):
        return None
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
