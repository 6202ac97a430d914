"""Pauses are turned down around the speech, never into it."""

from __future__ import annotations

import numpy as np

from bgm.voice.background import Curve
from bgm.voice.separation import Spans
from bgm.voice.stft import Magnitude

PAD_SECONDS = 0.25
"""Fully open this long before and after each stretch of speech: breaths and word ends live here."""
FADE_SECONDS = 0.15
MUSIC_SHARE_DB = -13.0
"""Under music a mask lets this share of the power through, averaged over half a second, or less …"""
SPEECH_SHARE_DB = -10.0
"""… and under speech this or more, found by voice activity or not (measured at 0 and 5 dB over six pieces of music)."""
_SHARE_FRAMES = 47
"""Half a second of transform frames."""


def opening(speech: Spans, seconds: Curve) -> Curve:
    """0 (pause) … 1 (speech and its surroundings) at each moment (ascending), with raised-cosine flanks."""
    linear = np.zeros(len(seconds))
    margin = PAD_SECONDS + FADE_SECONDS
    for start, end in speech:
        first, last = np.searchsorted(seconds, (start - margin, end + margin))
        near = seconds[first:last]
        rise = (near - (start - margin)) / FADE_SECONDS
        fall = ((end + margin) - near) / FADE_SECONDS
        linear[first:last] = np.maximum(linear[first:last], np.minimum(rise, fall))
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * np.clip(linear, 0.0, 1.0)))


def missed_speech(magnitude: Magnitude, mask: Magnitude) -> Curve:
    """0 (music) … 1 (speech) for each frame, by how much of its power the mask lets through.

    Under loud music voice activity misses words that the masks still find.
    """
    power = np.square(magnitude)
    box = np.ones(_SHARE_FRAMES)
    kept = np.convolve((power * np.square(mask)).sum(axis=1), box, "same")
    share_db = 10 * np.log10((kept + 1e-12) / (np.convolve(power.sum(axis=1), box, "same") + 1e-9))
    return np.asarray(np.clip((share_db - MUSIC_SHARE_DB) / (SPEECH_SHARE_DB - MUSIC_SHARE_DB), 0.0, 1.0))
