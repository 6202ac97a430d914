"""Whisper base as the pip packages bring it, on real speech: what a user hears of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import jiwer
import pytest

from bgm.engines import EngineOptions, Stage, choose
from bgm.errors import BadInput, Cancelled
from bgm.speech import whisper
from bgm.speech.activity import speech_spans
from bgm.speech.whisper import FasterWhisper
from bgm.speech.words import Recording, Transcript
from tests.conftest import JFK_WORDS
from tests.speech.sounds import Wave, silence, write

pytestmark = pytest.mark.checkpoint


@pytest.fixture(scope="module", autouse=True)
def _weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BGM_WEIGHTS", str(tmp_path_factory.mktemp("weights")))
        yield


@pytest.fixture(scope="module")
def engine() -> FasterWhisper:
    return FasterWhisper(EngineOptions(offline=True, device="cpu"))


@pytest.fixture(scope="module")
def recording(speech: Wave, tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """Speech from 2 s to 13 s, digital silence around it."""
    audio = write(tmp_path_factory.mktemp("talk") / "talk.flac", [silence(2), speech, silence(3)])
    return Recording(audio, speech_spans(audio), 16.0)


@pytest.fixture(scope="module")
def heard(engine: FasterWhisper, recording: Recording) -> Transcript:
    return engine.transcribe(recording)


def test_every_word_of_real_speech_is_right(heard: Transcript) -> None:
    words = "".join(c for u in heard.utterances for c in f" {u.english.lower()}" if c not in ",.;?!")
    assert heard.language == "en"
    assert jiwer.wer(" ".join(JFK_WORDS), words) == 0
    assert not any(u.unsure for u in heard.utterances)


def test_utterances_are_phrases_where_the_speech_is(heard: Transcript) -> None:
    utterances = heard.utterances
    assert len(utterances) >= 2
    assert 2.0 <= utterances[0].start <= 2.8
    assert 12.0 <= utterances[-1].end <= 13.5
    assert all(a.end <= b.start for a, b in pairwise(utterances))


def test_stop_is_heard_in_the_middle_of_a_window(engine: FasterWhisper, recording: Recording) -> None:
    def stop(fraction: float, note: str = "") -> None:
        if note.startswith("recognising"):
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        engine.transcribe(recording, stop)
    assert engine.transcribe(recording).utterances, "the model is of use after it"


def test_it_is_what_auto_takes_on_a_processor() -> None:
    chosen = choose(Stage.TRANSCRIBE, "auto", EngineOptions(offline=True, device="cpu"))
    assert chosen.name == "faster-whisper"
    assert "quicker on a processor" in chosen.reason


@pytest.mark.parametrize(
    ("model", "why"), [("huge", "choose tiny, base"), ("small", "not cached"), ("/nowhere", "/nowhere")]
)
def test_missing_says_why(model: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    assert why in str(FasterWhisper.missing(EngineOptions(model=model, offline=True)))


def test_a_folder_of_something_else_is_one_clear_line(tmp_path: Path, recording: Recording) -> None:
    for name in ("model.bin", "config.json", "tokenizer.json", "vocabulary.txt"):
        (tmp_path / name).write_bytes(b"something else")
    with pytest.raises(BadInput, match="holds no Whisper"):
        FasterWhisper(EngineOptions(model=str(tmp_path), offline=True)).transcribe(recording)


@pytest.mark.parametrize(
    ("layers", "mel_bands", "cut"), [((3, 5), 80, False), ((2, 3), 80, False), ((2, 3), 128, True), ((1,), 80, True)]
)
def test_decoders_that_were_cut_short_do_not_translate(
    tmp_path: Path, layers: tuple[int, ...], mel_bands: int, cut: bool
) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"alignment_heads": [[layer, 0] for layer in layers]}))
    assert whisper._is_cut(tmp_path, mel_bands) is cut
