"""Audio files, read and written in blocks: one sample rate for the whole studio, float32, (frames, channels)."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import soundfile

from bgm.errors import BadInput
from bgm.files import is_full
from bgm.progress import Progress

SAMPLE_RATE = 48_000
"""Of every stem, take and master, in Hz."""
BLOCK_FRAMES = 10 * SAMPLE_RATE
"""Frames in a block of audio; bounds the memory use."""

_LONGEST_TRANSFORM = 2048
_TRANSFORMS = 12
"""Transforms per window of half a second, the unit in which cancellation of left and right is detected."""
_LOWEST_BIN, _HIGHEST_BIN = 4, 170
"""Bins of those transforms: 100 Hz to 4 kHz, the range of voices."""
_ALIKE = 0.8
"""Above this correlation of left and right, cancellation is negligible."""
_CANCELLED = 0.1
"""Power counts as lost if no more than this share of the stronger channel's is left (-10 dB)."""
_FAINT = 1e-4
"""A window this far below the loudest of its block (-40 dB) says nothing: what a separator leaves of a pause differs
between the channels as it likes."""
_MUCH_CANCELLED = 0.25
"""Share of the sound that must cancel for a window to count as cancelling. Two-channel music reaches it in about one
window of a hundred, an out-of-phase voice at the level of centred music in most."""
_MIXES = np.array([[0.5, 0.5], [0.5, -0.5], [1.0, 0.0], [0.0, 1.0]], np.float32)
"""Weights of left and right in the mono mix: the mean; where that cancels, half the difference, or one channel."""

Audio = npt.NDArray[np.float32]
"""(frames, channels), -1..1."""
Mono = npt.NDArray[np.float32]
"""(frames,), -1..1."""


class AudioWriter(Protocol):
    """``write(block)`` appends (frames, channels)."""

    def write(self, block: Audio) -> None: ...


def frames_of(seconds: float) -> int:
    """The sample index of a time. Boundaries are rounded once, from absolute time, so nothing drifts."""
    return round(seconds * SAMPLE_RATE)


def length(path: Path) -> int:
    """Frames in a file. Raises BadInput if it is not audio."""
    with _named(path):
        return int(soundfile.info(str(path)).frames)


def channels(path: Path) -> int:
    """Channels in a file. Raises BadInput if it is not audio."""
    with _named(path):
        return int(soundfile.info(str(path)).channels)


def is_ours(path: Path, frames: int | None = None) -> bool:
    """Whether it is an intact FLAC as the studio writes them, ``frames`` long if given."""
    try:
        info = soundfile.info(str(path))
    except soundfile.LibsndfileError:
        return False
    in_form = (info.format, info.samplerate) == ("FLAC", SAMPLE_RATE) and info.channels <= 2
    return in_form and frames in (None, info.frames)


def blocks(path: Path, block_frames: int = BLOCK_FRAMES, *, start: int = 0, stop: int | None = None) -> Iterator[Audio]:
    """The file from frame ``start`` to ``stop`` in blocks of at most ``block_frames``. Raises BadInput if it is
    damaged."""
    with _named(path), soundfile.SoundFile(str(path)) as file:
        end = file.frames if stop is None else min(stop, file.frames)
        file.seek(min(start, end))
        while (todo := min(block_frames, end - file.tell())) > 0:
            block = file.read(todo, dtype="float32", always_2d=True)
            if not len(block):
                return
            yield block


def told(path: Path, progress: Progress, note: str, block_frames: int = BLOCK_FRAMES) -> Iterator[Audio]:
    """Like :func:`blocks`, reporting progress before each block and after the last one."""
    total, done = length(path), 0
    for block in blocks(path, block_frames):
        progress(done / total, note)
        yield block
        done += len(block)
    progress(1.0, note)


def read(path: Path, start: int = 0, stop: int | None = None) -> Audio:
    """Read frames ``start`` to ``stop`` at once: only for stretches of bounded length."""
    with _named(path):
        return np.asarray(soundfile.read(str(path), start=start, stop=stop, dtype="float32", always_2d=True)[0])


def mono_blocks(path: Path, rate: int, block_frames: int = BLOCK_FRAMES) -> Iterator[Mono]:
    """The file mixed by :func:`to_mono` and resampled to ``rate``, as 1-D blocks of varying length (soxr,
    streaming)."""
    import soxr

    with _named(path):
        source = int(soundfile.info(str(path)).samplerate)
    # A stream, so that the resampler's filter runs on over the edges of blocks.
    resampler = soxr.ResampleStream(source, rate, 1, dtype="float32")
    for block in blocks(path, block_frames):
        yield resampler.resample_chunk(to_mono(block))
    yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)


def to_mono(block: Audio) -> Mono:
    """(frames, 1 or 2) → (frames,), for detectors and recognisers that take one channel.

    The mean of left and right, unless that would cancel part of the sound (a microphone wired in reverse, a "width"
    effect): then half the difference, or the channel that holds more of it. One decision per block; pass seconds, not
    milliseconds.
    """
    return block[:, 0] if block.shape[1] == 1 else block @ _mix(block)


