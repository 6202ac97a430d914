"""From the synthesiser's buses to a finished take: tone and width of each bus, one balance of octaves, glue, a ceiling.

1. Each bus gets its equaliser, level and width, in the frequency domain: chords make room for the melody and lie wide,
   the bass is clean and in the middle.
2. The opening's octaves are measured and drawn towards a common profile: samples of a small font are dull, and each
   ensemble is dull in another way. What is within a few dB is the piece's own colour and stays.
3. A bus compressor with slow times takes the loud bars down a little, and a limiter the strokes that stick out.
4. Sections are brought to where they stand against each other, and one static gain brings the take to the loudness that
   all takes share.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby, pairwise
from operator import itemgetter

import numpy as np
import numpy.typing as npt

from bgm.media.audio import SAMPLE_RATE, Audio
from bgm.media.limiter import CELL, Limiter
from bgm.media.limiter import CONTEXT as LIMITER_CONTEXT
from bgm.media.signal import (
    FFT_SIZE,
    FILTER_CONTEXT,
    FRAME,
    HOP,
    NORM,
    Curve,
    Response,
    decibels,
    frames_in,
    frequencies,
    k_weighting_at,
    to_samples,
)
from bgm.music.synth import Bus, Buses

BLOCK = HOP // FRAME * FRAME
"""Frames of a block that one transform of the filters covers."""

_TONE: dict[Bus, dict[float, float]] = {
    Bus.FOUNDATION: {25: -12, 40: 0, 90: 1, 350: -3, 1_000: 0, 4_000: 2, 9_000: 4},
    Bus.BED: {60: -18, 130: -5, 350: -5, 900: -3, 2_500: -2, 8_000: 1},
    Bus.MELODY: {70: -18, 160: -2, 400: -0.5, 1_000: 1, 3_000: 3.5, 8_000: 4},
}
"""dB at these frequencies, level included; straight lines over the logarithm between them."""
_WIDTH: dict[Bus, float] = {Bus.FOUNDATION: 0.9, Bus.BED: 1.8, Bus.MELODY: 1.3}
"""Factor of the difference of left and right."""
_MIDDLE_BELOW_HZ = 150.0
"""What is lower comes from the middle, as small speakers and vinyl have it."""

_OCTAVES = 125.0 * 2.0 ** np.arange(7)
_PROFILE = np.array([1.0, 1.0, 0.5, 0.0, 0.0, -0.5, -1.5])
"""dB from pink noise that octaves from 125 Hz to 8 kHz are drawn towards: a little warmer, as mixes of most genres are
(Pestana et al., "Spectral characteristics of popular commercial recordings 1950-2010", AES 135, 2013); the compressor
then takes 1 to 3 dB from the strokes' 4 and 8 kHz."""
_OWN_COLOUR_DB = 2.0
"""An octave may lie this far from the profile."""
_LEAST_DB, _MOST_DB = -9.0, 28.0
_PARTS = 6
_BANDS = (_OCTAVES[:, None] * 2.0 ** ((np.arange(_PARTS) - (_PARTS - 1) / 2) / _PARTS)).ravel()
_STEPS = 12
_FLAT = 0.3
"""Octaves to each side of an octave's middle over which its change holds."""

_THRESHOLD_DB = -3.0
"""Against the RMS of the opening."""
_RATIO = 2.0
_KNEE_DB = 6.0
_ATTACK_S, _RELEASE_S = 0.03, 0.25
_CREST_DB = 11.0
"""Peaks above the opening's RMS that the limiter lets pass."""


@dataclass(frozen=True, slots=True)
class Spectrum:
    """``frames`` of the summed buses with their context, transformed: a take needs one transform there and one back."""

    middle: npt.NDArray[np.complex64]
    side: npt.NDArray[np.complex64]
    frames: int


def summed(blocks: Iterable[Buses]) -> Iterator[Spectrum]:
    """The buses with their tone and width as one stereo sound, in the same blocks (BLOCK frames, the last one less)."""
    tones, widths = _bus_responses()
    for padded in _in_context(blocks, FILTER_CONTEXT):
        spectra = np.fft.rfft(padded, FFT_SIZE, norm=NORM)
        middle, side = spectra[:, 0] + spectra[:, 1], spectra[:, 0] - spectra[:, 1]
        frames = padded.shape[-1] - 2 * FILTER_CONTEXT
        yield Spectrum(np.einsum("bf,bf->f", middle, tones), np.einsum("bf,bf->f", side, widths), frames)


