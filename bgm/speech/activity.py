"""Voice activity detection with Silero (silero-vad 6, MIT) for files of any length."""

from __future__ import annotations

import importlib
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
