"""What a separator is given and gives back.

A separator is an engine with ``separate(source, speech, voice, progress) -> Separation``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bgm.progress import Progress

Spans = tuple[tuple[float, float], ...]
"""Stretches of speech in the source, (start, end) in seconds, in order, disjoint."""


@dataclass(frozen=True, slots=True)
class Separation:
    """How the voice stem came about."""

    background_db: float | None
    """10·log10(P_nonspeech / P_speech) of the source (the pauses' median power); None where it can't be told."""
    strength: float
    """0..1: how much of the separator's mask was used (0: the sound is as it was)."""
    notes: tuple[str, ...] = ()
    """Sentences for the user's log."""


class Separator(Protocol):
    """One implementation of the stage."""

    def separate(self, source: Path, speech: Spans, voice: Path, progress: Progress) -> Separation:
        """Write the voice of ``source`` to ``voice``.

        Both are FLAC, 48 kHz; ``voice`` has the channels of ``source`` and is exactly as long. ``speech`` comes from
        voice activity on the source. An exception raised by ``progress`` passes through and leaves no file.
        """
