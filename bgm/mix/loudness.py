"""Loudness by ITU-R BS.1770-4: K-weighted power in 400 ms blocks that overlap by 75 %, gated at -70 LUFS and -10 LU."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bgm.media.audio import Audio
from bgm.media.signal import FILTER_CONTEXT, FRAME, Curve, decibels, filtered, frames_in, k_weighting

OFFSET_DB = -0.691
ABSOLUTE_GATE = -70.0
RELATIVE_GATE = -10.0
STEP = 10
"""Control frames between two blocks (100 ms)."""
STEPS_PER_BLOCK = 4


def frame_power(weighted: Audio) -> npt.NDArray[np.float32]:
    """Mean square of each control frame, summed over the channels; mono counts as the same sound on both."""
    count = frames_in(len(weighted))
    whole = np.zeros((count * FRAME, weighted.shape[1]), np.float32)
    whole[: len(weighted)] = weighted
    cells = whole.reshape(count, -1)
    both = 2 / weighted.shape[1]
    return np.asarray(np.einsum("ij,ij->i", cells, cells) * np.float32(both / FRAME))


def integrated(power: npt.NDArray[np.floating]) -> float | None:
    """Gated loudness in LUFS from the K-weighted power of control frames; None for silence.

    A sound shorter than one block counts as one block.
    """
    blocks = _block_power(np.asarray(power, np.float64))
    loud = blocks[_lufs(blocks) > ABSOLUTE_GATE]
    if not len(loud):
        return None
    gate = _lufs(loud.mean()) + RELATIVE_GATE
    return float(_lufs(loud[_lufs(loud) > gate].mean()))


def _block_power(power: Curve) -> Curve:
    steps = power[: len(power) // STEP * STEP].reshape(-1, STEP).mean(axis=1)
    if len(steps) < STEPS_PER_BLOCK:
        return np.array([power.mean()]) if len(power) else np.zeros(0)
    sums = np.convolve(steps, np.ones(STEPS_PER_BLOCK), mode="valid")
    return np.maximum(sums, 0.0) / STEPS_PER_BLOCK


def _lufs(power: npt.ArrayLike) -> Curve:
    return OFFSET_DB + decibels(np.asarray(power, np.float64))


class Meter:
    """Measures a sound that comes in blocks of whole control frames (the last one may end anywhere)."""

    def __init__(self) -> None:
        self._past: Audio = np.zeros((FILTER_CONTEXT, 2), np.float32)
        self._power: list[npt.NDArray[np.float32]] = []

    def push(self, block: Audio) -> None:
        """Append (frames, 2)."""
        # K-weighting only looks back: what follows the block can't change it, so the context ahead may be silence.
        ahead = np.zeros((FILTER_CONTEXT, 2), np.float32)
        padded = np.concatenate([self._past, block, ahead])
        self._power.append(frame_power(filtered(padded, k_weighting())[0]))
        self._past = padded[: len(padded) - FILTER_CONTEXT][-FILTER_CONTEXT:]

    def lufs(self) -> float | None:
        """Integrated loudness so far; None for silence."""
        return integrated(np.concatenate(self._power)) if self._power else None
