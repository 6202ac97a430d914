"""Ten different things to mix: real and synthetic voices, quiet and hot, with and without music, short and sparse."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from bgm.mix.placement import MixPlan, Spans
from testing.mix_sounds import RATE, Sound, frames, gradio_audio, in_a_row, music, real_speech, voice, write

PHRASES: Spans = ((1.5, 4.5), (8.0, 11.0))


def plan(folder: Path, voice_stem: Sound | None, spans: Spans, takes: list[Sound | float]) -> MixPlan:
    """Takes in a row (a number is that many seconds of silence) under a voice."""
    placed = [
        (None, take) if isinstance(take, float) else (write(folder / f"take{i}.flac", take), len(take) / RATE)
        for i, take in enumerate(takes)
    ]
    placements = in_a_row(placed)
    stem = None if voice_stem is None else write(folder / "voice.flac", voice_stem)
    return MixPlan(sum(p.frames for p in placements), placements, stem, spans)


def jfk(folder: Path, recording: Path) -> MixPlan:
    return plan(folder, real_speech(recording, 11), ((0.2, 10.6),), [music(5.5, seed=1), music(5.5, -12, seed=2)])


def cate(folder: Path) -> MixPlan:
    speech = real_speech(gradio_audio("cate_blanch.mp3"), 8)
    return plan(folder, speech, ((0, 8),), [music(4, -30, seed=3), music(4, -18, seed=4)])


def heath(folder: Path) -> MixPlan:
    speech = real_speech(gradio_audio("heath_ledger.mp3"), 8, -12)
    return plan(folder, speech, ((0, 8),), [music(8, -10, seed=5, drums=1)])


def quiet_voice(folder: Path) -> MixPlan:
    return plan(folder, voice(12, PHRASES, -36), PHRASES, [music(6, seed=6), music(6, seed=7)])


def hot_voice(folder: Path) -> MixPlan:
    return plan(folder, voice(12, PHRASES, -6), PHRASES, [music(6, seed=6), music(6, seed=7)])


def loud_music(folder: Path) -> MixPlan:
    return plan(folder, None, (), [music(5, -9, seed=8), music(5, -9, seed=9, drums=1)])


def drums(folder: Path) -> MixPlan:
    """A high crest: hits and little between them."""
    return plan(folder, None, (), [music(10, -26, seed=10, drums=8)])


def voice_alone(folder: Path) -> MixPlan:
    return plan(folder, voice(12, PHRASES), PHRASES, [12.0])


def sparse(folder: Path) -> MixPlan:
    spans: Spans = ((7.0, 8.5),)
    return plan(folder, voice(15, spans), spans, [music(5, seed=11), 4.0, music(6, seed=12)])


def between_samples(folder: Path) -> MixPlan:
    """A quarter of the sample rate, 45 degrees off: its true peak is 3 dB above its samples."""
    phase = np.pi / 2 * np.arange(frames(6)) + np.pi / 4
    swell = 0.2 + 0.3 * np.sin(np.pi * np.arange(frames(6)) / frames(6))
    tone = (np.sign(np.sin(phase)) * swell).astype(np.float32)
    return plan(folder, None, (), [np.stack([tone, tone], axis=1)])


INPUTS: dict[str, Callable[[Path], MixPlan]] = {
    "real speech, Cate": cate,
    "real speech, Heath, loud music": heath,
    "quiet voice": quiet_voice,
    "hot voice": hot_voice,
    "loud music alone": loud_music,
    "drums alone": drums,
    "voice alone": voice_alone,
    "few words, a silent segment": sparse,
    "peaks between samples": between_samples,
}
"""Nine that need nothing but the packages; ``jfk`` is the tenth, where its recording is at hand."""
