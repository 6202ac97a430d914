"""The embedded separator's work on one file, block by block: memory doesn't grow with the length."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np

from bgm.files import beside
from bgm.media import audio
from bgm.progress import Progress, part
from bgm.voice.background import Background, Curve
from bgm.voice.gate import missed_speech, opening
from bgm.voice.learning import SHORT, learn_between
from bgm.voice.mask import voice_mask
from bgm.voice.nmf import Dictionary
from bgm.voice.separation import Spans
from bgm.voice.stft import Magnitude
from bgm.voice.windows import BLOCK, Window, windows

_CHAPTER = 16 * BLOCK
"""Samples (164 s) after which music and speech are learnt anew, from this stretch and half of it on both sides."""
_FADE = 2048
"""Samples over which one block passes into the next: where a chapter begins, their masks differ."""
_NOTE = "separating the voice"


class Cleaner:
    """Turns one source into its voice. Remembers the spectra learnt for the chapter that it is in."""

    def __init__(self, source: Path, speech: Spans, background: Background, block: int = BLOCK) -> None:
        self._source = source
        self._speech = speech
        self._background = background
        self._block = block
        self._total = audio.length(source)
        self._chapter: int | None = None
        self._dictionary: Dictionary | None = None

    def write(self, voice: Path, progress: Progress) -> None:
        """Write the whole voice; an exception from ``progress`` passes through and leaves no file."""
        with (
            beside(voice) as unfinished,
            audio.writer(unfinished, audio.channels(self._source)) as out,
            closing(windows(self._source, self._block)) as sequence,
        ):
            for block in _joined(self._piece(window, progress) for window in sequence):
                out.write(block)
            progress(1.0, _NOTE)

    def _piece(self, window: Window, progress: Progress) -> tuple[audio.Audio, int]:
        """The block with a little of the next one, and the length of the block alone."""
        step = part(progress, window.start / self._total, window.stop / self._total)
        length = window.stop - window.start
        return self._voice(window, step)[window.before : window.before + length + _FADE], length

    def _voice(self, window: Window, progress: Progress) -> audio.Audio:
        """The whole window, context and all, with the background reduced and the pauses turned down."""
        moments = (window.start - window.before + np.arange(len(window.mix))) / audio.SAMPLE_RATE
        progress(0.0, _NOTE)
        strength = self._background.strength_at(moments[:: SHORT.hop])
        voice, open_share = window.mix, opening(self._speech, moments)
        if strength.any():
            voice, found = self._masked(window, strength, progress)
            open_share = np.maximum(open_share, found)
        gain = open_share + (1 - open_share) * self._background.gap_gain_at(moments)
        return np.asarray(voice * gain[:, None], np.float32)

    def _masked(self, window: Window, strength: Curve, progress: Progress) -> tuple[audio.Audio, Curve]:
        """The window with its background reduced, and 0..1 for each sample: where the mask itself finds speech."""
        dictionary = self._learnt(window.start)
        progress(0.2, _NOTE)
        mono = window.mix.mean(axis=1)
        spectrum = SHORT.forward(mono)
        mask = voice_mask(mono, spectrum, window.denoised, dictionary)
        progress(0.7, _NOTE)
        found = missed_speech(np.abs(spectrum), mask)
        by_sample = np.interp(np.arange(len(mono)) / SHORT.hop, np.arange(len(found)), found)
        return _apply(window.mix, _blended(mask, strength)), by_sample

    def _learnt(self, start: int) -> Dictionary | None:
        chapter = start // _CHAPTER
        if chapter != self._chapter:
            first = max(0, (chapter * _CHAPTER) - _CHAPTER // 2)
            last = min(self._total, (chapter + 1) * _CHAPTER + _CHAPTER // 2)
            rate = audio.SAMPLE_RATE
            self._dictionary = learn_between(self._source, self._speech, first / rate, last / rate)
            self._chapter = chapter
        return self._dictionary


def _blended(mask: Magnitude, strength: Curve) -> Magnitude:
    """The mask used only as far as wanted, frame by frame (the transform has a frame more where hops end evenly)."""
    column = np.pad(strength, (0, len(mask) - len(strength)), mode="edge")[:, None].astype(np.float32)
    return 1 - column * (1 - mask)


def _apply(mix: audio.Audio, mask: Magnitude) -> audio.Audio:
    """One mask for all channels, so that the voice stays where it was."""
    channels = [SHORT.inverse(SHORT.forward(channel) * mask, len(channel)) for channel in mix.T]
    return np.stack(channels, axis=1)


def _joined(pieces: Iterable[tuple[audio.Audio, int]]) -> Iterator[audio.Audio]:
    """Blocks end to end, the overlap of each faded linearly into the next (they are nearly the same sound)."""
    overlap: audio.Audio | None = None
    for piece, length in pieces:
        if overlap is not None:
            share = np.linspace(0, 1, len(overlap), dtype=np.float32)[:, None]
            piece[: len(overlap)] = overlap * (1 - share) + piece[: len(overlap)] * share
        overlap = piece[length:]
        yield piece[:length]
