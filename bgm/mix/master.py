"""The mix: takes and voice in, ``bgm`` stem and master out, in two passes over the sound (a third where it is needed).

The first pass measures voice and music, which determines levels, ducking and gain. The second renders, limits, measures
and writes. If heavy limiting cost more loudness than predicted, it is repeated.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile

from bgm.errors import BgmError
from bgm.files import beside
from bgm.media.audio import SAMPLE_RATE, Audio, writer
from bgm.media.signal import (
    CELL,
    FILTER_CONTEXT,
    FRAME,
    LIMITER_CONTEXT,
    RELEASE_DB,
    SLACK_DB,
    Curve,
    Limiter,
    Meter,
    amplitude,
    climb_slowly,
    decibels,
    filtered,
    integrated,
    to_samples,
)
from bgm.mix.balance import Balance, Survey, balance, room_for_speech, survey
from bgm.mix.placement import MixPlan, MixReport, MixSettings, Sources
from bgm.progress import Progress, part, silent

BLOCK_FRAMES = 5 * SAMPLE_RATE
"""Measured fastest: two transforms of the filters to a block."""
CLOSE_ENOUGH_LU = 0.2
"""Half the tolerance."""
MISSED_LU = 0.5
"""A mix that is further below its target has missed it (EBU R 128 allows as much)."""


HIGHEST_GAIN_DB = 24.0
"""More would only raise noise."""
STEPS = 12
NEAR_ENOUGH_DB = 0.0001
LEAST_RETURN = 0.2
"""LU that each further dB of gain must bring; with less, the limiter only makes the sound denser."""


def mix(
    plan: MixPlan, bgm: Path, master: Path, progress: Progress = silent, *, block_frames: int = BLOCK_FRAMES
) -> MixReport:
    """Write both files as FLAC, 48 kHz, stereo, 24 bit, ``plan.frames`` long, and say what was reached.

    ``bgm`` is the music as it is in the master: voice * gain + bgm = master, all under the same limiter. If the limiter
    or the maximum gain doesn't allow the target loudness, the report's ``lufs`` shows it. Raises BadInput if a file
    can't be read and ValueError if the placements don't cover the plan; exceptions of ``progress`` propagate. In all
    these cases neither file is written.
    """
    # 1. Read everything once: how strong voice and music are, every 10 ms.
    sources = Sources.of(plan)
    found = survey(sources, block_frames, part(progress, 0.0, 0.3))
    # 2. From that follow the music's level and ducking, 3. and the gain that will reach the loudness asked for.
    levels = balance(plan, found)
    forecast = Forecast.of(plan.settings, found, levels)
    rendering = Rendering(sources, levels, forecast.gain_db(plan.settings.lufs), Limiter(plan.settings.true_peak_db))
    try:
        with beside(bgm) as bgm_part, beside(master) as master_part:
            # 4. Render, limit, measure, write.
            output = Output(bgm_part, master_part, block_frames)
            lufs = output.write(rendering, part(progress, 0.3, 0.8))
            # 5. Once more where the limiter took more than was foreseen.
            gain_db = _corrected_gain(forecast, rendering.gain_db, lufs)
            if gain_db is not None:
                rendering = replace(rendering, gain_db=gain_db, limiter=Limiter(plan.settings.true_peak_db))
                lufs = output.write(rendering, part(progress, 0.8, 1.0))
    except soundfile.LibsndfileError as error:
        raise BgmError(f"{master.name} can't be written in {master.parent}") from error
    progress(1.0, "mixed")
    peak_db = None if lufs is None else rendering.limiter.peak_db
    notes = _shortfall(plan.settings.lufs, lufs, rendering.gain_db)
    return MixReport(lufs, peak_db, levels.under_speech_lu, notes)


def _shortfall(target: float | None, lufs: float | None, gain_db: float) -> tuple[str, ...]:
    """Why the loudness is not the target, if it isn't."""
    if target is None:
        return ()
    if lufs is None:
        return (
            f"The target of {target:g} LUFS was not reached, because there is nothing to hear: no voice and no music.",
        )
    if target - lufs <= MISSED_LU:
        return ()
    if gain_db > HIGHEST_GAIN_DB - 0.1:
        why = f"it is so quiet that {HIGHEST_GAIN_DB:.0f} dB more are too little; beyond that noise would be lifted"
    else:
        why = "its peaks are so high that more gain would only press it together"
    return (f"The target of {target:g} LUFS was not reached (it is {lufs:.1f}), because {why}.",)


def _corrected_gain(forecast: Forecast, gain_db: float, lufs: float | None) -> float | None:
    """The gain that makes up for the forecast's error; None if that is small, or the gain is at its limit."""
    target, foreseen = forecast.settings.lufs, forecast.lufs(gain_db)
    if target is None or lufs is None or foreseen is None or abs(target - lufs) <= CLOSE_ENOUGH_LU:
        return None
    better = forecast.gain_db(target + foreseen - lufs)
    return better if abs(better - gain_db) > CLOSE_ENOUGH_LU / 2 else None


