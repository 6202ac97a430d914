"""How loud the music is relative to the voice: its level in each placement, ducked under speech, raised in the gaps.

1. ``survey`` reads everything once and measures voice and music every 10 ms.
2. ``active`` determines where somebody speaks: the given spans, refined by the voice's own energy.
3. ``balance`` sets one level for each placement and the depth under speech,
4. and ``_opened`` raises the music in each gap: to a measured loudness, not by a fixed number of dB, because an
   arrangement that thins out under speech adds its own swing.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from bgm.media.audio import SAMPLE_RATE, Audio
from bgm.media.signal import (
    FILTER_CONTEXT,
    FRAME,
    Curve,
    Mask,
    Response,
    amplitude,
    decibels,
    filtered,
    frame_power,
    frames_in,
    frequencies,
    integrated,
    k_weighting,
    runs,
    slew,
    smooth,
)
from bgm.mix.placement import Clip, MixPlan, Placement, Sound, Sources, Spans, read_until, summed
from bgm.progress import Progress

THREADS = 2
Levels = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Survey:
    """One value for each control frame. Powers are K-weighted mean squares, peaks are of samples; full scale is 1."""

    voice: Levels
    voice_peak: Levels
    music: Levels
    """All placements at factor 1."""
    filtered_music: Levels
    """The same through the speech filter."""
    music_peak: Levels


def survey(sources: Sources, block_frames: int, progress: Progress) -> Survey:
    """Read everything once, two blocks at a time."""
    levels = np.zeros((5, frames_in(sources.frames)), np.float32)
    spans = list(sources.spans(block_frames))
    with ThreadPoolExecutor(THREADS) as pool:  # numpy's transforms release the GIL
        blocks = pool.map(lambda span: _block(sources, *span), spans)
        try:
            for (start, stop), block in zip(spans, blocks, strict=True):
                progress(start / sources.frames, "measuring voice and music")
                levels[:, start // FRAME : frames_in(stop)] = block
        finally:
            pool.shutdown(cancel_futures=True)
    return Survey(*levels)


def _block(sources: Sources, start: int, stop: int) -> tuple[Levels, ...]:
    """The five levels from frame ``start`` to ``stop``."""
    clips = sources.music.heard(start - FILTER_CONTEXT, stop + FILTER_CONTEXT)
    # An edit elsewhere may renumber the placements without changing the sound, so the number isn't part of the key.
    music = _music_levels(tuple(replace(clip, placement=0) for clip in clips), start, stop)
    return *_voice_levels(sources.voice, sources.frames, start, stop), *music


KEPT_BLOCKS = 1024
"""Blocks whose levels are cached, an hour and a half: after an edit only what is near it is measured again."""


@lru_cache(maxsize=KEPT_BLOCKS)
def _voice_levels(voice: Sound | None, end: int, start: int, stop: int) -> tuple[Levels, Levels]:
    sound = read_until(end, voice, start - FILTER_CONTEXT, stop + FILTER_CONTEXT)
    return frame_power(filtered(sound, k_weighting())[0]), _peak(sound)


@lru_cache(maxsize=KEPT_BLOCKS)
def _music_levels(clips: tuple[Clip, ...], start: int, stop: int) -> tuple[Levels, Levels, Levels]:
    music = summed([(clip, 1.0) for clip in clips], start - FILTER_CONTEXT, stop + FILTER_CONTEXT)
    plain, behind = filtered(music, k_weighting(), k_weighting() * room_for_speech())
    return frame_power(plain), frame_power(behind), _peak(music)


def _peak(padded: Audio) -> Levels:
    block = padded[FILTER_CONTEXT:-FILTER_CONTEXT]
    whole = np.zeros((frames_in(len(block)) * FRAME, block.shape[1]), np.float32)
    whole[: len(block)] = np.abs(block)
    return np.asarray(whole.reshape(-1, FRAME * block.shape[1]).max(axis=1))


@lru_cache(maxsize=1)
def room_for_speech() -> Response:
    """What the music is filtered with under speech: a gentle high-pass at 120 Hz and a dip of 5 dB around 2.8 kHz.

    Zero phase, so that fading between the music with and without it never cancels anything.
    """
    hz = np.maximum(frequencies(), 1e-3)
    # 1. A Butterworth high-pass of second order by its magnitude: the low end masks words most.
    high_pass = 1.0 / np.sqrt(1.0 + (120.0 / hz) ** 4)
    # 2. A bell of about an octave to each side of 2.8 kHz, where consonants tell words apart.
    octaves = np.log2(hz / 2_800.0)
    dip_db = -5.0 * np.exp(-0.5 * (octaves / 0.6) ** 2)
    return np.asarray(high_pass * 10.0 ** (dip_db / 20.0), np.complex64)


MARGIN = 15
"""Frames around a span that may hold the start or end of a word."""
RANGE_DB = 30.0
"""Speech spans about 30 dB from its vowels down to its faintest consonants; below that is a pause."""
HOLD = 100
"""Frames: shorter pauses belong to the phrase. If the music rose and fell again in them, it would pump."""
FAINTEST_LUFS = -60.0
"""Anything quieter isn't a voice but what separation left in the stem."""


