"""What the mix will measure, told from the first pass: so one rendering is enough in most cases."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bgm.mix.balance import Balance
from bgm.mix.control import FRAME, Curve, amplitude, climb_slowly, decibels
from bgm.mix.limiter import RELEASE_DB, SLACK_DB
from bgm.mix.loudness import integrated
from bgm.mix.plan import MixSettings
from bgm.mix.survey import Survey
from bgm.mix.true_peak import CELL

HIGHEST_GAIN_DB = 24.0
"""More would only lift noise."""
STEPS = 12
NEAR_ENOUGH_DB = 0.0001
LEAST_RETURN = 0.2
"""LU that each further dB must bring; below that the limiter only makes the sound dense."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """Before gain and limiter, per control frame: the mix's K-weighted power and the highest its samples can be."""

    power: Curve
    peak_db: Curve
    settings: MixSettings

    @classmethod
    def of(cls, settings: MixSettings, found: Survey, levels: Balance) -> Forecast:
        """Voice and music don't know of each other, so their powers add up."""
        peak = found.voice_peak + levels.factor * found.music_peak
        return cls(found.voice + levels.power, decibels(peak**2), settings)

    def lufs(self, gain_db: float) -> float | None:
        """Loudness of the master at a gain, after the limiter; None for silence."""
        needed = np.minimum(self.settings.true_peak_db - SLACK_DB - self.peak_db - gain_db, 0.0)
        limited = climb_slowly(needed, RELEASE_DB * FRAME / CELL)
        return integrated(self.power * amplitude(gain_db + limited) ** 2)

    def gain_db(self, target_lufs: float | None) -> float:
        """The static gain that reaches a loudness, as far as HIGHEST_GAIN_DB and the limiter go; 0 for silence.

        It stops rising where the limiter takes back nearly all of each step.
        """
        gain, loudness, slope = 0.0, self.lufs(0.0), 1.0
        if target_lufs is None or loudness is None:
            return 0.0
        for _ in range(STEPS):
            step = min((target_lufs - loudness) / slope, HIGHEST_GAIN_DB - gain)
            reached = self.lufs(gain + step)
            if reached is None or abs(step) < NEAR_ENOUGH_DB:
                break
            slope = (reached - loudness) / step
            gain, loudness = gain + step, reached
            if slope < LEAST_RETURN:
                break
        return gain
