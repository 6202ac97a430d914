"""Voice stems that need no separation: the sound itself, or none."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bgm.files import beside
from bgm.media import audio
from bgm.progress import Progress

NO_SPEECH = "No speech was heard, so the video's own sound is left out; choose the separator “original” to keep it."
"""For the log, where silence takes the place of a sound."""


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
