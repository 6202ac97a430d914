"""Run audio of any length through the networks, stretch by stretch, in constant memory.

Spleeter itself cuts the spectrum into independent stretches of 512 frames. Here each stretch overlaps the one before,
and their masks are crossfaded: a mask is least accurate at the networks' edges.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from bgm.media.audio import SAMPLE_RATE, Audio

if TYPE_CHECKING:
    from bgm.device import Loaded
    from bgm.voice.unet import Model

OVERLAP = 32
"""Frames (0.74 s) over which the masks of two stretches are crossfaded."""


def separated(blocks: Iterable[Audio], loaded: Loaded[Model], total: int) -> Iterator[Audio]:
    """The vocals of a recording (frames, 2) at the studio's rate, ``total`` frames long."""
    from bgm.voice.unet import RATE, WINDOW

    sung = vocals(resampled(blocks, SAMPLE_RATE, RATE), loaded)
    whole = passed(sung, WINDOW, -(-total * RATE // SAMPLE_RATE) + 1)
    return passed(resampled(whole, RATE, SAMPLE_RATE), 0, total)


def vocals(blocks: Iterable[Audio], loaded: Loaded[Model], overlap: int = OVERLAP) -> Iterator[Audio]:
    """The vocals of a recording (frames, 2) at the model's rate, after WINDOW frames of silence, in blocks of any
    length.

    With an ``overlap`` of 0 the frames and stretches are those of Spleeter's own graph.
    """
    import torch

    from bgm.voice.unet import FRAMES, HOP, WINDOW

    kept = FRAMES - overlap
    rise = (torch.arange(overlap) + 0.5)[:, None] / max(1, overlap)
    last_share, last_samples = None, np.zeros((WINDOW - HOP, 2), np.float32)
    for stretch in _stretches(blocks, kept * HOP, WINDOW + (FRAMES - 1) * HOP, WINDOW):
        with loaded.at_work() as model:
            spectrum = model.spectrum(stretch)
            share = model.vocal_share(spectrum)
            if last_share is not None:
                share[:, :overlap] = torch.lerp(last_share.to(share.device), share[:, :overlap], rise.to(share.device))
            last_share = share[:, kept:]
            sound = model.masked(spectrum[:, :kept], share[:, :kept])
        sound[: len(last_samples)] += last_samples
        last_samples = sound[kept * HOP :]
        yield sound[: kept * HOP]


def _stretches(blocks: Iterable[Audio], step: int, size: int, silence: int) -> Iterator[Audio]:
    """Stretches of ``size`` frames, one every ``step``, of the audio after some silence; the last one is
    zero-padded."""
    waiting = np.zeros((silence, 2), np.float32)
    for block in blocks:
        waiting = np.concatenate([waiting, block])
        while len(waiting) >= size:
            yield waiting[:size]
            waiting = waiting[step:]
    while len(waiting) > size - step:
        yield np.pad(waiting[:size], ((0, max(0, size - len(waiting))), (0, 0)))
        waiting = waiting[step:]


def passed(blocks: Iterable[Audio], skip: int, total: int) -> Iterator[Audio]:
    """``total`` frames after skipping ``skip``; zero-padded if there are too few."""
    left = total
    for block in blocks:
        wanted = block[min(skip, len(block)) :][:left]
        skip -= min(skip, len(block))
        left -= len(wanted)
        if len(wanted):
            yield wanted
    if left:
        yield np.zeros((left, 2), np.float32)


def resampled(blocks: Iterable[Audio], old: int, new: int) -> Iterator[Audio]:
    """The same audio (frames, 2) at another rate, streaming."""
    import soxr

    stream = soxr.ResampleStream(old, new, 2, dtype="float32")
    for block in blocks:
        yield stream.resample_chunk(np.ascontiguousarray(block))
    yield stream.resample_chunk(np.zeros((0, 2), np.float32), last=True)