def active(power: npt.NDArray[np.floating], spans: Spans) -> Mask:
    """True in the control frames in which somebody speaks, short pauses inside a phrase included.

    ``power`` is the voice's K-weighted power for each frame.
    """
    # 1. A detector's spans, a little wider: it may have cut into the first or the last sound of a word.
    inside = _inside(spans, len(power))
    # 2. What a separation leaves in a stem without a voice is no voice.
    heard = power[inside]
    loudness = integrated(heard)
    if loudness is None or loudness < FAINTEST_LUFS:
        return np.zeros(len(power), np.bool_)
    # 3. Speech is what comes within its range of the loudest vowels. 4. Pauses inside a phrase belong to it.
    vowels = float(np.percentile(decibels(heard), 95))  # not the maximum: a click or a laugh would raise it
    return _bridged(inside & (decibels(power) > vowels - RANGE_DB), HOLD)


def _inside(spans: Spans, count: int) -> Mask:
    mask = np.zeros(count, np.bool_)
    per_second = SAMPLE_RATE / FRAME
    for start, end in spans:
        mask[max(0, int(start * per_second) - MARGIN) : max(0, int(end * per_second) + 1 + MARGIN)] = True
    return mask


def _bridged(mask: Mask, hold: int) -> Mask:
    out = mask.copy()
    for start, stop in runs(~mask):
        if start > 0 and stop < len(mask) and stop - start < hold:
            out[start:stop] = True
    return out


ROUNDING = 5
"""Frames on each side over which the corners of the curves are rounded."""
FALL = 40 - 2 * ROUNDING - 1
"""Frames: with the rounding, the music starts to fall 400 ms before the word and has arrived when it starts. A much
faster fall sounds like a gate, a slower one like a fade-out."""
RISE = 60
"""Frames from the last sound of a phrase until the music is back."""


@dataclass(frozen=True, slots=True)
class Ducking:
    """What happens to the music over time."""

    gain: Curve
    """Factor for its samples."""
    filtered: Curve
    """0..1: how much of it goes through the speech filter."""

    @classmethod
    def none(cls, count: int) -> Ducking:
        """Leave the music alone."""
        return cls(np.ones(count), np.zeros(count))


def _down(speech: Mask) -> Curve:
    """1 under speech, 0 elsewhere: down before the word, slowly back up after it."""
    # slew() works on the music's gain, which is low under speech: hence the two minus signs. It finds the highest gain
    # that is down in time, however close two phrases are.
    return -smooth(slew(-_widened(speech).astype(np.float64), 1 / RISE, 1 / FALL), ROUNDING)


