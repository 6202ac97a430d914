"""The level of a take: one static gain that brings it to the loudness that all takes share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, pairwise
from operator import itemgetter

import numpy as np
import numpy.typing as npt

from bgm.media.audio import SAMPLE_RATE, Audio
from bgm.media.signal import k_weighting_at

TARGET_LUFS = -20.0
_WINDOW = 2 * SAMPLE_RATE // 5
"""400 ms, the gating block of ITU-R BS.1770."""
_PEAK = 0.8
"""The gain leaves the loudest sample that was measured below this."""
_KNEE = 0.85
"""Samples above it are bent so that none reaches 1."""
_STEP_DB = 0.1
"""Gains are rounded to it, so that the last bit of a sum can't change a take."""


def k_weights(size: int = _WINDOW, rate: int = SAMPLE_RATE) -> npt.NDArray[np.float64]:
    """Power response of the K-weighting at the bins of a real FFT."""
    power: npt.NDArray[np.float64] = np.abs(k_weighting_at(np.fft.rfftfreq(size, 1 / rate), rate)) ** 2
    return power


def loudness(blocks: Iterable[Audio]) -> float | None:
    """Gated loudness in LUFS of stereo blocks, measured in the frequency domain (windows of 400 ms side by side).

    None for silence. It differs from a meter with filters in time and overlapping windows by a few tenths of a LU.
    """
    weights = k_weights()
    powers = np.concatenate([_powers(block, weights) for block in blocks] or [np.zeros(0)])
    heard = powers[powers > _power(-70.0)]
    if not len(heard):
        return None
    heard = heard[heard > heard.mean() / 10]
    return float(-0.691 + 10 * np.log10(heard.mean()))


def gain_for(blocks: Sequence[Audio], above: float = 0.0) -> float:
    """The factor that brings them ``above`` LU over TARGET_LUFS, less where their peak forbids it; 1 for silence."""
    measured = loudness(blocks)
    if measured is None:
        return 1.0
    peak = max(float(np.abs(block).max(initial=0.0)) for block in blocks)
    wanted = min(TARGET_LUFS + above - measured, 20 * np.log10(_PEAK / peak))
    return float(10 ** (np.floor(wanted / _STEP_DB) * _STEP_DB / 20))


_LEFT_ALONE_LU, _MOST_RIDDEN_DB = 0.3, 4.0
"""How far a section may miss its place, and how far it is moved at most."""
_RAMP = SAMPLE_RATE // 2
_LEAST_MEASURED = 2 * SAMPLE_RATE


def ridden(blocks: Iterable[Audio], curve: Sequence[tuple[float, float | None]]) -> Iterator[Audio]:
    """The sections of a piece brought to where they stand against each other (``Score.curve``), as by a fader.

    Layers and velocities make most of it; the compressor takes some of that back, and each ensemble grows in its own
    way. One section is held at a time.
    """
    if not curve:
        yield from blocks
        return
    starts = [round(start * SAMPLE_RATE) for start, _ in curve]
    gain = 0.0
    first: float | None = None
    for number, parts in groupby(_parted(blocks, starts[1:]), key=itemgetter(0)):
        held, wanted = [part for _, part in parts], curve[number][1]
        measured = loudness(held) if wanted is not None and sum(map(len, held)) >= _LEAST_MEASURED else None
        before = gain
        if measured is not None and wanted is not None:
            over = measured - wanted
            first = over if first is None else first
            off = over - first
            near = min(_LEFT_ALONE_LU, max(-_LEFT_ALONE_LU, off))
            gain = min(_MOST_RIDDEN_DB, max(-_MOST_RIDDEN_DB, near - off))
        yield from _ramped(held, before, gain)


def _parted(blocks: Iterable[Audio], starts: Sequence[int]) -> Iterator[tuple[int, Audio]]:
    """The blocks, cut where sections start, each with its section's number."""
    done = 0
    for block in blocks:
        cuts = [0, *(start - done for start in starts if done < start < done + len(block)), len(block)]
        for a, b in pairwise(cuts):
            yield sum(start <= done + a for start in starts), block[a:b]
        done += len(block)


def _ramped(blocks: Iterable[Audio], before: float, after: float) -> Iterator[Audio]:
    """The blocks at a gain of ``after`` dB, come to from ``before`` in half a second."""
    done = 0
    for block in blocks:
        share = np.minimum(np.arange(done, done + len(block)) / _RAMP, 1.0) if done < _RAMP else 1.0
        gain = 10.0 ** ((before + (after - before) * share) / 20.0)
        done += len(block)
        yield block if before == after == 0.0 else (block * np.reshape(gain, (-1, 1))).astype(np.float32)


def rms_db(blocks: Sequence[Audio]) -> float:
    """Of the blocks together, dB of full scale."""
    power = sum(float(np.square(block, dtype=np.float64).sum()) for block in blocks)
    return float(10 * np.log10(power / sum(block.size for block in blocks) + 1e-12))


def softened(block: Audio) -> Audio:
    """The block with samples over the knee bent towards 1; below it nothing changes."""
    size = np.abs(block)
    if size.max(initial=0.0) <= _KNEE:
        return block
    room = 1 - _KNEE
    bent = np.sign(block) * (_KNEE + room * np.tanh((size - _KNEE) / room))
    return np.where(size > _KNEE, bent, block).astype(np.float32)


def _powers(block: Audio, weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """K-weighted mean square of each window, summed over the channels; the last window may be shorter."""
    count = -(-len(block) // _WINDOW)
    padded = np.zeros((count * _WINDOW, block.shape[1]), np.float32)
    padded[: len(block)] = block
    spectrum = np.fft.rfft(padded.reshape(count, _WINDOW, -1), axis=1)
    power = (np.square(spectrum.real) + np.square(spectrum.imag)) * weights[:, None]
    filled = np.minimum(_WINDOW, len(block) - _WINDOW * np.arange(count))
    mean_square: npt.NDArray[np.float64] = 2 * power.sum(axis=(1, 2)) / (_WINDOW * filled)
    return mean_square


def _power(lufs: float) -> float:
    return float(10 ** ((lufs + 0.691) / 10))
