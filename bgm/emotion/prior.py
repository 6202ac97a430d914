"""What the classifiers say of a text that tells them nothing."""

from __future__ import annotations

from bgm.timeline import EMOTIONS, Emotion, Scores

NO_EVIDENCE: Scores = {emotion: 0.5 if emotion == Emotion.NEUTRAL else 1 / 12 for emotion in EMOTIONS}
"""Silence, or a text without words: it leans to neutral, weakly. A convention and not a measurement: the priors of the
training data (joy before neutral) tell what people write on Reddit, not what a pause in a video means."""


def wordless(text: str) -> bool:
    """Whether there is neither a letter nor a digit in the text (an empty line, music signs, dots)."""
    return not any(character.isalnum() for character in text)
