"""What a transcriber (bgm.engines.Transcriber) is given and gives back."""

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
"""Stretches of speech, (start, end) in seconds, in order, disjoint."""


def _unread(heard: tuple[Utterance, ...]) -> None:
    """Nobody reads along."""


@dataclass(frozen=True, slots=True)
class Recording:
    """What is listened to (FLAC, 48 kHz, mono or stereo; None where there is no sound) and where somebody speaks."""

    audio: Path | None
    speech: Spans
    duration: float
    told: Callable[[tuple[Utterance, ...]], None] = field(default=_unread, compare=False)
    """A recogniser calls it with all that it has heard so far, now and then."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """``language`` is ISO 639-1 or ``und``; utterances lie inside [0, duration], in order, disjoint, none empty.

    ``notes`` are sentences for the user's log (what was dropped, what to expect), ``words`` all that was heard, where
    the words' own times are known.
    """

    language: str
    utterances: tuple[Utterance, ...]
    notes: tuple[str, ...] = ()
    words: tuple[Timed, ...] = ()
