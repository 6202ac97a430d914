"""One progress callback for every stage; it can also cancel the work.

A stage calls ``progress(fraction, note)`` often (at least twice a second where possible). The callback may raise
:class:`bgm.errors.Cancelled`; the stage lets it propagate and leaves no half-written file. The studio turns the stages'
fractions into steps of the whole call, with the remaining time.
"""

from __future__ import annotations

import atexit
import math
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import NoReturn, Protocol, TypeVar

TICK_S = 0.2
T = TypeVar("T")
Tick = Callable[[], None]
"""Called while waiting or working: reports progress, and may raise to stop the work."""


class Progress(Protocol):
    """``fraction`` is 0..1 of the stage's own work; ``note`` is a few words such as ``segment 3 of 7``."""

    def __call__(self, fraction: float, note: str = "") -> None: ...


def silent(fraction: float, note: str = "") -> None:
    """Ignore progress."""


def part(progress: Progress, start: float, end: float) -> Progress:
    """Map a sub-step's 0..1 onto ``start``..``end`` of ``progress``."""

    def inner(fraction: float, note: str = "") -> None:
        progress(start + (end - start) * min(1.0, max(0.0, fraction)), note)

    return inner


def each(
    progress: Progress, items: Sequence[T], cost: Callable[[T], float] = lambda item: 1.0
) -> Iterator[tuple[T, Progress]]:
    """Every item with its share of ``progress``, in proportion to its ``cost``."""
    costs = [cost(item) for item in items]
    ends = [done / (sum(costs) or 1.0) for done in accumulate(costs, initial=0.0)]
    yield from ((item, part(progress, *edges)) for item, edges in zip(items, pairwise(ends), strict=True))


@dataclass(frozen=True, slots=True)
class Step:
    """The state of a studio call. ``fraction`` refers to ``stage``, ``overall`` to the whole call, both 0..1."""

    stage: str
    fraction: float
    overall: float
    remaining: float | None
    """Estimated seconds; None at the start."""
    note: str = ""
    of: str = ""
    """The video, if a call works on several; empty: the whole call. Finished when ``overall`` is 1."""
    cost: float = 0.0
    """Seconds that the whole call usually takes on two processor cores; 0 where that is unknown."""


Listener = Callable[[Step], None]


class Remaining:
    """The remaining seconds of one call: what is left of its usual cost, at the pace of this machine so far.

    Until the call has run for a while the pace is taken for the usual one, so that the time in which a model is loaded
    isn't taken for the pace of all that follows. What is told counts down with the clock, and each new reading moves it
    by a first-order low-pass with the time constant INERTIA: it doesn't leap where a stage costs more than it should.
    """

    INERTIA = 6.0
    """Seconds; a quarter of the cost where that is less."""
    LEAST, LEAST_KNOWN = 0.04, 0.01
    """Share of the call that must be done before there is an estimate: of unknown and of known cost."""
    CREDIT = 8.0
    """Seconds at the usual pace that count as if they had been seen, at most half of the cost."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = self._then = self._read = clock()
        self._told: float | None = None
        self._done = 0.0

    def __call__(self, overall: float, cost: float = 0.0) -> float | None:
        """Seconds left when ``overall`` (0..1) is done; None while it is too early to estimate."""
        if overall < (self.LEAST_KNOWN if cost else self.LEAST):
            return None
        now = self._clock()
        credit = min(self.CREDIT, cost / 2)
        usual = cost or 1.0
        reading = (1 - overall) * usual * (now - self._began + credit) / (overall * usual + credit)
        passed, self._then = now - self._then, now
        if self._told is None:
            self._told, self._done, self._read = reading, overall, now
            return reading
        due = max(0.0, self._told - passed)
        if overall == self._done:  # a long piece of work says nothing until its end
            self._told = max(due, reading / 2)
            return self._told
        inertia = min(self.INERTIA, cost / 4) if cost else self.INERTIA
        step = min(0.5, -math.expm1((self._read - now) / inertia))
        self._told = due + (reading - due) * step
        self._done, self._read = overall, now
        return self._told


def unheard(step: Step) -> None:
    """Ignore the step."""


def over(listen: Listener, start: float, end: float, remaining: Remaining | None = None) -> Listener:
    """A listener for a call that takes a longer one from ``start`` to ``end`` (0..1).

    The call's own remaining time says nothing of the longer one's, which ``remaining`` estimates, if given. The longer
    one costs as much more as it is longer.
    """

    def inner(step: Step) -> None:
        overall = start + (end - start) * step.overall
        cost = step.cost / (end - start) if end > start else 0.0
        left = remaining(overall, cost) if remaining else step.remaining
        listen(replace(step, overall=overall, remaining=left, cost=cost))

    return inner


def usual_cost(rate: tuple[float, float], length: float) -> float:
    """Seconds of work: ``rate`` is what it takes at all, and for each of the ``length`` seconds of video or music."""
    once, each = rate
    return once + each * length


class Stages:
    """The stages of one studio call, weighted by their usual cost: ``in_seconds``, or relative to each other."""

    def __init__(self, weights: Mapping[str, float], listen: Listener, *, in_seconds: bool = False) -> None:
        self._weights = dict(weights)
        self._listen = listen
        self._in_seconds = in_seconds
        self._done = self._overall = 0.0
        self._remaining = Remaining()

    def expect(self, stage: str, weight: float) -> None:
        """Another cost of a stage that isn't finished, now that more is known of it."""
        self._weights[stage] = weight

    def skip(self, stage: str) -> None:
        """Drop ``stage``: it needs no work."""
        self._weights[stage] = 0.0

    def begin(self, stage: str) -> Progress:
        """Start ``stage``; the progress callback to pass to it."""
        self._listen(self._step(stage, 0.0, ""))

        def progress(fraction: float, note: str = "") -> None:
            self._listen(self._step(stage, min(1.0, max(0.0, fraction)), note))

        return progress

    def finish(self, stage: str) -> None:
        """Mark ``stage`` as done."""
        self._done += self._weights[stage]
        self._weights[stage] = 0.0
        self._listen(self._step(stage, 1.0, ""))

    def _step(self, stage: str, fraction: float, note: str) -> Step:
        weight = self._weights[stage]
        # Skipped stages weigh nothing, so the others' shares grow: the bar reaches its end whatever was cached.
        total = self._done + sum(self._weights.values())
        overall = (self._done + weight * fraction) / total if total else 1.0
        self._overall = max(self._overall, overall)  # it doesn't go back where more is expected than before
        cost = total if self._in_seconds else 0.0
        return Step(stage, fraction, self._overall, self._remaining(self._overall, cost), note, cost=cost)


