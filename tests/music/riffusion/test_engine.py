"""The engine on a tiny random checkpoint in riffusion-model-v1's own layout, sketched by synthetic music."""

from __future__ import annotations

import shutil
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from bgm import weights
from bgm.engines import EngineOptions
from bgm.errors import BadInput, Cancelled
from bgm.media import audio
from bgm.music.composer.compose import compose
from bgm.music.riffusion import model
from bgm.music.riffusion.engine import Riffusion
from bgm.music.riffusion.multidiffusion import DenoiseSettings
from bgm.music.riffusion.strands import composed
from bgm.music.score import Cue, Piece, Score
from bgm.progress import Progress, silent
from bgm.timeline import Emotion
from testing.riffusion_checkpoint import write_checkpoint, write_lora
from tests.fake_hub import put_in_cache
from tests.music.riffusion.sounds import Sound, music, one_thread

__all__ = ["one_thread"]
pytestmark = pytest.mark.checkpoint
FAST = DenoiseSettings(steps=3)
SECOND = audio.SAMPLE_RATE


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture(scope="module")
def engine(checkpoint: Path) -> Riffusion:
    return Riffusion(EngineOptions(model=str(checkpoint), lora="none"), settings=FAST, seed_renderer=sketch)


def sketch(cue: Cue, target: Path, progress: Progress) -> Score:
    sound = music(cue.frames / SECOND + 0.01, SECOND, cue.seed)[: cue.frames]
    soundfile.write(target, sound, SECOND, subtype="PCM_24")
    return compose(cue)


def cue(start: float, stop: float, seed: int = 0, emotion: Emotion = Emotion.JOY) -> Cue:
    frames = audio.frames_of(stop) - audio.frames_of(start)
    return Cue(Piece(7, 20.0), frames, emotion, 0.9, "", seed, start == 0, False, start=start)


def made(engine: Riffusion, folder: Path, *cues: Cue, progress: Progress = silent) -> list[Path]:
    folder.mkdir(exist_ok=True)
    targets = [folder / f"{i}.flac" for i in range(len(cues))]
    written = []
    for take in engine.compose(cues, targets, progress):
        assert targets[take.index].is_file(), "a cue is announced when its file is there"
        written.append(take.index)
    assert sorted(written) == list(range(len(cues)))
    return targets


def notes_of(engine: Riffusion, folder: Path) -> str:
    """What is noted of the making of a short take."""
    [take] = engine.compose([cue(0.0, 1.0)], [folder / "noted.flac"], silent)
    return " ".join(take.notes)


def jump(left: Sound, right: Sound) -> float:
    """How far the wave bends where two sounds meet, against the 99.9th percentile of its bends inside."""
    bends = np.abs(np.diff(np.concatenate([left, right]), n=2, axis=0)).max(axis=1)
    at = len(left) - 2
    return float(bends[at - 2 : at + 3].max() / np.quantile(bends, 0.999))


def test_takes_have_their_exact_length_and_format(engine: Riffusion, tmp_path: Path) -> None:
    cues = [cue(0.0, 1.23457), cue(9.0, 12.00001, seed=3)]
    for target, wanted in zip(made(engine, tmp_path, *cues), cues, strict=True):
        info = soundfile.info(str(target))
        assert (info.frames, info.samplerate, info.channels) == (wanted.frames, 48_000, 2)
        assert (info.format, info.subtype) == ("FLAC", "PCM_24")
        sound = audio.read(target)
        assert 0.01 < np.abs(sound).max() <= 1.0
        assert not np.allclose(sound[:, 0], sound[:, 1]), "the sketch's stereo field is kept"


def test_segments_that_touch_are_one_piece_and_takes_differ(engine: Riffusion, tmp_path: Path) -> None:
    joy, fear = cue(0.0, 3.1, seed=1), cue(3.1, 6.0, seed=2, emotion=Emotion.FEAR)
    others = [replace(joy, seed=5), replace(fear, seed=6)]
    sounds = [audio.read(t) for t in made(engine, tmp_path, joy, others[0], fear, others[1])]
    for take in (0, 1):
        assert jump(sounds[take], sounds[2 + take]) < 2.0
    assert np.corrcoef(sounds[0][:, 0], sounds[1][:, 0])[0, 1] < 0.9


