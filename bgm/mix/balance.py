"""How loud the music is against the voice: one gain for each placement, and the ducking over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bgm.mix.activity import active
from bgm.mix.control import FRAME, Curve, Mask, amplitude, frames_in
from bgm.mix.ducking import Ducking, ducking
from bgm.mix.loudness import integrated
from bgm.mix.plan import MixPlan, Placement
from bgm.mix.survey import Survey

BED_LU = 12.0
"""The music lies this far under the voice where nobody speaks; a long gap may take half of it back."""
UNDER_SPEECH_LU = 19.0
"""And this far while somebody does, when the depth is left to us."""
MOST_LIFT_DB = 24.0
"""A take may be lifted this much to reach its level; more would only lift noise."""
VOICE_RANGE_LU = 6.0
"""How far the voice's level in one placement may lie from its level in the whole, as far as the music follows."""
ENOUGH_SPEECH = 100
"""Frames of speech in a placement that its levels may be measured by."""
MOST_CORRECTION_DB = 4.0
"""Of the depth, for what the placements' levels leave to be desired over the whole."""


@dataclass(frozen=True, slots=True)
class Balance:
    """What to do with the music, and how strong it will be."""

    gains: tuple[float, ...]
    """One factor for each placement."""
    ducking: Ducking
    factor: Curve
    """Both together, for each control frame."""
    power: Curve
    """The music's K-weighted power after that, before the master's gain."""
    under_speech_lu: float | None
    """How far it lies under the voice while somebody speaks; None without speech or without music there."""


def balance(plan: MixPlan, found: Survey) -> Balance:
    """Without speech the music stays at its own level; with it, each placement is set by what was measured there."""
    speech = active(found.voice, plan.speech)
    voice_lufs = integrated(found.voice[speech])
    levelling, curves = np.zeros(len(plan.placements)), Ducking.none(len(speech))
    if voice_lufs is not None:
        levelling = np.array([_levelling(p, found, speech, voice_lufs) for p in plan.placements])
        if plan.settings.duck:
            bed = per_frame(plan.placements, amplitude(levelling), len(speech))
            curves = _ducked(found, speech, bed, voice_lufs, plan.settings.depth_db)
    gains = amplitude(levelling + [p.gain_db for p in plan.placements])
    factor = per_frame(plan.placements, gains, len(speech)) * curves.gain
    power = _power(found, factor, curves)
    music_lufs = integrated(power[speech])
    under = None if voice_lufs is None or music_lufs is None else voice_lufs - music_lufs
    return Balance(tuple(gains.tolist()), curves, factor, power, under)


def per_frame(placements: Sequence[Placement], values: npt.NDArray[np.float64], count: int) -> Curve:
    """Each placement's value over its control frames."""
    starts = [p.start_frame // FRAME for p in placements] + [count]
    return np.repeat(values, np.diff(starts))


def _levelling(placement: Placement, found: Survey, speech: Mask, voice_lufs: float) -> float:
    """dB that bring a placement's music to the bed: measured under speech where there is enough of it."""
    here = slice(placement.start_frame // FRAME, frames_in(placement.start_frame + placement.frames))
    spoken = speech[here]
    if np.count_nonzero(spoken) < ENOUGH_SPEECH:
        voice, music = voice_lufs, integrated(found.music[here])
    else:
        voice = integrated(found.voice[here][spoken]) or voice_lufs
        music = integrated(found.filtered_music[here][spoken])
    if music is None:
        return 0.0
    voice = float(np.clip(voice, voice_lufs - VOICE_RANGE_LU, voice_lufs + VOICE_RANGE_LU))
    return min(voice - BED_LU - music, MOST_LIFT_DB)


def _ducked(found: Survey, speech: Mask, bed: Curve, voice_lufs: float, depth_db: float | None) -> Ducking:
    """At a given depth, or at the one that leaves the music UNDER_SPEECH_LU below the voice."""
    in_gaps = found.music * bed**2
    if depth_db is not None:
        return ducking(speech, depth_db, in_gaps, voice_lufs)
    near = ducking(speech, BED_LU - UNDER_SPEECH_LU, in_gaps, voice_lufs)
    reached = integrated(_power(found, bed * near.gain, near)[speech])
    missing = 0.0 if reached is None else voice_lufs - UNDER_SPEECH_LU - reached
    correction = float(np.clip(missing, -MOST_CORRECTION_DB, MOST_CORRECTION_DB))
    return ducking(speech, BED_LU - UNDER_SPEECH_LU + correction, in_gaps, voice_lufs)


def _power(found: Survey, factor: Curve, curves: Ducking) -> Curve:
    """What is left of the music's power; plain and filtered music are in phase, so their amplitudes add up."""
    plain, behind = np.sqrt(found.music), np.sqrt(found.filtered_music)
    return np.asarray((factor * (plain + curves.filtered * (behind - plain))) ** 2)
