"""The seven emotions as musical character.

How an emotion's valence and arousal (benchmarks/circumplex.py has the coordinates) turn into mode, tempo, density,
register, loudness and articulation follows the findings collected by A. Gabrielsson and E. Lindström in "Handbook of
Music and Emotion" (2010). The style says who plays which patterns; the
mood changes mode, tempo, density, tension and motion inside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from bgm.music.score import Role
from bgm.timeline import Emotion


@dataclass(frozen=True, slots=True)
class Character:
    """The musical character of a mood; everything but the mode is a number, so that moods can be blended."""

    pulse: float
    """How fast it would like to be, as a multiple of the piece's tempo; played is the nearest of RATIOS that fits."""
    density: float
    """How busy the accompaniment and the melody are, 0..1."""
    register: float
    """MIDI pitch round which the melody lies."""
    loudness: float
    """How hard the notes are struck, 0..1."""
    dissonance: float
    """How likely a chord is a tense one, 0..1."""
    legato: float
    """The share of its written length that a note sounds."""
    drums: float
    """Weight of the percussion, 0..1; none below 0.15."""
    low: float
    """How far bass and chords lie below middle register, 0..1."""
    room: float
    """Size of the reverb's room, 0..1."""


NEUTRAL = Character(1.0, 0.34, 73, 0.50, 0.00, 0.90, 0.45, 0.3, 0.45)
_FULL: dict[Emotion, Character] = {
    Emotion.ANGER: Character(8 / 5, 0.95, 70, 0.95, 0.45, 0.55, 1.00, 0.9, 0.30),
    Emotion.DISGUST: Character(1.0, 0.52, 68, 0.64, 0.60, 0.50, 0.50, 0.8, 0.40),
    Emotion.FEAR: Character(4 / 3, 0.78, 80, 0.46, 0.50, 0.80, 0.45, 0.7, 0.85),
    Emotion.JOY: Character(6 / 5, 0.72, 77, 0.74, 0.00, 0.75, 0.75, 0.2, 0.40),
    Emotion.NEUTRAL: NEUTRAL,
    Emotion.SADNESS: Character(3 / 5, 0.18, 70, 0.34, 0.04, 1.00, 0.13, 0.5, 0.75),
    Emotion.SURPRISE: Character(3 / 2, 0.85, 83, 0.80, 0.25, 0.40, 0.70, 0.1, 0.55),
}
DARK = (Emotion.ANGER, Emotion.DISGUST, Emotion.FEAR, Emotion.SADNESS)
"""Moods of low valence."""
MOTION: Mapping[Emotion, Mapping[Role, tuple[str, ...]]] = {
    Emotion.ANGER: {Role.BASS: ("eighths", "gallop"), Role.ARP: ("ticking", "saw")},
    Emotion.DISGUST: {Role.COMP: ("limp",), Role.BASS: ("limp",), Role.ARP: ("creep",)},
    Emotion.FEAR: {Role.BASS: ("pedal", "throb"), Role.ARP: ("saw",)},
    Emotion.SADNESS: {Role.COMP: ("long", "sighs"), Role.BASS: ("whole",), Role.ARP: ("drops", "slow")},
    Emotion.SURPRISE: {Role.COMP: ("stabs", "stabs late"), Role.BASS: ("leaps",), Role.ARP: ("sparkle", "run")},
}
"""How a mood moves in 4/4 in every style, by names of :mod:`bgm.music.composer.patterns`, each from calm to busy; where
it says nothing the style's own patterns are played."""
RATIOS = (0.5, 1.0, 1.5, 2.0)
"""Tempi of one piece are these multiples of its own, so that it keeps one pulse."""


def strength(confidence: float) -> float:
    """How fully a mood is played, 0..1. Half of the probability among seven emotions is already a clear one: 0.75."""
    kept = 1.0 - min(1.0, max(0.0, confidence))
    return 1.0 - kept * kept


def character(emotion: Emotion, felt: float) -> Character:
    """The character of an emotion felt with a strength of 0..1: between neutral and the full mood, in a line."""
    full = _FULL[emotion]
    return Character(
        *((1 - felt) * getattr(NEUTRAL, field.name) + felt * getattr(full, field.name) for field in fields(Character))
    )
