"""Time: meters, fitting bars to a segment, its sections, and landing on what happens in the video."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from random import Random

NUDGE = 1.03
"""The tempo may differ from the piece's by this factor so that whole bars, half bars or beats fill a segment."""
HIT_NUDGE = 1.08
"""The same if the music is to land on picture cuts."""
STING_SECONDS = 2.0
"""Shorter cues are one chord."""
SHORTEST_SECTION, SHORTEST_INTRO = 4, 2
"""Bars; only a cue that is shorter itself has a shorter section."""
GAP_SECONDS = 1.5
"""Pauses in the speech of at least this length belong to the music."""
_TAIL_SHARE, _TAIL_SECONDS, _SHORTEST_TAIL = 0.25, 3.6, 1.0
_AFTER_WORD = 0.25
"""The final chord waits this long after the last word, seconds."""
_REACH = 2
"""Bars by which a section's start may be moved to land on something."""

Spans = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Meter:
    """A meter in quarter notes."""

    signature: tuple[int, int]
    """As it is written: (3, 4)."""
    bar: int
    """Quarters of a bar."""
    beat: float
    """What one taps to: a quarter, or a dotted quarter in 6/8."""
    strong: tuple[float, ...]
    """The strong beats of a bar, in quarters."""
    units: tuple[float, ...]
    """Units that a segment may be filled with, best first, in quarters."""

    @property
    def name(self) -> str:
        """4/4, 3/4 or 6/8."""
        return "{}/{}".format(*self.signature)


COMMON = Meter((4, 4), 4, 1.0, (0.0, 2.0), (4.0, 2.0, 1.0))
WALTZ = Meter((3, 4), 3, 1.0, (0.0,), (3.0, 1.0))
COMPOUND = Meter((6, 8), 3, 1.5, (0.0, 1.5), (3.0, 1.5))
METERS = {meter.signature: meter for meter in (COMMON, WALTZ, COMPOUND)}
"""All meters that can be played, by their signature."""


@dataclass(frozen=True, slots=True)
class Grid:
    """The beats (quarters) of a cue and their times. The last ``slowing`` beats before a final chord slow down."""

    meter: Meter
    beats: float
    seconds_per_beat: float
    slowing: float = 0.0
    broadening: float = 0.0
    """How much longer the last of the slowing beats is than the first, as a share."""

    @property
    def bars(self) -> int:
        """Bars, including a partial last one."""
        return math.ceil(self.beats / self.meter.bar)

    @property
    def tempo(self) -> float:
        """Quarters per minute before the slowing."""
        return 60 / self.seconds_per_beat

    def seconds(self, beat: float) -> float:
        """When a beat falls."""
        # The integral of a linear slow-down: the extra time grows quadratically.
        late = min(max(0.0, beat - (self.beats - self.slowing)), self.slowing)
        extra = self.broadening * late * late / (2 * self.slowing) if self.slowing else 0.0
        return self.seconds_per_beat * (beat + extra)

    def beat(self, seconds: float) -> float:
        """The beat at a time; exact, except in the slowing beats, where it is a fraction of a beat late."""
        return seconds / self.seconds_per_beat

    def nearest_bar(self, seconds: float) -> int:
        """The bar whose start is nearest to a time; the end of the last bar counts as the start of another."""
        return round(min(self.beat(seconds), self.beats) / self.meter.bar)

    def from_bar_line(self, seconds: float) -> float:
        """How far a time is from the nearest bar line, in seconds."""
        return abs(seconds - self.seconds(min(self.beats, self.meter.bar * self.nearest_bar(seconds))))


def fit(seconds: float, tempo: float, meter: Meter) -> tuple[float, float]:
    """How many beats fill ``seconds``, and their unit: whole bars if the tempo changes little, else smaller ones."""
    # 1. Whole bars if they fit within the nudge, 2. else half bars, 3. else beats: a cue never ends inside a beat.
    for unit in meter.units:
        count = max(1, round(seconds * tempo / 60 / unit))
        if 1 / NUDGE <= count * unit * 60 / seconds / tempo <= NUDGE:
            return count * unit, unit
    unit = meter.units[-1]
    return unit * max(1, round(seconds * tempo / 60 / unit)), unit


def tail_seconds(seconds: float) -> float:
    """How long the final chord rings by default."""
    return min(_TAIL_SECONDS, _TAIL_SHARE * seconds)


def final_chord_at(seconds: float, speech: Spans) -> float:
    """When the final chord is struck: with time to ring, and after the last word if there is room."""
    usual = seconds - tail_seconds(seconds)
    after = max((end for _, end in speech), default=0.0) + _AFTER_WORD
    return after if usual < after <= seconds - _SHORTEST_TAIL else usual


def grid(body: float, tempo: float, meter: Meter, *, ending: bool, hits: Sequence[float] = ()) -> Grid:
    """The beats that fill ``body`` seconds; in an ending the final chord falls on the beat after the last.

    With ``hits`` (seconds), of all tempi within HIT_NUDGE that fit, the one whose bar lines are nearest to them.
    """
    beats, unit = fit(body, tempo, meter)
    usual = _divided(body, beats, meter, ending=ending)
    if not hits:
        return usual

    def missed(choice: Grid) -> tuple[float, float]:
        return math.fsum(choice.from_bar_line(hit) for hit in hits), abs(choice.beats - usual.beats)

    # All counts of units whose tempo lies within the nudge: few, since the nudge is 8 %.
    expected = body * tempo / 60 / unit
    counts = range(math.ceil(expected / HIT_NUDGE), math.floor(expected * HIT_NUDGE) + 1)
    others = (_divided(body, unit * count, meter, ending=ending) for count in counts if count > 0)
    return min((usual, *others), key=missed)


