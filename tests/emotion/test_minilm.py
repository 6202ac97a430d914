"""The embedded readers with the weights that are shipped."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import app
from bgm import engines
from bgm.emotion import shipped
from bgm.emotion.finetuned import MiniLM
from bgm.emotion.words import Words, terms
from bgm.engines import EngineOptions, Stage
from bgm.errors import Cancelled, EngineUnavailable
from bgm.timeline import EMOTIONS, Emotion
from bgm.training import corpora
from bgm.training.judging import figures

PLAIN = {
    "I am so happy, this is wonderful!": Emotion.JOY,
    "How dare you do that to me, I am furious!": Emotion.ANGER,
    "This food is disgusting, it makes me sick.": Emotion.DISGUST,
    "I was terrified, I was so afraid in the dark.": Emotion.FEAR,
    "I miss my grandmother, I cried and feel so sad.": Emotion.SADNESS,
    "I was astonished, I never expected that!": Emotion.SURPRISE,
    "Next, put the flour in the bowl and stir it.": Emotion.NEUTRAL,
}
TOLD = {
    "She never came back, and I still set the table for two.": Emotion.SADNESS,
    "My daughter took her first steps straight into my arms.": Emotion.JOY,
    "Happy hour starts at five.": Emotion.NEUTRAL,
    "there were maggots in the rice and they served it anyway": Emotion.DISGUST,
}


@pytest.fixture(scope="module")
def minilm() -> MiniLM:
    return MiniLM(EngineOptions())


@pytest.fixture(scope="module")
def words() -> Words:
    return Words(EngineOptions())


@pytest.fixture(params=["minilm", "words"])
def engine(request: pytest.FixtureRequest) -> MiniLM | Words:
    return request.getfixturevalue(request.param)


def winner(scores: dict[Emotion, float]) -> Emotion:
    return max(scores, key=scores.__getitem__)


def test_plain_sentences_are_read_as_meant_and_answers_keep_the_order(engine: MiniLM | Words) -> None:
    answers = engine.classify(list(PLAIN))
    assert [winner(scores) for scores in answers] == list(PLAIN.values())
    assert all(sum(scores.values()) == pytest.approx(1) for scores in answers)
    assert all(tuple(scores) == EMOTIONS for scores in answers)


def test_feelings_that_are_told_and_not_named_are_read(minilm: MiniLM) -> None:
    assert [winner(scores) for scores in minilm.classify(list(TOLD))] == list(TOLD.values())


def test_answer_does_not_depend_on_the_company(minilm: MiniLM) -> None:
    text = "I was terrified"
    alone = minilm.classify([text])[0]
    among = minilm.classify([*list(PLAIN) * 6, text])[-1]
    assert among == pytest.approx(alone, abs=1e-4)


@pytest.mark.parametrize(
    "text", ["", "   ", "♪ ♪", "...", "1984", "😀🎉", "오늘은 정말 행복해요", "Привет, мой друг, OK?"]
)
def test_text_without_english_words_leans_to_neutral_and_claims_no_more(engine: MiniLM | Words, text: str) -> None:
    scores = engine.classify([text])[0]
    assert winner(scores) == Emotion.NEUTRAL
    assert scores[Emotion.NEUTRAL] == 0.5
    assert sum(scores.values()) == pytest.approx(1)


def test_nothing_to_read(engine: MiniLM | Words) -> None:
    assert engine.classify([]) == []


def test_five_thousand_words(engine: MiniLM | Words) -> None:
    scores = engine.classify(["I am so happy, " * 1250])[0]
    assert winner(scores) == Emotion.JOY
    assert sum(scores.values()) == pytest.approx(1)


def test_progress_is_told_and_can_stop_the_work(minilm: MiniLM) -> None:
    told: list[float] = []
    minilm.classify(list(PLAIN) * 10, lambda fraction, note="": told.append(fraction))
    assert told == sorted(told)
    assert told[-1] == 1
    assert len(told) > 3

    def stop(fraction: float, note: str = "") -> None:
        if fraction > 0.3:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        minilm.classify(list(PLAIN) * 10, stop)


def test_engine_is_there_unless_a_model_is_named(engine: MiniLM | Words) -> None:
    assert type(engine).missing(EngineOptions(offline=True)) is None
    assert "'large'" in (type(engine).missing(EngineOptions(model="large")) or "")


def damaged(whole: Path, folder: Path) -> Path:
    """A copy of the weights with one byte changed in its middle."""
    content = bytearray(whole.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path = folder / whole.name
    path.write_bytes(content)
    return path


def test_damaged_weights_are_said_once_and_another_engine_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without_mpnet: None, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(shipped, "MINILM", damaged(shipped.MINILM, tmp_path))
    with caplog.at_level(logging.WARNING):
        choice = engines.choose(Stage.CLASSIFY, "auto", EngineOptions(offline=True))
    assert choice.name == "words"
    assert "minilm: its weights minilm.npz are damaged" in choice.reason
    assert winner(engines.classifier(choice).classify(["I am so happy!"])[0]) == Emotion.JOY
    with pytest.raises(EngineUnavailable, match=r"minilm\.npz are damaged"):
        engines.choose(Stage.CLASSIFY, "minilm")


@pytest.mark.parametrize("name", ["MPNET", "MINILM", "WORDS"])
def test_damaged_weights_are_one_sentence_when_the_studio_starts(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    whole: Path = getattr(shipped, name)
    monkeypatch.setattr(shipped, name, damaged(whole, tmp_path))
    with caplog.at_level(logging.WARNING, logger="bgm"):
        app.say_what_is_damaged()
    (told,) = [r.getMessage() for r in caplog.records if "emotions" in r.getMessage()]
    assert f"its weights {whole.name} are damaged" in told


@pytest.mark.parametrize("content", [b"", b"no archive at all", None])
def test_weights_that_are_no_archive_or_not_there(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "minilm.npz"
    if content is not None:
        path.write_bytes(content)
    assert "install BGM Studio again" in (shipped.why_unusable(path) or "")
    with pytest.raises(EngineUnavailable):
        shipped.read(path)


def test_ours_is_taken_before_the_published_one(without_mpnet: None) -> None:
    assert engines.choose(Stage.CLASSIFY, "auto", EngineOptions(offline=True)).name == "minilm"


def test_words_need_no_torch_and_importing_is_cheap() -> None:
    code = (
        "import sys; from bgm.emotion import distilroberta, finetuned, smoothing, words;"
        "from bgm.engines import EngineOptions;"
        "words.Words(EngineOptions()).classify(['so happy']);"
        "print(sorted({'torch', 'transformers', 'sklearn', 'scipy', 'huggingface_hub'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_weights_are_small_plain_arrays() -> None:
    files = list(shipped.WEIGHTS.glob("*.npz"))
    assert sum(file.stat().st_size for file in files) < 10_000_000
    for file in files:
        arrays = shipped.read(file)
        assert all(np.isfinite(array).all() for array in arrays.values() if array.dtype.kind == "f")


def test_shipped_weights_have_the_figures_that_are_told(engine: MiniLM | Words) -> None:
    told = json.loads((shipped.WEIGHTS / "metrics.json").read_text())[engine.name]["spoken"]
    found = figures(engine.classify, {"spoken": corpora.spoken([corpora.TEST_WRITER])})["spoken"]
    assert found["accuracy"] == pytest.approx(told["accuracy"], abs=0.01)
    assert found["macro_f1"] == pytest.approx(told["macro_f1"], abs=0.01)


def test_terms_are_words_pairs_and_beginnings() -> None:
    whole, pairs = ["don't", "worry", "!!"], ["don't worry", "worry !!"]
    assert terms("Don\u2019t WORRY!!") == [*whole, *pairs, "~don", "~don'", "~wor", "~worr"]
