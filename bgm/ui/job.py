"""One step of one project that runs in the background, who is told about it, and what the log says of it."""

from __future__ import annotations

import logging
import secrets
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

from bgm.digest import digest
from bgm.errors import BgmError, Cancelled
from bgm.log import fields
from bgm.progress import Remaining, Step
from bgm.project import Project

State = Literal["waiting", "running", "done", "stopped", "failed"]
Queue = Literal["studio", "music"]
QUEUES: tuple[Queue, ...] = get_args(Queue)
ENDS: tuple[State, ...] = ("done", "stopped", "failed")


@dataclass(eq=False)
class Job:
    """One step of one project. Changed by its worker only, except for ``stopping``."""

    project_id: str
    kind: str
    queue: Queue
    task: Callable[[Job], None] | None
    """What the worker calls; dropped at the end, with all that it holds."""
    making: tuple[str, ...] = ()
    """The segments whose music it is to make."""
    more: bool = False
    """One more take of each of them, not the one that is lacking."""
    id: str = field(default_factory=lambda: secrets.token_hex(4))
    """For the log, and for the user as the reference of a failure; it opens nothing."""
    state: State = "waiting"
    step: Step | None = None
    error: str | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    """What each stage took so far. The time before a stage's first word (loading its model) counts as that stage's."""
    stopping: threading.Event = field(default_factory=threading.Event)
    finished: threading.Event = field(default_factory=threading.Event)
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _queued: float = field(default_factory=time.monotonic)
    _started: float | None = None
    _ended: float | None = None
    _heard: float = 0.0
    _remaining: Remaining = field(default_factory=Remaining)

    @property
    def composes(self) -> bool:
        """Whether its music is still to come."""
        over = self.finished.is_set() or (self.step is not None and self.step.stage in {"mix", "remux"})
        return bool(self.making) and not over

    @property
    def waited(self) -> float:
        """Seconds in the queue."""
        return (self._started or self._ended or time.monotonic()) - self._queued

    @property
    def ran(self) -> float:
        """Seconds with a worker."""
        return (self._ended or time.monotonic()) - self._started if self._started else 0.0

    @property
    def silent(self) -> float:
        """Seconds since a running job was last heard of."""
        return time.monotonic() - self._heard if self.state == "running" else 0.0

    def begin(self) -> Callable[[Job], None] | None:
        """Waiting becomes running: what is to be done; None when it was stopped before."""
        with self._guard:
            if self.state != "waiting":
                return None
            self._started = self._heard = time.monotonic()
            self._remaining = Remaining()
            self.state = "running"
            return self.task

    def stop(self) -> bool:
        """Ask it to stop; one that still waits is over at once (True)."""
        self.stopping.set()
        with self._guard:
            if self.state != "waiting":
                return False
            self.settle("stopped")
            return True

    def settle(self, state: State, error: str | None = None) -> None:
        """How it ended. ``finished`` is set when the observers know."""
        self.task, self.error, self._ended = None, error, time.monotonic()
        self.state = state

    def listen(self, step: Step) -> None:
        """What the studio calls; raises Cancelled when the user asked to stop."""
        now = time.monotonic()
        self.seconds[step.stage] = self.seconds.get(step.stage, 0.0) + now - self._heard
        self._heard = now
        if self.stopping.is_set():
            raise Cancelled("stopped")
        self.step = replace(step, remaining=self._remaining(step.overall))  # of the whole job, whatever calls it makes


class Observer(Protocol):
    """Who is told what happens to jobs, in the thread where it happens: it answers at once and raises nothing."""

    def queued(self, job: Job) -> None: ...

    def started(self, job: Job) -> None: ...

    def ended(self, job: Job, result: object, error: BaseException | None) -> None:
        """It is done, stopped or failed; one that was stopped in the queue was never started."""


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
