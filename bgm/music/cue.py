"""What a composer of music (bgm.engines.Composer) is asked for, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bgm.timeline import Emotion, Style


@dataclass(frozen=True, slots=True)
class Piece:
    """What all cues of one video share, so that they make one score: key, motif and related tempi follow from it."""

    seed: int
    duration: float
    style: Style = Style.ACOUSTIC
    """How the whole is played; a segment may have its own."""


@dataclass(frozen=True, slots=True)
class Cue:
    """The brief for one take of one segment. Everything above ``before`` decides the take's id; the rest is context.

    The same deciding fields must give the same audio whatever the context is not asked for: an edit to one segment
    never makes its neighbours' takes stale.
    """

    piece: Piece
    frames: int
    """Length in samples at 48 kHz."""
    emotion: Emotion
    confidence: float
    """0..1: a weakly angry segment is not a fully angry one."""
    prompt: str
    """The creator's own words for this segment; empty for the emotion's default."""
    seed: int
    opening: bool
    """The video starts with this segment."""
    ending: bool
    """The video ends with this segment: the piece must end."""
    speech: tuple[tuple[float, float], ...] = ()
    """Where the voice speaks, seconds from the cue's start (music is a bed there, may speak up elsewhere)."""
    hits: tuple[float, ...] = ()
    """Picture cuts to land on where it is musical, seconds from the cue's start."""
    start: float = 0.0
    """Where the cue starts in the video, seconds: the energy of the whole grows to one climax."""
    style: Style | None = None
    """Of this segment; None is the piece's."""
    whole: str = ""
    """The creator's words for the whole video; where the segment's speak of the same, those win."""
    before: Emotion | None = None
    after: Emotion | None = None
    before_take: Path | None = None
    after_take: Path | None = None
    """Neighbours' emotions and chosen takes (48 kHz FLAC), for engines that join to them."""


@dataclass(frozen=True, slots=True)
class Made:
    """The take of cue ``index`` is whole; ``notes`` are sentences for the user's log on how it was made."""

    index: int
    notes: tuple[str, ...] = ()
