"""One channel for detectors and recognisers: nothing that is heard in two may be gone from it."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from bgm.media import audio
from bgm.media.audio import SAMPLE_RATE, Audio, Mono, to_mono

SECONDS = 6


@lru_cache
def syllables(pitch: float = 130.0) -> Mono:
    """Four a second, with the overtones and pauses that a voice has."""
    t = np.arange(SECONDS * SAMPLE_RATE) / SAMPLE_RATE
    wandering = pitch * (t + 0.02 * np.sin(2 * np.pi * 0.7 * t))
    tone = sum(np.sin(2 * np.pi * n * wandering) / n for n in range(1, 20))
    return (0.1 * tone * np.clip(np.sin(2 * np.pi * 4 * t), 0, 1) * (t % 3 < 2)).astype(np.float32)


def chord() -> Mono:
    t = np.arange(SECONDS * SAMPLE_RATE) / SAMPLE_RATE
    return sum(0.05 * np.sin(2 * np.pi * f * t) for f in (196.0, 246.9, 293.7, 392.0)).astype(np.float32)  # type: ignore[union-attr]


def hiss(level: float = 0.02) -> Audio:
    return (level * np.random.default_rng(3).standard_normal((SECONDS * SAMPLE_RATE, 2))).astype(np.float32)


def panned(sound: Mono, left: float, right: float) -> Audio:
    return np.stack([left * sound, right * sound], axis=1)


def level_of(sound: Mono, mixed: Mono) -> float:
    """How much of ``sound`` is in ``mixed``: 1 when all of it."""
    return abs(float(np.dot(sound, mixed) / np.dot(sound, sound)))


@pytest.mark.parametrize(("left", "right"), [(1, -1), (1, -0.7), (-0.5, 1)])
@pytest.mark.parametrize("behind", ["nothing", "noise", "music in the middle"])
def test_a_voice_in_opposite_phase_is_kept(left: float, right: float, behind: str) -> None:
    beside = {"nothing": 0 * hiss(), "noise": hiss(), "music in the middle": panned(chord(), 1, 1)}[behind]
    assert level_of(syllables(), to_mono(panned(syllables(), left, right) + beside)) > 0.45


def test_a_voice_in_opposite_phase_and_one_in_phase_are_both_kept() -> None:
    first, second = syllables(), np.roll(syllables(210), SAMPLE_RATE)
    mixed = to_mono(panned(first, 1, -1) + panned(second, 1, 1))
    assert min(level_of(first, mixed), level_of(second, mixed)) > 0.45


def test_a_voice_that_turns_its_phase_is_kept_before_and_after() -> None:
    turned = np.where(np.arange(SECONDS * SAMPLE_RATE) < 2 * SAMPLE_RATE, -1, 1)
    mixed = to_mono(np.stack([syllables(), turned * syllables()], axis=1))
    for part in (slice(0, 2 * SAMPLE_RATE), slice(3 * SAMPLE_RATE, None)):
        assert level_of(syllables()[part], mixed[part]) > 0.45


def faint_and_turned() -> Audio:
    """What a separator leaves of a pause, 80 dB below the voice."""
    return panned(np.where(syllables() == 0, 1e-4 * chord(), 0).astype(np.float32), 1, -1)


@pytest.mark.parametrize(
    "sound",
    [
        panned(syllables(), 1, 1),
        panned(syllables(), 1, 0),
        panned(syllables(), 0.3, 1) + hiss(),
        panned(syllables(), 1, 0) + panned(np.roll(syllables(210), SAMPLE_RATE), 0, 1),
        panned(syllables(), 1, 1) + faint_and_turned(),
        hiss(),
        0 * hiss(),
        panned(syllables(), 1, 1)[:100],
        panned(syllables(), 1, 1)[:0],
    ],
    ids=[
        "middle",
        "left only",
        "to the right",
        "a speaker on each side",
        "faint rest in opposite phase",
        "noise",
        "silence",
        "short",
        "nothing",
    ],
)
def test_where_nothing_cancels_it_is_the_mean(sound: Audio) -> None:
    np.testing.assert_allclose(to_mono(sound), sound.mean(axis=1), atol=1e-6)


def test_one_channel_is_as_it_is() -> None:
    np.testing.assert_array_equal(to_mono(syllables()[:, None]), syllables())


@pytest.mark.parametrize(("right", "told"), [(1, False), (0, False), (-1, True)])
def test_a_file_whose_channels_cancel(tmp_path: Path, right: float, told: bool) -> None:
    with audio.writer(tmp_path / "a.flac") as out:
        out.write(panned(syllables(), 1, right))
    assert audio.cancels(tmp_path / "a.flac") is told
    blocks = np.concatenate(list(audio.mono_blocks(tmp_path / "a.flac", SAMPLE_RATE)))
    assert level_of(syllables(), blocks) > 0.45
