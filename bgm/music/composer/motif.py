"""The motif, a bar that all segments of a piece share: its variants for each mood, and the rhythms of other bars."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from bgm.digest import stream
from bgm.music.composer.form import COMMON, COMPOUND, WALTZ, Meter


@dataclass(frozen=True, slots=True)
class Tone:
    """One note of a motif: its time in the bar (quarters) and its distance from the first note in scale steps."""

    beat: float
    length: float
    step: int = 0
    colour: int = 0
    """Chromatic alteration in semitones."""


Line = tuple[Tone, ...]
Cell = tuple[tuple[float, float], ...]
"""Starts and lengths in quarters; gaps are rests."""

_MOTIFS: dict[Meter, tuple[tuple[float, ...], ...]] = {
    COMMON: (
        (1.0, 0.5, 0.5, 2.0),
        (1.5, 0.5, 1.0, 1.0),
        (0.5, 0.5, 1.0, 2.0),
        (1.5, 0.5, 2.0),
        (0.5, 1.0, 0.5, 2.0),
        (1.0, 1.0, 2.0),
        (0.5, 0.5, 0.5, 0.5, 2.0),
        (2.0, 1.0, 1.0),
        (1.0, 1.5, 0.5, 1.0),
        (0.5, 1.5, 1.0, 1.0),
        (1.5, 1.5, 1.0),
        (1.5, 0.5, 0.5, 1.5),
    ),
    WALTZ: (
        (1.0, 1.0, 1.0),
        (2.0, 1.0),
        (1.5, 0.5, 1.0),
        (1.0, 0.5, 0.5, 1.0),
        (0.5, 0.5, 2.0),
        (1.0, 2.0),
        (0.5, 0.5, 1.0, 1.0),
    ),
    COMPOUND: (
        (1.0, 0.5, 1.5),
        (1.0, 0.5, 1.0, 0.5),
        (0.5, 0.5, 0.5, 1.5),
        (1.5, 1.0, 0.5),
        (1.0, 0.5, 0.5, 0.5, 0.5),
        (0.5, 1.0, 1.5),
        (1.5, 0.5, 0.5, 0.5),
    ),
}
_CELLS: dict[Meter, tuple[float, tuple[Cell, ...]]] = {
    COMMON: (
        2.0,
        (
            ((0, 2.0),),
            ((0, 1.0), (1, 1.0)),
            ((0, 1.5), (1.5, 0.5)),
            ((0, 0.5), (0.5, 1.5)),
            ((0, 1.0), (1, 0.5), (1.5, 0.5)),
            ((0, 0.5), (0.5, 0.5), (1, 1.0)),
            ((0, 0.5), (0.5, 1.0), (1.5, 0.5)),
            ((0, 0.75), (0.75, 0.75), (1.5, 0.5)),
            ((0, 0.5), (0.5, 0.5), (1, 0.5), (1.5, 0.5)),
            ((0, 0.5), (0.5, 0.5), (1, 0.75), (1.75, 0.25)),
            ((0, 0.75), (0.75, 0.25), (1, 0.5), (1.5, 0.5)),
            ((0.5, 0.5), (1, 1.0)),
            ((0.5, 0.5), (1, 0.5), (1.5, 0.5)),
            ((1, 1.0),),
            ((1, 0.5), (1.5, 0.5)),
        ),
    ),
    WALTZ: (
        1.0,
        (((0, 1.0),), ((0, 0.5), (0.5, 0.5)), ((0, 1.0),), ((0.5, 0.5),), ((0, 0.75), (0.75, 0.25))),
    ),
    COMPOUND: (
        1.5,
        (
            ((0, 1.5),),
            ((0, 1.0), (1, 0.5)),
            ((0, 0.5), (0.5, 1.0)),
            ((0, 0.5), (0.5, 0.5), (1, 0.5)),
            ((0.5, 0.5), (1, 0.5)),
            ((0, 0.75), (0.75, 0.25), (1, 0.5)),
        ),
    ),
}
"""Length of a cell, and the cells."""
_STEPS = (-2, -1, -1, 0, 1, 1, 2)
_LEAPS = (-4, -3, 3, 4, 5)


def motif_for(piece_seed: int, meter: Meter) -> Line:
    """The motif of a piece, one bar long: mostly steps, and one leap followed by a step back."""
    rng = stream(piece_seed, "motif", meter.name)
    lengths = rng.choice(_MOTIFS[meter])
    leap = rng.randrange(1, len(lengths))
    step, last, beat, tones = 0, 0, 0.0, []
    for i, length in enumerate(lengths):
        if i:
            # One leap, then a step or two back (Narmour's reversal): singable, and recognisable.
            last = rng.choice(_LEAPS) if i == leap else _back(last, rng) if abs(last) > 2 else rng.choice(_STEPS)
            step = max(-4, min(5, step + last))  # within about an octave: it has to fit into every band
        tones.append(Tone(beat, length, step))
        beat += length
    return tuple(tones)


def _back(leap: int, rng: Random) -> int:
    return rng.choice((1, 2)) * (-1 if leap > 0 else 1)


def inverted(tones: Line) -> Line:
    """The inversion."""
    return tuple(replace(tone, step=-tone.step) for tone in tones)


def ornamented(tones: Line, rng: Random) -> Line:
    """Split one of the long tones into the tone and a neighbour."""
    long = [tone for tone in tones if tone.length >= 1.0]
    if not long:
        return tones
    chosen = rng.choice(long)
    half, turn = chosen.length / 2, chosen.step + rng.choice((-1, 1))
    result: list[Tone] = []
    for tone in tones:
        result += [replace(tone, length=half), Tone(tone.beat + half, half, turn)] if tone is chosen else [tone]
    return tuple(result)


def joined(tones: Line) -> Line:
    """Join the two shortest adjacent tones: the rhythm changes, the contour stays."""
    i = min(range(1, len(tones)), key=lambda i: (tones[i].length + tones[i - 1].length, i), default=0)
    if not i:
        return tones
    one = replace(tones[i - 1], length=tones[i].beat + tones[i].length - tones[i - 1].beat)
    return (*tones[: i - 1], one, *tones[i + 1 :])


def sad(tones: Line, rng: Random) -> Line:
    """Falling, and slower: at most three tones."""
    falling = tones if sum(tone.step for tone in tones) < 0 else inverted(tones)
    while len(falling) > 3:
        falling = joined(falling)
    return falling


def angry(tones: Line, rng: Random) -> Line:
    """Hammered: long tones are repeated."""
    hammered: list[Tone] = []
    for tone in tones:
        count = 2 if tone.length >= 1 else 1
        each = tone.length / count
        hammered += [Tone(tone.beat + each * i, each, min(3, max(-3, tone.step))) for i in range(count)]
    return tuple(hammered)


def fearful(tones: Line, rng: Random) -> Line:
    """Timid: never more than a step from its first tone."""
    return tuple(replace(tone, step=max(-1, min(1, tone.step))) for tone in tones)


def disgusted(tones: Line, rng: Random) -> Line:
    """Inverted, clipped, with one tone outside the scale."""
    chosen = rng.randrange(1, len(tones))
    return tuple(
        replace(tone, colour=rng.choice((-1, 1)) if i == chosen and tone.length <= 1 else 0, length=0.6 * tone.length)
        for i, tone in enumerate(inverted(tones))
    )


def surprised(tones: Line, rng: Random) -> Line:
    """Clipped, and the last tone leaps away."""
    wide = [replace(tone, length=0.5 * tone.length) for tone in tones]
    return (*wide[:-1], replace(wide[-1], step=wide[-1].step + (5 if wide[-1].step < 2 else -5)))


def plain(tones: Line, rng: Random) -> Line:
    """As it is."""
    return tones


Teller = Callable[[Line, Random], Line]
"""A mood's variation of the motif."""