def cancels(path: Path) -> bool:
    """Whether the mean of left and right would lose part of the sound. Samples thirty seconds, evenly spread."""
    if channels(path) == 1:
        return False
    total = length(path)
    starts = np.unique(np.linspace(0, max(0, total - SAMPLE_RATE), 30).astype(int))
    looks = [_mix(read(path, int(start), int(start) + SAMPLE_RATE)) for start in starts]
    return sum(not np.array_equal(mix, _MIXES[0]) for mix in looks) > len(looks) / 10


def peaks(path: Path, buckets: int) -> list[float]:
    """The highest absolute sample, 0..1, in each of ``buckets`` equal parts of a file; 0.0 for an empty part."""
    if buckets < 1:
        raise ValueError("a waveform needs at least one bucket")
    frames, highest, done = length(path), np.zeros(buckets, np.float32), 0
    for block in blocks(path):
        position = np.arange(done, done + len(block), dtype=np.int64)
        # In whole numbers: the same sample falls into the same bucket wherever the blocks end.
        bucket = position * buckets // frames
        starts = np.flatnonzero(np.diff(bucket, prepend=-1))
        found = np.maximum.reduceat(np.abs(block).max(axis=1), starts)
        highest[bucket[starts]] = np.maximum(highest[bucket[starts]], found)
        done += len(block)
    return [float(peak) for peak in highest]


def _mix(block: Audio) -> Mono:
    """The row of ``_MIXES`` for a block of two channels.

    1. In windows of half a second in which the channels differ, the faintest left out,
    2. each moment and frequency is weighted by its amplitude in the stronger channel,
    3. and is lost in a mix that leaves less than ``_CANCELLED`` of it.
    4. The mean is rejected if it loses much in any window and another mix loses less than half of that. The mix that
       loses least in the whole block replaces it (where the channels are alike the difference loses all); of equals,
       the difference (which halves the noise) before one channel.
    """
    windows, differing = _windows(block)
    if not differing.any():
        return _MIXES[0]
    sums, weight = _lost(windows[differing])
    shares = sums / (weight + 1e-12)
    cancelling = (shares[0] > _MUCH_CANCELLED) & (shares[1:].min(axis=0) < shares[0] / 2)
    if not cancelling.any():
        return _MIXES[0]
    sums, weight = _lost(windows)
    others = sums[1:].sum(axis=1)
    return _MIXES[1 + int(np.argmax(others <= others.min() + 0.02 * weight.sum()))]


def _windows(block: Audio) -> tuple[Audio, npt.NDArray[np.bool_]]:
    """The block in windows (windows, frames, channels), and in which of them the channels differ and are not faint."""
    size = _LONGEST_TRANSFORM * _TRANSFORMS
    padded = np.zeros((-(-len(block) // size) * size, 2), np.float32)
    padded[: len(block)] = block
    windows = padded.reshape(-1, size, 2)
    left, right, both = (np.einsum("ws,ws->w", windows[..., a], windows[..., b]) for a, b in ((0, 0), (1, 1), (0, 1)))
    power = left + right
    return windows, (both < _ALIKE * np.sqrt(left * right)) & (power > _FAINT * power.max(initial=0.0))


def _lost(windows: Audio) -> tuple[npt.NDArray[np.floating], npt.NDArray[np.floating]]:
    """How much of each window each mix loses (mixes, windows), and how much there is of it (windows,)."""
    shaped = windows.reshape(-1, _TRANSFORMS, _LONGEST_TRANSFORM, 2)
    # The spectra of windows whose channels are alike are spared: most of all sound.
    hann = np.hanning(_LONGEST_TRANSFORM).astype(np.float32)[:, None]
    spectra = np.fft.rfft(shaped * hann, axis=2)[:, :, _LOWEST_BIN:_HIGHEST_BIN]
    power = np.square(np.abs(spectra)).max(axis=-1)
    weight = np.sqrt(power)
    kept = (np.square(np.abs(spectra @ mix)) for mix in _MIXES)
    return np.array([(weight * (k < _CANCELLED * power)).sum(axis=(1, 2)) for k in kept]), weight.sum(axis=(1, 2))


@contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except soundfile.LibsndfileError as error:
        raise BadInput(f"{path.name} can't be read as sound: the file is missing or damaged") from error


@contextmanager
def writer(path: Path, channel_count: int = 2, *, subtype: str = "PCM_24") -> Iterator[AudioWriter]:
    """Open a file for writing block by block; the format follows the suffix (.flac, .wav; wav beyond 4 GB as RF64).

    Raises OSError (ENOSPC) when the disk is full, which libsndfile itself reports as a system error.
    """
    form: dict[str, Any] = {"format": "RF64"} if path.suffix.lower() == ".wav" else {}
    try:
        with soundfile.SoundFile(str(path), "w", SAMPLE_RATE, channel_count, subtype=subtype, **form) as file:
            yield file
    except (soundfile.LibsndfileError, AssertionError) as error:
        if is_full(path.parent):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path.parent)) from error
        raise
