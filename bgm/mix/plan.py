"""What the mix is made from.

``bgm.mix.master.mix(plan: MixPlan, bgm: Path, master: Path, progress: Progress) -> MixReport`` writes both files as
FLAC (48 kHz, stereo, 24 bit, exactly ``plan.frames`` long), in blocks, memory independent of length.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

Spans = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Placement:
    """A take (48 kHz FLAC; None for silence) that fills [start_frame, start_frame + frames) of the timeline.

    Fades are in frames; with one its edge doesn't join the neighbour, without one they are crossfaded.
    """

    start_frame: int
    frames: int
    take: Path | None
    gain_db: float = 0.0
    fade_in: int = 0
    fade_out: int = 0


@dataclass(frozen=True, slots=True)
class MixSettings:
    """How loud and how deep. ``lufs`` None leaves the loudness as it comes (true peak is still kept)."""

    lufs: float | None = -14.0
    true_peak_db: float = -1.0
    duck: bool = True
    depth_db: float | None = None
    """None: as deep as it takes to lie 18–20 LU under the voice while it speaks; else a fixed depth such as -8."""


@dataclass(frozen=True, slots=True)
class MixPlan:
    """Placements follow one another without gap and cover ``frames``. ``voice`` is None where there is no sound."""

    frames: int
    placements: tuple[Placement, ...]
    voice: Path | None
    speech: Spans
    """Where the voice speaks, seconds."""
    settings: MixSettings = MixSettings()


@dataclass(frozen=True, slots=True)
class MixReport:
    """What was reached, by our own BS.1770 meter; None where there is nothing to measure (silence)."""

    lufs: float | None
    true_peak_db: float | None
    under_speech_lu: float | None
    """How far the music lies under the voice while it speaks."""
    notes: tuple[str, ...] = ()
    """Sentences for the user: that the loudness asked for was not reached, and why."""
