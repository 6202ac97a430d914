"""How far down the music goes under speech, and how far up in the gaps: curves in dB, one value for each 10 ms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bgm.mix.control import Curve, Mask, amplitude, runs, slew, smooth
from bgm.mix.loudness import integrated

ROUNDING = 2
"""Frames over which the curves' corners are rounded, to each side."""
ATTACK = 15 - 2 * ROUNDING - 1
"""Frames: with the rounding, the music starts down 150 ms before the word and is there when it starts."""
RELEASE = 60
"""Frames from the last sound of a phrase until the music is back."""
LONG_GAP = 150
"""Frames of silence from which on the music may come forward."""
WHOLE_BOOST_GAP = 500
"""Frames of silence that earn the whole boost; in between it grows with the gap."""
MOST_BOOST_DB = 6.0
BOOST_RISE = 150
"""Frames that the whole boost takes to come in."""


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


def ducking(speech: Mask, depth_db: float, music: Curve, voice_lufs: float) -> Ducking:
    """``depth_db`` (negative) where ``speech`` holds; up to 6 dB in long gaps, but never louder than the voice.

    ``music`` is the K-weighted power of the music in each frame before all this.
    """
    down = _down(speech)
    return Ducking(amplitude(depth_db * down + _boost(speech, music, voice_lufs)), down)


def _down(speech: Mask) -> Curve:
    """0 in the open, 1 under speech: down before the word, slowly back after it."""
    return -smooth(slew(-_widened(speech).astype(np.float64), 1 / RELEASE, 1 / ATTACK), ROUNDING)


def _boost(speech: Mask, music: Curve, voice_lufs: float) -> Curve:
    target = np.zeros(len(speech))
    for start, stop in runs(~speech):
        earned = MOST_BOOST_DB * (stop - start - LONG_GAP) / (WHOLE_BOOST_GAP - LONG_GAP)
        loudness = integrated(music[start:stop])
        if earned > 0 and loudness is not None:
            target[start:stop] = min(earned, MOST_BOOST_DB, voice_lufs - loudness)
    target[_widened(speech)] = np.minimum(target[_widened(speech)], 0.0)
    return smooth(slew(target, MOST_BOOST_DB / BOOST_RISE, MOST_BOOST_DB / ATTACK), ROUNDING)


def _widened(speech: Mask) -> Mask:
    """Rounding reaches this far: what must hold at the edge of speech has to hold a little before and after."""
    return np.convolve(speech, np.ones(2 * ROUNDING + 1), mode="same") > 0
