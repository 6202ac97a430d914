from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path

import jiwer
import pytest

from bgm.engines import EngineOptions
from bgm.errors import BgmError, Cancelled
from bgm.speech import pocketsphinx
from bgm.speech.activity import speech_spans
from bgm.speech.pocketsphinx import PocketSphinx
from bgm.speech.recording import Recording, Transcript
from tests.conftest import JFK_WORDS
from tests.speech.sounds import Wave, silence, write


@pytest.fixture(scope="module")
def recording(speech: Wave, tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """Speech from 2 s to 13 s, digital silence around it."""
    audio = write(tmp_path_factory.mktemp("sphinx") / "talk.flac", [silence(2), speech, silence(3)])
    return Recording(audio, speech_spans(audio), 16.0)


@pytest.fixture(scope="module")
def heard(recording: Recording) -> tuple[Transcript, list[float]]:
    """The transcript, and the moments at which progress was told."""
    ticks: list[float] = []
    engine = PocketSphinx(EngineOptions())
    transcript = engine.transcribe(recording, lambda fraction, note="": ticks.append(time.monotonic()))
    return transcript, ticks


def test_three_words_of_four_are_right(heard: tuple[Transcript, list[float]]) -> None:
    words = " ".join(u.english.lower() for u in heard[0].utterances)
    assert jiwer.wer(" ".join(JFK_WORDS), words) <= 0.3


def test_utterances_are_phrases_where_the_speech_is(heard: tuple[Transcript, list[float]]) -> None:
    utterances = heard[0].utterances
    assert len(utterances) >= 3
    assert 2.0 <= utterances[0].start <= 2.8
    assert 12.0 <= utterances[-1].end <= 13.5
    assert all(a.end <= b.start for a, b in pairwise(utterances))


def test_the_text_is_readable_and_said_to_be_rough(heard: tuple[Transcript, list[float]]) -> None:
    transcript = heard[0]
    assert not any(set("<>[]()_") & set(u.text) for u in transcript.utterances)
    assert all(u.text[0].isupper() for u in transcript.utterances)
    assert transcript.language == "en"
    assert "rough English transcript" in transcript.notes[0]


def test_the_user_hears_from_it_twice_a_second(heard: tuple[Transcript, list[float]]) -> None:
    gaps = [b - a for a, b in pairwise(heard[1])]
    assert len(gaps) > 2
    assert max(gaps) < 2.0


def test_stop_ends_the_decoders_at_once(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[pocketsphinx._Job] = []
    start = pocketsphinx._start
    monkeypatch.setattr(pocketsphinx, "_start", lambda *args: started.append(start(*args)) or started[-1])

    def stop(fraction: float, note: str = "") -> None:
        raise Cancelled("stopped")

    began = time.monotonic()
    with pytest.raises(Cancelled):
        PocketSphinx(EngineOptions()).transcribe(recording, stop)
    assert time.monotonic() - began < 2.0
    assert started
    assert all(job.process.poll() is not None for job in started)


@pytest.mark.parametrize("audio", [None, Path("silent.flac")])
def test_no_speech_gives_no_words(audio: Path | None) -> None:
    transcript = PocketSphinx(EngineOptions()).transcribe(Recording(audio, (), 5.0))
    assert transcript.utterances == ()
    assert transcript.notes == ("No speech was heard.",)


def test_noise_taken_for_speech_gives_no_sure_words(tmp_path: Path) -> None:
    audio = write(tmp_path / "silence.flac", [silence(2)])
    transcript = PocketSphinx(EngineOptions()).transcribe(Recording(audio, ((0.5, 1.5),), 2.0))
    assert len(" ".join(u.text for u in transcript.utterances).split()) <= 1


def test_a_failing_decoder_is_one_clear_line(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pocketsphinx, "WORKER", "bgm.speech.no_such_worker")
    with pytest.raises(BgmError, match=r"PocketSphinx failed: .*no_such_worker"):
        PocketSphinx(EngineOptions()).transcribe(recording)


def test_other_languages_are_not_for_it() -> None:
    assert PocketSphinx.missing(EngineOptions()) is None
    assert "English only" in str(PocketSphinx.missing(EngineOptions(language="ko")))