def test_the_same_cue_gives_the_same_bytes(engine: Riffusion, tmp_path: Path) -> None:
    first, second = (made(engine, tmp_path / name, cue(0.0, 2.0))[0] for name in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()


def test_a_segment_made_again_joins_its_neighbours(engine: Riffusion, tmp_path: Path) -> None:
    before, after = made(engine, tmp_path, cue(0.0, 4.0, seed=1), cue(7.0, 10.0, seed=2))
    middle = replace(cue(4.0, 7.0, seed=3), before=Emotion.JOY, after=Emotion.JOY, before_take=before, after_take=after)
    kept = before.read_bytes(), after.read_bytes()
    [again] = made(engine, tmp_path / "again", middle)
    assert jump(audio.read(before), audio.read(again)) < 2.0
    assert jump(audio.read(again), audio.read(after)) < 2.0
    assert (before.read_bytes(), after.read_bytes()) == kept
    [alone] = made(engine, tmp_path / "alone", replace(middle, before_take=None, after_take=None))
    assert audio.read(alone)[0].tolist() != audio.read(again)[0].tolist()


def test_a_long_strand_goes_in_parts_without_seams(
    engine: Riffusion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bgm.music.riffusion.strands.PART", 60 * 3840)
    [target] = made(engine, tmp_path, cue(0.0, 9.0, seed=4))
    sound = audio.read(target)
    assert len(sound) == 9 * SECOND
    step = 57 * 3840
    assert jump(sound[:step], sound[step:]) < 2.0


def test_the_video_ends_in_silence(engine: Riffusion, tmp_path: Path) -> None:
    [target] = made(engine, tmp_path, replace(cue(0.0, 3.0), ending=True))
    sound = audio.read(target)
    assert np.abs(sound[-1]).max() < 1e-4
    assert np.abs(sound[-480:]).max() < 0.1 * np.abs(sound).max()


def test_progress_goes_on_and_stopping_leaves_nothing(engine: Riffusion, tmp_path: Path) -> None:
    told: list[float] = []
    made(engine, tmp_path / "whole", cue(0.0, 2.0), progress=lambda fraction, note="": told.append(fraction))
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1.0)

    def stop(fraction: float, note: str = "") -> None:
        if note == "painting the music" and fraction > 0.4:
            raise Cancelled("stopped")

    (tmp_path / "stopped").mkdir()
    with pytest.raises(Cancelled):
        list(engine.compose([cue(0.0, 2.0)], [tmp_path / "stopped" / "0.flac"], stop))
    assert not list((tmp_path / "stopped").iterdir())
    made(engine, tmp_path / "after", cue(0.0, 1.0))


def test_what_is_finished_is_kept_when_a_later_piece_is_stopped(engine: Riffusion, tmp_path: Path) -> None:
    targets = [tmp_path / "0.flac", tmp_path / "1.flac"]
    work = engine.compose([cue(0.0, 1.0), cue(5.0, 6.0)], targets, silent)
    assert next(work).index == 0
    work.close()  # type: ignore[attr-defined]
    assert [path.name for path in tmp_path.iterdir()] == ["0.flac"]


def test_the_prompt_the_seed_and_the_lora_are_heard(checkpoint: Path, engine: Riffusion, tmp_path: Path) -> None:
    plain = cue(0.0, 1.0)
    adapter = write_lora(checkpoint, tmp_path / "pytorch_lora_weights.bin", scale=1.0)
    adapted = Riffusion(
        EngineOptions(model=str(checkpoint), lora=f"{adapter}@0.8"), settings=FAST, seed_renderer=sketch
    )
    files = [
        *(
            made(engine, tmp_path / f"{i}", c)[0]
            for i, c in enumerate([plain, replace(plain, prompt="jojojo", seed=0)])
        ),
        made(adapted, tmp_path / "lora", plain)[0],
    ]
    sounds = [audio.read(file) for file in files]
    assert not np.array_equal(sounds[0], sounds[1])
    assert not np.array_equal(sounds[0], sounds[2])
    assert "weight 0.8" in notes_of(adapted, tmp_path)


def test_it_goes_on_without_a_lora_that_cannot_be_had(checkpoint: Path, tmp_path: Path, empty_cache: Path) -> None:
    without = Riffusion(EngineOptions(model=str(checkpoint), offline=True), settings=FAST, seed_renderer=sketch)
    assert "plain checkpoint" in notes_of(without, tmp_path)


def test_our_composer_makes_the_sketch_by_default(checkpoint: Path, tmp_path: Path) -> None:
    composing = Riffusion(EngineOptions(model=str(checkpoint), lora="none"), settings=DenoiseSettings(steps=1))
    [target] = made(composing, tmp_path, cue(0.0, 3.0))
    assert audio.length(target) == 3 * SECOND
    composed(cue(0.0, 3.0), tmp_path / "sketch.flac", silent)
    assert audio.length(tmp_path / "sketch.flac") == 3 * SECOND


def test_one_loaded_model_serves_all(checkpoint: Path, engine: Riffusion, tmp_path: Path) -> None:
    other = Riffusion(EngineOptions(model=str(checkpoint), lora="none"), settings=FAST, seed_renderer=sketch)
    made(engine, tmp_path, cue(0.0, 1.0))
    key = model.ModelKey.of(EngineOptions(model=str(checkpoint), lora="none"))
    loaded = model.shared(key, silent)
    assert loaded.leave()
    made(other, tmp_path, cue(0.0, 1.0))
    assert model.shared(key, silent) is loaded


def test_whoever_waits_for_the_gpu_can_be_cancelled(engine: Riffusion, tmp_path: Path) -> None:
    def stop(fraction: float, note: str = "") -> None:
        if "waiting" in note:
            raise Cancelled("stopped")

    with model.gpu_turn(silent), pytest.raises(Cancelled):
        list(engine.compose([cue(0.0, 1.0)], [tmp_path / "0.flac"], stop))
    assert not list(tmp_path.iterdir())


def test_why_it_cannot_run(
    checkpoint: Path, tmp_path: Path, empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(**options: object) -> str | None:
        return Riffusion.missing(EngineOptions(**options))  # type: ignore[arg-type]

    assert missing(model=str(checkpoint)) is None
    assert "no model_index.json" in (missing(model=str(tmp_path)) or "")
    assert missing(offline=True)
    monkeypatch.setattr(weights, "why_no_model", lambda *_, **__: None)
    monkeypatch.setattr(model, "has_accelerator", lambda: False)
    assert "no GPU" in (missing() or "")
    assert missing(device="cpu") is None
    monkeypatch.setattr(model, "has_accelerator", lambda: True)
    assert missing() is None


def test_cached_weights_and_the_cached_lora_are_used_without_any_network(
    checkpoint: Path, tmp_path: Path, empty_cache: Path, no_network: None
) -> None:
    published = "riffusion/riffusion-model-v1"
    put_in_cache(empty_cache, published, lambda folder: shutil.copytree(checkpoint, folder, dirs_exist_ok=True))
    put_in_cache(
        empty_cache, model.DEFAULT_LORA, lambda folder: write_lora(checkpoint, folder / "pytorch_lora_weights.bin")
    )
    options = EngineOptions(device="cpu")
    assert Riffusion.missing(options) is None
    engine = Riffusion(options, settings=DenoiseSettings(steps=1), seed_renderer=sketch)
    [target] = made(engine, tmp_path / "made", cue(0.0, 1.0))
    assert audio.length(target) == SECOND
    assert "LoRA JD97/Riffusion_sentiment_LoRA" in notes_of(engine, tmp_path)


def test_code_in_a_checkpoint_is_not_run(checkpoint: Path, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.write_text, (tmp_path / "sprung", "")

    shutil.copytree(checkpoint, tmp_path / "trapped")
    torch.save({"conv_in.weight": Trap()}, tmp_path / "trapped" / "unet" / "diffusion_pytorch_model.bin")
    engine = Riffusion(EngineOptions(model=str(tmp_path / "trapped"), lora="none"), seed_renderer=sketch)
    with pytest.raises(BadInput, match="can't be loaded"):
        list(engine.compose([cue(0.0, 1.0)], [tmp_path / "0.flac"], silent))
    assert not (tmp_path / "sprung").exists()


def test_a_checkpoint_that_cannot_be_loaded_is_named(checkpoint: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(checkpoint, broken)
    next((broken / "unet").glob("diffusion_pytorch_model.*")).write_bytes(b"not weights at all")
    engine = Riffusion(EngineOptions(model=str(broken), lora="none"), seed_renderer=sketch)
    with pytest.raises(BadInput, match="can't be loaded"):
        list(engine.compose([cue(0.0, 1.0)], [tmp_path / "0.flac"], silent))
    assert not (tmp_path / "0.flac").exists()


def peak_of_arrays(engine: Riffusion, folder: Path, *cues: Cue) -> int:
    """Most bytes of numpy's arrays and Python's objects at once while the cues are made."""
    tracemalloc.start()
    try:
        made(engine, folder, *cues)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("count", "growth"), [(4, 1.5), pytest.param(8, 1.1, marks=pytest.mark.slow)])
def test_memory_does_not_grow_with_the_length_of_the_strand(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, growth: float
) -> None:
    monkeypatch.setattr("bgm.music.riffusion.strands.PART", 4 * count * 3840)
    options = EngineOptions(model=str(checkpoint), lora="none")
    engine = Riffusion(options, settings=DenoiseSettings(steps=1), seed_renderer=sketch)
    cues = [cue(2.5 * i, 2.5 * (i + 1), seed=i) for i in range(count)]
    made(engine, tmp_path / "first", cues[0])
    half = peak_of_arrays(engine, tmp_path / "half", *cues[: count // 2])
    assert peak_of_arrays(engine, tmp_path / "whole", *cues) < growth * half
