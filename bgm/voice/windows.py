"""A long file as windows that overlap: each block with enough sound on both sides to be judged as if it were whole."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bgm.errors import BgmError
from bgm.media import audio
from bgm.voice import rnnoise
from bgm.voice.hpss import LONG
from bgm.voice.stft import Signal

BLOCK = 240 * LONG.hop
"""Samples per block (10.24 s), a multiple of every transform's hop, so that all frames fall on one grid."""
CONTEXT = 24 * LONG.hop
"""Samples on each side (1 s): more than half a window and half a median reach."""


@dataclass(frozen=True)
class Window:
    """Samples [start - before, …) of the file; its own block is [start, stop), the rest is context."""

    start: int
    stop: int
    before: int
    mix: audio.Audio
    denoised: Signal | None
    """RNNoise's mono output over the same stretch; None where its library can't be loaded."""

    @property
    def own(self) -> slice:
        """The block inside the window."""
        return slice(self.before, self.before + self.stop - self.start)


def windows(source: Path, block: int = BLOCK) -> Generator[Window, None, None]:
    """The file's windows in order. RNNoise runs along, its memory carried from block to block."""
    total = audio.length(source)
    with ExitStack() as stack:
        denoiser = stack.enter_context(rnnoise.Denoiser()) if rnnoise.available() else None
        reader = _Reader(source, denoiser)
        for start in range(0, total, block):
            stop = min(start + block, total)
            before = min(CONTEXT, start)
            mix, denoised = reader.stretch(start - before, min(stop + CONTEXT, total))
            yield Window(start, stop, before, mix, denoised)


class _Reader:
    """Reads forward and keeps what the next window needs again."""

    def __init__(self, source: Path, denoiser: rnnoise.Denoiser | None) -> None:
        self._blocks = audio.blocks(source)
        self._denoiser = denoiser
        self._first = 0
        self._flushed = False
        self._mix = np.zeros((0, audio.channels(source)), np.float32)
        self._denoised = np.zeros(0, np.float32)

    def stretch(self, first: int, last: int) -> tuple[audio.Audio, Signal | None]:
        """Samples [first, last); what lies before ``first`` is forgotten."""
        while self._first + len(self._mix) < last or (self._denoiser and self._first + len(self._denoised) < last):
            self._read_on()
        self._mix = self._mix[first - self._first :]
        self._denoised = self._denoised[first - self._first :]
        self._first = first
        count = last - first
        return self._mix[:count], self._denoised[:count] if self._denoiser else None

    def _read_on(self) -> None:
        block = next(self._blocks, None)
        if block is not None:
            self._mix = np.concatenate([self._mix, block])
            if self._denoiser:
                self._denoised = np.concatenate([self._denoised, self._denoiser.push(block.mean(axis=1))])
        elif self._denoiser and not self._flushed:
            self._denoised = np.concatenate([self._denoised, self._denoiser.flush()])
            self._flushed = True
        else:
            raise BgmError("the sound ends earlier than its file says")