class LeftBehindError(Exception):
    """The caller no longer waits for this work."""


def attended(work: Callable[[Tick], T], tick: Tick) -> T:
    """Run ``work(check)`` in its own thread and return its result, calling ``tick`` every TICK_S seconds.

    For libraries that can't be interrupted during a long computation: when ``tick`` raises, the thread is abandoned,
    and its next ``check`` raises there.
    """
    return next(side_by_side([work], 1, tick))


def side_by_side(works: Iterable[Callable[[Tick], T]], most: int, tick: Tick, *, leave: bool = True) -> Iterator[T]:
    """The results of ``works`` in their order, of which up to ``most`` are begun; otherwise like :func:`attended`.

    Without ``leave`` no thread is abandoned: for works that call ``check`` often, and clean up behind themselves.
    """
    left = threading.Event()
    begun: deque[tuple[Future[T], threading.Thread]] = deque()

    def check() -> None:
        if left.is_set():
            raise LeftBehindError

    def first() -> T:
        tick()  # many short works may each be done before they are waited for
        while not wait([begun[0][0]], TICK_S).done:
            tick()
        return begun.popleft()[0].result()

    try:
        for work in works:
            begun.append(_begun(work, check))
            if len(begun) == most:
                yield first()
        while begun:
            yield first()
    except BaseException:
        left.set()
        for _, thread in begun:
            if leave:  # the caller wants to stop now, and the library returns when it returns
                _left_behind.append(thread)
            else:
                thread.join()
        raise


def _begun(work: Callable[[Tick], T], check: Tick) -> tuple[Future[T], threading.Thread]:
    result: Future[T] = Future()

    def run() -> None:
        try:
            result.set_result(work(check))
        except BaseException as error:
            result.set_exception(error)

    thread = threading.Thread(target=run, name="attended", daemon=True)
    thread.start()
    return result, thread


def leave(status: int) -> NoReturn:
    """End the process without waiting for abandoned threads: Python's normal exit would crash them."""
    if any(thread.is_alive() for thread in _left_behind):
        _left_behind.clear()
        # By hand, in their order, since os._exit skips them; the list is cleared before, or the last of them would join
        # the thread that we leave behind.
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)


_left_behind: list[threading.Thread] = []


@atexit.register
def _wait_for_what_was_left_behind() -> None:
    for thread in _left_behind:
        thread.join()
