"""Which frames of a long file the spectra of its music and speech are learnt from: few, and spread evenly."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bgm.media import audio
from bgm.voice import nmf
from bgm.voice.separation import Spans
from bgm.voice.stft import Magnitude, Stft

SHORT = Stft(2048, 512)
_TOP_HZ = 12_000
_PIECES = 40
_PIECE_SECONDS = 0.5
_SHORTEST_SECONDS = 0.15
_GUARD_SECONDS = 0.15
"""Pauses are taken this far away from the speech."""


def learn_between(source: Path, speech: Spans, start: float, stop: float) -> nmf.Dictionary | None:
    """The spectra of music and speech between two times; None where there is too little of either to learn from.

    At most 20 s of each are read, so neither time nor memory depends on the stretch's length.
    """
    near = tuple((max(a, start), min(b, stop)) for a, b in speech if a < stop and b > start)
    return nmf.learn(_sample(source, _pauses(near, start, stop)), _sample(source, near))


def _pauses(speech: Spans, start: float, stop: float) -> Spans:
    edges = [start, *(edge for a, b in speech for edge in (a - _GUARD_SECONDS, b + _GUARD_SECONDS)), stop]
    return tuple(zip(edges[::2], edges[1::2], strict=True))


def _sample(source: Path, spans: Spans) -> Magnitude:
    """Magnitudes (frames, bins up to 12 kHz) from evenly spread pieces of the spans."""
    pieces = [piece for span in spans for piece in _cut(*span)]
    count = min(_PIECES, len(pieces))
    chosen = [pieces[index] for index in np.linspace(0, len(pieces) - 1, count).round().astype(int)]
    magnitudes = [_magnitudes(source, *piece) for piece in chosen]
    top = SHORT.bin_of(_TOP_HZ, audio.SAMPLE_RATE)
    return np.concatenate(magnitudes) if magnitudes else np.zeros((0, top), np.float32)


def _cut(start: float, stop: float) -> list[tuple[float, float]]:
    starts = np.arange(start, stop - _SHORTEST_SECONDS, _PIECE_SECONDS)
    return [(float(time), min(float(time) + _PIECE_SECONDS, stop)) for time in starts]


def _magnitudes(source: Path, start: float, stop: float) -> Magnitude:
    """Every other frame of a piece, without those that reach beyond its ends."""
    mono = audio.read(source, audio.frames_of(start), audio.frames_of(stop)).mean(axis=1)
    margin = SHORT.size // (2 * SHORT.hop)
    frames = SHORT.forward(mono)[margin:-margin:2, : SHORT.bin_of(_TOP_HZ, audio.SAMPLE_RATE)]
    return np.abs(frames)
