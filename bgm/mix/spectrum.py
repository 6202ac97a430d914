"""Filters applied in the frequency domain: exact responses at numpy's speed, without scipy.signal's second of import.

Every block is filtered from absolute positions with context on both sides, so there is no state to carry and the
result does not depend on how the timeline is cut into blocks.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from bgm.media.audio import SAMPLE_RATE, Audio

CONTEXT = 4_800
"""Samples that each side of a block must bring along: what the filters here remember (100 ms: the 38 Hz high-pass of
the K-weighting has decayed by 190 dB)."""
FFT_SIZE = 131_072
"""Two of these make a block of five seconds with its context."""
HOP = FFT_SIZE - 2 * CONTEXT
NORM: Final = "ortho"
"""Of transforms there and back: with the default norm numpy 2.4 takes twice as long in single precision."""

Response = npt.NDArray[np.complex64]
"""One factor for each of the FFT_SIZE // 2 + 1 frequencies."""


def frequencies() -> npt.NDArray[np.float64]:
    """Hz of each entry of a response."""
    return np.asarray(np.fft.rfftfreq(FFT_SIZE, 1.0 / SAMPLE_RATE), np.float64)


def filtered(padded: Audio, *responses: Response) -> list[Audio]:
    """Filter a block that brings CONTEXT frames on both sides; each result is the block without them.

    Several responses share one forward transform. Overlap-save (Oppenheim & Schafer, ch. 8).
    """
    wanted = len(padded) - 2 * CONTEXT
    pieces = -(-wanted // HOP)
    signal = np.zeros((padded.shape[1], (pieces - 1) * HOP + FFT_SIZE), np.float32)
    signal[:, : len(padded)] = padded.T
    windows = np.lib.stride_tricks.sliding_window_view(signal, FFT_SIZE, axis=1)[:, ::HOP]
    spectra = np.fft.rfft(windows, norm=NORM)
    return [_valid(spectra, response, wanted) for response in responses]


def _valid(spectra: npt.NDArray[np.complexfloating], response: Response, wanted: int) -> Audio:
    signal = np.fft.irfft(spectra * response, FFT_SIZE, norm=NORM)[:, :, CONTEXT:-CONTEXT]
    return np.ascontiguousarray(signal.reshape(len(spectra), -1)[:, :wanted].T)


@lru_cache(maxsize=1)
def k_weighting() -> Response:
    """The two filters of ITU-R BS.1770-4, annex 1, tables 1 and 2 (48 kHz), as one response."""
    shelf = _biquad((1.53512485958697, -2.69169618940638, 1.19839281085285), (-1.69065929318241, 0.73248077421585))
    high_pass = _biquad((1.0, -2.0, 1.0), (-1.99004745483398, 0.99007225036621))
    return np.asarray(shelf * high_pass, np.complex64)


def _biquad(b: tuple[float, float, float], a: tuple[float, float]) -> npt.NDArray[np.complex128]:
    z = np.exp(-2j * np.pi * frequencies() / SAMPLE_RATE)
    return np.asarray((b[0] + b[1] * z + b[2] * z**2) / (1.0 + a[0] * z + a[1] * z**2))


@lru_cache(maxsize=1)
def room_for_speech() -> Response:
    """What the music is filtered with under speech: a gentle high-pass at 120 Hz and a dip of 5 dB around 2.8 kHz.

    Zero phase, so that fading between the music with and without it never cancels anything.
    """
    hz = np.maximum(frequencies(), 1e-3)
    high_pass = 1.0 / np.sqrt(1.0 + (120.0 / hz) ** 4)
    octaves = np.log2(hz / 2_800.0)
    dip_db = -5.0 * np.exp(-0.5 * (octaves / 0.6) ** 2)
    return np.asarray(high_pass * 10.0 ** (dip_db / 20.0), np.complex64)
