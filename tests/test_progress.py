"""Work that can't be stopped from outside: who stops goes on at once, and the process ends without a crash.

And how long it takes is told calmly.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from bgm.errors import Cancelled
from bgm.progress import Remaining, Stages, Step, Tick, attended, each, over, silent
from tests.shell import ROOT


def test_who_stops_does_not_wait_for_a_window() -> None:
    def stop() -> None:
        raise Cancelled("stopped")

    release, ended = threading.Event(), threading.Event()

    def window(check: Tick) -> None:
        release.wait(60)
        ended.set()

    with pytest.raises(Cancelled):
        attended(window, stop)
    assert not ended.is_set()
    release.set()


def test_work_that_nobody_waits_for_ends() -> None:
    ended = threading.Event()

    def work(check: Tick) -> None:
        try:
            while True:
                time.sleep(0.01)
                check()
        finally:
            ended.set()

    def stop() -> None:
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        attended(work, stop)
    assert ended.wait(60)


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
        try: attended(lambda check: (time.sleep(30), print("it was waited for")), stop)
        except KeyboardInterrupt: leave(130)
    """
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_the_remaining_time_does_not_leap_when_a_stage_costs_more_than_it_weighs() -> None:
    """Half of the weight in 4 s, then 30 s for a tenth, then the rest at once: the plain reading leaps 4, 23, 1 s."""
    seconds = iter(0.5 * n for n in range(200))
    remaining = Remaining(lambda: next(seconds))
    overall = [
        *(n / 16 for n in range(1, 9)),
        *(0.5 + n / 600 for n in range(1, 61)),
        *(0.6 + n / 10 for n in (1, 2, 3)),
    ]
    told = [remaining(share) for share in overall]
    known = [t for t in told if t is not None]
    assert max(b - a for a, b in itertools.pairwise(known)) < 2.5
    assert max(known) > 10, "what really is long is told so in the end"
    assert min(known) >= 0


def test_nothing_is_told_before_anything_is_done() -> None:
    clock: Iterator[float] = iter([0.0, 10.0, 20.0])
    remaining = Remaining(lambda: next(clock))
    assert remaining(0.01) is None
    assert remaining(0.5) == pytest.approx(10.0)
    assert remaining(1.0) == pytest.approx(0.0, abs=0.2)


def test_a_model_that_is_loaded_first_does_not_slow_down_all_that_follows() -> None:
    """A tenth of the work in the first half of the time, as when a model is loaded: the plain reading is 9 times T."""
    clock: Iterator[float] = iter([0.0, 8.0, 8.5])
    remaining = Remaining(lambda: next(clock))
    told = remaining(0.1, 20.0)
    assert told is not None and told < 36, "the usual 18 s, at half the pace"
    assert remaining(0.2, 20.0) < told  # type: ignore[operator]


def test_while_a_long_piece_of_work_says_nothing_the_time_counts_down() -> None:
    clock: Iterator[float] = iter([0.0, 10.0, 12.0, 14.0, 16.0])
    remaining = Remaining(lambda: next(clock))
    told = [remaining(0.5, 20.0) for _ in range(4)]
    assert told == [pytest.approx(10), pytest.approx(8), pytest.approx(6.5, abs=0.5), pytest.approx(6.5, abs=0.8)]


def test_more_that_is_expected_does_not_take_the_bar_back() -> None:
    told: list[Step] = []
    stages = Stages({"separate": 10.0, "transcribe": 10.0}, told.append, in_seconds=True)
    stages.begin("separate")(0.9)
    stages.expect("transcribe", 40.0)
    stages.finish("separate")
    stages.begin("transcribe")(0.5)
    assert [round(step.overall, 2) for step in told] == [0.0, 0.45, 0.45, 0.45, 0.6]
    assert [step.cost for step in told] == [20.0, 20.0, 50.0, 50.0, 50.0]


def test_a_longer_call_costs_as_much_more_as_it_is_longer() -> None:
    told: list[Step] = []
    Stages({"mix": 5.0}, over(told.append, 0.5, 1.0), in_seconds=True).begin("mix")(0.5)
    assert [(step.overall, step.cost) for step in told] == [(0.5, 10.0), (0.75, 10.0)]


def test_each_has_its_share_by_its_cost() -> None:
    told: list[float] = []
    for item, own in each(lambda fraction, note="": told.append(round(fraction, 3)), ["long", "s"], len):
        own(0.5, item)
    assert told == [0.4, 0.9]
    assert list(each(silent, [])) == []
