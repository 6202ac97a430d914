"""Input and output of a separator (bgm.engines.Separator), and the engine that separates nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from bgm.engines import EngineOptions, Separator
from bgm.files import beside
from bgm.media import audio
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
