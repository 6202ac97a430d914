"""Steps that run in the background: told about while they run, stopped at once, alive when the tab is closed."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import secrets
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Literal

from bgm.errors import BadInput, BgmError, Cancelled
from bgm.progress import Listener, Step

log = logging.getLogger("bgm")
State = Literal["waiting", "running", "done", "stopped", "failed"]
Queue = Literal["studio", "music"]
POLL_SECONDS = 0.15


@dataclass(eq=False)
class Job:
    """One step of one project. Changed by its worker only, except for ``stopping``."""

    project_id: str
    kind: str
    queue: Queue
    work: Callable[[Listener], Any]
    state: State = "waiting"
    step: Step | None = None
    error: str | None = None
    result: Any = None
    stopping: threading.Event = field(default_factory=threading.Event)
    finished: threading.Event = field(default_factory=threading.Event)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def begin(self) -> bool:
        """Waiting becomes running; False when it was stopped before."""
        with self._guard:
            if self.state == "waiting":
                self.state = "running"
            return self.state == "running"

    def stop(self) -> None:
        """Ask it to stop; one that still waits is over at once."""
        self.stopping.set()
        with self._guard:
            if self.state == "waiting":
                self.finish("stopped")

    def finish(self, state: State, error: str | None = None) -> None:
        self.state, self.error = state, error
        self.finished.set()

    def listen(self, step: Step) -> None:
        """What the studio calls; raises Cancelled when the user asked to stop."""
        if self.stopping.is_set():
            raise Cancelled("stopped")
        self.step = step


class Jobs:
    """Two queues: music (one job at a time, the GPU's) and all else. One job of a project at a time."""

    def __init__(self, workers: int, max_waiting: int) -> None:
        self._pools: dict[Queue, ThreadPoolExecutor] = {
            "studio": ThreadPoolExecutor(workers, "bgm-studio"),
            "music": ThreadPoolExecutor(1, "bgm-music"),
        }
        self._max_waiting = max_waiting
        self._jobs: dict[str, Job] = {}
        self._guard = threading.Lock()

    def submit(self, project_id: str, kind: str, queue: Queue, work: Callable[[Listener], Any]) -> Job:
        """Queue a job. Raises BadInput when the project is busy or too many are waiting."""
        job = Job(project_id, kind, queue, work)
        with self._guard:
            if self.is_busy(project_id):
                raise BadInput("a step is running for this video already; wait for it or stop it")
            if len(self._waiting(queue)) >= self._max_waiting:
                raise BadInput("too many videos are waiting at the moment; please try again in a few minutes")
            self._jobs.pop(project_id, None)
            self._jobs[project_id] = job
        # The copied context carries the request, by which a shared GPU is lent to its user.
        self._pools[queue].submit(contextvars.copy_context().run, _run, job)
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
            job.stop()

    def forget(self, project_id: str) -> None:
        """Drop the memory of a finished job (its message was read)."""
        if not self.is_busy(project_id):
            self._jobs.pop(project_id, None)

    def position(self, job: Job) -> int:
        """How many jobs are before this one, 0 once it runs."""
        ahead = [j for j in list(self._jobs.values()) if j.queue == job.queue and not j.finished.is_set()]
        return ahead.index(job) if job.state == "waiting" and job in ahead else 0

    async def follow(self, job: Job) -> AsyncIterator[Job]:
        """Yield the job whenever it moved on, at last when it is over. Leaving early does not stop it."""
        seen: object = None
        while not job.finished.is_set():
            now = (job.state, job.step, self.position(job))
            if now != seen:
                seen = now
                yield job
            await asyncio.sleep(POLL_SECONDS)
        yield job

    def _waiting(self, queue: Queue) -> list[Job]:
        return [j for j in self._jobs.values() if j.queue == queue and j.state == "waiting"]


def _run(job: Job) -> None:
    if not job.begin():
        return
    try:
        job.result = job.work(job.listen)
    except Cancelled:
        job.finish("stopped")
    except BgmError as error:
        job.finish("failed", str(error))
    except Exception:  # a worker is the last to hear of it: told to the user without its inside, kept in the log
        reference = secrets.token_hex(3)
        log.exception("job %s of kind %s failed", reference, job.kind)
        job.finish("failed", f"something went wrong on the server; its log has the reason under {reference}")
    else:
        job.finish("done")
