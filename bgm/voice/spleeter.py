"""The pretrained separator: Spleeter's 2stems model (Hennequin et al., 2020), vocals kept, all else left out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np

from bgm.engines import EngineOptions
from bgm.errors import BgmError, EngineUnavailable
from bgm.files import beside
from bgm.media import audio
from bgm.media.audio import Audio
from bgm.progress import Progress, part
from bgm.voice import spleeter_env, spleeter_model
from bgm.voice.plain import NO_SPEECH, write_silence
from bgm.voice.separation import Separation, Spans
from bgm.voice.spleeter_process import Worker, WorkerError, worker

RATE = 44_100
"""The model's only sample rate."""
CHUNK = 2 * 512 * 1024 - 4096
"""Frames (23.7 s) that fill two of the network's stretches exactly, with the silence that it puts before them."""
OVERLAP = 2 * RATE
"""Frames over which one chunk passes into the next."""
_LOADED = 0.1
"""Share of the work until the model is loaded (or fetched)."""


class Spleeter:
    """Vocals by Spleeter, in a process and an environment of its own, chunk by chunk."""

    name: ClassVar[str] = "spleeter"

    def __init__(self, options: EngineOptions) -> None:
        """``options.model`` is ``2stems`` or the folder of a 2stems checkpoint."""
        self._options = options

    @classmethod
    def missing(cls, options: EngineOptions) -> str | None:
        """The environment or the weights, if they aren't here and can't be had. Answers within 3 s."""
        if not spleeter_env.ready():
            return "not set up (python -m bgm setup spleeter)"
        return spleeter_model.why_missing(options)

    def separate(self, source: Path, speech: Spans, voice: Path, progress: Progress) -> Separation:
        """Write the vocals of ``source``; see :class:`bgm.voice.separation.Separator`.

        Where nobody speaks for the whole length the voice is silence: sung words of the old music would be vocals too.
        Raises EngineUnavailable where environment or weights are missing, BgmError where the child process fails.
        """
        if not speech:
            write_silence(source, voice, progress)
            return Separation(None, 1.0, (NO_SPEECH,))
        if not spleeter_env.ready():
            raise EngineUnavailable("Spleeter is not set up: run `python -m bgm setup spleeter`")
        model = spleeter_model.provide(self._options, part(progress, 0.0, _LOADED))
        try:
            _write_vocals(source, voice, model, progress)
        except WorkerError as error:
            raise BgmError(f"Spleeter failed with the model in {model}: {error}") from error
        return Separation(None, 1.0, ())


def _write_vocals(source: Path, voice: Path, model: Path, progress: Progress) -> None:
    total = audio.length(source)
    width = audio.channels(source)
    with (
        worker("separate", model) as child,
        beside(voice) as unfinished,
        audio.writer(unfinished, width) as out,
    ):
        child.wait_until_loaded(lambda: progress(0.0, "loading Spleeter"))
        vocals = crossfaded(_vocals(source, child, part(progress, _LOADED, 1.0)))
        for block in _exactly(total, resampled(vocals, RATE, audio.SAMPLE_RATE)):
            out.write(block if width == 2 else block.mean(axis=1, keepdims=True))
        progress(1.0, "vocals separated")


def _vocals(source: Path, child: Worker, progress: Progress) -> Iterator[Audio]:
    """The vocals of each chunk, chunks overlapping."""
    stereo = (np.broadcast_to(block, (len(block), 2)) for block in audio.blocks(source))
    step = (CHUNK - OVERLAP) / RATE * audio.SAMPLE_RATE / audio.length(source)
    for number, chunk in enumerate(overlapping(resampled(stereo, audio.SAMPLE_RATE, RATE))):
        tick = partial(progress, number * step, "separating the voice")
        tick()
        yield child.separate(chunk, tick)


def overlapping(blocks: Iterable[Audio], size: int = CHUNK, overlap: int = OVERLAP) -> Iterator[Audio]:
    """Chunks of ``size`` frames, the last one shorter; each begins ``overlap`` frames before the end of the other."""
    waiting = np.zeros((0, 2), np.float32)
    for block in blocks:
        waiting = np.concatenate([waiting, block])
        while len(waiting) > size:
            yield waiting[:size]
            waiting = waiting[size - overlap :]
    if len(waiting):
        yield waiting


def crossfaded(chunks: Iterable[Audio], overlap: int = OVERLAP) -> Iterator[Audio]:
    """Undo ``overlapping``: linear fades, since two chunks hear the same sound in nearly the same way."""
    share = np.linspace(0, 1, overlap, dtype=np.float32)[:, None]
    held = None
    for chunk in chunks:
        if held is not None:
            joint = held[-overlap:] * (1 - share) + chunk[:overlap] * share
            yield held[:-overlap]
            held = np.concatenate([joint, chunk[overlap:]])
        else:
            held = chunk
    if held is not None:
        yield held


def resampled(blocks: Iterable[Audio], old: int, new: int) -> Iterator[Audio]:
    """The same sound (frames, 2) at another rate, streaming."""
    import soxr

    stream = soxr.ResampleStream(old, new, 2, dtype="float32")
    for block in blocks:
        yield stream.resample_chunk(np.ascontiguousarray(block))
    yield stream.resample_chunk(np.zeros((0, 2), np.float32), last=True)


def _exactly(total: int, blocks: Iterable[Audio]) -> Iterator[Audio]:
    """``total`` frames: rounding in two resamplers may give one more or less."""
    left = total
    for block in blocks:
        yield block[:left]
        left -= min(left, len(block))
    if left:
        yield np.zeros((left, 2), np.float32)
