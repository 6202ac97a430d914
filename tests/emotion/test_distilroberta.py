"""The pretrained engine through its real path, with a tiny checkpoint of the same kind."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bgm import engines
from bgm.emotion.distilroberta import DistilRoberta
from bgm.engines import EngineOptions, Stage
from bgm.errors import Cancelled, EngineUnavailable
from bgm.progress import silent
from bgm.timeline import EMOTIONS, Emotion
from tests.emotion.tiny_roberta import LABELS
from tests.fake_hub import FakeHub, put_in_cache

pytestmark = pytest.mark.checkpoint

TEXTS = ["why are you angry", "so happy", "so sad and so angry and why are you happy", "happy"]


def engine_on(folder: Path) -> DistilRoberta:
    return DistilRoberta(EngineOptions(model=str(folder), device="cpu"))


def altered(folder: Path, to: Path, old: str, new: str) -> Path:
    """A copy of the checkpoint with another config.json."""
    shutil.copytree(folder, to)
    config = (to / "config.json").read_text()
    assert old in config
    (to / "config.json").write_text(config.replace(old, new))
    return to


def test_scores_are_the_models_own_by_its_own_labels(tiny_roberta: Path) -> None:
    from transformers import pipeline

    published = pipeline("text-classification", model=str(tiny_roberta), top_k=None, device="cpu")
    answers = engine_on(tiny_roberta).classify(TEXTS)
    for text, scores in zip(TEXTS, answers, strict=True):
        expected = {Emotion(item["label"].lower()): item["score"] for item in published([text])[0]}
        assert scores == pytest.approx(expected, abs=1e-5)
        assert sum(scores.values()) == pytest.approx(1)
        assert tuple(scores) == EMOTIONS


def test_batches_keep_the_order(tiny_roberta: Path) -> None:
    engine = engine_on(tiny_roberta)
    many = engine.classify(TEXTS * 20)
    for i, scores in enumerate(engine.classify(TEXTS)):
        assert all(many[i + 4 * k] == pytest.approx(scores, abs=1e-5) for k in range(20))


def test_text_longer_than_the_model_is_cut(tiny_roberta: Path) -> None:
    engine = engine_on(tiny_roberta)
    long, longer = engine.classify(["so happy " * 200, "so happy " * 20000])
    assert long == pytest.approx(longer, abs=1e-6)


def test_empty_texts_lean_to_neutral_without_asking_the_model(tiny_roberta: Path) -> None:
    scores = engine_on(tiny_roberta).classify(["", "so happy", "♪"])
    assert scores[0] == scores[2]
    assert scores[0][Emotion.NEUTRAL] == 0.5
    assert scores[1][Emotion.NEUTRAL] != 0.5
    assert engine_on(tiny_roberta).classify([]) == []


def test_old_checkpoint_in_torchs_own_format_loads(tiny_roberta: Path, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file

    old = tmp_path / "old"
    shutil.copytree(tiny_roberta, old)
    torch.save(load_file(old / "model.safetensors"), old / "pytorch_model.bin")
    (old / "model.safetensors").unlink()
    assert DistilRoberta.missing(EngineOptions(model=str(old))) is None
    assert engine_on(old).classify(TEXTS)[0] == pytest.approx(engine_on(tiny_roberta).classify(TEXTS)[0], abs=1e-6)


def test_model_with_other_labels_is_refused(tiny_roberta: Path, tmp_path: Path) -> None:
    other = altered(tiny_roberta, tmp_path / "other", LABELS[0], "boredom")
    with pytest.raises(EngineUnavailable, match="boredom"):
        engine_on(other).classify(TEXTS)


def test_damaged_weights_are_explained(tiny_roberta: Path, tmp_path: Path) -> None:
    broken = altered(tiny_roberta, tmp_path / "broken", "{", "{")
    (broken / "model.safetensors").write_bytes(b"not weights at all")
    with pytest.raises(EngineUnavailable, match="can't be loaded"):
        engine_on(broken).classify(TEXTS)


def test_cached_weights_are_used_without_any_network(tiny_roberta: Path, empty_cache: Path, no_network: None) -> None:
    published = "j-hartmann/emotion-english-distilroberta-base"
    put_in_cache(empty_cache, published, lambda folder: shutil.copytree(tiny_roberta, folder, dirs_exist_ok=True))
    choice = engines.choose(Stage.CLASSIFY, "distilroberta", EngineOptions(device="cpu"))
    scores = DistilRoberta(choice.options).classify(TEXTS)
    assert scores[0] == pytest.approx(engine_on(tiny_roberta).classify(TEXTS)[0], abs=1e-6)


def test_the_weights_are_loaded_once_whatever_else_is_set(tiny_roberta: Path) -> None:
    engines_of_two = [
        DistilRoberta(EngineOptions(str(tiny_roberta), device="cpu", language=code)) for code in ("en", "ko")
    ]
    first, second = (engine._ready(silent) for engine in engines_of_two)
    assert first is second


def test_published_weights_are_downloaded_once(tiny_roberta: Path, fake_hub: FakeHub) -> None:
    fake_hub.files = {path.name: path.read_bytes() for path in tiny_roberta.iterdir()}
    options = EngineOptions(model="someone/model", device="cpu")
    assert DistilRoberta.missing(options) is None
    notes: list[str] = []
    scores = DistilRoberta(options).classify(TEXTS, lambda fraction, note="": notes.append(note))
    assert scores[0] == pytest.approx(engine_on(tiny_roberta).classify(TEXTS)[0], abs=1e-6)
    assert any("fetching someone/model" in note for note in notes)
    asked = fake_hub.asked
    DistilRoberta(options).classify(TEXTS)
    assert fake_hub.asked == asked


def test_without_weights_it_can_not_be_named(empty_cache: Path) -> None:
    with pytest.raises(EngineUnavailable, match="weights not cached"):
        engines.choose(Stage.CLASSIFY, "distilroberta", EngineOptions(offline=True))


def test_folder_that_is_no_model_is_named(tmp_path: Path) -> None:
    assert str(tmp_path) in (DistilRoberta.missing(EngineOptions(model=str(tmp_path))) or "")
    assert "has no model" in (DistilRoberta.missing(EngineOptions(model="/no/such/folder")) or "")


def test_progress_is_told_and_can_stop_the_work(tiny_roberta: Path) -> None:
    told: list[float] = []
    engine = engine_on(tiny_roberta)
    engine.classify(TEXTS * 20, lambda fraction, note="": told.append(fraction))
    assert told == sorted(told)
    assert told[-1] == 1

    def stop(fraction: float, note: str = "") -> None:
        if fraction > 0.5:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        engine.classify(TEXTS * 20, stop)
