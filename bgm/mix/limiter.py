"""A look-ahead true-peak limiter.

The gain is found for cells of one millisecond: held at the lowest that any cell within the look-ahead needs, let go at
a constant rate, rounded by a Hann window no longer than the look-ahead, and drawn as straight lines between the cells.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bgm.media.audio import Audio
from bgm.mix.control import Curve, climb_slowly, decibels, smooth, to_samples
from bgm.mix.true_peak import CELL, MARGIN, cell_peaks_db

LOOK_AHEAD = 5
"""Cells; the gain also stays down that long after a peak."""
ROUNDING = 4
"""Cells to each side; one less than the look-ahead, so that a rounded gain is still low enough between two cells."""
REACH = 2 * LOOK_AHEAD
"""Cells on both sides of a block that its gain depends on."""
CONTEXT = REACH * CELL + MARGIN
"""Samples that a block must bring along on both sides."""
RELEASE_DB = 0.1
"""Per cell: 100 dB a second, 12 dB in an eighth of a second."""
SLACK_DB = 0.5
"""Kept below the ceiling: meters interpolate with different filters, and on noise up to half the sample rate ffmpeg's
reads that much more than the ideal one."""

FAINTEST_DB = -90.0
"""Peaks below this are not worth a closer look."""


class Limiter:
    """Give it a sound block by block; it remembers how far its release has come and the highest peak that passed."""

    def __init__(self, ceiling_db: float) -> None:
        self.ceiling_db = ceiling_db
        self.peak_db = -np.inf
        """After limiting, in dBTP."""
        self._released = 0.0

    def gain(self, padded: Audio) -> npt.NDArray[np.float32]:
        """One factor for each frame of a block that brings CONTEXT frames on both sides (whole cells)."""
        highest = self.ceiling_db - SLACK_DB
        peaks = cell_peaks_db(padded, min(highest, max(self.peak_db, FAINTEST_DB)))
        first, last = REACH - ROUNDING, len(peaks) - REACH + ROUNDING + 1
        held = _lowest_nearby(np.minimum(highest - peaks, 0.0))[first:last]
        released = climb_slowly(held, RELEASE_DB, self._released)
        self._released = float(released[len(held) - 2 * ROUNDING - 2])
        gains = smooth(10.0 ** (released / 20.0), ROUNDING)[ROUNDING : len(released) - ROUNDING]
        self._note_peak(peaks[REACH:-REACH], gains)
        return to_samples(gains, CELL)

    def _note_peak(self, peaks: Curve, gains: Curve) -> None:
        reached = peaks + decibels(np.maximum(gains[:-1], gains[1:]) ** 2)
        self.peak_db = max(self.peak_db, float(reached.max()))


def _lowest_nearby(curve: Curve) -> Curve:
    padded = np.pad(curve, LOOK_AHEAD)
    return np.asarray(np.lib.stride_tricks.sliding_window_view(padded, 2 * LOOK_AHEAD + 1).min(axis=-1))
