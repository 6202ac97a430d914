"""One step of one project that runs in the background, and who is told about it."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol, get_args

from bgm.errors import Cancelled
from bgm.progress import Remaining, Step

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
