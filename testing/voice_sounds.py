"""Sounds made by arithmetic, and how near one sound comes to another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

RATE = 48_000
Sound = npt.NDArray[np.float32]
"""(samples,)"""
Spans = tuple[tuple[float, float], ...]
CHORDS = ((261.6, 329.6, 392.0), (220.0, 261.6, 329.6), (174.6, 220.0, 261.6), (196.0, 246.9, 293.7))
JFK_SPEECH: Spans = ((0.17, 2.45), (3.12, 4.6), (5.23, 7.83), (8.01, 10.71))
"""Where he speaks, as voice activity hears it in the clean recording."""


def music(seconds: float, beats_per_minute: float = 96.0, drums: bool = True) -> Sound:
    """Four chords of decaying partials with a bass and, if wanted, a hissing beat, at an RMS of 0.08."""
    beat = 60 / beats_per_minute
    out = np.zeros(int(seconds * RATE) + 4 * RATE, np.float32)
    noise = np.random.default_rng(5)
    for index in range(int(seconds / beat) + 1):
        chord = CHORDS[index // 4 % len(CHORDS)]
        start = int(index * beat * RATE)
        for pitch in (*chord, chord[0] / 4, chord[index % 3] * 2):
            tone = note(pitch, 2.0)
            out[start : start + len(tone)] += tone
        if drums:
            hit = noise.standard_normal(RATE // 8).astype(np.float32) * np.exp(-np.arange(RATE // 8) / 900)
            out[start : start + len(hit)] += hit.astype(np.float32)
    return levelled(out[: int(seconds * RATE)], 0.08)


def note(pitch: float, seconds: float) -> Sound:
    """Six partials that die away, the higher ones faster."""
    time = np.arange(int(seconds * RATE)) / RATE
    partials = (np.sin(2 * np.pi * pitch * k * time) * np.exp(-time * (1 + k)) / k for k in range(1, 7))
    return np.asarray(sum(partials), np.float32)


def talk(seconds: float) -> tuple[Sound, Spans]:
    """Gliding buzzes in syllables, two seconds on and one off, at an RMS of 0.08; and where they are."""
    time = np.arange(int(seconds * RATE)) / RATE
    pitch = 120 * 2 ** (0.4 * np.sin(2 * np.pi * 0.7 * time) + 0.2 * np.sin(2 * np.pi * 2.3 * time))
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    voice = sum(np.sin(k * phase) / k for k in range(1, 25))
    syllables = 0.55 - 0.45 * np.cos(2 * np.pi * 4 * time)
    spans = tuple((s + 0.5, min(s + 2.5, seconds)) for s in np.arange(0, seconds, 3.0) if s + 0.5 < seconds)
    on = np.zeros(len(time))
    for start, end in spans:
        on[int(start * RATE) : int(end * RATE)] = 1
    return levelled((voice * syllables * on).astype(np.float32), 0.08), spans


def levelled(sound: Sound, rms: float) -> Sound:
    return np.asarray(sound * (rms / np.sqrt(np.mean(np.square(sound)))), np.float32)


def mixed(speech: Sound, background: Sound, ratio_db: float) -> Sound:
    """Speech over a background that lies ``ratio_db`` below it."""
    ratio = np.mean(np.square(speech)) / np.mean(np.square(background)) / 10 ** (ratio_db / 10)
    return np.asarray(0.5 * (speech + np.sqrt(ratio) * background[: len(speech)]), np.float32)


def si_sdr(estimate: Sound, reference: Sound) -> float:
    """Scale-invariant signal-to-distortion ratio in dB (Le Roux et al., 2019)."""
    estimate = estimate.astype(np.float64) - estimate.mean()
    reference = reference.astype(np.float64) - reference.mean()
    target = reference * (estimate @ reference) / (reference @ reference)
    return float(10 * np.log10(np.sum(target**2) / max(np.sum((estimate - target) ** 2), 1e-20)))


def level_db(sound: Sound) -> float:
    return float(10 * np.log10(np.mean(np.square(sound, dtype=np.float64)) + 1e-20))


def write(path: Path, sound: npt.NDArray[np.float32]) -> Path:
    soundfile.write(str(path), sound, RATE, subtype="PCM_24")
    return path


def read(path: Path) -> Sound:
    """The first channel."""
    return np.asarray(soundfile.read(str(path), dtype="float32", always_2d=True)[0][:, 0])


def load(path: Path) -> Sound:
    """Any file at 48 kHz, mono."""
    sound, rate = soundfile.read(str(path), dtype="float32", always_2d=True)
    return np.asarray(soxr.resample(sound.mean(axis=1), rate, RATE), np.float32)
