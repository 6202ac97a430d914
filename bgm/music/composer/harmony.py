"""Keys and chords: the scale that a piece shares, progressions, and voice leading.

The whole piece has one collection of seven tones, and each mood its own tonic in it: D dorian, A minor and C major
share all their tones (harmonic minor all but one). So neighbouring segments always have chords in common, whatever an
edit puts side by side: the modulation depends on the plan, not on the neighbour.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from random import Random

from bgm.digest import stream

MAJOR = (0, 2, 4, 5, 7, 9, 11)
MODES = ("ionian", "dorian", "phrygian", "lydian", "mixolydian", "aeolian", "locrian")
"""In the order of the degrees of the major scale on which they start."""
BRIGHT = ("ionian", "lydian", "mixolydian")
"""Modes with a major third."""
_MINOR_TWIN = {"ionian": "aeolian", "lydian": "harmonic minor", "mixolydian": "dorian"}
_AEOLIAN = MODES.index("aeolian")
_RAISED = {"harmonic minor": (6,), "hungarian minor": (3, 6)}
"""Modes that alter the shared collection: the degrees of the aeolian mode that are a semitone higher."""


@dataclass(frozen=True, slots=True)
class Key:
    """A tonic and its scale. Degrees count scale steps from the tonic (0 is the tonic, 7 the octave above)."""

    tonic: int
    mode: str
    scale: tuple[int, ...]
    """Semitones of the seven degrees above the tonic."""
    home: int
    """The tonic of the major scale that the whole piece shares, pitch class."""

    @property
    def deep_tonic(self) -> int:
        """MIDI pitch of the tonic in the octave from C2, the range of basses and deep drums."""
        return 36 + (self.tonic - 36) % 12

    def semitones(self, degree: int) -> int:
        """Height of a degree over the tonic, in semitones; any degree, also below 0 and over 6."""
        octave, step = divmod(degree, 7)
        return 12 * octave + self.scale[step]

    def pitch_class(self, degree: int) -> int:
        """Pitch class of a degree, 0 = C."""
        return (self.tonic + self.semitones(degree)) % 12

    def nearest_degree(self, pitch: float) -> int:
        """The degree whose pitch (tonic in MIDI octave -1 plus its height) lies nearest to a MIDI pitch."""
        # Seven degrees to twelve semitones on average; no mode strays from that by more than three.
        guess = round((pitch - self.tonic) / 12 * 7)
        return min(range(guess - 3, guess + 4), key=lambda d: (abs(self.tonic + self.semitones(d) - pitch), d))

    def pitch(self, degree: int) -> int:
        """MIDI pitch of a degree counted from the tonic in MIDI octave -1 (as ``nearest_degree`` gives it)."""
        return self.tonic + self.semitones(degree)


def home(piece_seed: int) -> int:
    """The tonic of the piece's major collection, a pitch class."""
    return stream(piece_seed, "home").randrange(12)


def key_for(piece_seed: int, mode: str, *, tonic: int | None = None, major: bool | None = None) -> Key:
    """The key of a mode within the piece, or with the tonic and the mode (major or minor) that the creator names."""
    if major is not None and major != (mode in BRIGHT):
        mode = "ionian" if major else _MINOR_TWIN.get(mode, "aeolian")
    # An altered mode is the aeolian of the same collection with tones raised, so it still shares all others.
    degree = _AEOLIAN if mode in _RAISED else MODES.index(mode)
    return _key(home(piece_seed) if tonic is None else (tonic - MAJOR[degree]) % 12, mode, degree)


def _key(tonic_of_major: int, mode: str, degree: int) -> Key:
    scale = [(MAJOR[(degree + step) % 7] - MAJOR[degree]) % 12 for step in range(7)]
    for step in _RAISED.get(mode, ()):
        scale[step] += 1
    return Key((tonic_of_major + MAJOR[degree]) % 12, mode, tuple(scale), tonic_of_major)


Progression = tuple[int, ...]
"""Degrees (0 is the tonic), one for each chord of a phrase."""
Span = tuple[float, float]
"""Start and length in beats."""


@dataclass(frozen=True, slots=True)
class Colour:
    """The structure of a chord: scale steps above its root."""

    steps: tuple[int, ...]
    flat_fifth: bool = False
    """The fifth is a tritone, whatever the scale has there."""


TRIAD = Colour((0, 2, 4))
SEVENTH = Colour((0, 2, 4, 6))
NINTH = Colour((0, 2, 4, 8))
SEVENTH_NINTH = Colour((0, 2, 6, 8))
SIXTH = Colour((0, 2, 4, 5))
SUSPENDED = Colour((0, 3, 4))
OPEN = Colour((0, 1, 4))
"""A second instead of the third."""
FIFTH = Colour((0, 4))
DIMINISHED = Colour((0, 2, 4), flat_fifth=True)


