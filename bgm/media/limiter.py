"""A look-ahead true-peak limiter.

True peak is the maximum of the signal between its samples (ITU-R BS.1770-4, annex 2: four times oversampling), measured
per cell of one millisecond. The gain is held at the minimum that any cell within the look-ahead needs, released at a
constant rate, smoothed by a Hann window no longer than the look-ahead, and interpolated linearly between the cells.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bgm.media.audio import SAMPLE_RATE, Audio
from bgm.media.signal import NORM, Curve, climb_slowly, decibels, falling, smooth, to_samples

OVERSAMPLING = 4
CELL = SAMPLE_RATE // 1000
"""Samples (1 ms) per measured peak."""
MARGIN = 20 * CELL
"""Samples at both ends of a window that serve only as context."""
WINDOW = 320 * CELL
HOP = WINDOW - 2 * MARGIN
INTERSAMPLE_DB = 8.0
"""No real audio rises this far above its samples: a quieter window needs no oversampling."""


def cell_peaks_db(padded: Audio, from_db: float) -> Curve:
    """The peak of each cell, in dBTP, of a block with MARGIN frames on both sides (whole cells).

    Cells that can't reach ``from_db`` are not oversampled.
    """
    # 1. Cut the block into windows that overlap by their margins, where interpolation is unreliable.
    wanted = len(padded) - 2 * MARGIN
    count = -(-wanted // HOP)
    signal = np.zeros((padded.shape[1], (count - 1) * HOP + WINDOW), np.float32)
    signal[:, : len(padded)] = padded.T
    windows = np.lib.stride_tricks.sliding_window_view(signal, WINDOW, axis=1)[:, ::HOP]
    # 2. The peaks of the samples tell which windows can matter,
    peaks = _cell_peaks(windows, 1)
    hot = peaks.max(axis=1) >= 10.0 ** ((from_db - INTERSAMPLE_DB) / 20.0)
    # 3. and only those are oversampled.
    if hot.any():
        peaks[hot] = np.maximum(peaks[hot], _cell_peaks(_oversampled(windows[:, hot]), OVERSAMPLING))
    return decibels(peaks.reshape(-1)[: wanted // CELL].astype(np.float64) ** 2)


def _oversampled(windows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    spectra = np.fft.rfft(windows, norm=NORM) * _below_nyquist()
    finer = np.fft.irfft(spectra, OVERSAMPLING * WINDOW, norm=NORM)
    return np.asarray(finer * np.float32(np.sqrt(OVERSAMPLING)), np.float32)


def _below_nyquist() -> npt.NDArray[np.float32]:
    """Roll off from 22 to 24 kHz: interpolation then depends only on nearby samples, not on the whole window."""
    hz = np.fft.rfftfreq(WINDOW, 1.0 / SAMPLE_RATE)
    return np.asarray(falling((hz - 22_000.0) / 2_000.0), np.float32)


def _cell_peaks(windows: npt.NDArray[np.float32], factor: int) -> npt.NDArray[np.float32]:
    """(channels, windows, samples) to (windows, cells)."""
    inner = windows[:, :, factor * MARGIN : -factor * MARGIN]
    highest = np.maximum(inner.max(axis=0), -inner.min(axis=0))
    return np.asarray(highest.reshape(len(highest), -1, factor * CELL).max(axis=2))


LOOK_AHEAD = 5
"""Cells; the gain is also held for that long after a peak."""
ROUNDING = 4
"""Cells to each side; one less than the look-ahead, so that the smoothed gain is still low enough between two cells."""
REACH = 2 * LOOK_AHEAD
"""Cells on both sides of a block that its gain depends on."""
CONTEXT = REACH * CELL + MARGIN
"""Samples of context that a block must have on both sides."""
RELEASE_DB = 0.1
"""Per cell: 100 dB a second, 12 dB in an eighth of a second."""
SLACK_DB = 0.5
"""Headroom below the ceiling: meters use different interpolation filters, and on noise up to half the sample rate
ffmpeg's reads that much more than the ideal one."""

FAINTEST_DB = -90.0
"""Peaks below this are not measured further."""


class Limiter:
    """Processes audio block by block; keeps the state of its release and the highest peak passed.

    ``between_samples``: measure true peaks; without, those of the samples alone, which takes half the time.
    """

    def __init__(self, ceiling_db: float, *, between_samples: bool = True) -> None:
        self.ceiling_db, self._between_samples = ceiling_db, between_samples
        self.peak_db = -np.inf
        """After limiting, in dBTP where peaks between samples are measured."""
        self._released = 0.0

    def gain(self, padded: Audio) -> npt.NDArray[np.float32]:
        """One factor per frame of a block with CONTEXT frames on both sides (whole cells).

        The release works on decibels, after the gain computer, as Giannoulis, Massberg and Reiss recommend ("Digital
        Dynamic Range Compressor Design", JAES 60, 2012); look-ahead and hold make it safe for every peak.
        """
        # 1. The gain each cell needs, in dB, including the context's cells, which reveal peaks still to come.
        highest = self.ceiling_db - SLACK_DB
        telling = min(highest, max(self.peak_db, FAINTEST_DB)) if self._between_samples else np.inf
        peaks = cell_peaks_db(padded, telling)
        needed = np.minimum(highest - peaks, 0.0)
        # 2. Hold the minimum within the look-ahead, for the block's cells and those that smoothing will need.
        first, last = REACH - ROUNDING, len(peaks) - REACH + ROUNDING + 1
        held = _lowest_nearby(needed)[first:last]
        # 3. Release at a constant rate, from where the last block ended: the cell before the next block's first one.
        released = climb_slowly(held, RELEASE_DB, self._released)
        self._released = float(released[len(held) - 2 * ROUNDING - 2])
        # 4. Smooth. The window is shorter than the hold, so the gain is still low enough at the peak.
        gains = smooth(10.0 ** (released / 20.0), ROUNDING)[ROUNDING : len(released) - ROUNDING]
        # 5. Record the peak that passed, and interpolate linearly between the cells.
        self._note_peak(peaks[REACH:-REACH], gains)
        return to_samples(gains, CELL)

    def _note_peak(self, peaks: Curve, gains: Curve) -> None:
        reached = peaks + decibels(np.maximum(gains[:-1], gains[1:]) ** 2)
        self.peak_db = max(self.peak_db, float(reached.max()))


def _lowest_nearby(curve: Curve) -> Curve:
    padded = np.pad(curve, LOOK_AHEAD)
    return np.asarray(np.lib.stride_tricks.sliding_window_view(padded, 2 * LOOK_AHEAD + 1).min(axis=-1))