@dataclass(frozen=True, slots=True)
class Forecast:
    """Before gain and limiter, per control frame: the mix's K-weighted power and an upper bound of its peak."""

    power: Curve
    peak_db: Curve
    settings: MixSettings

    @classmethod
    def of(cls, settings: MixSettings, found: Survey, levels: Balance) -> Forecast:
        """Voice and music are uncorrelated, so their powers add up."""
        peak = found.voice_peak + levels.factor * found.music_peak
        return cls(found.voice + levels.power, decibels(peak**2), settings)

    def lufs(self, gain_db: float) -> float | None:
        """Loudness of the master at a gain, after the limiter; None for silence."""
        # The limiter's release rule applied to one peak per 10 ms, without look-ahead and rounding: accurate enough to
        # choose a gain. The error is corrected after the first rendering.
        needed = np.minimum(self.settings.true_peak_db - SLACK_DB - self.peak_db - gain_db, 0.0)
        limited = climb_slowly(needed, RELEASE_DB * FRAME / CELL)
        return integrated(self.power * amplitude(gain_db + limited) ** 2)

    def gain_db(self, target_lufs: float | None) -> float:
        """The static gain that reaches a loudness, as far as HIGHEST_GAIN_DB and the limiter allow; 0 for silence.

        It stops rising where the limiter takes back nearly all of each step.
        """
        gain, loudness, slope = 0.0, self.lufs(0.0), 1.0
        if target_lufs is None or loudness is None:
            return 0.0
        # Secant method: without limiting the first step is exact; later slopes include what the limiter takes back.
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


@dataclass(frozen=True, slots=True)
class Rendering:
    """One pass over the sound at one gain."""

    sources: Sources
    levels: Balance
    gain_db: float
    limiter: Limiter

    def blocks(self, block_frames: int) -> Iterator[tuple[Audio, Audio]]:
        """(bgm, master) for one block after the other."""
        gain = np.float32(amplitude(self.gain_db))
        for start, stop in self.sources.spans(block_frames):
            whole = -(-(stop - start) // FRAME) * FRAME
            first, last = start - LIMITER_CONTEXT, start + whole + LIMITER_CONTEXT
            music = self._music(first, last)
            mixed = music + self.sources.read_voice(first, last)
            mixed *= gain
            limit = self.limiter.gain(mixed)[: stop - start, None]
            here = slice(LIMITER_CONTEXT, LIMITER_CONTEXT + stop - start)
            # The stem gets the same gain and limiting, so that voice and stem sum to the master, sample for sample.
            yield music[here] * (limit * gain), mixed[here] * limit

    def _music(self, start: int, stop: int) -> Audio:
        """The music bus, levelled, ducked and filtered; ``start`` and ``stop`` are whole control frames."""
        curves, last = self.levels.ducking, (stop - start) // FRAME
        share = to_samples(_at(curves.filtered, start // FRAME, last), FRAME)[:, None]
        factor = to_samples(_at(curves.gain, start // FRAME, last), FRAME)[:, None]
        padded = self.sources.read_music(start - FILTER_CONTEXT, stop + FILTER_CONTEXT, self.levels.gains)
        music = padded[FILTER_CONTEXT:-FILTER_CONTEXT]
        if share.any():  # a block without speech is spared two transforms
            # Only the difference is faded in, so the filter comes and goes without a jump: it is zero-phase.
            change = filtered(padded, room_for_speech())[0]
            change -= music
            change *= share
            music += change
        music *= factor
        return music


def _at(curve: Curve, start: int, count: int) -> Curve:
    """``count`` + 1 values from control frame ``start`` on; beyond its ends the curve stays constant."""
    return curve[np.clip(np.arange(start, start + count + 1), 0, len(curve) - 1)]


@dataclass(frozen=True, slots=True)
class Output:
    """The files that the mix is written to."""

    bgm: Path
    master: Path
    block_frames: int

    def write(self, rendering: Rendering, progress: Progress) -> float | None:
        """Render into both files; returns the master's loudness, None for silence.

        A second thread encodes and measures one block while the next is rendered.
        """
        meter, frames = Meter(), rendering.sources.frames
        with writer(self.bgm) as bgm, writer(self.master) as master, ThreadPoolExecutor(1) as behind:

            def append(music: Audio, mixed: Audio) -> None:
                bgm.write(music)
                master.write(mixed)
                meter.push(mixed)

            done = 0
            written: Future[None] | None = None
            for music, mixed in rendering.blocks(self.block_frames):
                progress(done / frames, "mixing")
                if written:
                    written.result()  # raises what went wrong in writing; at most one block waits
                written = behind.submit(append, music, mixed)
                done += len(mixed)
            if written:
                written.result()
        return meter.lufs()
