"""What both Whisper engines share, with a model that says what it is told: languages, phrases, English, doubts."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from bgm.engines import EngineOptions
from bgm.errors import BadInput, Cancelled
from bgm.progress import Tick
from bgm.speech.activity import RATE, Mono
from bgm.speech.hearing import MARGIN_S, Model, Passage, Recogniser
from bgm.speech.words import Recording, Timed, Transcript
from bgm.timeline import Utterance
from tests.speech.sounds import silence, write

SAID = {"en": "I am home.", "de": "Ich bin zu Hause.", "ko": "드디어 집에 왔어요.", "cy": "Dw i adref."}


@dataclass
class Scripted:
    """Hears in each window the language that its loudness stands for (see ``sound``), and one sentence of it."""

    certainty: float = 0.99
    english: str = "I am at home."
    translates: bool = True
    logprob: float = -0.2
    languages: frozenset[str] = frozenset(SAID)
    at_once: int = 1
    asked: list[tuple[str, str, float]] = field(default_factory=list)

    def detect(self, wave: Mono, check: Tick) -> Mapping[str, float]:
        order = sorted(SAID)
        shares = dict.fromkeys(order, 0.0)
        for part in range(0, len(wave), RATE // 4):
            shares[order[round(abs(float(wave[part : part + RATE // 4].mean())) * 10) % len(order)]] += 1
        total = sum(shares.values())
        rest = (1 - self.certainty) / len(order)
        return {code: self.certainty * share / total + rest for code, share in shares.items()}

    def hear(self, wave: Mono, language: str, prompt: str | None, check: Tick) -> list[Passage]:
        seconds = len(wave) / RATE
        self.asked.append(("hear", language, seconds))
        words = tuple(Timed(0.1 + 0.3 * i, 0.4 + 0.3 * i, f" {w}", 0.9) for i, w in enumerate(SAID[language].split()))
        return [Passage(0.0, seconds, SAID[language], words, -0.2, 1.0)]

    def translate(self, wave: Mono, language: str, check: Tick) -> list[Passage]:
        seconds = len(wave) / RATE
        self.asked.append(("translate", language, seconds))
        return [Passage(0.0, seconds, self.english, (), self.logprob, 1.0)]


class Engine(Recogniser):
    name = "faster-whisper"

    def __init__(self, model: Model, **options: object) -> None:
        super().__init__(EngineOptions(offline=True, **options))  # type: ignore[arg-type]
        self._scripted = model

    def _device(self) -> str:
        return "cpu"

    def _model(self, size: str, progress: object) -> Model:
        return self._scripted

    def _load(self, path: Path, title: str, place: str) -> Model:
        return self._scripted

    def _translator(self, tick: Tick) -> Model | None:
        return None


def recorded(folder: Path, *spoken: tuple[str, float]) -> Recording:
    """Regions of speech, a second of silence between them; each in a language, so many seconds long."""
    parts, speech, at = [], [], 0.0
    for code, seconds in spoken:
        level = sorted(SAID).index(code) / 10
        parts += [silence(seconds) + level, silence(1)]
        speech.append((at, at + seconds))
        at += seconds + 1
    return Recording(write(folder / "talk.flac", parts), tuple(speech), at)


def heard(model: Scripted, recording: Recording, **options: object) -> Transcript:
    return Engine(model, **options).transcribe(recording)


def test_a_video_may_change_its_language(tmp_path: Path) -> None:
    transcript = heard(Scripted(), recorded(tmp_path, ("en", 28), ("de", 28)))
    assert [u.text for u in transcript.utterances] == [SAID["en"], SAID["de"]]
    assert [u.english for u in transcript.utterances] == [SAID["en"], "I am at home."]
    assert transcript.notes == ("More than one language is spoken: en from 0:00, de from 0:29.",)


@dataclass
class Meeting(Scripted):
    """Answers no call alone: each waits for another one."""

    at_once: int = 2
    door: threading.Barrier = field(default_factory=lambda: threading.Barrier(2))

    def hear(self, wave: Mono, language: str, prompt: str | None, check: Tick) -> list[Passage]:
        self.door.wait(60)
        return super().hear(wave, language, prompt, check)


def test_stretches_are_heard_beside_each_other_and_told_in_their_order(tmp_path: Path) -> None:
    told: list[list[str]] = []
    recording = recorded(tmp_path, ("en", 28), ("de", 28), ("ko", 28), ("en", 28))
    show = replace(recording, told=lambda lines: told.append([u.text for u in lines]))
    shares: list[float] = []
    transcript = Engine(Meeting()).transcribe(show, lambda share, note="": shares.append(share))
    said = [SAID[code] for code in ("en", "de", "ko", "en")]
    assert [u.text for u in transcript.utterances] == said
    assert told == [said[:count] for count in range(1, 5)]
    assert shares == sorted(shares)


def test_who_stops_waits_for_none_of_them(tmp_path: Path) -> None:
    model = Meeting(door=threading.Barrier(3))  # nobody comes third

    def stop(share: float, note: str = "") -> None:
        if model.door.n_waiting == 2:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        Engine(model).transcribe(recorded(tmp_path, ("en", 28), ("en", 28)), stop)
    model.door.abort()


def test_a_change_inside_a_stretch_is_found(tmp_path: Path) -> None:
    model = Scripted()
    transcript = heard(model, recorded(tmp_path, ("en", 12), ("de", 12)))
    assert [u.text for u in transcript.utterances] == [SAID["en"], SAID["de"]]
    reached = 12.0 + MARGIN_S  # behind the last speech
    assert model.asked == [("hear", "en", 13.0), ("hear", "de", reached), ("translate", "de", reached)]


def test_a_language_that_is_a_guess_is_said_to_be_one(tmp_path: Path) -> None:
    transcript = heard(Scripted(certainty=0.3), recorded(tmp_path, ("cy", 8)))
    assert transcript.language == "cy"
    assert all(u.unsure for u in transcript.utterances)
    assert "taken for cy, which is a guess" in transcript.notes[0]


def test_a_named_language_is_not_asked_for(tmp_path: Path) -> None:
    transcript = heard(Scripted(), recorded(tmp_path, ("en", 8)), language="de")
    assert [u.text for u in transcript.utterances] == [SAID["de"]]
    with pytest.raises(BadInput, match="doesn't know the language 'xx'"):
        heard(Scripted(), recorded(tmp_path, ("en", 8)), language="xx")


def test_no_heard_speech_is_without_english(tmp_path: Path) -> None:
    transcript = heard(Scripted(english="Home."), recorded(tmp_path, *[("ko", 5)] * 4))
    assert [u.english for u in transcript.utterances] == ["Home."]


@pytest.mark.parametrize("model", [Scripted(logprob=-2.0), Scripted(english=SAID["ko"])])
def test_a_poor_translation_is_kept_with_its_doubt(tmp_path: Path, model: Scripted) -> None:
    (utterance,) = heard(model, recorded(tmp_path, ("ko", 8))).utterances
    assert utterance.english == model.english
    assert utterance.unsure


def test_a_model_that_cannot_translate_leaves_the_english_open(tmp_path: Path) -> None:
    (utterance,) = heard(Scripted(translates=False), recorded(tmp_path, ("ko", 8))).utterances
    assert (utterance.text, utterance.english) == (SAID["ko"], "")


def subtitles(*lines: tuple[float, float, str]) -> tuple[Utterance, ...]:
    return tuple(Utterance(*line) for line in lines)


def test_subtitles_get_their_english_from_the_sound(tmp_path: Path) -> None:
    lines = subtitles((0.5, 3.0, "드디어"), (3.5, 7.0, "집에 왔어요."), (30.0, 32.0, "♪"))
    told = Engine(Scripted(english="Finally. I am home.")).translate(recorded(tmp_path, ("ko", 8)), lines)
    assert [u.text for u in told] == [u.text for u in lines]
    assert [u.english for u in told] == ["Finally.", "I am home.", ""]


def test_korean_subtitles_of_english_speech_get_what_is_said(tmp_path: Path) -> None:
    model = Scripted()
    (line,) = Engine(model).translate(recorded(tmp_path, ("en", 8)), subtitles((0.0, 8.0, SAID["ko"])))
    assert (line.text, line.english) == (SAID["ko"], SAID["en"])
    assert all(task == "hear" for task, *_ in model.asked)
