"""Spleeter as a child process: sounds go in, vocals come out, and it dies with whoever asked."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, TypeVar, cast

import numpy as np

from bgm.media.audio import Audio
from bgm.progress import Progress
from bgm.voice import spleeter_env

WORKER = Path(__file__).with_name("spleeter_worker.py")
_TICK_SECONDS = 0.25
_FRAME_BYTES = 8
"""Two channels of float32."""
_HEADER_BYTES = 8
_ARCHIVE_MB = 75
"""About the size of the published model's archive."""

T = TypeVar("T")
Tick = Callable[[], None]
"""Called while waiting; what it raises ends the wait."""


class WorkerError(Exception):
    """The child process failed; the message is the last line that it wrote."""


@contextmanager
def worker(task: str, folder: Path, scratch: Path | None = None) -> Iterator[Worker]:
    """Start the child; leaving the context kills it, whatever it is doing. Its temporary files go to ``scratch``."""
    command = [str(spleeter_env.python()), "-I", str(WORKER), task, str(folder)]
    quiet = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"} | ({"TMPDIR": str(scratch)} if scratch else {})
    pipe = subprocess.PIPE
    with ExitStack() as stack:
        log = stack.enter_context(tempfile.TemporaryFile())
        process = stack.enter_context(subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=log, env=quiet))
        stack.callback(_close, cast(IO[bytes], process.stdin))
        thread = stack.enter_context(ThreadPoolExecutor(1, "spleeter"))
        stack.callback(process.kill)
        yield Worker(process, log, thread)


class Worker:
    """A running child. A thread talks to it, so that whoever waits can tick and stop."""

    def __init__(self, process: subprocess.Popen[bytes], log: IO[bytes], thread: ThreadPoolExecutor) -> None:
        self._process = process
        self._stdin = cast(IO[bytes], process.stdin)
        self._stdout = cast(IO[bytes], process.stdout)
        self._log = log
        self._thread = thread

    def wait_until_loaded(self, tick: Tick) -> None:
        """Return when the model is loaded."""
        self._result(self._thread.submit(self._receive), tick)

    def separate(self, sound: Audio, tick: Tick) -> Audio:
        """The vocals of (frames, 2) at 44.1 kHz."""
        return self._result(self._thread.submit(self._exchange, sound), tick)

    def wait_until_done(self, tick: Tick) -> None:
        """Return when the child has ended by itself; raises WorkerError when it failed."""
        if self._result(self._thread.submit(self._process.wait), tick):
            raise self._failure()

    def _result(self, future: Future[T], tick: Tick) -> T:
        while True:
            try:
                return future.result(_TICK_SECONDS)
            except NotYet:
                tick()
            except (BrokenPipeError, EOFError) as error:
                self._process.wait()
                raise self._failure() from error

    def _failure(self) -> WorkerError:
        return WorkerError(spleeter_env.last_line(self._log))

    def _exchange(self, sound: Audio) -> Audio:
        self._stdin.write(len(sound).to_bytes(_HEADER_BYTES, "little"))
        self._stdin.write(np.ascontiguousarray(sound, "<f4").tobytes())
        self._stdin.flush()
        return self._receive()

    def _receive(self) -> Audio:
        frames = int.from_bytes(self._read(_HEADER_BYTES), "little")
        return np.frombuffer(self._read(frames * _FRAME_BYTES), "<f4").reshape(-1, 2)

    def _read(self, count: int) -> bytes:
        data = self._stdout.read(count)
        if len(data) < count:
            raise EOFError
        return data


def fetch_model(folder: Path, progress: Progress) -> None:
    """Let spleeter download its 2stems model into ``folder``. Raises WorkerError when it fails.

    Spleeter tells nothing meanwhile; how far it is shows in how much lies beside ``folder``, where its archive goes.
    """

    def tick() -> None:
        done = min(_ARCHIVE_MB, _bytes_in(folder.parent) / 1e6)
        progress(done / _ARCHIVE_MB, f"downloading Spleeter's model: {done:.0f} of about {_ARCHIVE_MB} MB")

    with worker("fetch", folder, scratch=folder.parent) as child:
        child.wait_until_done(tick)


def _bytes_in(folder: Path) -> int:
    """Of all files in and below ``folder``, some of which may vanish just now."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            total += path.stat().st_size
    return total


def _close(pipe: IO[bytes]) -> None:
    with suppress(BrokenPipeError):  # what the child didn't read any more is lost on purpose
        pipe.close()
