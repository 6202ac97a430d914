"""Background jobs: two queues with progress and cancellation; a job goes on when its tab is closed."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import secrets
import threading
import time
import traceback
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

from bgm.digest import digest
from bgm.errors import BadInput, BgmError, Cancelled
from bgm.log import fields, job_id
from bgm.progress import Listener, Remaining, Step
from bgm.project import Project

log = logging.getLogger("bgm")
State = Literal["waiting", "running", "done", "stopped", "failed"]
Queue = Literal["studio", "music"]
QUEUES: tuple[Queue, ...] = get_args(Queue)
ENDS: tuple[State, ...] = ("done", "stopped", "failed")
POLL_SECONDS = 0.15
_END_SECONDS = 0.02
"""The end of a job is reported sooner than its progress: somebody is waiting for the result."""
STUCK_SECONDS = 1800.0
"""Stages report progress about twice a second; loading or compiling a model may take minutes, but not this long."""
REMEMBERED = 500
"""Finished jobs whose outcome is kept for users who come back to the page."""


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
    """For the log, and the reference that a user quotes after a failure; it grants no access."""
    state: State = "waiting"
    step: Step | None = None
    error: str | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    """Seconds per stage so far. The time before a stage's first report (loading its model) counts as that stage's."""
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
        """Record how it ended. ``finished`` is set later, when the observers have been told."""
        # The task goes first: it holds the project and the request's context, and finished jobs are remembered by
        # hundreds.
        self.task, self.error, self._ended = None, error, time.monotonic()
        self.state = state

    def listen(self, step: Step) -> None:
        """What the studio calls; raises Cancelled when the user asked to stop."""
        now = time.monotonic()
        self.seconds[step.stage] = self.seconds.get(step.stage, 0.0) + now - self._heard
        self._heard = now
        if self.stopping.is_set():
            raise Cancelled("stopped")
        self.step = replace(step, remaining=self._remaining(step.overall, step.cost))  # of the whole job


class Observer(Protocol):
    """Notified of what happens to jobs, in the thread where it happens: must return at once and raise nothing."""

    def queued(self, job: Job) -> None: ...

    def started(self, job: Job) -> None: ...

    def ended(self, job: Job, result: object, error: BaseException | None) -> None:
        """It is done, stopped or failed; one that was stopped in the queue was never started."""


class Jobs:
    """Two queues: music (as many jobs at a time as GPUs paint) and all else. One job of a project at a time."""

    def __init__(self, workers: int, max_waiting: int, music_workers: int = 1) -> None:
        self._workers: dict[Queue, int] = {"studio": workers, "music": music_workers}
        self._pools = {queue: ThreadPoolExecutor(count, f"bgm-{queue}") for queue, count in self._workers.items()}
        self._max_waiting = max_waiting
        self._jobs: dict[str, Job] = {}
        self._guard = threading.Lock()
        self._closing = False
        self._observers: list[Observer] = [JobLog()]

    def attach(self, observer: Observer) -> None:
        """Tell ``observer`` too; before the first job."""
        self._observers.append(observer)

    def submit(self, project_id: str, kind: str, queue: Queue, work: Callable[[Listener], Any], **known: Any) -> Job:
        """Queue a job, of which ``known`` are more fields.

        Raises BadInput when the project is busy, too many are waiting, or the server is ending.
        """
        context = contextvars.copy_context()  # it carries the request, by which a shared GPU is lent to its user
        job = Job(project_id, kind, queue, lambda job: context.run(self._work, work, job), **known)
        with self._guard:
            self._check(project_id, queue)
            self._forget_finished()
            # Told before it is given to the pool: a worker may begin at once, and "started" must not come before
            # "queued".
            self._tell(lambda observer: observer.queued(job))
            # A job that is stopped while it waits stays in the pool's queue; _begin finds nothing to do then.
            self._pools[queue].submit(_begin, job)
            self._jobs.pop(project_id, None)  # so that the latest job is the last
            self._jobs[project_id] = job
        return job

    def of(self, project_id: str) -> Job | None:
        """The latest job of a project."""
        return self._jobs.get(project_id)

    def is_busy(self, project_id: str) -> bool:
        job = self.of(project_id)
        return job is not None and not job.finished.is_set()

    def stop(self, project_id: str) -> None:
        """Stop the project's job, if there is one."""
        job = self.of(project_id)
        if job is not None:
            self._stop(job)

    def forget(self, project_id: str) -> None:
        """Drop the memory of a finished job (its message was read)."""
        with self._guard:
            if not self.is_busy(project_id):
                self._jobs.pop(project_id, None)

    def position(self, job: Job) -> int:
        """How many jobs are before this one, 0 once it runs."""
        ahead = [j for j in self._unfinished() if j.queue == job.queue]
        return ahead.index(job) if job.state == "waiting" and job in ahead else 0

    def count(self, state: State, queue: Queue | None = None) -> int:
        """How many jobs are running or waiting, in one queue or in all."""
        return sum(1 for j in self._unfinished() if j.state == state and queue in {None, j.queue})

    def trouble(self) -> str | None:
        """Why no job can be done now, in one word: ``ending``, or ``stuck`` (all workers of a queue long silent)."""
        if self._closing:
            return "ending"
        silent = [j.queue for j in self._unfinished() if j.silent > STUCK_SECONDS]
        return "stuck" if any(silent.count(queue) >= count for queue, count in self._workers.items()) else None

    def close(self) -> None:
        """Take no more jobs and ask all that there are to stop."""
        with self._guard:
            self._closing = True
        for job in self._unfinished():
            self._stop(job)

    def wait(self, seconds: float) -> bool:
        """Whether all jobs are over, now or within so many seconds."""
        until = time.monotonic() + seconds
        return all(job.finished.wait(max(0.0, until - time.monotonic())) for job in self._unfinished())

    async def follow(self, job: Job) -> AsyncIterator[Job]:
        """Yield the job whenever it moved on, at last when it is over. Leaving early does not stop it."""
        seen: object = None
        while not job.finished.is_set():
            now = (job.state, job.step, self.position(job))
            if now != seen:
                seen = now
                yield job
            # Polled: the worker is another thread, and hundreds of tabs may follow; how far it is needs no haste, its
            # end does.
            until = time.monotonic() + POLL_SECONDS
            while not job.finished.is_set() and time.monotonic() < until:
                await asyncio.sleep(_END_SECONDS)
        yield job

    def _check(self, project_id: str, queue: Queue) -> None:
        if self._closing:
            raise BadInput("the server is being restarted; please try again in a minute")
        if self.is_busy(project_id):
            raise BadInput("a step is running for this video already; wait for it or stop it")
        if sum(1 for j in self._jobs.values() if j.queue == queue and j.state == "waiting") >= self._max_waiting:
            raise BadInput("too many videos are waiting at the moment; please try again in a few minutes")

    def _forget_finished(self) -> None:
        finished = [project_id for project_id, job in self._jobs.items() if job.finished.is_set()]
        for project_id in finished[: max(0, len(finished) - REMEMBERED)]:
            del self._jobs[project_id]

    def _unfinished(self) -> list[Job]:
        with self._guard:
            return [job for job in self._jobs.values() if not job.finished.is_set()]

    def _stop(self, job: Job) -> None:
        if job.stop():
            self._finish(job, None, None)

    def _work(self, work: Callable[[Listener], Any], job: Job) -> None:
        """In a worker, in the job's own context."""
        job_id.set(job.id)
        self._tell(lambda observer: observer.started(job))
        try:
            result = work(job.listen)
        except BaseException as error:  # a worker is the last to hear of it, be it a library's sys.exit
            job.settle(*_verdict(job, error))
            self._finish(job, None, error)
        else:
            job.settle("done")
            self._finish(job, result, None)

    def _finish(self, job: Job, result: object, error: BaseException | None) -> None:
        """Observers are told first: whoever waits for ``finished`` may then end the process."""
        try:
            self._tell(lambda observer: observer.ended(job, result, error))
        finally:
            job.finished.set()

    def _tell(self, what: Callable[[Observer], None]) -> None:
        for observer in self._observers:
            what(observer)


def _begin(job: Job) -> None:
    task = job.begin()
    if task is not None:
        task(job)


def _verdict(job: Job, error: BaseException) -> tuple[State, str | None]:
    """How the job ended, and the sentence for the user: what is not meant for users is kept in the log."""
    if isinstance(error, Cancelled):
        return "stopped", None
    if isinstance(error, BgmError):
        return "failed", str(error)
    return "failed", f"something went wrong on the server; its log has the reason under {job.id}"


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
    # The last frame: where it was raised, in our code or a library's.
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
