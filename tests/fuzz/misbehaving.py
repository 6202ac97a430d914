"""Journeys that break each rule on purpose: the fuzzer must see it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path

from bgm.errors import BadInput
from tests.fuzz.journeys import Journey


def _crash(file: Path, out: Path, bed: Path) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def _hang(file: Path, out: Path, bed: Path) -> None:
    time.sleep(60)


def _burn(file: Path, out: Path, bed: Path) -> None:
    end = time.process_time() + 0.3
    while time.process_time() < end:
        pass


def _traceback(file: Path, out: Path, bed: Path) -> None:
    raise KeyError("x")


def _memory(file: Path, out: Path, bed: Path) -> None:
    bytearray(20 << 30)


def _part(file: Path, out: Path, bed: Path) -> None:
    (out / ".bgm-part-1.mp4").touch()


def _jargon(file: Path, out: Path, bed: Path) -> None:
    raise BadInput("[Errno 22] Invalid argument")


def _lines(file: Path, out: Path, bed: Path) -> None:
    raise BadInput("one\ntwo")


def _touch(file: Path, out: Path, bed: Path) -> None:
    file.write_bytes(b"other")


def _good(file: Path, out: Path, bed: Path) -> None:
    raise BadInput("this is refused as it should be")


JOURNEYS: Mapping[str, Journey] = {
    "crash": _crash,
    "hang": _hang,
    "slow": _burn,
    "KeyError in misbehaving.py:_traceback": _traceback,
    "MemoryError in misbehaving.py:_memory": _memory,
    "leftover": _part,
    "message": _jargon,
    "message ": _lines,
    "changed": _touch,
    "": _good,
}
"""Under the name of the finding that each must give."""
