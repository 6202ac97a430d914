"""What decides how far a voice is separated, and the sound as it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bgm.engines import EngineOptions
from bgm.progress import silent
from bgm.voice.separation import Original, measure
from bgm.voice.spleeter import PAD_SECONDS, opening
from testing.voice_sounds import JFK_SPEECH, RATE, level_db, read, talk, write

ROOT = Path(__file__).resolve().parents[2]


def test_pads_around_speech_are_fully_open() -> None:
    moments = np.arange(0, 10, 0.01)
    open_share = opening(((3.0, 4.0), (4.9, 5.0)), moments)
    assert PAD_SECONDS >= 0.15
    assert np.all(open_share[(moments > 3 - PAD_SECONDS) & (moments < 4 + PAD_SECONDS)] > 0.999)
    assert np.all(open_share[(moments < 2.5) | (moments > 5.5)] == 0)
    assert np.abs(np.diff(open_share)).max() < 0.15, "soft flanks"


def test_a_laugh_in_a_pause_is_not_background(tmp_path: Path) -> None:
    sound, spans = talk(30.0)
    laugh = np.random.default_rng(0).standard_normal(RATE // 2).astype(np.float32) * 0.1
    sound[int(2.75 * RATE) :][: len(laugh)] += laugh
    background = measure(write(tmp_path / "s.flac", sound), spans, silent)
    assert background.leaves_alone()


def test_the_background_is_measured_as_it_is(tmp_path: Path) -> None:
    sound, spans = talk(30.0)
    noise = np.random.default_rng(0).standard_normal(len(sound)).astype(np.float32)
    speaking = level_db(np.concatenate([sound[int(a * RATE) : int(b * RATE)] for a, b in spans]))
    for wanted in (-30.0, -12.0):
        mix = sound + noise * np.float32(10 ** ((speaking + wanted) / 20))
        found = measure(write(tmp_path / "s.flac", mix), spans, silent).overall_db
        assert found == pytest.approx(wanted, abs=0.8)


def test_original_is_the_sound_as_it_is(tmp_path: Path) -> None:
    source = write(tmp_path / "s.flac", np.random.default_rng(0).uniform(-1, 1, (50_000, 2)).astype(np.float32))
    report = Original(EngineOptions()).separate(source, tmp_path / "v.flac", lambda path, progress: JFK_SPEECH, silent)
    assert np.array_equal(read(tmp_path / "v.flac"), read(source))
    assert report.strength == 0
    assert report.speech == JFK_SPEECH
