"""From the grid to a performance: swing, accents, arches, and the small deviations of human hands."""

from __future__ import annotations

import math
from collections.abc import Iterable
from random import Random

from bgm.music.composer.sketch import Sketch
from bgm.music.score import Event, Note, Role

_SPREAD = 0.006
"""Standard deviation of a note's time, seconds; never more than three of them."""
_LAG = {Role.BASS: 0.003, Role.LEAD: 0.006, Role.COUNTER: 0.006, Role.PAD: -0.01}
"""Who plays behind the beat (or, like slow strings, must start before it), seconds; the style adds its own."""
SHORTEST = 0.085
"""No instrument speaks in less, seconds."""
_FLOOR = 0.30
"""Struck softly is still struck: the velocity at loudness 0, as a share of 127."""
_QUIETEST, _GROWTH = 0.66, 0.5
"""The velocity at no energy, and what full energy adds to it: with the layers that enter it makes 4 to 6 LU."""


def perform(events: Iterable[Event], sketch: Sketch) -> list[Note]:
    """Notes in seconds, sorted, none outside the cue."""
    rng = sketch.chance("hands")
    notes = [note for event in events if (note := _played(event, sketch, rng)) is not None]
    return sorted(notes, key=lambda note: (note.start, note.role, note.pitch))


def _played(event: Event, sketch: Sketch, rng: Random) -> Note | None:
    grid, timing = sketch.grid, sketch.card.timing
    wobble = max(-3.0, min(3.0, rng.gauss(0.0, 1.0)))
    late = _LAG.get(event.role, 0.0) + timing.get(event.role, 0.0)
    if event.role is Role.DRUMS:
        late += timing.get(event.pitch, 0.0)
    start = grid.seconds(_swung(event.beat, sketch)) + _SPREAD * wobble + late
    start = max(0.0, start)
    end = min(sketch.seconds, start + max(SHORTEST, event.length * grid.seconds_per_beat))
    if end - start < min(SHORTEST, 0.5 * sketch.seconds) - 1e-9:
        return None
    return Note(start, end, event.pitch, _velocity(event, sketch, rng), event.role)


def _swung(beat: float, sketch: Sketch) -> float:
    """The second half of each swung note moved to ``swing``."""
    swing, unit = sketch.swing, sketch.card.swung
    whole = math.floor(beat / unit)
    part = beat / unit - whole
    moved = part * 2 * swing if part < 0.5 else swing + (part - 0.5) * 2 * (1 - swing)
    return (whole + moved) * unit


def _velocity(event: Event, sketch: Sketch, rng: Random) -> int:
    section = sketch.section_at(event.beat)
    loudness = _FLOOR + (1 - _FLOOR) * sketch.character.loudness
    level = event.velocity * loudness * (_QUIETEST + _GROWTH * sketch.energy(section))
    level *= _accent(event.beat, sketch) * _arch(event.beat, sketch)
    for role, lean in sketch.direction.balance:
        level *= 1 + 0.25 * lean if role is event.role else 1.0
    return max(8, min(127, round(127 * level + rng.gauss(0.0, 3.0))))


def _accent(beat: float, sketch: Sketch) -> float:
    """The first beat of a bar is the heaviest, the other strong ones the next."""
    place = beat % sketch.bar
    if place == 0:
        return 1.06
    return 1.0 if place in sketch.grid.meter.strong or place % 1 == 0 else 0.94


def _arch(beat: float, sketch: Sketch) -> float:
    """Phrases of four bars swell to their middle and give way."""
    return 0.95 + 0.1 * math.sin(math.pi * (beat / (4 * sketch.bar) % 1))
