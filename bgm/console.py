"""What every command shares: progress on stderr, stopping with Ctrl-C, and one sentence for what failed."""

from __future__ import annotations

import argparse
import contextlib
import errno
import logging
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bgm.errors import BgmError
from bgm.files import drop_open_parts, is_full
from bgm.progress import Listener, Progress, Stages, Step, unheard

STOP_WITHIN_S = 1.5
"""A native call that doesn't return within this time after Ctrl-C is ended with the process."""
INTERRUPTED = 130
_LINE_EVERY_S = 2.0
Work = Callable[[argparse.Namespace, Progress], str]
"""Does what the arguments say, and returns what to print."""


@contextmanager
def shown(quiet: bool) -> Iterator[Listener]:
    """Show steps on stderr: a live bar on a terminal, a line every two seconds elsewhere, nothing when ``quiet``."""
    logging.basicConfig(format="%(message)s", level=logging.WARNING, force=True)
    logging.getLogger("bgm").setLevel(logging.WARNING if quiet else logging.INFO)
    if quiet:
        yield unheard
    elif sys.stderr.isatty():
        with _bar() as listen:
            yield listen
    else:
        yield Lines()


class Lines:
    """Progress as plain lines: ``separate 40 % (12 % of all, 0:31 left)``."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[str, float]] = {}

    def __call__(self, step: Step) -> None:
        stage, when = self._last.get(step.of, ("", 0.0))
        now = time.monotonic()
        # A log file (CI, systemd) wants few lines: a stage's first and last word, and one every two seconds.
        soon = step.of or (now - when < _LINE_EVERY_S and step.fraction < 1)  # in a batch: each stage once
        if step.stage == stage and soon:
            return
        self._last[step.of] = (step.stage, now)
        print(line(step), file=sys.stderr, flush=True)


def line(step: Step) -> str:
    """Format one step."""
    left = f", {_clock(step.remaining)} left" if step.remaining is not None else ""
    note = f" · {step.note}" if step.note else ""
    told = f"{step.stage} {step.fraction:.0%} ({step.overall:.0%} of all{left}){note}"
    return f"{step.of}: {told}" if step.of else told


@contextmanager
def _bar() -> Iterator[Listener]:
    from rich.console import Console
    from rich.logging import RichHandler
    from rich.progress import BarColumn, Progress, TaskID, TextColumn

    console = Console(stderr=True)
    handler = RichHandler(console=console, show_time=False, show_level=False, show_path=False, markup=False)
    logging.basicConfig(format="%(message)s", handlers=[handler], level=logging.WARNING, force=True)
    columns = (TextColumn("{task.description:<11}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(*columns, TextColumn("{task.fields[left]}"), console=console, transient=True) as progress:
        tasks: dict[str, TaskID] = {"": progress.add_task("", total=1.0, left="")}

        def listen(step: Step) -> None:
            if step.of and step.overall >= 1:
                if step.of in tasks:
                    progress.remove_task(tasks.pop(step.of))
                return
            if step.of not in tasks:
                tasks[step.of] = progress.add_task("", total=1.0, left="")
            left = f"{_clock(step.remaining)} left" if step.remaining is not None else ""
            told = "  ".join(part for part in (left, step.of, step.note) if part)
            progress.update(tasks[step.of], completed=step.overall, description=step.stage, left=told)

        yield listen


def _clock(seconds: float | None) -> str:
    whole = round(seconds or 0)
    return f"{whole // 60}:{whole % 60:02d}"


@contextmanager
def stoppable() -> Iterator[None]:
    """End the work within two seconds of Ctrl-C (or SIGTERM), even inside a native call that ignores signals.

    Python runs its handler only between two bytecodes of the main thread. Meanwhile the byte that the signal writes to
    the socket wakes a thread that can end the process. Files are renamed only when complete, so nothing finished is
    lost.
    """
    # A pair of sockets, as asyncio has it: on Windows a pipe can't be made non-blocking.
    ours, theirs = socket.socketpair()
    # set_wakeup_fd asks for it: a handler must never wait.
    theirs.setblocking(False)
    previous = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
    old = signal.signal(signal.SIGTERM, signal.default_int_handler)
    threading.Thread(target=_end_after_signal, args=(ours,), daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(previous)
        signal.signal(signal.SIGTERM, old)
        theirs.close()


def _end_after_signal(wakes: socket.socket) -> None:
    while data := wakes.recv(1):
        if data[0] in {signal.SIGINT, signal.SIGTERM}:
            # Time for Python's own way: KeyboardInterrupt, finally blocks, the one sentence. If it was enough, the
            # process is gone by now.
            time.sleep(STOP_WITHIN_S)
            drop_open_parts()
            print("stopped; the same command resumes", file=sys.stderr, flush=True)
            os._exit(INTERRUPTED)


def explain(error: BaseException, folders: list[Path]) -> tuple[str, int]:
    """One sentence for the user, and the exit status. ``folders`` are those that were written to."""
    if isinstance(error, KeyboardInterrupt):
        return "stopped; the same command resumes", INTERRUPTED
    if isinstance(error, BgmError):
        return str(error), error.exit_code
    # The disk before the error's text: a full disk shows as whatever the library makes of it, "Error writing" or a
    # broken file.
    full = next((folder for folder in folders if is_full(folder)), None)
    if full is not None or (isinstance(error, OSError) and error.errno == errno.ENOSPC):
        where = full or getattr(error, "filename", None)
        return f"the disk is full{f': {where}' if where else ''}; what was finished is kept, nothing half-written", 1
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror, 1
    if isinstance(error, MemoryError):
        return "there is not enough memory", 1
    # What nobody foresaw is said in one line as well; --debug has the traceback.
    first_line = (str(error).splitlines() or ["no message"])[0][:200]
    return f"an unexpected failure ({type(error).__name__}: {first_line}); --debug shows where", 1


def as_json(result: dict[str, Any] | list[dict[str, Any]]) -> str:
    """One line of JSON per result."""
    import json

    several = result if isinstance(result, list) else [result]
    return "\n".join(json.dumps(one, ensure_ascii=False, allow_nan=False) for one in several)


def run(parser: argparse.ArgumentParser, stage: str, work: Work, argv: Sequence[str] | None) -> int:
    """A command of its own (``bgm.training``): parse, work, print; returns the exit status.

    ``stage`` is what the progress calls it. Adds --quiet and --debug.
    """
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    parser.add_argument("--debug", action="store_true", help="show where a failure comes from")
    arguments = parser.parse_args(argv)
    try:
        # What a library prints must not get between the caller and the result.
        with contextlib.redirect_stdout(sys.stderr), stoppable(), shown(arguments.quiet) as listen:
            stages = Stages({stage: 1.0}, listen)
            text = work(arguments, stages.begin(stage))
            stages.finish(stage)
    except BaseException as error:
        if arguments.debug:
            traceback.print_exc()
        sentence, status = explain(error, [])
        print(f"{parser.prog.rpartition(' ')[2]}: {sentence}", file=sys.stderr)
        return status
    print(text)
    return 0
