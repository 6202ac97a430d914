"""Where somebody speaks: voice activity detection with Silero (silero-vad 6, MIT) for files of any length, and the
stretches that a recogniser is given of it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from importlib.util import find_spec
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
WINDOW, CONTEXT, STATE = 512, 64, 128
"""Of the detector: samples at 16 kHz that it judges, samples before them that it hears too, and what it remembers."""
AT_ONCE = 32
"""Windows to a call, about a second of them."""
THRESHOLD, HYSTERESIS = 0.5, 0.15
GAP_S = 0.4
"""A shorter pause belongs to the speech around it."""
PAD_S = 0.15
"""Kept before and after speech: consonants are quieter than the detector's threshold."""
SHORTEST_S = 0.25
"""A shorter sound is a click or a cough."""

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
    # The detector expects speech at a usual level; a quiet recording (a distant microphone) loses its words.
    level = _level_db(audio, progress)
    if level < SILENT_DB:
        progress(1.0, "silent")
        return ()
    gain = 10 ** ((TARGET_DB - level) / 20) if level < QUIET_DB else 1.0
    duration = float(soundfile.info(str(audio)).duration)
    return tuple(_spans(_chances(audio, gain, duration, progress), duration))


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


def _chances(audio: Path, gain: float, duration: float, progress: Progress) -> Iterator[float]:
    """The probability of speech in each window.

    Silero's own model of sequences: those of its streaming model to the bit, a block of windows to a call, which takes
    a fifth of the time.
    """
    session = _session()
    state = {name: np.zeros((1, 1, STATE), np.float32) for name in "hc"}
    before = np.zeros(CONTEXT, np.float32)
    done = 0.0
    for windows in _windows(audio):
        progress(0.2 + 0.8 * min(1.0, done / duration), "listening for speech")
        done += windows.size / RATE
        heard = np.clip(windows * gain, -1.0, 1.0)  # a loud word in a quiet recording would leave that range
        contexts = np.concatenate([before[None], heard[:-1, -CONTEXT:]])
        shares, state["h"], state["c"] = session.run(None, {"input": np.hstack([contexts, heard]), **state})
        before = heard[-1, -CONTEXT:]
        yield from shares.tolist()
    progress(1.0, "speech found")


def _session() -> Any:
    """The detector, with one thread: a second one would only wait. It keeps no state, but is loaded in a moment.

    The package is only looked up: importing it would set all of torch to one thread.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.inter_op_num_threads = options.intra_op_num_threads = 1
    options.log_severity_level = 3  # errors
    package = find_spec("silero_vad")
    assert package is not None and package.origin is not None
    model = Path(package.origin).with_name("data") / "silero_vad_16k_sequence.onnx"
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def _windows(audio: Path) -> Iterator[npt.NDArray[np.float32]]:
    """The file at 16 kHz, mono, in windows of 512 samples, some (windows, 512) at a time; the last is zero-padded."""
    rest = np.zeros(0, np.float32)
    for block in sound.mono_blocks(audio, RATE):
        joined = np.concatenate([rest, block])
        whole = len(joined) // WINDOW * WINDOW
        yield from (
            joined[i : min(i + AT_ONCE * WINDOW, whole)].reshape(-1, WINDOW) for i in range(0, whole, AT_ONCE * WINDOW)
        )
        rest = joined[whole:]
    if len(rest):
        yield np.pad(rest, (0, WINDOW - len(rest)))[None]


def _spans(chances: Iterator[float], duration: float) -> Iterator[tuple[float, float]]:
    """By Silero's own rule (its VADIterator): speech begins with a window above the threshold, and ends where GAP_S
    follow of which none is, and the first is below the lower threshold."""
    gap, pad = round(GAP_S * RATE), round(PAD_S * RATE)
    start, quiet = None, None
    for here, chance in zip(itertools.count(0, WINDOW), chances, strict=False):
        if chance >= THRESHOLD:
            start = max(0, here - pad) if start is None else start
            quiet = None
        elif chance < THRESHOLD - HYSTERESIS and start is not None:
            quiet = here if quiet is None else quiet
            if here - quiet >= gap:
                yield from _long_enough(start / RATE, min((quiet + pad) / RATE, duration))
                start, quiet = None, None
    if start is not None:
        yield from _long_enough(start / RATE, duration)


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
        # Greedy from the left: few long stretches give Whisper context, and each costs one window however short it is.
        if out and end - out[-1][0] <= LONGEST_S and start - out[-1][1] <= widest_gap:
            out[-1] = (out[-1][0], end)
        else:
            out.append((start, end))
    return tuple(part for start, end in out for part in _cut(start, end))


def widened(speech: Spans, margin: float) -> Spans:
    """Extend each region by up to ``margin`` seconds: at most half of each pause, and not before 0."""
    starts = [start for start, _ in speech]
    ends = [end for _, end in speech]
    # Half a pause each: two stretches never hear the same sound, so no word comes twice.
    pauses = (max(0.0, start - end) / 2 for end, start in zip(ends, starts[1:], strict=False))
    first = min(margin, starts[0]) if starts else 0.0
    margins = [first, *(min(margin, half) for half in pauses), margin]
    return tuple((start - margins[i], end + margins[i + 1]) for i, (start, end) in enumerate(speech))


def _cut(start: float, end: float) -> Iterator[tuple[float, float]]:
    # Even parts, not full ones and a rest: a rest of a second would be decoded without context.
    parts = max(1, math.ceil((end - start) / LONGEST_S))
    edges = np.linspace(start, end, parts + 1)
    yield from ((float(a), float(b)) for a, b in itertools.pairwise(edges))


def wave(audio: Path, start: float, end: float) -> Mono:
    """The audio from ``start`` to ``end`` seconds of a stem (48 kHz), mixed to mono, at 16 kHz."""
    import soxr

    mono = sound.to_mono(sound.read(audio, sound.frames_of(start), sound.frames_of(end)))
    return np.asarray(soxr.resample(mono, sound.SAMPLE_RATE, RATE), np.float32)
