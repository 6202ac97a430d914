from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from bgm.errors import Cancelled
from bgm.media.audio import SAMPLE_RATE
from bgm.speech.activity import speech_spans
from tests.speech.sounds import Wave, silence, write


def test_speech_is_found_between_silences(speech: Wave, tmp_path: Path) -> None:
    spans = speech_spans(write(tmp_path / "a.flac", [silence(3), speech, silence(4)]))
    assert 3.0 <= spans[0][0] <= 3.6
    assert 13.5 <= spans[-1][1] <= 14.5
    assert all(a < b <= c < d for (a, b), (c, d) in pairwise(spans))


def test_a_pause_of_a_second_divides_speech(speech: Wave, tmp_path: Path) -> None:
    phrase = speech[: 2 * SAMPLE_RATE]
    spans = speech_spans(write(tmp_path / "a.flac", [phrase, silence(2), phrase]))
    assert len(spans) == 2
    assert spans[0][1] < 3.0 < spans[1][0]


def test_a_few_words_in_a_long_silence_are_found(speech: Wave, tmp_path: Path) -> None:
    spans = speech_spans(write(tmp_path / "a.flac", [silence(60), speech[: 2 * SAMPLE_RATE], silence(60)]))
    assert len(spans) == 1
    assert 60.0 <= spans[0][0] < spans[0][1] <= 62.5


@pytest.mark.parametrize("attenuation_db", [30, 60])
def test_a_very_quiet_recording_is_heard_like_a_loud_one(speech: Wave, tmp_path: Path, attenuation_db: int) -> None:
    loud = speech_spans(write(tmp_path / "loud.flac", [speech]))
    quiet = speech_spans(write(tmp_path / "quiet.flac", [speech * 10 ** (-attenuation_db / 20)]))
    assert _seconds(quiet) == pytest.approx(_seconds(loud), rel=0.1)


def test_a_voice_whose_two_channels_cancel_is_heard(speech: Wave, tmp_path: Path) -> None:
    cancelling = speech[:, :1] * np.array([[1, -1]], np.float32)
    heard = speech_spans(write(tmp_path / "cancelling.flac", [cancelling]))
    assert _seconds(heard) == pytest.approx(_seconds(speech_spans(write(tmp_path / "a.flac", [speech]))), rel=0.1)


@pytest.mark.parametrize("level", [0.0, 1e-5, 1e-3, 0.1])
def test_silence_and_noise_are_not_speech(tmp_path: Path, level: float) -> None:
    noise = level * np.random.default_rng(1).standard_normal((5 * SAMPLE_RATE, 2)).astype(np.float32)
    assert speech_spans(write(tmp_path / "noise.flac", [noise])) == ()


def test_music_is_not_speech(tmp_path: Path) -> None:
    t = np.arange(6 * SAMPLE_RATE) / SAMPLE_RATE
    chord = sum(0.1 * np.sin(2 * np.pi * f * t) for f in (220.0, 277.2, 329.6, 440.0)) * (1 - t % 1)
    assert speech_spans(write(tmp_path / "chord.flac", [np.stack([chord, chord], 1).astype(np.float32)])) == ()


@pytest.mark.parametrize("frames", [1, 300, 5_000])
def test_a_recording_shorter_than_a_word_has_no_speech(tmp_path: Path, frames: int) -> None:
    assert speech_spans(write(tmp_path / "short.flac", [np.full((frames, 1), 0.1, np.float32)])) == ()


def test_speech_to_the_last_sample_ends_with_the_recording(speech: Wave, tmp_path: Path) -> None:
    cut = speech[: round(1.5 * SAMPLE_RATE)]
    assert speech_spans(write(tmp_path / "cut.flac", [cut]))[-1][1] == pytest.approx(1.5, abs=0.001)


def test_torch_keeps_its_threads_here_and_in_what_runs_beside(jfk_48k: Path) -> None:
    import torch

    before, beside = torch.get_num_threads(), []

    def look(fraction: float, note: str = "") -> None:
        with ThreadPoolExecutor(1) as another:
            beside.append(another.submit(torch.get_num_threads).result())

    speech_spans(jfk_48k, look)
    assert torch.get_num_threads() == before
    assert set(beside) == {before}


def test_progress_rises_to_one_and_can_stop_the_work(jfk_48k: Path) -> None:
    seen: list[float] = []
    speech_spans(jfk_48k, lambda fraction, note="": seen.append(fraction))
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert len(seen) > 10

    def stop(fraction: float, note: str = "") -> None:
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        speech_spans(jfk_48k, stop)


def _seconds(spans: tuple[tuple[float, float], ...]) -> float:
    return sum(end - start for start, end in spans)
