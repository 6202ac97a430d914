"""What the classifiers say of a text that tells them nothing."""

from __future__ import annotations

from bgm.timeline import EMOTIONS, Emotion, Scores

NO_EVIDENCE: Scores = {emotion: 0.5 if emotion == Emotion.NEUTRAL else 1 / 12 for emotion in EMOTIONS}
"""Silence, or a text without English words: it leans to neutral, weakly. A convention and not a measurement: the priors
of the training data tell what people write, not what a pause in a video means."""
_LAST_LATIN = "\u024f"
"""End of Unicode's Latin Extended-B."""


def wordless(text: str) -> bool:
    """Whether a reader of English finds no word in it: no letter (an empty line, music signs, emoji, numbers), or
    letters that are mostly of another script."""
    letters = [character for character in text if character.isalpha()]
    latin = sum(letter <= _LAST_LATIN for letter in letters)
    return latin == 0 or latin * 2 < len(letters)
