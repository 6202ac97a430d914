"""The key plan: one collection of seven tones for the whole piece, seen from a different tonic by each mood.

D dorian, A minor and C major share all their tones (harmonic minor all but one), so two neighbouring segments always
have common chords, whatever an edit puts side by side: the modulation is in the plan and not in the neighbour. Only the
piece's seed and the mood decide; a change in one segment can't change another.
"""

from __future__ import annotations

from dataclasses import dataclass

from bgm.music.composer.seeds import stream
from bgm.timeline import Emotion

MAJOR = (0, 2, 4, 5, 7, 9, 11)
MODES = ("ionian", "dorian", "phrygian", "lydian", "mixolydian", "aeolian", "locrian")
"""In the order of the degrees of the major scale that are their tonics."""

_MODE_OF: dict[Emotion, tuple[str, str]] = {
    Emotion.ANGER: ("aeolian", "phrygian"),
    Emotion.DISGUST: ("aeolian", "hungarian minor"),
    Emotion.FEAR: ("aeolian", "harmonic minor"),
    Emotion.JOY: ("mixolydian", "ionian"),
    Emotion.NEUTRAL: ("dorian", "dorian"),
    Emotion.SADNESS: ("aeolian", "aeolian"),
    Emotion.SURPRISE: ("mixolydian", "lydian"),
}
"""The mode of a weakly and of a fully felt emotion."""
_AEOLIAN = MODES.index("aeolian")
_RAISED = {"harmonic minor": (6,), "hungarian minor": (3, 6)}
"""Modes that alter the shared collection: the degrees of the aeolian mode that are a semitone higher."""
FULLY_FELT = 0.6
"""Strength from which on the second mode is taken."""


@dataclass(frozen=True, slots=True)
class Key:
    """A tonic and its scale. Degrees count scale steps from the tonic (0 is the tonic, 7 the octave above)."""

    tonic: int
    mode: str
    scale: tuple[int, ...]
    """Semitones of the seven degrees above the tonic."""
    home: int
    """The tonic of the major scale that the whole piece shares, pitch class."""

    def semitones(self, degree: int) -> int:
        """Height of a degree over the tonic, in semitones; any degree, also below 0 and over 6."""
        octave, step = divmod(degree, 7)
        return 12 * octave + self.scale[step]

    def pitch_class(self, degree: int) -> int:
        """Pitch class of a degree, 0 = C."""
        return (self.tonic + self.semitones(degree)) % 12

    def nearest_degree(self, pitch: float) -> int:
        """The degree whose pitch (tonic in MIDI octave -1 plus its height) lies nearest to a MIDI pitch."""
        guess = round((pitch - self.tonic) / 12 * 7)
        return min(range(guess - 3, guess + 4), key=lambda d: (abs(self.tonic + self.semitones(d) - pitch), d))

    def pitch(self, degree: int) -> int:
        """MIDI pitch of a degree counted from the tonic in MIDI octave -1 (as ``nearest_degree`` gives it)."""
        return self.tonic + self.semitones(degree)


def home(piece_seed: int) -> int:
    """The tonic of the piece's major collection, a pitch class."""
    return stream(piece_seed, "home").randrange(12)


def key_for(piece_seed: int, emotion: Emotion, strength: float) -> Key:
    """The key of a mood within the piece."""
    mode = _MODE_OF[emotion][strength >= FULLY_FELT]
    return _key(home(piece_seed), mode)


def _key(tonic_of_major: int, mode: str) -> Key:
    degree = _AEOLIAN if mode in _RAISED else MODES.index(mode)
    scale = [(MAJOR[(degree + step) % 7] - MAJOR[degree]) % 12 for step in range(7)]
    for step in _RAISED.get(mode, ()):
        scale[step] += 1
    return Key((tonic_of_major + MAJOR[degree]) % 12, mode, tuple(scale), tonic_of_major)
