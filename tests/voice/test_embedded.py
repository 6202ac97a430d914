"""The embedded separator as a creator hears it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from bgm.engines import EngineOptions
from bgm.errors import Cancelled
from bgm.progress import silent
from bgm.voice import rnnoise
from bgm.voice.background import measure
from bgm.voice.cleaning import Cleaner
from bgm.voice.embedded import EmbeddedSeparator
from bgm.voice.separation import Separation
from tests.voice.sounds import JFK_SPEECH, RATE, Sound, Spans, level_db, load, mixed, music, read, si_sdr, talk, write


def separated(folder: Path, sound: np.ndarray, speech: Spans) -> tuple[np.ndarray, Separation]:
    source = write(folder / "source.flac", sound)
    report = EmbeddedSeparator(EngineOptions()).separate(source, speech, folder / "voice.flac", silent)
    return soundfile.read(str(folder / "voice.flac"), dtype="float32")[0], report


@pytest.fixture(scope="module")
def babble() -> tuple[Sound, Spans]:
    return talk(6.0)


@pytest.mark.parametrize(("ratio_db", "gain_db"), [(0, 4.5), (5, 3.0)])
def test_speech_comes_out_of_music(tmp_path: Path, jfk: Path, ratio_db: float, gain_db: float) -> None:
    speech = load(jfk)
    mix = mixed(speech, music(11.0), ratio_db)
    voice, report = separated(tmp_path, mix, JFK_SPEECH)
    assert si_sdr(voice, speech) - si_sdr(mix, speech) > gain_db
    assert report.strength > 0.8
    assert report.background_db is not None
    assert -10 < report.background_db < -2


def test_clean_speech_is_left_alone(tmp_path: Path, jfk: Path) -> None:
    speech = load(jfk)
    voice, report = separated(tmp_path, speech, JFK_SPEECH)
    assert si_sdr(voice, speech) > 30
    assert report.strength < 0.05


def test_speech_with_quiet_pauses_is_copied_bit_by_bit(tmp_path: Path, babble: tuple[Sound, Spans]) -> None:
    sound, spans = babble
    voice, report = separated(tmp_path, sound, spans)
    assert np.array_equal(voice, read(tmp_path / "source.flac"))
    assert report.strength == 0
    assert "left as it is" in report.notes[0]


def test_old_music_is_gone_between_phrases(tmp_path: Path, babble: tuple[Sound, Spans]) -> None:
    sound, spans = babble
    mix = mixed(sound, music(6.0), 5)
    voice, _ = separated(tmp_path, mix, spans)
    pause = slice(int(3.0 * RATE), int(3.05 * RATE))  # the middle of a second without speech
    assert level_db(voice[pause]) < level_db(mix[pause]) - 50


def test_words_that_voice_activity_missed_under_music_are_kept(tmp_path: Path, jfk: Path) -> None:
    speech = load(jfk)
    mix = mixed(speech, music(11.0), 0)
    voice, _ = separated(tmp_path, mix, (JFK_SPEECH[0], JFK_SPEECH[2]))
    missed = slice(int(8.2 * RATE), int(10.4 * RATE))
    assert si_sdr(voice[missed], speech[missed]) > si_sdr(mix[missed], speech[missed]) + 2


def test_a_long_stretch_of_music_stays_out(tmp_path: Path) -> None:
    speech, spans = talk(6.0)
    sound = np.concatenate([0.5 * speech, np.zeros(8 * RATE, np.float32)]) + 0.5 * music(14.0)
    voice, _ = separated(tmp_path, sound, spans)
    after = slice(int(6.5 * RATE), int(13.9 * RATE))
    assert level_db(voice[after]) < level_db(sound[after]) - 30


def test_a_breath_before_and_a_word_end_after_the_speech_are_kept(tmp_path: Path) -> None:
    sound, spans = talk(6.0)
    hiss = np.random.default_rng(1).standard_normal(RATE // 5).astype(np.float32) * 0.02
    for start, end in spans:
        sound[int((start - 0.2) * RATE) :][: len(hiss)] += hiss
        sound[int(end * RATE) :][: len(hiss)] += hiss[: len(sound) - int(end * RATE)]
    hum = 0.012 * np.sin(2 * np.pi * 100 * np.arange(len(sound)) / RATE).astype(np.float32)
    voice, report = separated(tmp_path, sound + hum, spans)
    pause = slice(int(2.99 * RATE), int(3.01 * RATE))
    assert level_db(voice[pause]) < level_db((sound + hum)[pause]) - 20
    assert report.strength < 0.1, "the hum is too quiet for the mask: only the gate is at work"
    for start, end in spans:
        for at in (start - 0.2, end):
            around = slice(int(at * RATE), int((at + 0.19) * RATE))
            assert level_db(voice[around]) == pytest.approx(level_db((sound + hum)[around]), abs=0.5)


def test_music_that_ends_leaves_the_clean_rest_alone(tmp_path: Path) -> None:
    sound, spans = talk(60.0)
    bed = music(60.0)
    bed[15 * RATE :] = 0
    voice, report = separated(tmp_path, sound + bed, spans)
    assert si_sdr(voice[40 * RATE :], sound[40 * RATE :]) > 30
    assert 0.1 < report.strength < 0.6


@pytest.mark.parametrize("shape", [(100_003,), (100_003, 2), (14_400,), (14_400, 2), (1,)])
def test_the_voice_is_as_long_and_as_wide_as_the_source(tmp_path: Path, shape: tuple[int, ...]) -> None:
    sound = np.random.default_rng(0).standard_normal(shape).astype(np.float32) * 0.1
    voice, _ = separated(tmp_path, sound, ((0.05, 0.15),))
    assert voice.shape == sound.shape


def test_the_voice_stays_on_its_side(tmp_path: Path, babble: tuple[Sound, Spans]) -> None:
    sound, spans = babble
    stereo = np.stack([mixed(sound, music(6.0), 5), np.zeros_like(sound)], axis=1)
    voice, _ = separated(tmp_path, stereo, spans)
    assert np.abs(voice[:, 1]).max() == 0
    assert level_db(voice[:, 0]) > -35


def test_blocks_join_without_a_seam(tmp_path: Path, babble: tuple[Sound, Spans]) -> None:
    sound, spans = babble
    source = write(tmp_path / "source.flac", mixed(sound, music(6.0), 5))
    background = measure(source, spans, silent)
    for block in (48, 480):
        Cleaner(source, spans, background, block * 2048).write(tmp_path / f"{block}.flac", silent)
    small, whole = read(tmp_path / "48.flac"), read(tmp_path / "480.flac")
    assert level_db(small - whole) < level_db(whole) - 60


def test_silence_stays_silent(tmp_path: Path) -> None:
    for spans in ((), ((0.5, 1.5),)):
        voice, _ = separated(tmp_path, np.zeros(2 * RATE, np.float32), spans)
        assert not voice.any()


def test_without_speech_the_old_sound_goes_and_the_log_says_so(tmp_path: Path) -> None:
    voice, report = separated(tmp_path, music(3.0), ())
    assert not voice.any()
    assert report.background_db is None
    assert "original" in report.notes[0]


def test_without_a_pause_nothing_is_guessed(tmp_path: Path) -> None:
    sound = talk(2.0)[0] + music(2.0)
    voice, report = separated(tmp_path, sound, ((0.0, 2.0),))
    assert np.array_equal(voice, read(tmp_path / "source.flac"))
    assert "no pause" in report.notes[0]


@pytest.mark.parametrize("calls", [1, 3, 5])
def test_stopping_leaves_no_file(tmp_path: Path, babble: tuple[Sound, Spans], calls: int) -> None:
    sound, spans = babble
    source = write(tmp_path / "source.flac", mixed(sound, music(6.0), 5))
    left = calls

    def stop(fraction: float, note: str = "") -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        EmbeddedSeparator(EngineOptions()).separate(source, spans, tmp_path / "voice.flac", stop)
    assert [path.name for path in tmp_path.iterdir()] == ["source.flac"]


def test_progress_grows_to_the_end(tmp_path: Path, babble: tuple[Sound, Spans]) -> None:
    sound, spans = babble
    source = write(tmp_path / "source.flac", mixed(sound, music(6.0), 5))
    seen: list[float] = []
    EmbeddedSeparator(EngineOptions()).separate(
        source, spans, tmp_path / "voice.flac", lambda fraction, note="": seen.append(fraction)
    )
    assert seen == sorted(seen)
    assert seen[-1] == 1
    assert len(seen) >= 5


def test_it_works_without_rnnoise_and_says_so(
    tmp_path: Path, babble: tuple[Sound, Spans], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rnnoise, "_library", lambda: None)
    sound, spans = babble
    mix = mixed(sound, music(6.0), 0)
    voice, report = separated(tmp_path, mix, spans)
    assert si_sdr(voice, sound) > si_sdr(mix, sound) + 2
    assert "RNNoise" in report.notes[-1]
