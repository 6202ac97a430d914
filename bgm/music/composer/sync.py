"""Landing on what happens in the video: sections start on the bar nearest to a cut or to a pause in the speech."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from bgm.music.composer.form import SHORTEST_INTRO, SHORTEST_SECTION, Grid, Kind, Section
from bgm.music.cue import Cue

GAP_SECONDS = 1.5
"""Pauses at least this long are the music's."""
_REACH = 2
"""Bars by which a section may start earlier or later than its form says."""


def landmarks(cue: Cue, seconds: float) -> tuple[float, ...]:
    """What sections should start with: the picture's cuts, or without any the starts of the speech's pauses.

    All in seconds; ``seconds`` is the cue's length, which ends the last pause.
    """
    return cue.hits or tuple(_pauses(cue.speech, seconds))


def _pauses(speech: Sequence[tuple[float, float]], seconds: float) -> Iterator[float]:
    reached: float | None = None
    for start, end in (*sorted(speech), (seconds, seconds)):
        if reached is not None and start - reached >= GAP_SECONDS:
            yield reached
        reached = end if reached is None else max(reached, end)


def aligned(form: Sequence[Section], grid: Grid, times: Sequence[float]) -> tuple[Section, ...]:
    """The form with its sections starting on the bars nearest to ``times`` (seconds), where one is within reach.

    Sections keep their order and kind; none becomes shorter than a form may have it.
    """
    distances = _landings(grid, times)
    starts = [section.first for section in form]
    for i in range(1, len(form)):
        earliest = starts[i - 1] + _shortest(form[i - 1])
        latest = form[i].end - _shortest(form[i])
        near = range(max(earliest, starts[i] - _REACH), min(latest, starts[i] + _REACH) + 1)
        landing = [bar for bar in near if bar in distances]
        usual = starts[i]
        starts[i] = min(landing, key=lambda bar: (distances[bar], abs(bar - usual), bar), default=usual)
    ends = [*starts[1:], form[-1].end]
    return tuple(replace(s, first=a, bars=b - a) for s, a, b in zip(form, starts, ends, strict=True))


def _landings(grid: Grid, times: Sequence[float]) -> dict[int, float]:
    """The bars that are nearest to one of ``times``, and how far from it they are (seconds)."""
    result: dict[int, float] = {}
    for time in times:
        bar = grid.nearest_bar(time)
        result[bar] = min(grid.from_bar_line(time), result.get(bar, grid.from_bar_line(time)))
    return result


def _shortest(section: Section) -> int:
    """A section that is shorter already (a short cue's) is never shortened further."""
    return min(section.bars, SHORTEST_INTRO if section.kind is Kind.INTRO else SHORTEST_SECTION)
