"""From the synthesiser's buses to a finished take: tone and width of each bus, one balance of octaves, glue, a ceiling.

1. Each bus gets its equaliser, level and width, in the frequency domain: chords make room for the melody and are wide,
   the bass is clean and central.
2. The octaves of the opening are measured and moved towards a common profile: the samples of a small font are dull, and
   each ensemble differently. A deviation within a few dB is the piece's own colour and stays. Where the samples have
   almost nothing above 6 kHz, an equaliser would only raise noise: the octave below is copied there.
3. A slow bus compressor lowers the loud bars a little, and a limiter the transients that stick out.
4. Sections are set relative to each other, and one static gain brings the take to the loudness that all takes share.
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
from bgm.media.signal import (
    CELL,
    FFT_SIZE,
    FILTER_CONTEXT,
    FRAME,
    HOP,
    LIMITER_CONTEXT,
    NORM,
    Curve,
    Limiter,
    Response,
    decibels,
    frames_in,
    frequencies,
    loudness_of,
    rising,
    to_samples,
)
from bgm.music.synth import Bus, Buses

BLOCK = HOP // FRAME * FRAME
"""Frames per block: as many as one transform of the filters covers."""

_TONE: dict[Bus, dict[float, float]] = {
    Bus.FOUNDATION: {25: -12, 40: 0, 90: 1, 350: -3, 1_000: 0, 4_000: 2, 9_000: 4},
    Bus.BED: {60: -18, 130: -5, 350: -5, 900: -3, 2_500: -2, 8_000: 1},
    Bus.MELODY: {70: -18, 160: -2, 400: -0.5, 1_000: 1, 3_000: 3.5, 8_000: 4},
}
"""dB at these frequencies, level included; straight lines over the logarithm between them."""
_WIDTH: dict[Bus, float] = {Bus.FOUNDATION: 0.9, Bus.BED: 1.8, Bus.MELODY: 1.3}
"""Factor for the side (the difference of left and right)."""
_MIDDLE_BELOW_HZ = 150.0
"""Anything lower is mono, as small speakers and vinyl require."""

_OCTAVES = 125.0 * 2.0 ** np.arange(7)
_PROFILE = np.array([0.0, 0.5, 0.5, 0.0, 0.0, 1.0, 2.0])
"""dB from pink noise that octaves from 125 Hz to 8 kHz are drawn towards. Compressor and limiter reduce transients,
and with them 4 and 8 kHz by 1 to 4 dB: the result is a little warmer than pink, like mixes of most genres
(Pestana et al., "Spectral characteristics of popular commercial recordings 1950-2010", AES 135, 2013)."""
_OWN_COLOUR_DB = 2.0
"""An octave may lie this far from the profile."""
_LEAST_DB, _MOST_DB = -20.0, np.array([28.0] * 6 + [45.0])
_MOST_AT_TOP_DB = 22.0
"""Most that the equaliser raises the top octave; the rest is copied."""
_COPIED_HZ = (3_000.0, 6_000.0)
_COPIES = {3_000.0: 1.0, 6_000.0: 0.7}
"""Hz upwards (multiples of 1.5 kHz turn by whole circles from block to block), a factor. No pitch is heard so high, but
attacks and decays are ("Spectral band replication, a novel approach in audio coding", Dietz et al., AES 112, 2002)."""
_COPY_EDGE_HZ = 400.0  # one band gives way to the next over so much
_PARTS = 6
_BANDS = (_OCTAVES[:, None] * 2.0 ** ((np.arange(_PARTS) - (_PARTS - 1) / 2) / _PARTS)).ravel()
_STEPS = 12
_FLAT = 0.3
"""Octaves on each side of an octave's centre over which its change is constant."""

_THRESHOLD_DB = -3.0
"""Against the RMS of the opening."""
_RATIO = 2.0
_KNEE_DB = 6.0
_ATTACK_S, _RELEASE_S = 0.03, 0.25
_CREST_DB = 9.8
"""Peaks above the opening's RMS that the limiter lets pass."""


