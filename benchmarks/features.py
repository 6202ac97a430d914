"""A score measured from its notes alone, blind to its instruments: for tests, benchmarks and comparisons of takes."""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np
import numpy.typing as npt

from bgm.music.score import Note, Role, Score
from testing.scores import bars_of, quarters_of_bar, seconds_of_bar

Vector = npt.NDArray[np.float64]

_MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
_MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
"""How well each pitch class fits a key: C. L. Krumhansl, "Cognitive Foundations of Musical Pitch" (1990)."""
_CONSONANCE = (0.0, -1.428, -0.582, 0.594, 0.386, 1.240, -0.453)
"""Of interval classes 0 to 6: D. Huron, "Interval-class content in equally tempered pitch-class sets" (1994)."""


@dataclass(frozen=True, slots=True)
class Features:
    """What a listener would call its mode, tempo, density, register, loudness, dissonance and articulation."""

    majorness: float
    """How much better the best major key fits than the best minor key (difference of correlations)."""
    log_tempo: float
    """log2 of beats per minute."""
    log_density: float
    """log2 of onsets a second (notes struck together are one)."""
    register: float
    """Mean MIDI pitch."""
    loudness: float
    """Mean MIDI velocity."""
    dissonance: float
    """Mean over the sounding chords, the more the rougher."""
    legato: float
    """Mean sounding length of a note, in beats."""

    def vector(self) -> Vector:
        """The features in order."""
        return np.array(astuple(self))


def features(score: Score) -> Features:
    """Measure a score; drums count for density and loudness only."""
    pitched = [note for note in score.notes if note.role is not Role.DRUMS]
    return Features(
        majorness=_majorness(pitched),
        log_tempo=math.log2(score.tempo),
        log_density=math.log2(_onsets(score.notes) / score.seconds),
        register=float(np.mean([note.pitch for note in pitched])),
        loudness=float(np.mean([note.velocity for note in score.notes])),
        dissonance=_dissonance(pitched, score.seconds),
        legato=float(np.mean([note.end - note.start for note in pitched])) * score.tempo / 60,
    )


def _onsets(notes: Sequence[Note], together: float = 0.035) -> int:
    count, last = 0, -math.inf
    for note in notes:
        if note.start - last > together:
            count, last = count + 1, note.start
    return count


def _majorness(notes: Sequence[Note]) -> float:
    histogram = np.zeros(12)
    lowest = np.percentile([note.pitch for note in notes], 25)
    for note in notes:
        weight = 2.0 if note.pitch <= lowest else 1.0
        histogram[note.pitch % 12] += weight * min(2.0, note.end - note.start) * note.velocity
    fits = [max(np.corrcoef(np.roll(histogram, -tonic), profile)[0, 1] for tonic in range(12)) for profile in _PROFILES]
    return float(fits[0] - fits[1])


_PROFILES = (_MAJOR, _MINOR)


def _dissonance(notes: Sequence[Note], seconds: float, step: float = 0.25) -> float:
    sounding: list[set[int]] = [set() for _ in range(int(seconds / step) + 1)]
    for note in notes:
        for i in range(math.ceil(note.start / step), int(note.end / step) + 1):
            if i < len(sounding):
                sounding[i].add(note.pitch % 12)
    values = [_roughness(pcs) for pcs in sounding if len(pcs) > 1]
    return float(np.mean(values)) if values else 0.0


def _roughness(pcs: set[int]) -> float:
    classes = [min((a - b) % 12, (b - a) % 12) for a, b in itertools.combinations(sorted(pcs), 2)]
    return -sum(_CONSONANCE[cls] for cls in classes) / len(classes)


def piano_roll(score: Score, per_second: int = 8) -> Vector:
    """(pitch 0..127, time steps): which pitches sound, drums left out; 1 at an onset, 0.5 while held."""
    roll = np.zeros((128, max(1, round(score.seconds * per_second))))
    for note in score.notes:
        if note.role is Role.DRUMS:
            continue
        start, end = round(note.start * per_second), round(note.end * per_second)
        roll[note.pitch, start + 1 : end] = np.maximum(roll[note.pitch, start + 1 : end], 0.5)
        roll[note.pitch, start : start + 1] = 1.0
    return roll