def sounding(spectra: Iterable[Spectrum], response: Response) -> Iterator[Audio]:
    """The blocks, through what ``balance`` found."""
    for block in spectra:
        middle, side = block.middle * response, block.side * response
        both = np.fft.irfft(np.stack([middle + side, middle - side]), FFT_SIZE, norm=NORM)
        yield np.ascontiguousarray(both[:, FILTER_CONTEXT : FILTER_CONTEXT + block.frames].T)


@lru_cache(maxsize=1)
def _bus_responses() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """For the buses' middle and side, (buses, frequencies); half, because middle and side are sums."""
    hz = frequencies()
    tones = np.array([_drawn(tuple(_TONE[bus]), tuple(_TONE[bus].values())) for bus in Bus]) / 2
    narrow = 1.0 / (1.0 + (_MIDDLE_BELOW_HZ / np.maximum(hz, 1.0)) ** 4)
    widths = tones * np.array([[_WIDTH[bus]] for bus in Bus]) * narrow
    return tones.astype(np.float32), widths.astype(np.float32)


def _drawn(hz: Sequence[float], decibel: Sequence[float]) -> npt.NDArray[np.float64]:
    """The factor at each frequency of a line drawn through points of dB."""
    line = np.interp(np.log2(np.maximum(frequencies(), 1.0)), np.log2(hz), decibel)
    return np.asarray(10.0 ** (line / 20.0))


def balance(opening: Sequence[Spectrum]) -> Response:
    """What brings the octaves of a piece to the profile, by its opening."""
    # 1. The power of narrow bands: a line that rises within an octave lifts its upper half more than its lower.
    power = sum((_band_power(block) for block in opening), np.zeros(len(_BANDS)))
    if power.max(initial=0.0) <= 0:
        return np.ones(len(frequencies()), np.complex64)
    # 2. What is changed moves the octaves beside it and the mean of all, so it settles in a few steps.
    change = np.zeros(len(_OCTAVES))
    for _ in range(_STEPS):
        reached = power * 10.0 ** (_line(_BANDS, change) / 10.0)
        octaves = decibels(reached.reshape(len(_OCTAVES), -1).sum(axis=1))
        off = octaves - octaves.mean() - (_PROFILE - _PROFILE.mean())
        change = np.clip(change - (off - np.clip(off, -_OWN_COLOUR_DB, _OWN_COLOUR_DB)), _LEAST_DB, _MOST_DB)
    return np.asarray(10.0 ** (_line(frequencies(), change) / 20.0), np.complex64)


def _line(hz: npt.NDArray[np.float64], change: Curve) -> Curve:
    """dB at some frequencies; beyond the outer octaves it goes back, for rumble and hiss are no music."""
    edges = (_OCTAVES[:, None] * 2.0 ** np.array([-_FLAT, _FLAT])).ravel()
    points = np.log2([30.0, *edges, 13_000.0, 18_000.0])
    values = [min(change[0], 0.0), *np.repeat(change, 2), 0.8 * change[-1], min(change[-1], 0.0)]
    return np.interp(np.log2(np.maximum(hz, 1.0)), points, values)


def _band_power(block: Spectrum) -> npt.NDArray[np.float64]:
    power = np.abs(block.middle) ** 2 + np.abs(block.side) ** 2
    half = 2.0 ** (0.5 / _PARTS)
    edges = np.searchsorted(frequencies(), [*(_BANDS / half), _BANDS[-1] * half])
    return np.add.reduceat(power[: edges[-1]], edges[:-1]).astype(np.float64)


def glued(blocks: Iterable[Audio], rms_db: float) -> Iterator[Audio]:
    """Compressed and limited, both against the opening's RMS in dB of full scale; the last block in whole cells."""
    yield from _limited(_compressed(blocks, rms_db + _THRESHOLD_DB), rms_db + _CREST_DB)


def _compressed(blocks: Iterable[Audio], threshold_db: float) -> Iterator[Audio]:
    """A feed-forward compressor with a soft knee that works on decibels (Giannoulis et al., JAES 60, 2012)."""
    attack, release = (float(np.exp(-FRAME / SAMPLE_RATE / seconds)) for seconds in (_ATTACK_S, _RELEASE_S))
    reduction = 0.0
    for block in blocks:
        gains = [reduction]
        for wanted in _reductions(block, threshold_db):
            share = attack if wanted > reduction else release
            reduction = share * reduction + (1.0 - share) * wanted
            gains.append(reduction)
        factor = to_samples(10.0 ** (-np.array(gains) / 20.0), FRAME)
        yield block * factor[: len(block), None]


