"""Where each emotion lies on the plane of valence and arousal: what the composer's moods are judged by.

The plane: J. A. Russell, "A circumplex model of affect", Journal of Personality and Social Psychology 39 (1980). The
coordinates: J. A. Russell and A. Mehrabian, "Evidence for a three-factor theory of emotions", Journal of Research in
Personality 11 (1977); neutral is the middle.
"""

from __future__ import annotations

from dataclasses import dataclass

from bgm.timeline import Emotion


@dataclass(frozen=True, slots=True)
class Feeling:
    """A point of the circumplex, each axis -1..1 and neutral in the middle."""

    valence: float
    arousal: float


CIRCUMPLEX: dict[Emotion, Feeling] = {
    Emotion.ANGER: Feeling(-0.51, 0.59),
    Emotion.DISGUST: Feeling(-0.60, 0.35),
    Emotion.FEAR: Feeling(-0.64, 0.60),
    Emotion.JOY: Feeling(0.76, 0.48),
    Emotion.NEUTRAL: Feeling(0.0, 0.0),
    Emotion.SADNESS: Feeling(-0.63, -0.27),
    Emotion.SURPRISE: Feeling(0.40, 0.67),
}
