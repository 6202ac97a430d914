"""Time: how many bars fit a segment, how beats become seconds, and which sections the bars form."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random

BAR = 4
"""Beats of a bar."""
NUDGE = 1.12
"""The tempo may be faster or slower by this factor so that bars fit the segment."""
STING_SECONDS = 2.0
"""Shorter cues are one chord."""
SHORTEST_SECTION, SHORTEST_INTRO = 4, 2
"""Bars; only a cue that is shorter itself has a shorter section."""
_TAIL_SHARE, _TAIL_SECONDS = 0.25, 3.6


@dataclass(frozen=True, slots=True)
class Grid:
    """Beats of a cue and their times. The last ``slowing`` beats before a final chord broaden."""

    beats: int
    seconds_per_beat: float
    slowing: int = 0
    broadening: float = 0.0
    """How much longer the last of the slowing beats is than the first, as a share."""

    @property
    def bars(self) -> int:
        """Bars begun, the last perhaps a part of one."""
        return math.ceil(self.beats / BAR)

    @property
    def tempo(self) -> float:
        """Beats per minute before the slowing."""
        return 60 / self.seconds_per_beat

    def seconds(self, beat: float) -> float:
        """When a beat falls."""
        late = min(max(0.0, beat - (self.beats - self.slowing)), self.slowing)
        extra = self.broadening * late * late / (2 * self.slowing) if self.slowing else 0.0
        return self.seconds_per_beat * (beat + extra)

    def beat(self, seconds: float) -> float:
        """The beat at a time, exact but for the slowing beats, where it is at most a fraction of a beat late."""
        return seconds / self.seconds_per_beat

    def nearest_bar(self, seconds: float) -> int:
        """The bar whose start is nearest to a time; that of the bar after the last is the end of all beats."""
        return round(min(self.beat(seconds), self.beats) / BAR)

    def from_bar_line(self, seconds: float) -> float:
        """How far a time is from the nearest bar line, in seconds."""
        return abs(seconds - self.seconds(min(self.beats, BAR * self.nearest_bar(seconds))))


def fit(seconds: float, tempo: float) -> tuple[int, float]:
    """Beats that fill ``seconds`` and their tempo: whole bars within NUDGE of ``tempo``, else half bars, else beats."""
    for unit in (BAR, BAR // 2):
        beats = max(unit, unit * round(seconds * tempo / 60 / unit))
        fitted = beats * 60 / seconds
        if 1 / NUDGE <= fitted / tempo <= NUDGE:
            return beats, fitted
    beats = max(1, round(seconds * tempo / 60))
    return beats, beats * 60 / seconds


def tail_seconds(seconds: float) -> float:
    """How long the last chord of an ending may ring."""
    return min(_TAIL_SECONDS, _TAIL_SHARE * seconds)


def grid(seconds: float, tempo: float, *, ending: bool, hits: Sequence[float] = ()) -> Grid:
    """The beats of a cue. In an ending the final chord falls on the beat after the last, with time left to ring.

    With ``hits`` (seconds), of all tempi within NUDGE whose bars fit, the one whose bar lines are nearest to them.
    """
    body = seconds - tail_seconds(seconds) if ending else seconds
    usual = _divided(body, fit(body, tempo)[0], ending=ending)
    if not hits:
        return usual

    def missed(choice: Grid) -> tuple[float, int]:
        return math.fsum(choice.from_bar_line(hit) for hit in hits), abs(choice.beats - usual.beats)

    return min((usual, *_alternatives(usual, body, tempo, ending=ending)), key=missed)


def _alternatives(usual: Grid, body: float, tempo: float, *, ending: bool) -> Iterator[Grid]:
    """Grids within NUDGE of ``tempo`` of units as whole as the usual one's: bars, half bars or beats."""
    unit = math.gcd(usual.beats, BAR)
    expected = body * tempo / 60 / unit
    for count in range(math.ceil(expected / NUDGE), math.floor(expected * NUDGE) + 1):
        choice = _divided(body, unit * count, ending=ending)
        if choice.tempo <= tempo * NUDGE:
            yield choice


def _divided(body: float, beats: int, *, ending: bool) -> Grid:
    if not ending or beats < 2 * BAR:
        return Grid(beats, body / beats)
    slowing, broadening = 2, 0.22
    return Grid(beats, body / (beats + broadening * slowing / 2), slowing, broadening)


class Kind(StrEnum):
    """What a section does for the form."""

    INTRO = "intro"
    STATEMENT = "statement"
    VARIATION = "variation"
    CONTRAST = "contrast"
    RETURN = "return"
    INTERLUDE = "interlude"


INTENSITY = {
    Kind.INTRO: 0.35,
    Kind.STATEMENT: 0.60,
    Kind.VARIATION: 0.78,
    Kind.CONTRAST: 0.68,
    Kind.RETURN: 0.92,
    Kind.INTERLUDE: 0.42,
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


def sections(bars: int, rng: Random, *, opening: bool) -> tuple[Section, ...]:
    """Divide ``bars`` into an intro (where the video opens), a statement of the theme, its development and return."""
    result: list[Section] = []
    first = _intro_bars(bars) if opening else 0
    if first:
        result.append(Section(Kind.INTRO, 0, first, 0, 0))
    cycle, kinds = 0, list(_FIRST_CYCLE)
    lengths = _lengths(bars - first)
    for i, length in enumerate(lengths):
        if not kinds:
            cycle, kinds = cycle + 1, list(rng.choice(_LATER_CYCLES))
        comes_home = i >= 2 and i == len(lengths) - 1
        result.append(Section(Kind.RETURN if comes_home else kinds.pop(0), first, length, len(result), cycle))
        first += length
    return tuple(result)


def _intro_bars(bars: int) -> int:
    if bars >= 32:
        return 4
    return SHORTEST_INTRO if bars >= 8 else 0


def _lengths(bars: int) -> list[int]:
    """Sections of eight bars; a rest of four bars or more is a section of its own, a smaller one stretches the last."""
    lengths = [_SECTION_BARS] * (bars // _SECTION_BARS)
    rest = bars % _SECTION_BARS
    if rest and lengths and rest < SHORTEST_SECTION:
        lengths[-1] += rest
    elif rest:
        lengths.append(rest)
    return lengths
