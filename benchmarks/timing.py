"""Runs that take turns, so that a busy machine slows all of them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

Run = Callable[[], object]


def medians(runs: dict[str, Run], repeats: int, *, warm_up: bool = True) -> dict[str, float]:
    """Median seconds of each on the clock; every second round goes in the opposite order."""
    if warm_up:
        for run in runs.values():
            run()
    times: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(repeats):
        order = list(runs) if turn % 2 == 0 else list(reversed(runs))
        for name in order:
            times[name].append(seconds(runs[name]))
    return {name: statistics.median(values) for name, values in times.items()}


def seconds(run: Run) -> float:
    """Of one run, on the clock."""
    started = time.perf_counter()
    run()
    return time.perf_counter() - started