def _divided(body: float, beats: float, meter: Meter, *, ending: bool) -> Grid:
    if not ending or beats < 2 * meter.bar:
        return Grid(meter, beats, body / beats)
    slowing, broadening = 2 * meter.beat, 0.22
    return Grid(meter, beats, body / (beats + broadening * slowing / 2), slowing, broadening)


class Kind(StrEnum):
    """The function of a section in the form."""

    INTRO = "intro"
    STATEMENT = "statement"
    VARIATION = "variation"
    CONTRAST = "contrast"
    RETURN = "return"
    INTERLUDE = "interlude"


INTENSITY = {
    Kind.INTRO: 0.20,
    Kind.STATEMENT: 0.50,
    Kind.VARIATION: 0.72,
    Kind.CONTRAST: 0.62,
    Kind.RETURN: 1.00,
    Kind.INTERLUDE: 0.35,
}
_FIRST_CYCLE = (Kind.STATEMENT, Kind.VARIATION, Kind.CONTRAST, Kind.RETURN)
_LATER_CYCLES = (
    (Kind.INTERLUDE, Kind.VARIATION, Kind.CONTRAST, Kind.RETURN),
    (Kind.INTERLUDE, Kind.STATEMENT, Kind.CONTRAST, Kind.VARIATION, Kind.RETURN),
    (Kind.CONTRAST, Kind.INTERLUDE, Kind.VARIATION, Kind.RETURN),
)
_SECTION_BARS = 8


@dataclass(frozen=True, slots=True)
class Section:
    """Bars ``first`` to ``first + bars``; ``number`` counts the sections, ``cycle`` the trips through the form."""

    kind: Kind
    first: int
    bars: int
    number: int
    cycle: int

    @property
    def intensity(self) -> float:
        """How much of the ensemble plays, 0..1."""
        return INTENSITY[self.kind]

    @property
    def end(self) -> int:
        """The bar after the last."""
        return self.first + self.bars

    @property
    def hints(self) -> bool:
        """Whether only the beginning of the theme is heard."""
        return self.kind in (Kind.INTRO, Kind.INTERLUDE)


def sections(bars: int, rng: Random, *, opening: bool) -> tuple[Section, ...]:
    """Divide ``bars`` into an intro (if the video starts here), a statement of the theme, development and return."""
    result: list[Section] = []
    first = _intro_bars(bars) if opening else 0
    if first:
        result.append(Section(Kind.INTRO, 0, first, 0, 0))
    # The first cycle is always the same, so that the form is clear; later ones are drawn.
    cycle, kinds = 0, list(_FIRST_CYCLE)
    lengths = _lengths(bars - first)
    for i, length in enumerate(lengths):
        if not kinds:
            cycle, kinds = cycle + 1, list(rng.choice(_LATER_CYCLES))
        # The last section is always the return: a form closes with its theme.
        comes_home = i >= 1 and i == len(lengths) - 1
        result.append(Section(Kind.RETURN if comes_home else kinds.pop(0), first, length, len(result), cycle))
        first += length
    return tuple(result)


def _intro_bars(bars: int) -> int:
    # A quarter of the cue at most.
    if bars >= 32:
        return 4
    return SHORTEST_INTRO if bars >= 8 else 0


def _lengths(bars: int) -> list[int]:
    """Sections of eight bars; four or more remaining bars form their own section, fewer extend the last one."""
    lengths = [_SECTION_BARS] * (bars // _SECTION_BARS)
    rest = bars % _SECTION_BARS
    if rest and lengths and rest < SHORTEST_SECTION:
        lengths[-1] += rest
    elif rest:
        lengths.append(rest)
    return lengths


def landmarks(hits: Sequence[float], speech: Spans, seconds: float) -> tuple[float, ...]:
    """Where sections should start: at picture cuts or, if there are none, at pauses in the speech.

    All in seconds; ``seconds`` is the cue's length, which ends the last pause.
    """
    return tuple(hits) or tuple(_pauses(speech, seconds))


def _pauses(speech: Spans, seconds: float) -> Iterator[float]:
    reached: float | None = None
    for start, end in (*sorted(speech), (seconds, seconds)):
        # Spans may overlap, so the furthest end so far counts.
        if reached is not None and start - reached >= GAP_SECONDS:
            yield reached
        reached = end if reached is None else max(reached, end)


def aligned(form: Sequence[Section], grid: Grid, times: Sequence[float]) -> tuple[Section, ...]:
    """The form with its sections moved to the bars nearest to ``times`` (seconds), if those are within reach.

    Sections keep their order and kind; none becomes shorter than a form may have it.
    """
    distances = _landings(grid, times)
    starts = [section.first for section in form]
    for i in range(1, len(form)):
        # From left to right: the previous section has already moved, and limits this one.
        earliest = starts[i - 1] + _shortest(form[i - 1])
        latest = form[i].end - _shortest(form[i])
        near = range(max(earliest, starts[i] - _REACH), min(latest, starts[i] + _REACH) + 1)
        # The nearest to its landmark; then the one that moves the section least.
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
    """A section that is already shorter (in a short cue) is never shortened further."""
    return min(section.bars, SHORTEST_INTRO if section.kind is Kind.INTRO else SHORTEST_SECTION)
