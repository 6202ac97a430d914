"""Curves that steer the sound: one value for each 10 ms, so three hours of them are a few megabytes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bgm.media.audio import SAMPLE_RATE

FRAME = SAMPLE_RATE // 100
"""Samples in one control frame (10 ms)."""

Curve = npt.NDArray[np.float64]
"""One value per control frame."""
Mask = npt.NDArray[np.bool_]
"""One yes or no per control frame."""
SILENCE_POWER = 1e-20
"""Keeps a logarithm finite; far below anything that 24 bits can hold."""


def frames_in(samples: int) -> int:
    """Control frames that cover ``samples``; the last one may be partly empty."""
    return -(-samples // FRAME)


def decibels(power: npt.NDArray[np.floating]) -> Curve:
    """Power (mean square) to dB."""
    return np.asarray(10.0 * np.log10(np.maximum(power, SILENCE_POWER)), np.float64)


def amplitude(gain_db: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """dB to a factor for samples."""
    return np.asarray(10.0 ** (np.asarray(gain_db, np.float64) / 20.0))


def slew(target: Curve, rise: float, fall: float) -> Curve:
    """The highest curve that stays at or below ``target`` and climbs ``rise`` and drops ``fall`` a step at most.

    It looks ahead: it is already down where the target drops, and takes its time to come up after it.
    """
    return drop_early(climb_slowly(target, rise), fall)


def climb_slowly(target: Curve, rise: float, before: float = np.inf) -> Curve:
    """The highest curve at or below ``target`` that climbs ``rise`` a step at most, coming from ``before``."""
    steps = np.arange(1, len(target) + 1) * rise
    return np.minimum(np.minimum.accumulate(target - steps), before) + steps


def drop_early(target: Curve, fall: float) -> Curve:
    """The highest curve at or below ``target`` that drops ``fall`` a step at most."""
    return climb_slowly(target[::-1], fall)[::-1]


def smooth(curve: npt.NDArray[np.floating], reach: int) -> Curve:
    """Round the corners with a Hann window of ``reach`` steps to each side; the ends are held."""
    window = np.hanning(2 * reach + 3)[1:-1]
    return np.convolve(np.pad(curve, reach, mode="edge"), window / window.sum(), mode="valid")


def runs(mask: Mask) -> list[tuple[int, int]]:
    """(start, stop) of each stretch where ``mask`` holds."""
    edges = np.flatnonzero(np.diff(mask.astype(np.int8), prepend=0, append=0))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def to_samples(curve: npt.NDArray[np.floating], step: int) -> npt.NDArray[np.float32]:
    """Straight lines between neighbours: n + 1 values, ``step`` samples apart, become n * step samples."""
    values = np.asarray(curve, np.float32)
    ramp = np.arange(step, dtype=np.float32) / np.float32(step)
    return np.asarray(values[:-1, None] + np.diff(values)[:, None] * ramp).reshape(-1)
