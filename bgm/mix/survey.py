"""The first pass: how strong voice and music are, every 10 ms."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bgm.media.audio import Audio
from bgm.mix.control import FRAME, frames_in
from bgm.mix.loudness import frame_power
from bgm.mix.sources import Sources
from bgm.mix.spectrum import CONTEXT, filtered, k_weighting, room_for_speech
from bgm.progress import Progress

THREADS = 2
Levels = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Survey:
    """One value for each control frame. Powers are K-weighted mean squares, peaks are of samples; full scale is 1."""

    voice: Levels
    voice_peak: Levels
    music: Levels
    """All placements at factor 1."""
    filtered_music: Levels
    """The same behind the speech filter."""
    music_peak: Levels


def survey(sources: Sources, block_frames: int, progress: Progress) -> Survey:
    """Read everything once, two blocks at a time."""
    levels = np.zeros((5, frames_in(sources.frames)), np.float32)
    spans = list(sources.spans(block_frames))
    with ThreadPoolExecutor(THREADS) as pool:
        blocks = pool.map(lambda span: _block(sources, *span), spans)
        try:
            for (start, stop), block in zip(spans, blocks, strict=True):
                progress(start / sources.frames, "measuring voice and music")
                levels[:, start // FRAME : frames_in(stop)] = block
        finally:
            pool.shutdown(cancel_futures=True)
    return Survey(*levels)


def _block(sources: Sources, start: int, stop: int) -> tuple[Levels, ...]:
    """The five levels from frame ``start`` to ``stop``."""
    voice = sources.read_voice(start - CONTEXT, stop + CONTEXT)
    music = sources.read_music(start - CONTEXT, stop + CONTEXT, [1.0] * sources.music.placements)
    heard = filtered(voice, k_weighting())[0]
    plain, behind = filtered(music, k_weighting(), k_weighting() * room_for_speech())
    return frame_power(heard), _peak(voice), frame_power(plain), frame_power(behind), _peak(music)


def _peak(padded: Audio) -> Levels:
    block = padded[CONTEXT:-CONTEXT]
    whole = np.zeros((frames_in(len(block)) * FRAME, block.shape[1]), np.float32)
    whole[: len(block)] = np.abs(block)
    return np.asarray(whole.reshape(-1, FRAME * block.shape[1]).max(axis=1))
