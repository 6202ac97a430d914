"""True peak: the highest the sound rises between its samples (ITU-R BS.1770-4, annex 2: four times oversampling).

Oversampling is done in the frequency domain.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bgm.media.audio import SAMPLE_RATE, Audio
from bgm.mix.control import Curve, decibels
from bgm.mix.spectrum import NORM

OVERSAMPLING = 4
CELL = SAMPLE_RATE // 1000
"""Samples (1 ms) for which one peak is found."""
MARGIN = 20 * CELL
"""Samples at both ends of a window that only serve as context."""
WINDOW = 320 * CELL
HOP = WINDOW - 2 * MARGIN
INTERSAMPLE_DB = 8.0
"""No real sound rises this far above its samples: a quieter window needs no oversampling."""


def cell_peaks_db(padded: Audio, from_db: float) -> Curve:
    """The peak of each cell of a block that brings MARGIN frames on both sides (whole cells), in dBTP.

    What can't reach ``from_db`` is not looked at between its samples.
    """
    wanted = len(padded) - 2 * MARGIN
    count = -(-wanted // HOP)
    signal = np.zeros((padded.shape[1], (count - 1) * HOP + WINDOW), np.float32)
    signal[:, : len(padded)] = padded.T
    windows = np.lib.stride_tricks.sliding_window_view(signal, WINDOW, axis=1)[:, ::HOP]
    peaks = _cell_peaks(windows, 1)
    hot = peaks.max(axis=1) >= 10.0 ** ((from_db - INTERSAMPLE_DB) / 20.0)
    if hot.any():
        peaks[hot] = np.maximum(peaks[hot], _cell_peaks(_oversampled(windows[:, hot]), OVERSAMPLING))
    return decibels(peaks.reshape(-1)[: wanted // CELL].astype(np.float64) ** 2)


def _oversampled(windows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    spectra = np.fft.rfft(windows, norm=NORM) * _below_nyquist()
    finer = np.fft.irfft(spectra, OVERSAMPLING * WINDOW, norm=NORM)
    return np.asarray(finer * np.float32(np.sqrt(OVERSAMPLING)), np.float32)


def _below_nyquist() -> npt.NDArray[np.float32]:
    """Roll off from 22 to 24 kHz: interpolation then depends on the samples around it only, not on the whole window."""
    hz = np.fft.rfftfreq(WINDOW, 1.0 / SAMPLE_RATE)
    return np.asarray(0.5 + 0.5 * np.cos(np.pi * np.clip((hz - 22_000.0) / 2_000.0, 0.0, 1.0)), np.float32)


def _cell_peaks(windows: npt.NDArray[np.float32], factor: int) -> npt.NDArray[np.float32]:
    """(channels, windows, samples) to (windows, cells)."""
    inner = windows[:, :, factor * MARGIN : -factor * MARGIN]
    highest = np.maximum(inner.max(axis=0), -inner.min(axis=0))
    return np.asarray(highest.reshape(len(highest), -1, factor * CELL).max(axis=2))
