"""Work that can't be stopped from outside: who stops goes on at once, and the process ends without a crash."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from bgm.errors import Cancelled
from bgm.progress import Tick, attended
from tests.shell import ROOT


def test_who_stops_does_not_wait_for_a_window() -> None:
    def stop() -> None:
        raise Cancelled("stopped")

    began = time.monotonic()
    with pytest.raises(Cancelled):
        attended(lambda check: time.sleep(3), stop)
    assert time.monotonic() - began < 2


def test_work_that_nobody_waits_for_ends() -> None:
    ended: list[bool] = []

    def work(check: Tick) -> None:
        try:
            while True:
                time.sleep(0.01)
                check()
        finally:
            ended.append(True)

    def stop() -> None:
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        attended(work, stop)
    time.sleep(0.2)
    assert ended


def test_a_failure_of_the_work_is_told() -> None:
    def fail(check: Tick) -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        attended(fail, lambda: None)


def test_the_process_ends_at_once_beneath_work_that_was_left() -> None:
    code = """if True:
        import time
        from bgm.progress import attended, leave
        def stop(): raise KeyboardInterrupt
        try: attended(lambda check: time.sleep(30), stop)
        except KeyboardInterrupt: leave(130)
    """
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "")
    assert time.monotonic() - began < 15
