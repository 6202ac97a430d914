"""What a separator (bgm.engines.Separator) is given and gives back, and voices that need no separation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bgm.files import beside
from bgm.media import audio
from bgm.progress import Progress

Spans = tuple[tuple[float, float], ...]
"""Stretches of speech in a sound, (start, end) in seconds, in order, disjoint."""
Listen = Callable[[Path, Progress], Spans]
"""Voice activity: where somebody speaks in a file."""


@dataclass(frozen=True, slots=True)
class Separation:
    """How the voice stem came about."""

    speech: Spans
    """Where somebody speaks, as heard in the voice where it was separated, else in the source."""
    background_db: float | None
    """10·log10(P_nonspeech / P_speech) of the source (the pauses' median power); None where it can't be told."""
    strength: float
    """0..1: how much of the separated voice was used (0: the sound is as it was)."""
    levels: tuple[tuple[float, float], ...] = ()
    """``background_db`` around each moment (seconds, dB), in order; empty where it can't be told."""
    notes: tuple[str, ...] = ()
    """Sentences for the user's log."""


def copy_sound(source: Path, voice: Path, progress: Progress) -> None:
    """Write the samples of ``source`` to ``voice``, block by block (24 bit: exact for 16 and 24 bit sources)."""
    total = audio.length(source)
    done = 0
    with beside(voice) as unfinished, audio.writer(unfinished, audio.channels(source)) as out:
        for block in audio.blocks(source):
            progress(done / total, "copying the sound")
            out.write(block)
            done += len(block)
        progress(1.0, "copying the sound")


def write_silence(source: Path, voice: Path, progress: Progress) -> None:
    """Write silence as long and as wide as ``source``."""
    total = audio.length(source)
    with beside(voice) as unfinished, audio.writer(unfinished, audio.channels(source)) as out:
        for start in range(0, total, audio.BLOCK_FRAMES):
            progress(start / total, "writing silence")
            frames = min(audio.BLOCK_FRAMES, total - start)
            out.write(np.zeros((frames, audio.channels(source)), np.float32))
        progress(1.0, "writing silence")
