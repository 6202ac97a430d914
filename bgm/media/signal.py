"""Signal processing that mix and music engines share: control curves, filters, loudness, the true-peak limiter.

Filters are applied in the frequency domain: exact responses at numpy's speed, without scipy.signal's second of import.
Every block is filtered from absolute positions with context on both sides, so there is no state to carry and the result
does not depend on how the timeline is cut into blocks.
"""

from __future__ import annotations

from collections.abc import Iterable
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
    # With the allowed rise subtracted, "rises at most" becomes "never rises": a running minimum, without a Python loop.
    steps = np.arange(1, len(target) + 1) * rise
    return np.minimum(np.minimum.accumulate(target - steps), before) + steps


def drop_early(target: Curve, fall: float) -> Curve:
    """The highest curve at or below ``target`` that falls at most ``fall`` per step."""
    return climb_slowly(target[::-1], fall)[::-1]


def smooth(curve: npt.NDArray[np.floating], reach: int) -> Curve:
    """Smooth with a Hann window of ``reach`` steps to each side; the end values are held."""
    # A Hann window ends in zeros, so it is made two points longer, and these are cut off.
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
    # 1. Cut into windows of one size, which overlap by the context on both sides: one plan of the transform serves all.
    wanted = len(padded) - 2 * FILTER_CONTEXT
    pieces = -(-wanted // HOP)
    signal = np.zeros((padded.shape[1], (pieces - 1) * HOP + FFT_SIZE), np.float32)
    signal[:, : len(padded)] = padded.T
    windows = np.lib.stride_tricks.sliding_window_view(signal, FFT_SIZE, axis=1)[:, ::HOP]
    spectra = np.fft.rfft(windows, norm=NORM)
    # 2. Only the middle of each result is valid: the transform is circular, so the tails wrap around.
    return [_valid(spectra, response, wanted) for response in responses]


def _valid(spectra: npt.NDArray[np.complexfloating], response: Response, wanted: int) -> Audio:
    signal = np.fft.irfft(spectra * response, FFT_SIZE, norm=NORM)[:, :, FILTER_CONTEXT:-FILTER_CONTEXT]
    return np.ascontiguousarray(signal.reshape(len(spectra), -1)[:, :wanted].T)


@lru_cache(maxsize=1)
def k_weighting() -> Response:
    """The K-weighting as a response for :func:`filtered`."""
    return np.asarray(_k_weighting_at(frequencies()), np.complex64)


def _k_weighting_at(hz: npt.NDArray[np.floating]) -> npt.NDArray[np.complex128]:
    """The two filters of ITU-R BS.1770-4, annex 1, tables 1 and 2, in series; they are specified for 48 kHz."""
    z = np.exp(-2j * np.pi * hz / SAMPLE_RATE)
    # 1. A shelf for the acoustic effect of the head, modelled as a sphere (table 1); 2. a high-pass (table 2).
    shelf = _biquad(z, (1.53512485958697, -2.69169618940638, 1.19839281085285), (-1.69065929318241, 0.73248077421585))
    return shelf * _biquad(z, (1.0, -2.0, 1.0), (-1.99004745483398, 0.99007225036621))


def _biquad(
    z: npt.NDArray[np.complex128], b: tuple[float, float, float], a: tuple[float, float]
) -> npt.NDArray[np.complex128]:
    """A second-order filter with a0 = 1; ``z`` is the delay of one sample, e^(-jω)."""
    return np.asarray((b[0] + b[1] * z + b[2] * z**2) / (1.0 + a[0] * z + a[1] * z**2))


# Loudness by ITU-R BS.1770-4, annex 1: K-weighted power in 400 ms blocks that overlap by 75 %, gated at -70 LUFS and
# at 10 LU below the mean of what is left.

OFFSET_DB = -0.691
"""Takes back the K-weighting's gain at 1 kHz, so that a sine there reads its own level."""
ABSOLUTE_GATE = -70.0
RELATIVE_GATE = -10.0
BLOCK_STEP = 10
"""Control frames between two blocks (100 ms)."""
STEPS_PER_BLOCK = 4


def frame_power(weighted: Audio) -> npt.NDArray[np.float32]:
    """Mean square of each control frame, summed over the channels; mono counts as the same sound on both."""
    count = frames_in(len(weighted))
    whole = np.zeros((count * FRAME, weighted.shape[1]), np.float32)
    whole[: len(weighted)] = weighted
    cells = whole.reshape(count, -1)
    both = 2 / weighted.shape[1]  # mono is played by both loudspeakers
    return np.asarray(np.einsum("ij,ij->i", cells, cells) * np.float32(both / FRAME))


def integrated(power: npt.NDArray[np.floating]) -> float | None:
    """Gated loudness in LUFS from the K-weighted power of control frames; None for silence.

    A sound shorter than one block counts as one block.
    """
    # 1. Blocks of 400 ms, 2. without those below the absolute gate,
    blocks = _block_power(np.asarray(power, np.float64))
    loud = blocks[_lufs(blocks) > ABSOLUTE_GATE]
    if not len(loud):
        return None
    # 3. and without those below the relative gate. Gates compare loudness, means are of power.
    gate = _lufs(loud.mean()) + RELATIVE_GATE
    return float(_lufs(loud[_lufs(loud) > gate].mean()))


def _block_power(power: Curve) -> Curve:
    steps = power[: len(power) // BLOCK_STEP * BLOCK_STEP].reshape(-1, BLOCK_STEP).mean(axis=1)
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


_LEVEL_WINDOW = 2 * SAMPLE_RATE // 5
"""400 ms, the gating block of ITU-R BS.1770."""


def loudness_of(blocks: Iterable[Audio]) -> float | None:
    """Gated loudness in LUFS of stereo blocks, measured in the frequency domain (windows of 400 ms side by side).

    None for silence. It differs from a meter with filters in time and overlapping windows by a few tenths of a LU.
    """
    hz = np.fft.rfftfreq(_LEVEL_WINDOW, 1 / SAMPLE_RATE)
    weights = (np.abs(_k_weighting_at(hz)) ** 2).astype(np.float32)
    powers = np.concatenate([_window_powers(block, weights) for block in blocks] or [np.zeros(0)])
    heard = powers[powers > _power_at(ABSOLUTE_GATE)]
    if not len(heard):
        return None
    heard = heard[heard > heard.mean() / 10]
    return float(OFFSET_DB + 10 * np.log10(heard.mean()))


def _window_powers(block: Audio, weights: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """K-weighted mean square of each window, summed over the channels; the last window may be shorter."""
    count = -(-len(block) // _LEVEL_WINDOW)
    padded = np.zeros((block.shape[1], count * _LEVEL_WINDOW), np.float32)
    padded[:, : len(block)] = block.T
    # Parseval: the weighted powers of the bins sum to the mean square that filters in time would give.
    spectrum = np.fft.rfft(padded.reshape(-1, count, _LEVEL_WINDOW), norm=NORM)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    # The mean over the samples in the last window, not over its zero padding.
    filled = np.minimum(_LEVEL_WINDOW, len(block) - _LEVEL_WINDOW * np.arange(count))
    return np.asarray(2 * np.einsum("cwf,f->w", power, weights) / filled, np.float64)


def _power_at(lufs: float) -> float:
    return float(10 ** ((lufs - OFFSET_DB) / 10))


# A look-ahead true-peak limiter. True peak is the maximum of the signal between its samples (ITU-R BS.1770-4, annex 2:
# four times oversampling), measured per cell of one millisecond. The gain is held at the minimum that any cell within
# the look-ahead needs, released at a constant rate, smoothed by a Hann window no longer than the look-ahead, and
# interpolated linearly between the cells.

OVERSAMPLING = 4
CELL = SAMPLE_RATE // 1000
"""Samples (1 ms) per measured peak."""
PEAK_MARGIN = 20 * CELL
"""Samples at both ends of a window that serve only as context."""
PEAK_WINDOW = 320 * CELL
PEAK_HOP = PEAK_WINDOW - 2 * PEAK_MARGIN
INTERSAMPLE_DB = 8.0
"""No real audio rises this far above its samples: a quieter window needs no oversampling."""


def cell_peaks_db(padded: Audio, from_db: float) -> Curve:
    """The peak of each cell, in dBTP, of a block with PEAK_MARGIN frames on both sides (whole cells).

    Cells that can't reach ``from_db`` are not oversampled.
    """
    # 1. Cut the block into windows that overlap by their margins, where interpolation is unreliable.
    wanted = len(padded) - 2 * PEAK_MARGIN
    count = -(-wanted // PEAK_HOP)
    signal = np.zeros((padded.shape[1], (count - 1) * PEAK_HOP + PEAK_WINDOW), np.float32)
    signal[:, : len(padded)] = padded.T
    windows = np.lib.stride_tricks.sliding_window_view(signal, PEAK_WINDOW, axis=1)[:, ::PEAK_HOP]
    # 2. The peaks of the samples tell which windows can matter,
    peaks = _cell_peaks(windows, 1)
    hot = peaks.max(axis=1) >= 10.0 ** ((from_db - INTERSAMPLE_DB) / 20.0)
    # 3. and only those are oversampled.
    if hot.any():
        peaks[hot] = np.maximum(peaks[hot], _cell_peaks(_oversampled(windows[:, hot]), OVERSAMPLING))
    return decibels(peaks.reshape(-1)[: wanted // CELL].astype(np.float64) ** 2)


def _oversampled(windows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    spectra = np.fft.rfft(windows, norm=NORM) * _below_nyquist()
    # Zeros above the old Nyquist frequency are the ideal interpolation; the orthonormal transforms differ in size.
    finer = np.fft.irfft(spectra, OVERSAMPLING * PEAK_WINDOW, norm=NORM)
    return np.asarray(finer * np.float32(np.sqrt(OVERSAMPLING)), np.float32)


def _below_nyquist() -> npt.NDArray[np.float32]:
    """Roll off from 22 to 24 kHz: interpolation then depends only on nearby samples, not on the whole window."""
    hz = np.fft.rfftfreq(PEAK_WINDOW, 1.0 / SAMPLE_RATE)
    return np.asarray(falling((hz - 22_000.0) / 2_000.0), np.float32)


def _cell_peaks(windows: npt.NDArray[np.float32], factor: int) -> npt.NDArray[np.float32]:
    """(channels, windows, samples) to (windows, cells)."""
    inner = windows[:, :, factor * PEAK_MARGIN : -factor * PEAK_MARGIN]
    highest = np.maximum(inner.max(axis=0), -inner.min(axis=0))
    return np.asarray(highest.reshape(len(highest), -1, factor * CELL).max(axis=2))


LOOK_AHEAD = 5
"""Cells; the gain is also held for that long after a peak."""
ROUNDING = 4
"""Cells to each side; one less than the look-ahead, so that the smoothed gain is still low enough between two cells."""
REACH = 2 * LOOK_AHEAD
"""Cells on both sides of a block that its gain depends on."""
LIMITER_CONTEXT = REACH * CELL + PEAK_MARGIN
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
        """One factor per frame of a block with LIMITER_CONTEXT frames on both sides (whole cells).

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
        # The gain is linear between cells, so the higher of its ends is an upper bound for the peak.
        reached = peaks + decibels(np.maximum(gains[:-1], gains[1:]) ** 2)
        self.peak_db = max(self.peak_db, float(reached.max()))


def _lowest_nearby(curve: Curve) -> Curve:
    # Padding with 0 dB is neutral: gains are never above it.
    padded = np.pad(curve, LOOK_AHEAD)
    return np.asarray(np.lib.stride_tricks.sliding_window_view(padded, 2 * LOOK_AHEAD + 1).min(axis=-1))
