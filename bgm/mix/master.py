"""The mix: takes and voice in, ``bgm`` stem and master out, in two passes over the sound (a third where it is needed).

The first pass measures voice and music, and from that follow the levels, the ducking and the gain. The second renders,
limits, measures and writes. Where heavy limiting cost more loudness than was foreseen, it is done once more.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import soundfile

from bgm.errors import BgmError
from bgm.files import beside
from bgm.media.audio import SAMPLE_RATE, Audio, writer
from bgm.mix.balance import balance
from bgm.mix.forecast import HIGHEST_GAIN_DB, Forecast
from bgm.mix.limiter import Limiter
from bgm.mix.loudness import Meter
from bgm.mix.plan import MixPlan, MixReport
from bgm.mix.rendering import Rendering
from bgm.mix.sources import Sources
from bgm.mix.survey import survey
from bgm.progress import Progress, part, silent

BLOCK_FRAMES = 5 * SAMPLE_RATE
"""Measured fastest: two transforms of the filters to a block."""
CLOSE_ENOUGH_LU = 0.2
"""Half of what the loudness may be off."""
MISSED_LU = 0.5
"""A mix that is further below its target has missed it (EBU R 128 allows as much)."""


def mix(
    plan: MixPlan, bgm: Path, master: Path, progress: Progress = silent, *, block_frames: int = BLOCK_FRAMES
) -> MixReport:
    """Write both files as FLAC, 48 kHz, stereo, 24 bit, ``plan.frames`` long, and say what was reached.

    ``bgm`` is the music as it lies in the master: voice * gain + bgm = master, all under the same limiter. A loudness
    that the limiter or the highest gain doesn't allow shows in the report's ``lufs``. Raises BadInput when a file can't
    be read and ValueError when the placements don't cover the plan; what ``progress`` raises passes through. In all
    these cases neither file is written.
    """
    sources = Sources.of(plan)
    found = survey(sources, block_frames, part(progress, 0.0, 0.3))
    levels = balance(plan, found)
    forecast = Forecast.of(plan.settings, found, levels)
    rendering = Rendering(sources, levels, forecast.gain_db(plan.settings.lufs), Limiter(plan.settings.true_peak_db))
    try:
        with beside(bgm) as bgm_part, beside(master) as master_part:
            output = Output(bgm_part, master_part, block_frames)
            lufs = output.write(rendering, part(progress, 0.3, 0.8))
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
    """Why the loudness is not what was asked for, if so."""
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
    """The gain that makes up for what the forecast missed; None when that is little, or as high as it goes."""
    target, foreseen = forecast.settings.lufs, forecast.lufs(gain_db)
    if target is None or lufs is None or foreseen is None or abs(target - lufs) <= CLOSE_ENOUGH_LU:
        return None
    better = forecast.gain_db(target + foreseen - lufs)
    return better if abs(better - gain_db) > CLOSE_ENOUGH_LU / 2 else None


@dataclass(frozen=True, slots=True)
class Output:
    """Where the mix goes."""

    bgm: Path
    master: Path
    block_frames: int

    def write(self, rendering: Rendering, progress: Progress) -> float | None:
        """Render into both files; the master's loudness, None for silence.

        Encoding and measuring one block go on in a second thread while the next one is rendered.
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
                    written.result()
                written = behind.submit(append, music, mixed)
                done += len(mixed)
            if written:
                written.result()
        return meter.lufs()
