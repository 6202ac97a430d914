"""The sound as it is: for videos that have no music to take out, or whose creator wants to keep it."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from bgm.engines import EngineOptions, Separator
from bgm.progress import Progress, part
from bgm.voice.separation import Listen, Separation, copy_sound

_LISTENED = 0.5
"""Share of the work that goes into listening."""


class Original(Separator):
    """Copies the source, sample for sample: when named, or where nothing else can run."""

    name: ClassVar[str] = "original"

    def __init__(self, options: EngineOptions) -> None:
        """Needs nothing from ``options``."""

    @classmethod
    def missing(cls, options: EngineOptions) -> str | None:
        """Nothing: it always runs."""
        return None

    def separate(self, source: Path, voice: Path, listen: Listen, progress: Progress) -> Separation:
        """Write ``source`` to ``voice`` unchanged."""
        speech = listen(source, part(progress, 0.0, _LISTENED))
        copy_sound(source, voice, part(progress, _LISTENED, 1.0))
        note = "The video's own sound is kept as it is, with any music that is in it."
        return Separation(speech, None, 0.0, notes=(note,))
