"""Chords: which follow which, what belongs to them, and how the voices move from one to the next."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from bgm.music.composer.keys import Key

Progression = tuple[int, ...]
"""Degrees (0 is the tonic), one a bar."""
Span = tuple[float, float]
"""Start and length in beats."""


@dataclass(frozen=True, slots=True)
class Chord:
    """A chord that sounds from ``beat`` for ``length`` beats."""

    beat: float
    length: float
    pcs: tuple[int, ...]
    """Pitch classes, the root first."""


Colour = tuple[int, ...]
"""What is stacked on a root: steps of the scale above it."""
TRIAD = (0, 2, 4)
SEVENTH = (0, 2, 4, 6)
NINTH = (0, 2, 4, 8)
SUSPENDED = (0, 3, 4)
FIFTH = (0, 4)
CLUSTER = (0, 1, 4)
TRITONE = (0, 2, 3)


def chord(key: Key, root: int, colour: Colour, span: Span, *, leading: bool = False) -> Chord:
    """Build a chord on a degree; ``leading`` raises its third to a major one (the dominant of a minor key)."""
    pcs = [key.pitch_class(root + step) for step in colour]
    if leading and 2 in colour:
        pcs[colour.index(2)] = (pcs[0] + 4) % 12
    return Chord(*span, tuple(pcs))


def tonic_chord(key: Key, span: Span) -> Chord:
    """The chord on which a piece can rest: the fifth is perfect even in locrian."""
    third = key.pitch_class(2)
    return Chord(*span, (key.tonic, third, (key.tonic + 7) % 12))


def pivot_chord(key: Key, span: Span) -> Chord:
    """The dominant of the collection that all moods share, with a suspended fourth: it leads into any of them."""
    home = key.home
    return Chord(*span, tuple((home + step) % 12 for step in (7, 0, 2, 5)))


def voiced(chord: Chord, previous: Sequence[int], low: int, high: int) -> tuple[int, ...]:
    """The chord's notes, low to high, within ``low``..``high`` and as near to the previous voices as can be.

    Parallel fifths and octaves are avoided where there is a choice.
    """
    choices = [notes for notes in _positions(chord.pcs, low) if notes[-1] <= high]
    centre = (low + high) / 2
    return min(choices, key=lambda notes: (_cost(notes, previous, centre), notes))


def _positions(pcs: Sequence[int], low: int) -> list[tuple[int, ...]]:
    """Close positions of every order of the chord's notes, from each octave above ``low``; also with an open middle."""
    result: list[tuple[int, ...]] = []
    for start, octave in itertools.product(range(len(pcs)), range(2)):
        order = [*pcs[start:], *pcs[:start]]
        notes = [low + (order[0] - low) % 12 + 12 * octave]
        for pc in sorted(order[1:], key=lambda pc: (pc - order[0]) % 12):
            notes.append(notes[0] + (pc - order[0]) % 12)
        result.append(tuple(notes))
        if len(notes) > 2:
            result.append(tuple(sorted([notes[0], notes[1] + 12, *notes[2:]])))
    return result


def _cost(notes: Sequence[int], previous: Sequence[int], centre: float) -> float:
    mean = sum(notes) / len(notes)
    cost = 0.3 * abs(mean - centre)
    if not previous:
        return cost
    movement = sum(min(abs(note - old) for old in previous) for note in notes)
    return cost + movement + 6 * _parallels(notes, previous)


def _parallels(notes: Sequence[int], previous: Sequence[int]) -> int:
    """How many pairs of voices move in parallel fifths or octaves."""
    if len(notes) != len(previous):
        return 0
    pairs = itertools.combinations(zip(previous, notes, strict=True), 2)
    return sum(
        1
        for (old_a, new_a), (old_b, new_b) in pairs
        if old_a != new_a and new_a - old_a == new_b - old_b and (new_b - new_a) % 12 in (0, 7)
    )


def progression(pool: Sequence[Progression], bars: int, rng: Random, avoid: Progression | None = None) -> list[int]:
    """Roots for ``bars`` bars: four-bar phrases, the second of a pair answering the first with another ending."""
    first = rng.choice([candidate for candidate in pool if candidate != avoid] or list(pool))
    second = rng.choice(pool)
    roots: list[int] = []
    for phrase in range(-(-bars // 4)):
        answer = (*first[:2], *second[2:]) if phrase % 2 else first
        roots.extend(answer)
    return roots[:bars]
