"""Stretches of a recording, as input of recognisers: packed speech regions, and their audio."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bgm.media import audio as sound
from bgm.speech.utterances import Spans

RATE = 16_000
"""Input sample rate of every recogniser, in Hz."""
LONGEST_S = 30.0
"""Of a stretch: Whisper's window."""

Mono = npt.NDArray[np.float32]
"""(samples,) at RATE, -1..1."""


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


def wave(audio: Path, start: float, end: float) -> Mono:
    """The audio from ``start`` to ``end`` seconds of a stem (48 kHz), mixed to mono, at 16 kHz."""
    import soxr

    mono = sound.to_mono(sound.read(audio, sound.frames_of(start), sound.frames_of(end)))
    return np.asarray(soxr.resample(mono, sound.SAMPLE_RATE, RATE), np.float32)


def _cut(start: float, end: float) -> Iterator[tuple[float, float]]:
    parts = max(1, math.ceil((end - start) / LONGEST_S))
    edges = np.linspace(start, end, parts + 1)
    yield from ((float(a), float(b)) for a, b in itertools.pairwise(edges))
