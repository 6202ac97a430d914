"""What a separator takes and gives (bgm.engines.Separator), the engine that separates nothing, the background's level.

The level of the background over time decides how much separation is called for. The measure is the median level of the
pauses around a moment relative to the mean level of the speech there. The median, because a laugh, a cough or a word
missed by voice activity detection isn't background, while continuous music is. Where nobody pauses, it is what the
separator removed from behind the speech.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from bgm.engines import EngineOptions, Separator
from bgm.files import beside
from bgm.media import audio
from bgm.media.signal import runs
from bgm.progress import Progress, part

Spans = tuple[tuple[float, float], ...]
"""Speech regions of a recording, (start, end) in seconds, in order, disjoint."""
Listen = Callable[[Path, Progress], Spans]
"""Voice activity detection of a file."""
_LISTENED = 0.5
"""Share of the progress that voice activity detection takes."""


@dataclass(frozen=True, slots=True)
class Separation:
    """How the voice stem was made."""

    speech: Spans
    """Speech regions, detected in the separated voice, else in the source."""
    background_db: float | None
    """10·log10(P_nonspeech / P_speech) of the source (the pauses' median power); None if unknown."""
    strength: float
    """0..1: how much of the separated voice was used (0: the source is unchanged)."""
    levels: tuple[tuple[float, float], ...] = ()
    """``background_db`` around each moment (seconds, dB), in order; empty if unknown."""
    notes: tuple[str, ...] = ()
    """Sentences for the user's log."""


def copy_sound(source: Path, voice: Path, progress: Progress) -> None:
    """Write the samples of ``source`` to ``voice``, block by block (24 bit: exact for 16 and 24 bit sources)."""
    with beside(voice) as unfinished, audio.writer(unfinished, audio.channels(source)) as out:
        for block in audio.told(source, progress, "copying the sound"):
            out.write(block)


def write_silence(source: Path, voice: Path, progress: Progress) -> None:
    """Write silence with the length and channels of ``source``."""
    with beside(voice) as unfinished, audio.writer(unfinished, audio.channels(source)) as out:
        for block in audio.told(source, progress, "writing silence"):
            out.write(np.zeros_like(block))


class Original(Separator):
    """The audio unchanged, sample for sample: for videos without music to remove, or whose creator wants to keep it.

    Used only when named, or when nothing else can run.
    """

    name: ClassVar[str] = "original"

    def __init__(self, options: EngineOptions) -> None:
        """Needs nothing from ``options``."""

    @classmethod
    def missing(cls, options: EngineOptions) -> str | None:
        """Return None: it always runs."""
        return None

    def separate(self, source: Path, voice: Path, listen: Listen, progress: Progress) -> Separation:
        """Write ``source`` to ``voice`` unchanged."""
        speech = listen(source, part(progress, 0.0, _LISTENED))
        copy_sound(source, voice, part(progress, _LISTENED, 1.0))
        note = "The video's own sound is kept as it is, with any music that is in it."
        return Separation(speech, None, 0.0, notes=(note,))


Curve = npt.NDArray[np.float64]
_FRAME_SECONDS = 0.1
_GUARD_SECONDS = 0.15
"""Voice activity detection may be late by this much: such frames count neither as speech nor as pause."""
_STEP_SECONDS = 5.0
_REACHES_SECONDS = (15.0, 60.0, 240.0)
_FEWEST_FRAMES = 10
_QUIETEST = 1e-12
"""Power of silence (-120 dB)."""

_HEARD = 1e-5
"""Vocals sound from this power on (-50 dB) …"""
_FAR_BELOW = 1e-3
"""(or 30 dB below the loudest, in a quiet recording) …"""
_NEARLY_ALL = 0.8
"""… and from this share of the total power on: voices reach it most of the time, seven instrumental pieces never
did."""
_FEWEST_VOICED = 3
"""Frames in a row."""

LEAVE_BELOW_DB = -24.0
"""Below this level the mask would harm the speech more than the background does."""
WHOLE_ABOVE_DB = -18.0
"""Above this level the mask is fully applied. Both by ``python -m benchmarks.separation --strengths``."""
GAP_OPEN_BELOW_DB = -26.0
"""Below this level pauses stay as they are: room tone, breath."""
GAP_SHUT_ABOVE_DB = -18.0
GAP_DEPTH_DB = 60.0
"""Attenuation of the pauses when the background is above ``GAP_SHUT_ABOVE_DB``."""


@dataclass(frozen=True)
class Background:
    """The background relative to the speech, in dB, at ``times`` (seconds), and overall (None: unknown)."""

    speech: Spans
    times: Curve
    local_db: Curve
    overall_db: float | None
    sounding: bool
    """Whether there is any sound at all."""
    voiced: Spans = ()
    """Where nearly all sound was classified as vocals, whether or not detected as speech: laughter, shouts, song."""

    def voiced_seconds(self) -> float:
        """Of all such stretches."""
        return sum(end - start for start, end in self.voiced)

    def strength_at(self, seconds: Curve) -> Curve:
        """0..1: how much of the mask to apply at each moment."""
        return _ramp(self._level_at(seconds), LEAVE_BELOW_DB, WHOLE_ABOVE_DB)

    def gap_gain_at(self, seconds: Curve) -> Curve:
        """The gain of pauses at each moment."""
        depth = GAP_DEPTH_DB * _ramp(self._level_at(seconds), GAP_OPEN_BELOW_DB, GAP_SHUT_ABOVE_DB)
        return np.asarray(10 ** (-depth / 20))

    def leaves_alone(self) -> bool:
        """Whether nothing needs to be done anywhere."""
        known = self.overall_db is not None
        return known and bool(np.all(self.local_db <= min(LEAVE_BELOW_DB, GAP_OPEN_BELOW_DB)))

    def levels(self) -> tuple[tuple[float, float], ...]:
        """(seconds, dB) as plain numbers; empty if unknown."""
        if self.overall_db is None:
            return ()
        return tuple((float(time), round(float(db), 1)) for time, db in zip(self.times, self.local_db, strict=True))

    def _level_at(self, seconds: Curve) -> Curve:
        return np.interp(seconds, self.times, self.local_db)


def measure(source: Path, speech: Spans, progress: Progress, vocals: Path | None = None) -> Background:
    """Read the whole file once, in blocks, along with the ``vocals`` separated from it, if any."""
    # 1. Which tenths of a second are speech, which are pauses; those around the edges of speech are neither.
    power, sung, rest = _powers(source, vocals, progress)
    moments: Curve = (np.arange(len(power), dtype=np.float64) + 0.5) * _FRAME_SECONDS
    talk = inside(speech, moments, 0.0)
    pause = ~inside(speech, moments, _GUARD_SECONDS)
    # 2. Where the vocals are nearly all there is, somebody may speak, laugh or sing whom the detector missed.
    sounding = bool(np.any(power > _QUIETEST))
    heard = min(_HEARD, float(power.max(initial=0.0)) * _FAR_BELOW)  # a recording may be very quiet
    long = (run for run in runs((sung > heard) & (sung > _NEARLY_ALL * power)) if run[1] - run[0] >= _FEWEST_VOICED)
    voiced = tuple((first * _FRAME_SECONDS, last * _FRAME_SECONDS) for first, last in long)
    times = np.arange(0.0, len(power) * _FRAME_SECONDS + _STEP_SECONDS, _STEP_SECONDS)
    # 3. Without speech the level is unknown; without pauses it is what the separator removed from behind the speech.
    if talk.sum() < _FEWEST_FRAMES // 2:
        return Background(speech, times, np.full(len(times), -np.inf), None, sounding, voiced)
    if pause.sum() < _FEWEST_FRAMES // 2:
        level = _ratio_db(rest[talk], sung[talk]) if vocals else None
        # -inf, which is a strength of 0, as long as no vocals tell it.
        local = np.full(len(times), -np.inf if level is None else level)
        return Background(speech, times, local, level, sounding, voiced)
    # 4. Otherwise it is the pauses' level around each moment.
    local = np.array([_around(time, power, talk, pause) for time in times])
    return Background(speech, times, local, _ratio_db(power[pause], power[talk]), sounding, voiced)


def inside(spans: Spans, moments: Curve, margin: float) -> npt.NDArray[np.bool_]:
    """Which of the moments (seconds, ascending) lie within ``margin`` of a span."""
    # Count what opens and closes at each moment: one pass over all spans, however many overlap.
    marks = np.zeros(len(moments) + 1, np.int64)
    for start, end in spans:
        marks[np.searchsorted(moments, start - margin)] += 1
        marks[np.searchsorted(moments, end + margin)] -= 1
    return np.cumsum(marks[:-1]) > 0


def _powers(source: Path, vocals: Path | None, progress: Progress) -> tuple[Curve, Curve, Curve]:
    """Mean power of each tenth of a second (the last may be shorter): total, vocals, rest."""
    total = audio.length(source)
    powers: list[tuple[Curve, Curve, Curve]] = []
    beside = audio.blocks(vocals) if vocals else repeat(np.zeros((1, 1), np.float32))
    for number, (block, sung) in enumerate(zip(audio.blocks(source), beside, strict=False)):
        progress(number * audio.BLOCK_FRAMES / total, "measuring the background")
        powers.append((_framed(block), _framed(np.broadcast_to(sung, block.shape)), _framed(block - sung)))
    if not powers:
        return np.zeros(0), np.zeros(0), np.zeros(0)
    whole, sung_power, rest = (np.concatenate(part) for part in zip(*powers, strict=True))
    return whole, sung_power, rest


def _framed(block: audio.Audio) -> Curve:
    frame = audio.frames_of(_FRAME_SECONDS)
    squares = np.square(block).mean(axis=1, dtype=np.float64)
    # BLOCK_FRAMES is a multiple of the frame, so only the last block of a file ends in a shorter one.
    starts = np.arange(0, len(squares), frame)
    return np.asarray(np.add.reduceat(squares, starts) / np.diff(np.append(starts, len(squares))))


def _around(time: float, power: Curve, talk: npt.NDArray[np.bool_], pause: npt.NDArray[np.bool_]) -> float:
    """The local ratio in dB, over as wide a neighbourhood as it takes to include both speech and pauses."""
    for reach in _REACHES_SECONDS:
        near = slice(max(0, round((time - reach) / _FRAME_SECONDS)), round((time + reach) / _FRAME_SECONDS))
        if min(talk[near].sum(), pause[near].sum()) >= _FEWEST_FRAMES:
            return _ratio_db(power[near][pause[near]], power[near][talk[near]])
    return _ratio_db(power[pause], power[talk])


def _ratio_db(pauses: Curve, talk: Curve) -> float:
    background = max(float(np.median(pauses)), _QUIETEST)
    return float(10 * np.log10(background / max(float(talk.mean()), _QUIETEST)))


def _ramp(level: Curve, low: float, high: float) -> Curve:
    return np.asarray(np.clip((level - low) / (high - low), 0.0, 1.0))
