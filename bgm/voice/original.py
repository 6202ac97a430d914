"""The sound as it is: for videos that have no music to take out, or whose creator wants to keep it."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from bgm.engines import EngineOptions
from bgm.progress import Progress
from bgm.voice.plain import copy_sound
from bgm.voice.separation import Separation, Spans


class Original:
    """Copies the source, sample for sample. Only used when named."""

    name: ClassVar[str] = "original"

    def __init__(self, options: EngineOptions) -> None:
        """Needs nothing from ``options``."""

    @classmethod
    def missing(cls, options: EngineOptions) -> str | None:
        """Nothing: it always runs."""
        return None

    def separate(self, source: Path, speech: Spans, voice: Path, progress: Progress) -> Separation:
        """Write ``source`` to ``voice`` unchanged."""
        copy_sound(source, voice, progress)
        return Separation(None, 0.0, ("The video's own sound is kept as it is, with any music that is in it.",))