def _widened(speech: Mask) -> Mask:
    """Extend speech by the reach of the rounding, so that the rounded curve still covers all of it."""
    return np.convolve(speech, np.ones(2 * ROUNDING + 1), mode="same") > 0


BED_LU = 12.0
"""The music lies this far under the voice where nobody speaks, unless it then swings too little or too much."""
UNDER_SPEECH_LU = 19.0
"""And this far while somebody does, unless a depth is set."""
MOST_LIFT_DB = 24.0
"""A take may be lifted this much to reach its level; more would only lift noise."""
VOICE_RANGE_LU = 6.0
"""How far the music follows a voice whose level in one placement differs from its overall level."""
ENOUGH_SPEECH = 100
"""Frames of speech that a placement needs for its own levels to be measured."""
MOST_CORRECTION_DB = 4.0
"""Maximum correction of the depth, for what levelling each placement leaves over the whole."""
SWING_LU = (7.0, 9.0)
"""Least and most that the music may rise from the bed to a gap. With less it doesn't breathe, with more it sounds like
two pieces; in between the score's own dynamics are left alone."""
MOST_OPENING_DB = 6.0
"""Music in a gap that is still softer has a rest there; raising it further would raise noise."""
LONG_GAP = 400
"""Frames; in a shorter gap the listener is still following the sentence."""
BELOW_PHRASE_LU = 4.5
"""In a short gap the music's loudest moment stays this far below the phrases beside it."""
MOMENT = 40
"""Frames of a momentary loudness (400 ms, EBU Tech 3341)."""


@dataclass(frozen=True, slots=True)
class Balance:
    """What to do with the music, and how strong it will be after that."""

    gains: tuple[float, ...]
    """One factor for each placement."""
    ducking: Ducking
    factor: Curve
    """Gains and ducking combined, per control frame."""
    power: Curve
    """The music's K-weighted power after that, before the master's gain."""
    under_speech_lu: float | None
    """How far the music lies under the voice during speech; None without speech, or without music there."""


def balance(plan: MixPlan, found: Survey) -> Balance:
    """Without speech the music keeps its own level; otherwise each placement is levelled by what was measured there."""
    speech = active(found.voice, plan.speech)
    # 1. Everything is measured against the voice, which keeps its own level.
    voice_lufs = integrated(found.voice[speech])
    levelling, curves = np.zeros(len(plan.placements)), Ducking.none(len(speech))
    if voice_lufs is not None:
        # 2. Level each placement to the bed, 3. duck the whole below it.
        levelling = np.array([_levelling(p, found, speech, voice_lufs) for p in plan.placements])
        if plan.settings.duck:
            bed = per_frame(plan.placements, amplitude(levelling), len(speech))
            curves = _ducked(found, speech, bed, voice_lufs, plan.settings.depth_db)
    # 4. The creator's own gains come last, so that nothing above counteracts them.
    gains = amplitude(levelling + [p.gain_db for p in plan.placements])
    factor = per_frame(plan.placements, gains, len(speech)) * curves.gain
    power = _power(found, factor, curves.filtered)
    music_lufs = integrated(power[speech])
    under = None if voice_lufs is None or music_lufs is None else voice_lufs - music_lufs
    return Balance(tuple(gains.tolist()), curves, factor, power, under)