@dataclass(frozen=True, slots=True)
class Spectrum:
    """``frames`` of the summed buses with context, transformed once: a take needs one transform there and one back."""

    middle: npt.NDArray[np.complex64]
    side: npt.NDArray[np.complex64]
    frames: int


@dataclass(frozen=True, slots=True)
class Balance:
    """The correction that brings the octaves of a piece to the profile."""

    response: Response
    air: float
    """Factor of the copies, which are taken after the response."""


_TAPER = np.asarray(rising((np.arange(FILTER_CONTEXT // 2) + 0.5) / (FILTER_CONTEXT // 2)), np.float32)
"""Over the outer half of the context: the edges of a sharply cut block have more energy at 8 kHz than the music."""


def summed(blocks: Iterable[Buses]) -> Iterator[Spectrum]:
    """The equalised buses summed to one stereo sound, in the same blocks (BLOCK frames, the last one shorter)."""
    responses = _bus_responses()
    for padded in _in_context(blocks, FILTER_CONTEXT, carried_on=True):
        # 1. Taper the ends, for the copies of the treble; the taper is within the context, which is discarded.
        padded[..., : len(_TAPER)] *= _TAPER
        padded[..., -len(_TAPER) :] *= _TAPER[::-1]
        left, right = padded[:, 0], padded[:, 1]
        # 2. Middle and side of every bus in one transform,
        spectra = np.fft.rfft(np.stack([left + right, left - right]), FFT_SIZE, norm=NORM)
        # 3. each multiplied by its response, and all buses summed; as pairs of floats, so that responses stay real.
        middle, side = np.einsum("sbf,sbf->sf", spectra.view(np.float32), responses).view(np.complex64)
        yield Spectrum(middle, side, padded.shape[-1] - 2 * FILTER_CONTEXT)


def sounding(spectra: Iterable[Spectrum], found: Balance) -> Iterator[Audio]:
    """The blocks as samples, with the correction from ``balance``."""
    for block in spectra:
        middle, side = block.middle * found.response, block.side * found.response
        if found.air:
            middle, side = middle + found.air * _copied(middle), side + found.air * _copied(side)
        both = np.fft.irfft(np.stack([middle + side, middle - side]), FFT_SIZE, norm=NORM)
        yield np.ascontiguousarray(both[:, FILTER_CONTEXT : FILTER_CONTEXT + block.frames].T)


def _copied(spectrum: Response) -> Response:
    """The band of _COPIED_HZ, moved to where _COPIES says."""
    copy = np.zeros_like(spectrum)
    first, shape = _copied_band()
    for hz, factor in _COPIES.items():
        start = first + round(hz * FFT_SIZE / SAMPLE_RATE)
        copy[start : start + len(shape)] += np.float32(factor) * shape * spectrum[first : first + len(shape)]
    return copy


@lru_cache(maxsize=1)
def _copied_band() -> tuple[int, npt.NDArray[np.float32]]:
    """The index of the copied band's first frequency, and a factor for each."""
    hz, half = frequencies(), _COPY_EDGE_HZ / 2
    low, high = (hz - _COPIED_HZ[0] + half) / _COPY_EDGE_HZ, (_COPIED_HZ[1] + half - hz) / _COPY_EDGE_HZ
    # Power-complementary: where one copy gives way to the next their powers sum to 1.
    shape = np.sqrt(rising(low) * rising(high))
    inside = np.flatnonzero(shape)
    return int(inside[0]), shape[inside[0] : inside[-1] + 1].astype(np.float32)


@lru_cache(maxsize=1)
def _bus_responses() -> npt.NDArray[np.float32]:
    """(middle and side, buses, frequencies twice: for real and imaginary parts); half, because both are sums."""
    hz = frequencies()
    tones = np.array([_drawn(tuple(_TONE[bus]), tuple(_TONE[bus].values())) for bus in Bus]) / 2
    # The side through a Linkwitz-Riley high-pass of fourth order, by its amplitude: below it both channels are alike.
    narrow = 1.0 / (1.0 + (_MIDDLE_BELOW_HZ / np.maximum(hz, 1.0)) ** 4)
    widths = tones * np.array([[_WIDTH[bus]] for bus in Bus]) * narrow
    return np.repeat(np.stack([tones, widths]), 2, axis=-1).astype(np.float32)


def _drawn(hz: Sequence[float], decibel: Sequence[float]) -> npt.NDArray[np.float64]:
    """The factor at each frequency, interpolated between points in dB."""
    line = np.interp(np.log2(np.maximum(frequencies(), 1.0)), np.log2(hz), decibel)
    return np.asarray(10.0 ** (line / 20.0))


def balance(opening: Sequence[Spectrum]) -> Balance:
    """Determine the correction from the opening of a piece."""
    # 1. The power of narrow bands: a line that rises within an octave lifts its upper half more than its lower.
    power = sum((_band_power(block.middle, block.side) for block in opening), np.zeros(len(_BANDS)))
    if power.max(initial=0.0) <= 0:
        return Balance(np.ones(len(frequencies()), np.complex64), 0.0)
    # 2. What is changed moves the octaves beside it and the mean of all, so it settles in a few steps.
    change = np.zeros(len(_OCTAVES))
    for _ in range(_STEPS):
        octaves = decibels(_octaves(power, change))
        off = octaves - octaves.mean() - (_PROFILE - _PROFILE.mean())
        change = np.clip(change - (off - np.clip(off, -_OWN_COLOUR_DB, _OWN_COLOUR_DB)), _LEAST_DB, _MOST_DB)
    # 3. What the topmost octave lacks once the equaliser has done its part.
    wanted = _octaves(power, change)[-1]
    change[-1] = min(change[-1], _MOST_AT_TOP_DB)
    lacking = wanted - _octaves(power, change)[-1]
    response = np.asarray(10.0 ** (_line(frequencies(), change) / 20.0), np.complex64)
    return Balance(response, _air(opening, response, lacking) if lacking > 0 else 0.0)


def _octaves(power: npt.NDArray[np.float64], change: Curve) -> npt.NDArray[np.float64]:
    """The power of each octave, from that of its bands and the change of the octaves in dB."""
    return np.asarray((power * 10.0 ** (_line(_BANDS, change) / 10.0)).reshape(len(_OCTAVES), -1).sum(axis=1))


def _air(opening: Sequence[Spectrum], response: Response, lacking: float) -> float:
    """The factor that gives the copies the power that the top octave lacks."""
    copied = ([_copied(part * response) for part in (block.middle, block.side)] for block in opening)
    there = sum(float(_band_power(*parts)[-_PARTS:].sum()) for parts in copied)
    return float(np.sqrt(lacking / there)) if there > 0 else 0.0


def _line(hz: npt.NDArray[np.float64], change: Curve) -> Curve:
    """The change in dB at some frequencies; beyond the outer octaves it returns to 0, to spare rumble and hiss."""
    edges = (_OCTAVES[:, None] * 2.0 ** np.array([-_FLAT, _FLAT])).ravel()
    points = np.log2([30.0, *edges, 13_000.0, 18_000.0])
    values = [min(change[0], 0.0), *np.repeat(change, 2), 0.8 * change[-1], min(change[-1], 0.0)]
    return np.interp(np.log2(np.maximum(hz, 1.0)), points, values)


def _band_power(middle: Response, side: Response) -> npt.NDArray[np.float64]:
    power = np.square(middle.real) + np.square(middle.imag) + np.square(side.real) + np.square(side.imag)
    half = 2.0 ** (0.5 / _PARTS)
    edges = np.searchsorted(frequencies(), [*(_BANDS / half), _BANDS[-1] * half])
    return np.add.reduceat(power[: edges[-1]], edges[:-1]).astype(np.float64)


def glued(blocks: Iterable[Audio], rms_db: float) -> Iterator[Audio]:
    """Compress and limit, both relative to the opening's RMS (dBFS); the last block is filled up to whole cells."""
    yield from _limited(_compressed(blocks, rms_db + _THRESHOLD_DB), rms_db + _CREST_DB)


def _compressed(blocks: Iterable[Audio], threshold_db: float) -> Iterator[Audio]:
    """A feed-forward compressor with a soft knee that works on decibels (Giannoulis et al., JAES 60, 2012)."""
    # One-pole smoothing of the reduction, once per control frame: at these times finer steps change nothing.
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
    """The gain computer's reduction in dB for each 10 ms."""
    whole = np.zeros((frames_in(len(block)) * FRAME, 2), np.float32)
    whole[: len(block)] = block
    over = decibels(np.square(whole.reshape(-1, 2 * FRAME)).mean(axis=1)) - threshold_db
    # Inside the knee the reduction grows with the square of the way in (Giannoulis et al.).
    knee = np.clip(over + _KNEE_DB / 2, 0.0, _KNEE_DB) ** 2 / (2 * _KNEE_DB)
    return np.asarray((1.0 - 1.0 / _RATIO) * np.where(over > _KNEE_DB / 2, over, knee))


def _limited(blocks: Iterable[Audio], ceiling_db: float) -> Iterator[Audio]:
    limiter = Limiter(ceiling_db, between_samples=False)  # the master's limiter minds the true peak
    for padded in _in_context((block.T for block in blocks), LIMITER_CONTEXT, CELL):
        block = padded[:, LIMITER_CONTEXT:-LIMITER_CONTEXT].T
        yield block * limiter.gain(np.ascontiguousarray(padded.T))[:, None]


def _in_context(
    blocks: Iterable[npt.NDArray[np.float32]], context: int, cell: int = 1, *, carried_on: bool = False
) -> Iterator[npt.NDArray[np.float32]]:
    """Each block (…, frames) with ``context`` frames of its neighbours, or silence, on both sides.

    Only the last block may be shorter than ``context``; it is filled up to whole cells. ``carried_on``: after it comes
    the sound mirrored at its end instead of silence; a filter that raises the treble would turn a sudden end into a
    click.
    """
    past: npt.NDArray[np.float32] | None = None
    held: npt.NDArray[np.float32] | None = None
    for block in blocks:
        if held is not None:
            past = np.zeros((*held.shape[:-1], context), np.float32) if past is None else past
            near = np.concatenate([past, held, block[..., :context]], axis=-1)
            padded = _filled(near, held.shape[-1] + 2 * context, carried_on)
            yield padded
            past = padded[..., -2 * context : -context]
        held = block
    if held is not None:
        past = np.zeros((*held.shape[:-1], context), np.float32) if past is None else past
        whole = -(-held.shape[-1] // cell) * cell
        yield _filled(np.concatenate([past, held], axis=-1), whole + 2 * context, carried_on)


def _filled(block: npt.NDArray[np.float32], length: int, carried_on: bool) -> npt.NDArray[np.float32]:
    """The block extended to ``length``: point-reflected at its last sample, or with silence."""
    room = [(0, 0)] * (block.ndim - 1) + [(0, length - block.shape[-1])]
    return np.pad(block, room, "reflect", reflect_type="odd") if carried_on else np.pad(block, room)


TARGET_LUFS = -20.0
_LOUDEST = 0.8
"""The gain keeps the highest measured sample below this."""
_SOFT_KNEE = 0.85
"""Samples above this are compressed smoothly, so that none reaches 1."""
_STEP_DB = 0.1
"""Gains are rounded to this, so that the last bit of a sum can't change a take."""


def gain_for(blocks: Sequence[Audio], above: float = 0.0) -> float:
    """The gain that brings the blocks ``above`` LU over TARGET_LUFS, or less if their peak requires; 1 for silence."""
    measured = loudness_of(blocks)
    if measured is None:
        return 1.0
    peak = max(float(np.abs(block).max(initial=0.0)) for block in blocks)
    # The mix levels each placement anyway, so a take with high peaks may stay softer; nothing is limited here.
    wanted = min(TARGET_LUFS + above - measured, 20 * np.log10(_LOUDEST / peak))
    return float(10 ** (np.floor(wanted / _STEP_DB) * _STEP_DB / 20))


_LEFT_ALONE_LU, _MOST_RIDDEN_DB = 0.3, 4.0
"""Tolerance for a section's level, and the most that it is corrected by."""
_RAMP = SAMPLE_RATE // 2
_LEAST_MEASURED = 2 * SAMPLE_RATE


def ridden(blocks: Iterable[Audio], curve: Sequence[tuple[float, float | None]]) -> Iterator[Audio]:
    """Set the sections of a piece relative to each other (``Score.curve``), like a fader.

    Layers and velocities do most of this; the compressor undoes some of it, and ensembles differ. One section at a time
    is held in memory.
    """
    if not curve:
        yield from blocks
        return
    starts = [round(start * SAMPLE_RATE) for start, _ in curve]
    gain = 0.0
    first: float | None = None
    for number, parts in groupby(_parted(blocks, starts[1:]), key=itemgetter(0)):
        held, wanted = [part for _, part in parts], curve[number][1]
        measured = loudness_of(held) if wanted is not None and sum(map(len, held)) >= _LEAST_MEASURED else None
        before = gain
        if measured is not None and wanted is not None:
            over = measured - wanted
            first = over if first is None else first
            # Against the first section that is measured: only differences matter, the static gain does the rest.
            off = over - first
            # A deviation within the tolerance stays; a larger one is reduced to it.
            near = min(_LEFT_ALONE_LU, max(-_LEFT_ALONE_LU, off))
            gain = min(_MOST_RIDDEN_DB, max(-_MOST_RIDDEN_DB, near - off))
        yield from _ramped(held, before, gain)


def _parted(blocks: Iterable[Audio], starts: Sequence[int]) -> Iterator[tuple[int, Audio]]:
    """The blocks, cut where sections start, each with the index of its section."""
    done = 0
    for block in blocks:
        cuts = [0, *(start - done for start in starts if done < start < done + len(block)), len(block)]
        for a, b in pairwise(cuts):
            yield sum(start <= done + a for start in starts), block[a:b]
        done += len(block)


def _ramped(blocks: Iterable[Audio], before: float, after: float) -> Iterator[Audio]:
    """The blocks at a gain of ``after`` dB, reached from ``before`` within half a second."""
    done = 0
    for block in blocks:
        share = np.minimum(np.arange(done, done + len(block)) / _RAMP, 1.0) if done < _RAMP else 1.0
        gain = np.asarray(10.0 ** ((before + (after - before) * share) / 20.0), np.float32)
        done += len(block)
        yield block if before == after == 0.0 else block * gain.reshape(-1, 1)


def rms_db(blocks: Sequence[Audio]) -> float:
    """The RMS of all blocks together, in dBFS."""
    power = sum(float(np.square(block, dtype=np.float64).sum()) for block in blocks)
    return float(10 * np.log10(power / sum(block.size for block in blocks) + 1e-12))


def softened(block: Audio) -> Audio:
    """The block with samples above the knee compressed towards 1; below it nothing changes."""
    size = np.abs(block)
    if size.max(initial=0.0) <= _SOFT_KNEE:
        return block
    # Value and slope meet at the knee (tanh's slope is 1 at 0), so the bend adds few harmonics.
    room = 1 - _SOFT_KNEE
    bent = np.sign(block) * (_SOFT_KNEE + room * np.tanh((size - _SOFT_KNEE) / room))
    return np.where(size > _SOFT_KNEE, bent, block).astype(np.float32)
