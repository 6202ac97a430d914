"""The parts that the embedded separator is put together from."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bgm.engines import EngineOptions
from bgm.progress import silent
from bgm.voice import nmf
from bgm.voice.background import measure
from bgm.voice.gate import PAD_SECONDS, opening
from bgm.voice.original import Original
from bgm.voice.rnnoise import Denoiser
from bgm.voice.stft import Stft
from tests.voice.sounds import JFK_SPEECH, RATE, level_db, load, music, read, talk, write

ROOT = Path(__file__).resolve().parents[2]
PEAK_MEMORY = """
import sys
from pathlib import Path
from bgm.engines import EngineOptions
from bgm.progress import silent
from bgm.voice.embedded import EmbeddedSeparator
folder, minutes = Path(sys.argv[1]), int(sys.argv[2])
spans = tuple((3.0 * i + 0.5, 3.0 * i + 2.5) for i in range(20 * minutes))
EmbeddedSeparator(EngineOptions()).separate(folder / f"{minutes}.flac", spans, folder / "voice.flac", silent)
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(int(peak.split()[1]))
"""


@pytest.mark.parametrize("samples", [1, 511, 512, 5000, 9216])
def test_a_transform_and_back_is_the_same_sound(samples: int) -> None:
    sound = np.random.default_rng(samples).standard_normal(samples).astype(np.float32)
    for transform in (Stft(2048, 512), Stft(8192, 2048)):
        there = transform.forward(sound)
        assert there.shape == (1 + -(-samples // transform.hop), 1 + transform.size // 2)
        np.testing.assert_allclose(transform.inverse(there, samples), sound, atol=2e-6)


def test_rnnoise_is_in_step_with_its_input_whatever_the_pushes(jfk: Path) -> None:
    sound = load(jfk)[: 4 * RATE]
    outputs = []
    for size in (RATE, 777):
        with Denoiser() as denoiser:
            pieces = [denoiser.push(sound[at : at + size]) for at in range(0, len(sound), size)]
            outputs.append(np.concatenate([*pieces, denoiser.flush()])[: len(sound)])
    assert len(outputs[1]) == len(sound)
    np.testing.assert_array_equal(*outputs)
    lags = range(-480, 481, 60)
    middle = slice(RATE, 3 * RATE)
    assert max(lags, key=lambda lag: float(np.roll(outputs[0], lag)[middle] @ sound[middle])) == 0


def test_music_learnt_from_pauses_is_told_from_speech() -> None:
    transform = Stft(2048, 512)
    bed, voice = music(6.0, drums=False), talk(6.0)[0]
    pause, mix = (np.abs(transform.forward(sound))[:, :512] for sound in (bed[: 3 * RATE], (bed + voice)[3 * RATE :]))
    dictionary = nmf.learn(pause, mix)
    assert dictionary is not None
    on_music = dictionary.speech_mask(np.abs(transform.forward(bed)))
    on_voice = dictionary.speech_mask(np.abs(transform.forward(voice)))
    assert on_voice.shape[1] == 1025
    weigh = np.square(np.abs(transform.forward(bed))), np.square(np.abs(transform.forward(voice)))
    assert np.average(on_music, weights=weigh[0]) < 0.35
    assert np.average(on_voice, weights=weigh[1]) > 0.65


def test_too_few_frames_teach_nothing() -> None:
    few, many = np.ones((19, 512), np.float32), np.ones((100, 512), np.float32)
    assert nmf.learn(few, many) is None
    assert nmf.learn(many, few) is None


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
    report = Original(EngineOptions()).separate(source, JFK_SPEECH, tmp_path / "v.flac", silent)
    assert np.array_equal(read(tmp_path / "v.flac"), read(source))
    assert report.strength == 0


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the peak memory from /proc")
def test_memory_does_not_grow_with_the_length(tmp_path: Path) -> None:
    sound, _ = talk(60.0)
    minute = np.stack([sound + music(60.0)] * 2, axis=1)
    peaks = []
    for minutes in (1, 10):
        write(tmp_path / f"{minutes}.flac", np.tile(minute, (minutes, 1)))
        done = subprocess.run(
            [sys.executable, "-c", PEAK_MEMORY, str(tmp_path), str(minutes)],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
        peaks.append(int(done.stdout) / 1024)
    assert peaks[1] < peaks[0] + 12, "MiB: a block of ten seconds in stereo is 3.7"
