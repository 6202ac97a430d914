"""The sentences that the readers are trained and judged on, and the command that makes the weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import emotion as benchmark
from bgm.emotion import shipped
from bgm.errors import BadInput
from bgm.timeline import EMOTIONS, Emotion
from bgm.training import corpora, emotion, emotion_lora
from bgm.training.corpora import Corpus, unpunctuated
from bgm.training.judging import calibration_error, judge

WRITERS = (*corpora.TRAINING_WRITERS, corpora.DEVELOPMENT_WRITER, corpora.TEST_WRITER)


def test_no_sentence_is_written_twice_so_none_is_both_learnt_and_judged() -> None:
    texts = [unpunctuated(text) for writer in WRITERS for text in corpora.spoken([writer]).texts]
    assert len(texts) == len(set(texts)) > 15_000


@pytest.mark.parametrize("writer", WRITERS)
def test_every_writer_has_every_emotion_and_neutral_is_no_feeling(writer: str) -> None:
    corpus = corpora.spoken([writer])
    assert np.bincount(corpus.labels, minlength=7).min() > len(corpus.texts) / 10
    neutral = corpus.labels == EMOTIONS.index(Emotion.NEUTRAL)
    assert {k for k, n in zip(corpus.kinds, neutral, strict=True) if n} <= {"trap", "plain"}
    assert {k for k, n in zip(corpus.kinds, neutral, strict=True) if not n} == {"named", "unnamed"}


def test_at_most_so_many_of_each_emotion_and_the_same_ones_every_time() -> None:
    corpus = corpora.spoken([corpora.DEVELOPMENT_WRITER])
    few = corpus.at_most(20)
    assert np.bincount(few.labels).tolist() == [20] * 7
    assert few.texts == corpus.at_most(20).texts and set(few.texts) < set(corpus.texts)
    assert corpus.at_most(10_000).texts == corpus.texts


def test_what_was_heard_belongs_to_the_sentences() -> None:
    told = corpora.spoken([corpora.TEST_WRITER]).texts
    heard = corpora.heard(corpora.TEST_WRITER)
    assert 100 < len(heard) <= len(told)
    alike = [set(unpunctuated(a).split()) & set(unpunctuated(b).split()) for a, b in zip(told, heard, strict=False)]
    assert np.mean([bool(words) for words in alike]) > 0.9


def test_unpunctuated_is_as_a_recogniser_writes() -> None:
    assert unpunctuated("Well, that’s John's — 'really'? I DON'T know!") == "well that's john's really i don't know"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """GoEmotions and XED in small: their formats, a few lines."""
    (tmp_path / "goemotions").mkdir()
    (tmp_path / "goemotions" / "labels.txt").write_text("anger\ndisgust\nfear\njoy\nneutral\nsadness\nsurprise\n")
    for split in ("train", "dev", "test"):
        lines = [f"so {name} in line {n}\t{i}\tx" for n in range(4) for i, name in enumerate(EMOTIONS)]
        (tmp_path / "goemotions" / f"{split}.tsv").write_text("\n".join([*lines, "two labels\t1,3\tx"]) + "\n")
    (tmp_path / "xed").mkdir()
    lines = [f"[PERSON] said number {n} , twice .\t1, 8" for n in range(60)]
    (tmp_path / "xed" / "en-annotated.tsv").write_text("\n".join([*lines, "only trust here\t8", "!\t1"]) + "\n")
    (tmp_path / "xed" / "neu_en.txt").write_text("".join(f"9\tThe door number {n}.\n" for n in range(60)))
    return tmp_path


def test_goemotions_is_read_without_doubtful_labels(data: Path) -> None:
    corpus = corpora.goemotions(data / "goemotions", "train")
    assert len(corpus.texts) == 28 and "two labels" not in corpus.texts
    assert (corpus.labels[:7] == range(7)).all()


def test_xed_is_split_by_its_texts_and_spelt_as_sentences(data: Path) -> None:
    splits = {name: corpora.xed(data / "xed", name) for name in ("train", "dev", "test")}
    assert sum(len(corpus.texts) for corpus in splits.values()) == 120
    assert len(splits["train"].texts) > 80
    assert not set(splits["train"].texts) & set(splits["test"].texts)
    anger = [t for t, label in zip(splits["train"].texts, splits["train"].labels, strict=True) if label == 0]
    assert all(text.endswith(", twice.") and "[" not in text for text in anger)


@pytest.mark.parametrize("name", ["goemotions", "xed"])
def test_data_that_is_not_there_is_one_sentence(name: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        getattr(corpora, name)(tmp_path, "train")


def test_rare_emotions_are_drawn_more_often_than_they_are() -> None:
    rare, frequent, *none = emotion.quota(np.repeat([0, 1], [100, 900]), 1000)
    assert 100 < rare < frequent < 900 and rare + frequent == pytest.approx(1000, abs=2) and not any(none)


def test_one_command_makes_weights_that_serve(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = corpora.spoken

    def some(writers: tuple[str, ...], folder: Path = corpora.SPOKEN) -> Corpus:
        corpus = whole(writers[:1], folder)
        return corpus.where(np.arange(len(corpus.texts)) % 12 == 0)

    monkeypatch.setattr(corpora, "spoken", some)
    monkeypatch.setattr(corpora, "heard", lambda writer: some((writer,)).texts)
    monkeypatch.setattr(emotion_lora, "STEPS", {"minilm": 12})
    out = data / "weights"
    emotion.main([str(data), "-o", str(out), "--reader", "words"])
    emotion.main([str(data), "-o", str(out), "--reader", "minilm"])
    found = json.loads((out / "metrics.json").read_text())
    assert set(found) == {"minilm", "words"}
    assert set(found["minilm"]) == {"spoken", "spoken, unpunctuated", "spoken, after Whisper", "XED", "GoEmotions"}
    assert found["minilm"]["GoEmotions"]["sentences"] == 28
    assert "calibration_error" in capsys.readouterr().out
    assert {file.name for file in out.iterdir()} == {shipped.MINILM.name, shipped.WORDS.name, "metrics.json"}


def test_benchmark_prints_the_table_of_the_engines_that_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    benchmark.main(["--classifier", "words", "--limit", "70"])
    printed = capsys.readouterr().out
    assert "spoken, after Whisper" in printed and "sentences/s" in printed
    benchmark.main(["--classifier", "words", "--limit", "70", "--json"])
    assert json.loads(capsys.readouterr().out)["words"]["spoken"]["sentences"] == 70


def test_calibration_error_is_the_gap_between_confidence_and_accuracy() -> None:
    sure = np.tile([0.9, 0.1, 0, 0, 0, 0, 0], (10, 1))
    assert calibration_error(sure, np.array([0] * 9 + [1])) == pytest.approx(0)
    assert calibration_error(sure, np.array([0] * 5 + [1] * 5)) == pytest.approx(0.4)


def test_judge_counts_each_class_alike() -> None:
    found = judge(np.eye(7)[[0, 0, 1, 2, 3, 4, 5]], np.array([0, 0, 1, 2, 3, 4, 6]))
    assert found["accuracy"] == pytest.approx(6 / 7, abs=1e-3)
    assert found["macro_f1"] == pytest.approx(5 / 7, abs=1e-3)
    assert found["confusion"][6][5] == 1
