"""Steps that run in the background: told about while they run, stopped at once, alive when the tab is closed."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bgm.errors import BadInput, BgmError, Cancelled
from bgm.log import job_id
from bgm.progress import Listener
from bgm.ui.job import Job, JobLog, Observer, Queue, State

__all__ = ["Job", "Jobs", "Queue"]

POLL_SECONDS = 0.15
_END_SECONDS = 0.02
"""The end of a job is told sooner than how far it is: somebody waits to hear what it made."""
STUCK_SECONDS = 1800.0
"""A stage says twice a second how far it is; loading or compiling a model may take minutes, but not so many."""
REMEMBERED = 500
"""Finished jobs whose outcome is kept for who comes back to the page."""


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
            self._tell(lambda observer: observer.queued(job))
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
        """The observers come first: who waits for the end may end the process then."""
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