def rhythm(meter: Meter, notes: float, rng: Random) -> Cell:
    """A bar of about ``notes`` notes, drawn from the cells of its meter; a note may be tied over the end of a cell."""
    # The best of five draws: cells rarely add up to a given number of notes.
    drawn = [_drawn(meter, rng) for _ in range(5)]
    return min(drawn, key=lambda cell: (abs(len(cell) - notes), cell))


def _drawn(meter: Meter, rng: Random) -> Cell:
    size, cells = _CELLS[meter]
    result: list[tuple[float, float]] = []
    for i in range(round(meter.bar / size)):
        placed = [(i * size + beat, length) for beat, length in rng.choice(cells)]
        # Only where one note ends as the next begins is there something to tie.
        meets = result and placed[0][0] == i * size and sum(result[-1]) == i * size
        if meets and rng.random() < (0.35 if size < 2 else 0.2):
            result[-1] = (result[-1][0], result[-1][1] + placed[0][1])
            placed = placed[1:]
        result += placed
    return tuple(result)


def cadence(meter: Meter, rng: Random) -> Cell:
    """The last bar of a phrase: it arrives, then rests."""
    if meter is COMMON:
        return rng.choice(
            (((0, 1.0), (1, 2.0)), ((0, 0.5), (0.5, 0.5), (1, 1.5)), ((0, 2.5),), ((0, 1.5), (1.5, 1.5)), ((0, 3.0),))
        )
    if meter is WALTZ:
        return rng.choice((((0, 2.0),), ((0, 1.0), (1, 1.0)), ((0, 0.5), (0.5, 0.5), (1, 1.5))))
    return rng.choice((((0, 1.5),), ((0, 1.0), (1, 1.0)), ((0, 0.5), (0.5, 0.5), (1, 1.0))))
