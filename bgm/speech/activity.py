"""Where somebody speaks: voice activity detection with Silero (silero-vad 6, MIT) for files of any length, and the
stretches that a recogniser is given of it."""

from __future__ import annotations

import importlib
import itertools
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

from bgm.media import audio as sound
from bgm.progress import Progress, silent
from bgm.speech.words import Spans

RATE = 16_000
"""Of the detector and of every recogniser, in Hz."""
WINDOW = 512
"""Samples per detector call at 16 kHz."""
GAP_S = 0.4
"""A shorter pause belongs to the speech around it."""
PAD_S = 0.15
"""Kept before and after speech: consonants are quieter than the detector's threshold."""
SHORTEST_S = 0.25
"""A shorter sound is a click or a cough."""

_IMPORTING = threading.Lock()

LEVEL_WINDOW_S = 0.1
LOUD_WINDOWS = 10
"""One second of audio."""
QUIET_DB = -40.0
"""If the loudest second is below this level, the detector begins to miss words: its input is amplified."""
TARGET_DB = -20.0
SILENT_DB = -80.0
"""Below this there is only converter noise."""

Mono = npt.NDArray[np.float32]
"""(samples,) at RATE, -1..1."""


def speech_spans(audio: Path, progress: Progress = silent) -> Spans:
    """Speech regions of ``audio`` (any file that bgm.media.audio reads), in seconds, in order, disjoint.

    Very quiet recordings are amplified for the detector only. Memory is constant.
    """
    level = _level_db(audio, progress)
    if level < SILENT_DB:
        progress(1.0, "silent")
        return ()
    gain = 10 ** ((TARGET_DB - level) / 20) if level < QUIET_DB else 1.0
    duration = float(soundfile.info(str(audio)).duration)
    with _one_thread():
        return tuple(_spans(_events(audio, gain, duration, progress), duration))


def _level_db(audio: Path, progress: Progress) -> float:
    """Median level (RMS, dBFS) of the ten loudest windows that aren't silent; -inf for digital silence.

    So a click or two don't count, and a few words in an hour of silence do.
    """
    info = soundfile.info(str(audio))
    window = round(LEVEL_WINDOW_S * info.samplerate)
    powers: list[npt.NDArray[np.float32]] = []
    done = 0
    for block in sound.blocks(audio, 100 * window):
        mono = sound.to_mono(block)
        usable = len(mono) // window * window or len(mono)
        powers.append((mono[:usable].reshape(-1, min(window, usable)) ** 2).mean(axis=1))
        done += len(block)
        progress(0.2 * done / info.frames, "measuring the level")
    loudest = np.sort(np.concatenate(powers))[-LOUD_WINDOWS:] if powers else np.zeros(1)
    sounding = loudest[loudest > 0]
    return 10 * float(np.log10(np.median(sounding))) if len(sounding) else -math.inf


def _events(audio: Path, gain: float, duration: float, progress: Progress) -> Iterator[dict[str, int]]:
    """``{"start": sample}`` and ``{"end": sample}`` at 16 kHz, like the events of Silero's own iterator."""
    import torch

    listen = _listener()
    for i, window in enumerate(_windows(audio)):
        if i % 32 == 0:
            progress(0.2 + 0.8 * min(1.0, i * WINDOW / RATE / duration), "listening for speech")
        event = listen(torch.from_numpy(np.clip(window * gain, -1.0, 1.0)))
        if event:
            yield event
    progress(1.0, "speech found")


@contextmanager
def _one_thread() -> Iterator[None]:
    """Use one thread: the model is so small that a second one only waits, twenty times slower on a busy machine.

    The OpenMP limit applies to this thread only. torch.set_num_threads would also affect threads started meanwhile.
    """
    from threadpoolctl import threadpool_limits

    _import_silero()
    with threadpool_limits(1, "openmp"):
        yield


def _import_silero() -> None:
    """Import silero_vad, which sets the whole process to one thread, and restore the number."""
    import torch

    with _IMPORTING:
        threads = torch.get_num_threads()  # torch's first call in a thread also sets that thread's own number
        importlib.import_module("silero_vad")
        torch.set_num_threads(threads)


def _listener() -> Any:
    """A detector of our own: it is stateful, so it can't be shared."""
    import silero_vad

    return silero_vad.VADIterator(
        silero_vad.load_silero_vad(),
        sampling_rate=RATE,
        min_silence_duration_ms=round(1000 * GAP_S),
        speech_pad_ms=round(1000 * PAD_S),
    )


def _windows(audio: Path) -> Iterator[Mono]:
    """The file at 16 kHz, mono, in windows of 512 samples; the last one is zero-padded."""
    rest = np.zeros(0, np.float32)
    for block in sound.mono_blocks(audio, RATE):
        joined = np.concatenate([rest, block])
        whole = len(joined) // WINDOW * WINDOW
        yield from joined[:whole].reshape(-1, WINDOW)
        rest = joined[whole:]
    if len(rest):
        yield np.pad(rest, (0, WINDOW - len(rest)))


def _spans(events: Iterator[dict[str, int]], duration: float) -> Iterator[tuple[float, float]]:
    start: float | None = None
    for event in events:
        if "start" in event:
            start = event["start"] / RATE
        elif start is not None:
            yield from _long_enough(start, min(event["end"] / RATE, duration))
            start = None
    if start is not None:
        yield from _long_enough(start, duration)


def _long_enough(start: float, end: float) -> Iterator[tuple[float, float]]:
    if end - start >= SHORTEST_S + 2 * PAD_S:
        yield start, end


LONGEST_S = 30.0
"""Of a stretch: Whisper's window."""


def together(speech: Spans, widest_gap: float = math.inf) -> Spans:
    """Pack neighbouring regions, with the silence between them, into stretches of at most LONGEST_S.

    Regions further apart than ``widest_gap`` seconds stay separate; a region that is itself too long is cut evenly.
    """
    out: list[tuple[float, float]] = []
    for start, end in speech:
        if out and end - out[-1][0] <= LONGEST_S and start - out[-1][1] <= widest_gap:
            out[-1] = (out[-1][0], end)
        else:
            out.append((start, end))
    return tuple(part for start, end in out for part in _cut(start, end))


def widened(speech: Spans, margin: float) -> Spans:
    """Extend each region by up to ``margin`` seconds: at most half of each pause, and not before 0."""
    starts = [start for start, _ in speech]
    ends = [end for _, end in speech]
    pauses = (max(0.0, start - end) / 2 for end, start in zip(ends, starts[1:], strict=False))
    first = min(margin, starts[0]) if starts else 0.0
    margins = [first, *(min(margin, half) for half in pauses), margin]
    return tuple((start - margins[i], end + margins[i + 1]) for i, (start, end) in enumerate(speech))


def _cut(start: float, end: float) -> Iterator[tuple[float, float]]:
    parts = max(1, math.ceil((end - start) / LONGEST_S))
    edges = np.linspace(start, end, parts + 1)
    yield from ((float(a), float(b)) for a, b in itertools.pairwise(edges))


def wave(audio: Path, start: float, end: float) -> Mono:
    """The audio from ``start`` to ``end`` seconds of a stem (48 kHz), mixed to mono, at 16 kHz."""
    import soxr

    mono = sound.to_mono(sound.read(audio, sound.frames_of(start), sound.frames_of(end)))
    return np.asarray(soxr.resample(mono, sound.SAMPLE_RATE, RATE), np.float32)