def distance(first: Score, second: Score) -> float:
    """1 − cosine similarity of two scores' piano rolls over their common length: 0 is the same piece."""
    one, other = piano_roll(first), piano_roll(second)
    width = min(one.shape[1], other.shape[1])
    a, b = one[:, :width].ravel(), other[:, :width].ravel()
    return float(1 - a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def repeats(score: Score, bars: int = 8) -> int:
    """How often the most frequent stretch of ``bars`` bars occurs, exactly (pitch, role, and time to a sixteenth)."""
    sixteenth = 60 / score.tempo / 4
    steps: list[list[tuple[int, str]]] = [[] for _ in range(math.ceil(4 * score.beats) + 1)]
    for note in score.notes:
        step = round(note.start / sixteenth)
        if step < len(steps):
            steps[step].append((note.pitch, note.role.value))
    content = [tuple(sorted(step)) for step in steps]
    one = 4 * quarters_of_bar(score)
    size = one * bars
    windows = Counter(tuple(content[start : start + size]) for start in range(0, len(content) - size + 1, one))
    return max(windows.values(), default=0)


def bar_rhythms(score: Score, role: Role = Role.LEAD) -> list[tuple[int, ...]]:
    """The onsets of a part in each bar, in sixteenths from the bar line; of bars as they come, also empty ones."""
    sixteenth = 60 / score.tempo / 4
    one = 4 * quarters_of_bar(score)
    bars: dict[int, set[int]] = {}
    for note in score.notes:
        step = round(note.start / sixteenth)
        if note.role is role:
            bars.setdefault(step // one, set()).add(step % one)
    return [tuple(sorted(bars.get(bar, ()))) for bar in range(math.ceil(bars_of(score)))]


def repeated_rhythms(score: Score) -> float:
    """The share of neighbouring bars of the melody (neither empty) with the same rhythm."""
    pairs = [(a, b) for a, b in itertools.pairwise(bar_rhythms(score)) if a and b]
    return sum(a == b for a, b in pairs) / max(1, len(pairs))


def distinct_rhythms(score: Score, bars: int = 16) -> float:
    """How many rhythms the melody has in 16 bars, mean over the windows that fit."""
    found = bar_rhythms(score)
    windows = [found[i : i + bars] for i in range(max(1, len(found) - bars + 1))]
    return float(np.mean([len({rhythm for rhythm in window if rhythm}) for window in windows]))


def lead_above(score: Score) -> float:
    """The share of the melody's notes that lie above all that the chords and broken chords sound with it."""
    below = [note for note in score.notes if note.role in (Role.PAD, Role.COMP, Role.ARP)]
    starts = [note.start for note in below]
    longest = max((note.end - note.start for note in below), default=0.0)
    clear = []
    for lead in (note for note in score.notes if note.role is Role.LEAD):
        near = below[bisect_left(starts, lead.start - longest) : bisect_left(starts, lead.end)]
        clear.append(all(other.pitch < lead.pitch for other in near if other.end > lead.start + 0.03))
    return float(np.mean(clear)) if clear else 1.0


def parallels(score: Score) -> tuple[int, int]:
    """Downbeats on which melody and bass both moved, and those of them in parallel octaves or fifths."""
    bar = seconds_of_bar(score)
    places = []
    for number in range(math.ceil(bars_of(score))):
        near = [note for note in score.notes if abs(note.start - number * bar) < 0.06]
        lead = next((note.pitch for note in near if note.role is Role.LEAD), None)
        bass = next((note.pitch for note in near if note.role is Role.BASS), None)
        places.append((lead, bass))
    moved = parallel = 0
    for (a, b), (c, d) in itertools.pairwise(places):
        if a is None or b is None or c is None or d is None or a == c or b == d:
            continue
        moved += 1
        parallel += (a - b) % 12 == (c - d) % 12 and (c - d) % 12 in (0, 7)
    return moved, parallel


def low_seconds(score: Score) -> tuple[int, int]:
    """Strikes of chords that reach below middle C, and those with a second there."""
    strikes: dict[tuple[Role, float], list[int]] = {}
    for note in score.notes:
        if note.role in (Role.PAD, Role.COMP):
            strikes.setdefault((note.role, round(note.start / 0.08)), []).append(note.pitch)
    low = [sorted(pitches) for pitches in strikes.values() if min(pitches) < 60]
    return len(low), sum(any(0 < b - a < 3 and a < 60 for a, b in itertools.pairwise(p)) for p in low)


def harmonic_rhythms(score: Score) -> int:
    """How many different lengths its chords have."""
    quarter = 60 / score.tempo
    return len({round(2 * (b - a) / quarter) for a, b in itertools.pairwise(score.changes)})
