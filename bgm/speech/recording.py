"""Input and output of a transcriber (bgm.engines.Transcriber)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bgm.timeline import Utterance

if TYPE_CHECKING:
    from bgm.speech.utterances import Timed

Span = tuple[float, float]
Spans = tuple[Span, ...]
"""Speech regions, (start, end) in seconds, in order, disjoint."""


def _unread(heard: tuple[Utterance, ...]) -> None:
    """Ignore partial results."""


@dataclass(frozen=True, slots=True)
class Recording:
    """The audio (FLAC, 48 kHz, mono or stereo; None if there is none) and its speech regions."""

    audio: Path | None
    speech: Spans
    duration: float
    told: Callable[[tuple[Utterance, ...]], None] = field(default=_unread, compare=False)
    """Called by a recogniser now and then with everything transcribed so far."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """``language`` is ISO 639-1 or ``und``; utterances lie inside [0, duration], in order, disjoint, none empty.

    ``notes`` are sentences for the user's log (what was dropped, what to expect), ``words`` all recognised words, if
    word timestamps are available.
    """

    language: str
    utterances: tuple[Utterance, ...]
    notes: tuple[str, ...] = ()
    words: tuple[Timed, ...] = ()
