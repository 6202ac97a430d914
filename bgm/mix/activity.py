"""Where the voice is heard, to 10 ms: the spans that were given, refined by the voice's own energy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bgm.media.audio import SAMPLE_RATE
from bgm.mix.control import FRAME, Mask, decibels, runs
from bgm.mix.loudness import integrated
from bgm.mix.plan import Spans

MARGIN = 15
"""Frames around a span in which a word's beginning or end is looked for."""
RANGE_DB = 30.0
"""Speech spans about 30 dB from its vowels down to its faintest consonants; below that is a pause."""
HOLD = 70
"""Frames: shorter pauses belong to the phrase, so the music doesn't pump between its words."""
FAINTEST_LUFS = -60.0
"""A voice below this can't be heard as one: what is left in a stem after separation."""


def active(power: npt.NDArray[np.floating], spans: Spans) -> Mask:
    """True in the control frames in which somebody speaks, short pauses inside a phrase included.

    ``power`` is the voice's K-weighted power for each frame.
    """
    inside = _inside(spans, len(power))
    heard = power[inside]
    loudness = integrated(heard)
    if loudness is None or loudness < FAINTEST_LUFS:
        return np.zeros(len(power), np.bool_)
    vowels = float(np.percentile(decibels(heard), 95))
    return _bridged(inside & (decibels(power) > vowels - RANGE_DB), HOLD)


def _inside(spans: Spans, count: int) -> Mask:
    mask = np.zeros(count, np.bool_)
    per_second = SAMPLE_RATE / FRAME
    for start, end in spans:
        mask[max(0, int(start * per_second) - MARGIN) : max(0, int(end * per_second) + 1 + MARGIN)] = True
    return mask


def _bridged(mask: Mask, hold: int) -> Mask:
    out = mask.copy()
    for start, stop in runs(~mask):
        if start > 0 and stop < len(mask) and stop - start < hold:
            out[start:stop] = True
    return out
