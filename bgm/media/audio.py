"""Sound on disk, read and written in blocks: one sample rate for the whole studio, float32, (frames, channels)."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import soundfile

from bgm.errors import BadInput

SAMPLE_RATE = 48_000
"""Of every stem, take and master, in Hz."""
BLOCK_FRAMES = 10 * SAMPLE_RATE
"""A block of audio, in frames: what memory may grow by."""

_NO_SPACE_BYTES = 1 << 20

Audio = npt.NDArray[np.float32]
"""(frames, channels), -1..1."""


class AudioWriter(Protocol):
    """``write(block)`` appends (frames, channels)."""

    def write(self, block: Audio) -> None: ...


def frames_of(seconds: float) -> int:
    """The sample on which a time falls. Boundaries are rounded once, from absolute time, so nothing drifts."""
    return round(seconds * SAMPLE_RATE)


def length(path: Path) -> int:
    """Frames in a file. Raises BadInput when it is no sound."""
    with _named(path):
        return int(soundfile.info(str(path)).frames)


def channels(path: Path) -> int:
    """Channels in a file. Raises BadInput when it is no sound."""
    with _named(path):
        return int(soundfile.info(str(path)).channels)


def is_ours(path: Path, frames: int | None = None) -> bool:
    """Is it a FLAC as the studio writes them, and of so many ``frames`` if given? What is damaged is not."""
    try:
        info = soundfile.info(str(path))
    except soundfile.LibsndfileError:
        return False
    in_form = (info.format, info.samplerate) == ("FLAC", SAMPLE_RATE) and info.channels <= 2
    return in_form and frames in (None, info.frames)


def blocks(path: Path, block_frames: int = BLOCK_FRAMES, *, start: int = 0, stop: int | None = None) -> Iterator[Audio]:
    """The file from frame ``start`` to ``stop`` in blocks of at most ``block_frames``. Raises BadInput: damaged."""
    with _named(path), soundfile.SoundFile(str(path)) as file:
        end = file.frames if stop is None else min(stop, file.frames)
        file.seek(min(start, end))
        while (todo := min(block_frames, end - file.tell())) > 0:
            block = file.read(todo, dtype="float32", always_2d=True)
            if not len(block):
                return
            yield block


def read(path: Path, start: int = 0, stop: int | None = None) -> Audio:
    """Frames ``start`` to ``stop`` at once: only for stretches of bounded length."""
    with _named(path):
        return np.asarray(soundfile.read(str(path), start=start, stop=stop, dtype="float32", always_2d=True)[0])


def mono_blocks(path: Path, rate: int, block_frames: int = BLOCK_FRAMES) -> Iterator[npt.NDArray[np.float32]]:
    """The file mixed to mono and resampled to ``rate``, as 1-D blocks whose lengths vary (soxr, streaming)."""
    import soxr

    with _named(path):
        source = int(soundfile.info(str(path)).samplerate)
    resampler = soxr.ResampleStream(source, rate, 1, dtype="float32")
    for block in blocks(path, block_frames):
        yield resampler.resample_chunk(block.mean(axis=1))
    yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except soundfile.LibsndfileError as error:
        raise BadInput(f"{path.name} can't be read as sound: the file is missing or damaged") from error


@contextmanager
def writer(path: Path, channel_count: int = 2, *, subtype: str = "PCM_24") -> Iterator[AudioWriter]:
    """Open a file for writing block by block; the format follows the suffix (.flac, .wav; wav beyond 4 GB as RF64).

    Raises OSError (ENOSPC) when the disk is full, which libsndfile itself calls a system error.
    """
    form: dict[str, Any] = {"format": "RF64"} if path.suffix.lower() == ".wav" else {}
    try:
        with soundfile.SoundFile(str(path), "w", SAMPLE_RATE, channel_count, subtype=subtype, **form) as file:
            yield file
    except (soundfile.LibsndfileError, AssertionError) as error:
        if shutil.disk_usage(path.parent).free < _NO_SPACE_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path.parent)) from error
        raise
