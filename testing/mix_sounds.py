"""Voices and music to mix in tests and benchmarks, and ffmpeg's own meter to judge the result by."""

from __future__ import annotations

import importlib.util
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from bgm.mix.placement import Placement, Spans

RATE = 48_000
Sound = npt.NDArray[np.float32]


def frames(seconds: float) -> int:
    return round(seconds * RATE)


def write(path: Path, sound: Sound) -> Path:
    soundfile.write(path, sound, RATE, subtype="PCM_24")
    return path


def shaped_noise(count: int, low_hz: float, high_hz: float, seed: int) -> Sound:
    """Noise between two frequencies, RMS 1."""
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(count))
    hz = np.fft.rfftfreq(count, 1 / RATE)
    noise = np.fft.irfft(spectrum * ((hz > low_hz) & (hz < high_hz)) / np.sqrt(np.maximum(hz, 50)), count)
    return (noise / noise.std()).astype(np.float32)


def voice(seconds: float, spans: Spans, rms_db: float = -20.0, seed: int = 1) -> Sound:
    """Four syllables a second in each span, nothing between: (frames, 1)."""
    time = np.arange(frames(seconds)) / RATE
    speaking = np.zeros(len(time))
    for start, end in spans:
        speaking[frames(start) : frames(end)] = 1.0
    syllables = 0.15 + np.abs(np.sin(2 * np.pi * 2 * time))
    sound = shaped_noise(len(time), 120, 7_000, seed) * syllables * speaking * 10 ** (rms_db / 20)
    return np.clip(sound, -1, 1).astype(np.float32)[:, None]


def music(seconds: float, rms_db: float = -22.0, seed: int = 2, drums: float = 0.0) -> Sound:
    """Chords of decaying harmonics, two a second, with noise for drums: (frames, 2)."""
    count, random = frames(seconds), np.random.default_rng(seed)
    out = np.zeros((count + 2 * RATE, 2), np.float32)
    time = np.arange(2 * RATE) / RATE
    for start in range(0, count, RATE // 2):
        root = 110 * 2 ** (random.integers(0, 12) / 12)
        chord = sum(np.sin(2 * np.pi * root * ratio * time + ratio) / ratio for ratio in (1, 1.25, 1.5, 2, 3, 4, 6, 9))
        hit = chord * np.exp(-3 * time) + drums * random.standard_normal(len(time)) * np.exp(-60 * time)
        fade = np.minimum(1, time / 0.002)
        out[start : start + len(time)] += (hit * fade)[:, None] * random.uniform(0.6, 1.0, 2)
    sound = out[:count]
    return np.clip(sound / sound.std() * 10 ** (rms_db / 20), -1, 1).astype(np.float32)


def real_speech(file: Path, seconds: float, gain_db: float = 0.0) -> Sound:
    """The beginning of a recording, repeated if it is shorter, as 48 kHz mono: (frames, 1)."""
    sound, rate = soundfile.read(file, dtype="float32", always_2d=True)
    once = soxr.resample(sound.mean(axis=1), rate, RATE)
    return np.clip(np.resize(once, frames(seconds)) * 10 ** (gain_db / 20), -1, 1).astype(np.float32)[:, None]


def gradio_audio(name: str) -> Path:
    """A recording in Gradio's package."""
    spec = importlib.util.find_spec("gradio")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent / "media_assets" / "audio" / name


def in_a_row(takes: Sequence[tuple[Path | None, float]]) -> tuple[Placement, ...]:
    """Placements one after the other from (take, seconds)."""
    edges = np.cumsum([0, *(frames(seconds) for _, seconds in takes)]).tolist()
    return tuple(Placement(a, b - a, take) for (take, _), a, b in zip(takes, edges[:-1], edges[1:], strict=True))


def level_db(sound: Sound, start: float, end: float) -> float:
    """Mean power between two times."""
    return float(10 * np.log10(np.mean(np.square(sound[frames(start) : frames(end)], dtype=np.float64)) + 1e-12))


def level_lufs(sound: Sound, start: float, end: float) -> float:
    """Loudness between two times, by ffmpeg."""
    return ebur128(sound[frames(start) : frames(end)]).lufs


def stretches(sound: Sound, spans: Spans) -> Sound:
    """The spans, one after the other."""
    return np.concatenate([sound[frames(start) : frames(end)] for start, end in spans])


def under_voice_lu(master: Sound, bgm: Sound, stem: Sound, spans: Spans) -> float:
    """How far the music lies under the voice over ``spans``, both measured by ffmpeg.

    The stem is brought to its level in the master first.
    """
    speaking, playing = np.repeat(stretches(stem, spans), 2, axis=1), stretches(bgm, spans)
    gain = np.vdot(stretches(master, spans) - playing, speaking) / np.vdot(speaking, speaking)
    return ebur128(speaking * gain).lufs - ebur128(playing).lufs


@dataclass(frozen=True)
class Loudness:
    """By ffmpeg's ebur128 filter."""

    lufs: float
    true_peak_db: float


def ebur128(sound: Path | Sound) -> Loudness:
    """Measure a file, or (frames, channels) at 48 kHz."""
    if isinstance(sound, Path):
        source, data = ["-i", str(sound)], b""
    else:
        channels = str(sound.shape[1])
        source = ["-f", "f32le", "-ar", str(RATE), "-ac", channels, "-i", "pipe:0"]
        data = np.ascontiguousarray(sound, np.float32).tobytes()
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-nostats", *source]
    command += ["-af", "ebur128=peak=true:framelog=quiet", "-f", "null", "-"]
    log = subprocess.run(command, input=data, capture_output=True, check=True).stderr.decode()
    found = [re.search(rf"{name}:\s+(-?[\d.]+|-inf|nan) ", log) for name in ("I", "Peak")]
    assert all(found), log
    return Loudness(*(float(match[1]) for match in found if match))
