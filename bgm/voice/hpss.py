"""What fluctuates: over a long window sung and played notes stand still and speech does not.

Fitzgerald, "Harmonic/percussive separation using median filtering" (2010), with a window long enough (170 ms) that the
voice's gliding pitch counts as percussive.
"""

from __future__ import annotations

import numpy as np

from bgm.media.audio import SAMPLE_RATE
from bgm.voice.stft import Magnitude, Signal, Stft

LONG = Stft(8192, 2048)
_TOP_HZ = 8000
"""Medians are taken up to here; above it hardly a note has partials that stand out."""
_REACH = 31
"""Length of both medians: 1.3 s along time, 180 Hz along frequency."""


def fluctuating(mix: Signal) -> Signal:
    """The mix (48 kHz) without what stands still in it."""
    spectrum = LONG.forward(mix)
    return LONG.inverse(spectrum * _mask(np.abs(spectrum)), len(mix))


def _mask(magnitude: Magnitude) -> Magnitude:
    """Wiener-like share of what is broad along frequency; above the top the mean of the band's upper third goes on."""
    from scipy.ndimage import median_filter

    top = LONG.bin_of(_TOP_HZ, SAMPLE_RATE)
    band = magnitude[:, :top]
    steady = np.square(median_filter(band, size=(_REACH, 1)))
    broad = np.square(median_filter(band, size=(1, _REACH)))
    share = broad / (steady + broad + 1e-12)
    above = share[:, 2 * top // 3 :].mean(axis=1, keepdims=True)
    return np.concatenate([share, np.repeat(above, magnitude.shape[1] - top, axis=1)], axis=1)