@dataclass(frozen=True, slots=True)
class Chord:
    """A chord that sounds from ``beat`` for ``length`` beats."""

    beat: float
    length: float
    pcs: tuple[int, ...]
    """Pitch classes, the root first."""

    @property
    def end(self) -> float:
        """The beat at which the next one starts."""
        return self.beat + self.length


def chord(key: Key, root: int, colour: Colour, span: Span, *, leading: bool = False) -> Chord:
    """Build a chord on a degree; ``leading`` raises its third to a major one (the dominant of a minor key)."""
    pcs = [key.pitch_class(root + step) for step in colour.steps]
    if leading and 2 in colour.steps:
        pcs[colour.steps.index(2)] = (pcs[0] + 4) % 12
    if colour.flat_fifth:
        pcs[1:] = [(pcs[0] + 3) % 12, (pcs[0] + 6) % 12]
    return Chord(*span, tuple(dict.fromkeys(pcs)))


def tonic_chord(key: Key, span: Span) -> Chord:
    """A chord on which a piece can end: the fifth is perfect, even in locrian."""
    return Chord(*span, (key.tonic, key.pitch_class(2), (key.tonic + 7) % 12))


def pivot_chord(key: Key, span: Span) -> Chord:
    """The dominant of the collection that all moods share, with a suspended fourth: it leads into any of them."""
    return Chord(*span, tuple((key.home + step) % 12 for step in (7, 0, 2, 5)))


_MIDDLE_C = 60


@lru_cache(maxsize=4096)
def voiced(pcs: tuple[int, ...], previous: tuple[int, ...], low: int, high: int) -> tuple[int, ...]:
    """A chord's notes within ``low``..``high`` (at least an octave), ascending, as close to the previous as possible.

    Below middle C no interval is smaller than a minor third, and of four notes the root may be left to the bass.
    Parallel fifths and octaves are avoided where there is a choice.
    """
    # A few dozen voicings in an octave and a half: all are tried, and the result is cached.
    choices = list(_positions(pcs, low, high))
    centre = (low + high) / 2
    return min(choices, key=lambda notes: (_cost(notes, pcs, previous, centre), notes))


def _positions(pcs: tuple[int, ...], low: int, high: int) -> Iterator[tuple[int, ...]]:
    """All voicings of the chord, or of three or two of its notes if all together would clash."""
    where = {pc: [pitch for pitch in range(low, high + 1) if pitch % 12 == pc] for pc in pcs}
    # All notes, and three of four as alternatives (the cost decides); fewer only if nothing else is clear.
    for size in range(len(pcs), 0, -1):
        found = False
        for chosen in itertools.combinations(pcs, size):
            for notes in itertools.product(*(where[pc] for pc in chosen)):
                ordered = tuple(sorted(notes))
                if _is_clear(ordered):
                    found = True
                    yield ordered
        if found and size <= 3:
            return


def _is_clear(notes: tuple[int, ...]) -> bool:
    return all(b - a >= (3 if a < _MIDDLE_C else 1) for a, b in itertools.pairwise(notes))


def _cost(notes: tuple[int, ...], pcs: tuple[int, ...], previous: Sequence[int], centre: float) -> float:
    """Missing colours cost most (the root least: the bass has it), then movement, then distance from the middle."""
    sounding = {note % 12 for note in notes}
    missing = sum((2.0 if i == 0 else 9.0 if i == 1 or i == len(pcs) - 1 else 4.0) * (pc not in sounding)
                  for i, pc in enumerate(pcs))  # fmt: skip
    # The middle of the band weighs little: it decides among near equals, so that voices don't drift to an edge.
    cost = missing + 0.3 * abs(sum(notes) / len(notes) - centre)
    if not previous:
        return cost
    # Each voice from the nearest old one: cheaper than assigning voices, and good enough to compare voicings.
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
        # Both moved, by the same interval, and lie a fifth or an octave apart.
        if old_a != new_a and new_a - old_a == new_b - old_b and (new_b - new_a) % 12 in (0, 7)
    )


_SUBSTITUTED = 0.35
"""How often an inner chord is replaced by one a third away, which shares two of its tones."""


def _substituted(roots: Progression, rng: Random) -> Progression:
    """The progression rotated, with some chords replaced by relatives, so that few pieces share one."""
    turn = rng.choice((0, 0, 1, 2, 3))
    roots = (*roots[turn:], *roots[:turn])
    relatives = [(root + rng.choice((-2, 2))) % 7 if rng.random() < _SUBSTITUTED else root for root in roots[1:-1]]
    return (roots[0], *relatives, roots[-1])


def phrase_roots(pool: Sequence[Progression], phrases: int, rng: Random) -> list[Progression]:
    """Progressions for four-bar phrases: the second of a pair answers the first with a different ending."""
    chosen = rng.choice(pool)
    others = [candidate for candidate in pool if candidate != chosen] or [chosen]
    first, second = (_substituted(roots, rng) for roots in (chosen, rng.choice(others)))
    # Antecedent and consequent: the same start, another cadence.
    answer = (*first[:2], *second[2:])
    return [answer if phrase % 2 else first for phrase in range(phrases)]
