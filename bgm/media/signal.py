"""Control curves, one value per 10 ms, and filters: shared by mix and music engines.

Filters are applied in the frequency domain: exact responses at numpy's speed, without scipy.signal's second of import.
Every block is filtered from absolute positions with context on both sides, so there is no state to carry and the result
does not depend on how the timeline is cut into blocks.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from bgm.media.audio import SAMPLE_RATE, Audio

FRAME = SAMPLE_RATE // 100
"""Samples in one control frame (10 ms)."""

Curve = npt.NDArray[np.float64]
"""One value per control frame."""
Mask = npt.NDArray[np.bool_]
"""One boolean per control frame."""
SILENCE_POWER = 1e-20
"""Keeps a logarithm finite; far below the resolution of 24 bits."""


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
    """The highest curve at or below ``target`` that rises at most ``rise`` and falls at most ``fall`` per step.

    It looks ahead: it is already down where the target drops, and rises gradually after it.
    """
    return drop_early(climb_slowly(target, rise), fall)


def climb_slowly(target: Curve, rise: float, before: float = np.inf) -> Curve:
    """The highest curve at or below ``target`` that rises at most ``rise`` per step, starting from ``before``."""
    steps = np.arange(1, len(target) + 1) * rise
    return np.minimum(np.minimum.accumulate(target - steps), before) + steps


def drop_early(target: Curve, fall: float) -> Curve:
    """The highest curve at or below ``target`` that falls at most ``fall`` per step."""
    return climb_slowly(target[::-1], fall)[::-1]


def smooth(curve: npt.NDArray[np.floating], reach: int) -> Curve:
    """Smooth with a Hann window of ``reach`` steps to each side; the end values are held."""
    window = np.hanning(2 * reach + 3)[1:-1]
    return np.convolve(np.pad(curve, reach, mode="edge"), window / window.sum(), mode="valid")


def rising(share: npt.ArrayLike) -> Curve:
    """Raised cosine: 0 up to a ``share`` of 0, 1 from 1 on."""
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * np.clip(share, 0.0, 1.0)))


def falling(share: npt.ArrayLike) -> Curve:
    """1 up to a ``share`` of 0, 0 from 1 on: with :func:`rising` it sums to 1."""
    return np.asarray(0.5 + 0.5 * np.cos(np.pi * np.clip(share, 0.0, 1.0)))


def runs(mask: Mask) -> list[tuple[int, int]]:
    """(start, stop) of each stretch where ``mask`` is true."""
    edges = np.flatnonzero(np.diff(mask.astype(np.int8), prepend=0, append=0))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def to_samples(curve: npt.NDArray[np.floating], step: int) -> npt.NDArray[np.float32]:
    """Linear interpolation: n + 1 values, ``step`` samples apart, become n * step samples."""
    values = np.asarray(curve, np.float32)
    ramp = np.arange(step, dtype=np.float32) / np.float32(step)
    return np.asarray(values[:-1, None] + np.diff(values)[:, None] * ramp).reshape(-1)


FILTER_CONTEXT = 4_800
"""Samples of context on each side of a block, for the memory of the filters here (100 ms: the 38 Hz high-pass of the
K-weighting has decayed by 190 dB)."""
FFT_SIZE = 131_072
"""Two of these make a block of five seconds with its context."""
HOP = FFT_SIZE - 2 * FILTER_CONTEXT
NORM: Final = "ortho"
"""For transforms there and back: with the default norm numpy 2.4 takes twice as long in single precision."""

Response = npt.NDArray[np.complex64]
"""One factor for each of the FFT_SIZE // 2 + 1 frequencies."""


def frequencies() -> npt.NDArray[np.float64]:
    """Hz of each entry of a response."""
    return np.asarray(np.fft.rfftfreq(FFT_SIZE, 1.0 / SAMPLE_RATE), np.float64)


def filtered(padded: Audio, *responses: Response) -> list[Audio]:
    """Filter a block with FILTER_CONTEXT frames on both sides; each result is the block without them.

    Several responses share one forward transform. Overlap-save (Oppenheim & Schafer, ch. 8).
    """
    wanted = len(padded) - 2 * FILTER_CONTEXT
    pieces = -(-wanted // HOP)
    signal = np.zeros((padded.shape[1], (pieces - 1) * HOP + FFT_SIZE), np.float32)
    signal[:, : len(padded)] = padded.T
    windows = np.lib.stride_tricks.sliding_window_view(signal, FFT_SIZE, axis=1)[:, ::HOP]
    spectra = np.fft.rfft(windows, norm=NORM)
    return [_valid(spectra, response, wanted) for response in responses]


def _valid(spectra: npt.NDArray[np.complexfloating], response: Response, wanted: int) -> Audio:
    signal = np.fft.irfft(spectra * response, FFT_SIZE, norm=NORM)[:, :, FILTER_CONTEXT:-FILTER_CONTEXT]
    return np.ascontiguousarray(signal.reshape(len(spectra), -1)[:, :wanted].T)


@lru_cache(maxsize=1)
def k_weighting() -> Response:
    """The K-weighting as a response for :func:`filtered`."""
    return np.asarray(k_weighting_at(frequencies()), np.complex64)


def k_weighting_at(hz: npt.NDArray[np.floating], rate: int = SAMPLE_RATE) -> npt.NDArray[np.complex128]:
    """The two filters of ITU-R BS.1770-4, annex 1, tables 1 and 2, in series; they are specified for 48 kHz."""
    z = np.exp(-2j * np.pi * hz / rate)
    shelf = _biquad(z, (1.53512485958697, -2.69169618940638, 1.19839281085285), (-1.69065929318241, 0.73248077421585))
    return shelf * _biquad(z, (1.0, -2.0, 1.0), (-1.99004745483398, 0.99007225036621))


def _biquad(
    z: npt.NDArray[np.complex128], b: tuple[float, float, float], a: tuple[float, float]
) -> npt.NDArray[np.complex128]:
    """A second-order filter with a0 = 1; ``z`` is the delay of one sample, e^(-jω)."""
    return np.asarray((b[0] + b[1] * z + b[2] * z**2) / (1.0 + a[0] * z + a[1] * z**2))
