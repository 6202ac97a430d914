"""The seven emotions as musical character.

How an emotion's valence and arousal (benchmarks/circumplex.py has the coordinates) turn into mode, tempo, density,
register, loudness and articulation follows the findings collected by A. Gabrielsson and E. Lindström in "Handbook of
Music and Emotion" (2010).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from bgm.timeline import Emotion


@dataclass(frozen=True, slots=True)
class Character:
    """The musical character of a mood; everything but the mode is a number, so that moods can be blended."""

    pulse: float
    """Tempo as a multiple of the piece's pulse."""
    density: float
    """How busy the accompaniment and the melody are, 0..1."""
    register: float
    """MIDI pitch round which the melody lies."""
    loudness: float
    """How hard the notes are struck, 0..1."""
    dissonance: float
    """How likely a note is coloured by one from outside the chord or the scale, 0..1."""
    legato: float
    """The share of its written length that a note sounds."""
    drums: float
    """Weight of the percussion, 0..1; none below 0.15."""
    low: float
    """How far the accompaniment lies below middle register, 0..1."""
    room: float
    """Size of the reverb's room, 0..1."""


NEUTRAL = Character(1.0, 0.34, 71, 0.50, 0.00, 0.90, 0.35, 0.3, 0.45)
_FULL: dict[Emotion, Character] = {
    Emotion.ANGER: Character(5 / 3, 0.95, 60, 0.92, 0.45, 0.55, 1.00, 0.9, 0.30),
    Emotion.DISGUST: Character(9 / 8, 0.50, 54, 0.64, 0.50, 0.50, 0.45, 0.8, 0.40),
    Emotion.FEAR: Character(3 / 2, 0.75, 81, 0.46, 0.50, 0.80, 0.40, 0.7, 0.85),
    Emotion.JOY: Character(4 / 3, 0.70, 76, 0.72, 0.00, 0.75, 0.70, 0.2, 0.40),
    Emotion.NEUTRAL: NEUTRAL,
    Emotion.SADNESS: Character(2 / 3, 0.24, 69, 0.36, 0.04, 1.00, 0.00, 0.5, 0.75),
    Emotion.SURPRISE: Character(3 / 2, 0.80, 84, 0.78, 0.30, 0.40, 0.65, 0.1, 0.55),
}
PULSES = (2 / 3, 3 / 4, 5 / 6, 1.0, 9 / 8, 5 / 4, 4 / 3, 3 / 2, 5 / 3)
"""Tempi of one piece are these multiples of its pulse, so that they stay related."""


def strength(confidence: float) -> float:
    """How fully a mood is played, 0..1. Half of the probability among seven emotions is already a clear one: 0.75."""
    kept = 1.0 - min(1.0, max(0.0, confidence))
    return 1.0 - kept * kept


def character(emotion: Emotion, confidence: float) -> Character:
    """The character of an emotion felt with ``confidence``: between neutral and the full mood, on a straight line."""
    share, full = strength(confidence), _FULL[emotion]
    blended = {
        field.name: (1 - share) * getattr(NEUTRAL, field.name) + share * getattr(full, field.name)
        for field in fields(Character)
    }
    blended["pulse"] = min(PULSES, key=lambda ratio: abs(ratio - blended["pulse"]))
    return Character(**blended)