def per_frame(placements: Sequence[Placement], values: npt.NDArray[np.float64], count: int) -> Curve:
    """Each placement's value over its control frames."""
    starts = [p.start_frame // FRAME for p in placements] + [count]
    return np.repeat(values, np.diff(starts))


def _levelling(placement: Placement, found: Survey, speech: Mask, voice_lufs: float) -> float:
    """The gain in dB that brings a placement's music to the bed, measured under speech if there is enough of it."""
    here = slice(placement.start_frame // FRAME, frames_in(placement.start_frame + placement.frames))
    spoken = speech[here]
    if np.count_nonzero(spoken) < ENOUGH_SPEECH:
        voice, music = voice_lufs, integrated(found.music[here])
    else:
        voice = integrated(found.voice[here][spoken]) or voice_lufs
        music = integrated(found.filtered_music[here][spoken])  # as it will sound there, after the filter
    if music is None:
        return 0.0
    # Music follows a quiet passage of the voice, but only so far: a whisper mustn't silence it.
    voice = float(np.clip(voice, voice_lufs - VOICE_RANGE_LU, voice_lufs + VOICE_RANGE_LU))
    return min(voice - BED_LU - music, MOST_LIFT_DB)


def _ducked(found: Survey, speech: Mask, bed: Curve, voice_lufs: float, depth_db: float | None) -> Ducking:
    """Duck by the given depth, or by the one that puts the music UNDER_SPEECH_LU below the voice.

    ``bed`` is the placements' gain for each frame.
    """
    down, depth = _down(speech), depth_db
    if depth is None:
        # The curve has slopes, pauses and a filter, so what it leaves is measured, and the rest corrected once.
        near = BED_LU - UNDER_SPEECH_LU
        reached = integrated(_power(found, bed * amplitude(near * down), down)[speech])
        missing = 0.0 if reached is None else voice_lufs - UNDER_SPEECH_LU - reached
        depth = near + float(np.clip(missing, -MOST_CORRECTION_DB, MOST_CORRECTION_DB))
    # Each gap is raised by its own amount, measured against both phrases next to it.
    under = _power(found, bed * amplitude(depth * down), down)
    open_, phrases = found.music * bed**2, runs(speech)
    opened = np.zeros(len(speech))
    for start, stop in runs(~speech):
        gap, beside = slice(start, stop), [slice(a, b) for a, b in phrases if b == start or a == stop]
        swing = 0.0 if depth_db is not None else _opened([under[p] for p in beside], open_[gap], down[gap])
        spoken = np.concatenate([found.voice[p] for p in beside])
        opened[gap] = min(swing, _room(spoken, open_[gap], voice_lufs))
    return Ducking(amplitude(depth * down + opened * (1.0 - down)), down)


def _opened(beds: Sequence[Curve], open_: Curve, down: Curve) -> float:
    """The gain in dB for a gap's music: 0 if it already rises by as much as it should.

    ``beds`` are its power under each of the phrases beside the gap, ``open_`` its power in it at the placement's level.
    Both phrases count alike, even if the bed under one is thin: the music is heard going into the gap and out of it.
    """
    levels = [level for bed in beds if (level := integrated(bed)) is not None]
    # Measured where the music is all the way up; a gap too short for that is measured as a whole.
    heard = integrated(open_[down < 0.1] if (down < 0.1).sum() >= MOMENT else open_)
    if not levels or heard is None:
        return 0.0
    level = sum(levels) / len(levels)
    return min(float(np.clip(heard - level, *SWING_LU)) - (heard - level), MOST_OPENING_DB)


def _room(voice: Levels, open_: Curve, voice_lufs: float) -> float:
    """The most, in dB, that a gap's music may rise: its loudest moment stays below the phrases or the voice."""
    window = np.ones(min(MOMENT, len(open_)))
    loudest = integrated(np.full(MOMENT, np.convolve(open_, window / len(window), mode="valid").max()))
    if loudest is None:
        return np.inf
    long = len(open_) >= LONG_GAP
    phrases = integrated(voice)
    near = voice_lufs if phrases is None else float(np.clip(phrases, voice_lufs - VOICE_RANGE_LU, voice_lufs))
    return (voice_lufs if long else near - BELOW_PHRASE_LU) - loudest


def _power(found: Survey, factor: Curve, share: Curve) -> Curve:
    """The music's power if a ``share`` of it goes through the speech filter.

    Plain and filtered music are in phase, so their amplitudes add up.
    """
    plain, behind = np.sqrt(found.music), np.sqrt(found.filtered_music)
    return np.asarray((factor * (plain + share * (behind - plain))) ** 2)
