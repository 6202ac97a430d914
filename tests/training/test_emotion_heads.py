"""The training script on a handful of sentences of our own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import emotion as benchmark
from bgm.emotion.words import WordsHead
from bgm.errors import BadInput
from bgm.timeline import EMOTIONS, Emotion
from bgm.training import emotion_heads
from bgm.training.goemotions import calibration_error, judge, read_split

LABELS = ("surprise", "neutral", "joy", "anger", "fear", "disgust", "sadness")
"""Another order than ours."""
WORDS = ("wow", "table", "happy", "furious", "scared", "gross", "sad")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    lines = [f"this is {word} number {n}\t{i}\tid{n}" for n in range(6) for i, word in enumerate(WORDS)]
    for name in ("train", "dev", "test"):
        (tmp_path / f"{name}.tsv").write_text("\n".join([*lines, "two labels\t0,1\tx"]) + "\n")
    (tmp_path / "labels.txt").write_text("\n".join(LABELS))
    return tmp_path


def test_labels_are_mapped_to_our_order_and_double_labels_left_out(data: Path) -> None:
    split = read_split(data, "train")
    assert len(split.texts) == 6 * len(WORDS)
    assert EMOTIONS[split.labels[2]] == Emotion.JOY
    assert "happy" in split.texts[2]


def test_training_writes_heads_that_have_learned_and_repeats_to_the_byte(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    features = data / "features"
    emotion_heads.main([str(data), "-o", str(data / "first"), "--cache", str(features)])
    assert "macro_f1" in capsys.readouterr().out
    emotion_heads.main([str(data), "-o", str(data / "second"), "--cache", str(features)])
    for name in ("words.npz", "layers.npz", "metrics.json"):
        assert (data / "first" / name).read_bytes() == (data / "second" / name).read_bytes()
    assert json.loads((data / "first" / "metrics.json").read_text())["minilm"]["accuracy"] == 1
    head = WordsHead.load(data / "first" / "words.npz")
    best = head.logits(["so furious", "a table"]).argmax(axis=1)
    assert [EMOTIONS[i] for i in best] == [Emotion.ANGER, Emotion.NEUTRAL]


def test_benchmark_prints_the_figures_of_any_engine(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    benchmark.main(["--data", str(data), "--classifier", "minilm:words", "--limit", "14", "--json"])
    figures = json.loads(capsys.readouterr().out)["minilm:words"]
    assert figures["sentences"] == 14
    assert figures["sentences_per_second"] > 0
    benchmark.main(["--data", str(data), "--classifier", "minilm:words"])
    told = capsys.readouterr().out
    assert all(word in told for word in ("accuracy", "macro_f1", "sentences/s", "truth / answer", "F1 disgust"))


def test_missing_data_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"train\.tsv"):
        read_split(tmp_path, "train")


def test_figures_of_a_judgement_worked_by_hand() -> None:
    probabilities = np.full((4, 7), 0.02)
    for row, emotion in enumerate((0, 0, 3, 4)):
        probabilities[row, emotion] = 0.88
    result = judge(probabilities, np.array([0, 3, 3, 4]))
    assert result["accuracy"] == 0.75
    assert result["f1"]["anger"] == pytest.approx(0.6667)
    assert result["confusion"][3][0] == 1
    assert calibration_error(probabilities, np.array([0, 3, 3, 4])) == pytest.approx(0.88 - 0.75)
