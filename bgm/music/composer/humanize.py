"""From the grid to a performance: accents, arches, and the small deviations of human hands."""

from __future__ import annotations

import math
from collections.abc import Iterable
from random import Random

from bgm.music.composer.form import BAR, Grid
from bgm.music.composer.sketch import Sketch
from bgm.music.score import Event, Note, Role

_SPREAD = 0.007
"""Standard deviation of a note's time, seconds; never more than three of them."""
_LAG = {Role.BASS: 0.004, Role.LEAD: 0.006, Role.COUNTER: 0.006, Role.PAD: -0.01}
"""Who plays behind the beat (or, like slow strings, must start before it), seconds."""
_SHORTEST = 0.05
_FLOOR = 0.30
"""Struck softly is still struck: the velocity at loudness 0, as a share of 127."""


def perform(events: Iterable[Event], sketch: Sketch) -> list[Note]:
    """Notes in seconds, sorted, none outside the cue."""
    rng = sketch.chance("hands")
    notes = [note for event in events if (note := _played(event, sketch, rng)) is not None]
    return sorted(notes, key=lambda note: (note.start, note.role, note.pitch))


def _played(event: Event, sketch: Sketch, rng: Random) -> Note | None:
    grid = sketch.grid
    wobble = max(-3.0, min(3.0, rng.gauss(0.0, 1.0)))
    start = grid.seconds(_swung(event.beat, sketch.plan.swing)) + _SPREAD * wobble + _LAG.get(event.role, 0.0)
    start = max(0.0, start)
    end = min(sketch.seconds, start + max(_SHORTEST, event.length * grid.seconds_per_beat))
    if end - start < _SHORTEST / 2:
        return None
    return Note(start, end, event.pitch, _velocity(event, sketch, rng), event.role)


def _swung(beat: float, swing: float) -> float:
    """The second half of each beat moved to ``swing``."""
    whole = math.floor(beat)
    part = beat - whole
    moved = part * 2 * swing if part < 0.5 else swing + (part - 0.5) * 2 * (1 - swing)
    return whole + moved


def _velocity(event: Event, sketch: Sketch, rng: Random) -> int:
    section = sketch.section_at(event.beat)
    loudness = _FLOOR + (1 - _FLOOR) * sketch.character.loudness
    level = event.velocity * loudness * (0.86 + 0.2 * section.intensity)
    level *= _accent(event.beat) * _arch(event.beat, sketch.grid)
    return max(8, min(127, round(127 * level + rng.gauss(0.0, 3.0))))


def _accent(beat: float) -> float:
    """The first beat of a bar is the heaviest, the third the next."""
    place = beat % BAR
    if place == 0:
        return 1.06
    return 1.0 if place % 1 == 0 else 0.94


def _arch(beat: float, grid: Grid) -> float:
    """Phrases of four bars swell to their middle and give way."""
    return 0.95 + 0.1 * math.sin(math.pi * (beat / (4 * BAR) % 1))