def _reductions(block: Audio, threshold_db: float) -> Curve:
    """dB for each 10 ms by the gain computer."""
    whole = np.zeros((frames_in(len(block)) * FRAME, 2), np.float32)
    whole[: len(block)] = block
    over = decibels(np.square(whole.reshape(-1, 2 * FRAME)).mean(axis=1)) - threshold_db
    knee = np.clip(over + _KNEE_DB / 2, 0.0, _KNEE_DB) ** 2 / (2 * _KNEE_DB)
    return np.asarray((1.0 - 1.0 / _RATIO) * np.where(over > _KNEE_DB / 2, over, knee))


def _limited(blocks: Iterable[Audio], ceiling_db: float) -> Iterator[Audio]:
    limiter = Limiter(ceiling_db, between_samples=False)  # the master's limiter minds the true peak
    for padded in _in_context((block.T for block in blocks), LIMITER_CONTEXT, CELL):
        block = padded[:, LIMITER_CONTEXT:-LIMITER_CONTEXT].T
        yield block * limiter.gain(np.ascontiguousarray(padded.T))[:, None]


def _in_context(
    blocks: Iterable[npt.NDArray[np.float32]], context: int, cell: int = 1
) -> Iterator[npt.NDArray[np.float32]]:
    """Each block (…, frames) with ``context`` frames of its neighbours, or silence, on both sides.

    Only the last block may be shorter than ``context``; it is filled up to whole cells.
    """
    past: npt.NDArray[np.float32] | None = None
    held: npt.NDArray[np.float32] | None = None
    for block in blocks:
        if held is not None:
            past = np.zeros((*held.shape[:-1], context), np.float32) if past is None else past
            padded = np.concatenate([past, held, _filled(block[..., :context], context)], axis=-1)
            yield padded
            past = padded[..., -2 * context : -context]
        held = block
    if held is not None:
        past = np.zeros((*held.shape[:-1], context), np.float32) if past is None else past
        whole = -(-held.shape[-1] // cell) * cell
        yield np.concatenate([past, _filled(held, whole + context)], axis=-1)


def _filled(block: npt.NDArray[np.float32], length: int) -> npt.NDArray[np.float32]:
    """The block, with silence up to ``length``."""
    return np.pad(block, [(0, 0)] * (block.ndim - 1) + [(0, length - block.shape[-1])])


TARGET_LUFS = -20.0
_LEVEL_WINDOW = 2 * SAMPLE_RATE // 5
"""400 ms, the gating block of ITU-R BS.1770."""
_LOUDEST = 0.8
"""The gain leaves the loudest sample that was measured below this."""
_SOFT_KNEE = 0.85
"""Samples above it are bent so that none reaches 1."""
_STEP_DB = 0.1
"""Gains are rounded to it, so that the last bit of a sum can't change a take."""


def k_weights(size: int = _LEVEL_WINDOW, rate: int = SAMPLE_RATE) -> npt.NDArray[np.float64]:
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
    wanted = min(TARGET_LUFS + above - measured, 20 * np.log10(_LOUDEST / peak))
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
    if size.max(initial=0.0) <= _SOFT_KNEE:
        return block
    room = 1 - _SOFT_KNEE
    bent = np.sign(block) * (_SOFT_KNEE + room * np.tanh((size - _SOFT_KNEE) / room))
    return np.where(size > _SOFT_KNEE, bent, block).astype(np.float32)


def _powers(block: Audio, weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """K-weighted mean square of each window, summed over the channels; the last window may be shorter."""
    count = -(-len(block) // _LEVEL_WINDOW)
    padded = np.zeros((count * _LEVEL_WINDOW, block.shape[1]), np.float32)
    padded[: len(block)] = block
    spectrum = np.fft.rfft(padded.reshape(count, _LEVEL_WINDOW, -1), axis=1)
    power = (np.square(spectrum.real) + np.square(spectrum.imag)) * weights[:, None]
    filled = np.minimum(_LEVEL_WINDOW, len(block) - _LEVEL_WINDOW * np.arange(count))
    mean_square: npt.NDArray[np.float64] = 2 * power.sum(axis=(1, 2)) / (_LEVEL_WINDOW * filled)
    return mean_square


def _power(lufs: float) -> float:
    return float(10 ** ((lufs + 0.691) / 10))
