from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import whisper

from bgm import progress, weights
from bgm.engines import EngineOptions
from bgm.errors import BadInput, Cancelled
from bgm.speech import hearing
from bgm.speech import whisper as engine
from bgm.speech.hearing import MARGIN_S
from bgm.speech.whisper import Whisper
from bgm.speech.words import Recording, Transcript
from tests.speech import tiny_whisper
from tests.speech.sounds import Wave, write

pytestmark = pytest.mark.checkpoint

SAID = " I never thought that we would make it home. What a day!"
SPEECH = ((0.5, 4.5), (9.0, 11.0))


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """The model is so small that a second thread would only wait."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    noise = torch.randn(12 * 48_000, 1, generator=torch.Generator().manual_seed(1)).numpy() * 0.05
    return Recording(write(tmp_path_factory.mktemp("whisper") / "voice.flac", [noise]), SPEECH, 12.0)


@pytest.fixture(scope="module")
def short(recording: Recording) -> Recording:
    return Recording(recording.audio, SPEECH[1:], 12.0)


@pytest.fixture(scope="module")
def english(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_whisper.write(tmp_path_factory.mktemp("whisper") / "english.pt", "en", SAID)


@pytest.fixture(scope="module")
def korean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_whisper.write(tmp_path_factory.mktemp("whisper") / "korean.pt", "ko", " 드디어 집에 왔어요.")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What openai-whisper is asked, beside being asked it."""
    asked: list[dict[str, Any]] = []
    transcribe = whisper.transcribe

    def spy(net: object, wave: Wave, **options: Any) -> Any:
        asked.append({"seconds": len(wave) / 16_000, **options})
        return transcribe(net, wave, **options)

    monkeypatch.setattr(whisper, "transcribe", spy)
    return asked


def transcribe(path: Path, recording: Recording, **options: Any) -> Transcript:
    return Whisper(EngineOptions(model=str(path), offline=True, **options)).transcribe(recording)


def test_each_region_of_speech_is_transcribed_into_phrases(english: Path, recording: Recording) -> None:
    transcript = transcribe(english, recording)
    assert transcript.language == "en"
    assert [u.text for u in transcript.utterances] == ["I never thought that we would make it home.", "What a day!"] * 2
    assert [u.english for u in transcript.utterances] == [u.text for u in transcript.utterances]


def test_words_have_times_inside_the_speech(english: Path, recording: Recording) -> None:
    utterances = transcribe(english, recording).utterances
    assert all(0.5 <= u.start < u.end <= 4.5 for u in utterances[:2])
    assert all(9.0 <= u.start < u.end <= 11.0 for u in utterances[2:])


def test_another_language_is_detected_and_translated_by_the_stretch(
    korean: Path, recording: Recording, calls: list[dict[str, Any]]
) -> None:
    transcript = transcribe(korean, recording)
    assert transcript.language == "ko"
    assert [u.text for u in transcript.utterances] == ["드디어 집에 왔어요."] * 2
    assert all(u.english for u in transcript.utterances)
    assert [(c.get("task"), c["language"]) for c in calls] == [(None, "ko"), ("translate", "ko")] * 2


def test_english_that_is_the_original_over_again_is_said_to_be_a_guess(korean: Path, recording: Recording) -> None:
    assert all(u.unsure for u in transcribe(korean, recording).utterances)


def test_only_speech_is_listened_to(english: Path, recording: Recording, calls: list[dict[str, Any]]) -> None:
    transcribe(english, recording)
    assert [c["seconds"] for c in calls] == pytest.approx([4.0 + 2 * MARGIN_S, 2.0 + 2 * MARGIN_S])


def test_the_language_and_the_prompt_can_be_set(korean: Path, short: Recording, calls: list[dict[str, Any]]) -> None:
    transcribe(korean, short, prompt="Ann and Bob", language="fr")
    assert calls[0]["language"] == "fr"
    assert calls[0]["initial_prompt"] == "Ann and Bob"
    with pytest.raises(BadInput, match="doesn't know the language 'xx'"):
        transcribe(korean, short, language="xx")


@pytest.fixture
def turbo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model of turbo's layout, in small."""
    monkeypatch.setattr(engine, "TURBO_LAYERS", (1, 1))
    return tiny_whisper.write(tmp_path / "turbo.pt", "ko", " 네.", decoder_layers=1)


def test_turbo_alone_gives_no_english(
    turbo: Path, short: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert [(u.text, u.english) for u in transcribe(turbo, short).utterances] == [("네.", "")]


def test_turbo_leaves_translating_to_a_size_that_can(
    turbo: Path, korean: Path, short: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hearing, "translators", lambda name, offline: iter([str(korean)]))
    transcript = transcribe(turbo, short)
    assert [(u.text, u.english) for u in transcript.utterances] == [("네.", "드디어 집에 왔어요.")]


@pytest.fixture
def one_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "TEMPERATURES", (0.0,))


@pytest.mark.usefixtures("one_try")
def test_a_repetition_loop_is_no_speech(tmp_path: Path, short: Recording) -> None:
    loop = tiny_whisper.write(tmp_path / "loop.pt", "en", " thank you for watching" * 12)
    assert transcribe(loop, short).utterances == ()


@pytest.mark.usefixtures("one_try")
def test_a_guess_is_no_speech(tmp_path: Path, english: Path, short: Recording) -> None:
    checkpoint = torch.load(english, weights_only=True)
    checkpoint["model_state_dict"]["decoder.token_embedding.weight"] *= 0.2
    torch.save(checkpoint, tmp_path / "guess.pt")
    assert transcribe(tmp_path / "guess.pt", short).utterances == ()


def test_no_speech_needs_no_model(english: Path) -> None:
    assert transcribe(english, Recording(None, (), 5.0)).utterances == ()


def test_stop_works_in_the_middle_of_a_window_and_leaves_the_model_usable(english: Path, short: Recording) -> None:
    def stop(fraction: float, note: str = "") -> None:
        if note.startswith("recognising"):
            raise Cancelled("stopped")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(progress, "TICK_S", 0.0)  # the tiny model is through its window at once
        with pytest.raises(Cancelled):
            Whisper(EngineOptions(model=str(english), offline=True)).transcribe(short, stop)
    assert len(transcribe(english, short).utterances) == 2


def test_two_users_at_once_get_what_one_gets(english: Path, short: Recording) -> None:
    alone = transcribe(english, short)
    together: list[Transcript] = []
    users = [threading.Thread(target=lambda: together.append(transcribe(english, short))) for _ in range(2)]
    for user in users:
        user.start()
    for user in users:
        user.join()
    assert together == [alone, alone]


def test_two_users_at_once_load_it_once(tmp_path: Path, short: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = tiny_whisper.write(tmp_path / "fresh.pt", "en", SAID)
    loads: list[str] = []
    load_model = whisper.load_model
    monkeypatch.setattr(whisper, "load_model", lambda path, **more: (loads.append(path), load_model(path, **more))[1])
    users = [threading.Thread(target=transcribe, args=(fresh, short)) for _ in range(3)]
    for user in users:
        user.start()
    for user in users:
        user.join()
    assert len(loads) == 1


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 half a zip"])
def test_a_file_that_is_no_checkpoint_is_one_clear_line(tmp_path: Path, recording: Recording, content: bytes) -> None:
    path = tmp_path / "mine.pt"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=r"mine\.pt is (not a Whisper checkpoint|empty)"):
        transcribe(path, recording)


def test_another_kind_of_checkpoint_is_one_clear_line(tmp_path: Path, recording: Recording) -> None:
    torch.save({"weights": torch.zeros(3)}, tmp_path / "other.pt")
    with pytest.raises(BadInput, match="is not a Whisper checkpoint"):
        transcribe(tmp_path / "other.pt", recording)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there_is_one_clear_line(english: Path, recording: Recording) -> None:
    with pytest.raises(BadInput, match="no cuda device"):
        transcribe(english, recording, device="cuda")


@pytest.fixture
def cached(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """The sizes that lie on this machine; nothing else can be had."""
    here: set[str] = set()
    monkeypatch.setattr(hearing, "_is_here", lambda name, size: size in here)
    monkeypatch.setattr(weights, "why_no_model", lambda name, size, offline: None if size in here else "not reachable")
    yield here


@pytest.mark.parametrize(
    ("have", "processors", "taken"),
    [
        ({"tiny", "base", "small", "medium"}, 2, "base"),
        ({"tiny", "base", "small", "medium"}, 16, "small"),
        ({"tiny", "medium"}, 16, "tiny"),
        ({"medium", "large-v3"}, 2, "medium"),
    ],
)
def test_the_size_follows_the_machine_and_what_is_on_it(
    cached: set[str], monkeypatch: pytest.MonkeyPatch, have: set[str], processors: int, taken: str
) -> None:
    cached |= have
    monkeypatch.setattr(hearing.os, "cpu_count", lambda: processors)
    assert hearing.best("whisper", "cpu", offline=False) == taken


@pytest.mark.parametrize(("free_gb", "taken"), [(80, "large-v3"), (6, "medium"), (3, "small"), (0.2, "tiny")])
def test_the_size_follows_the_free_gpu_memory(
    cached: set[str], monkeypatch: pytest.MonkeyPatch, free_gb: float, taken: str
) -> None:
    cached |= set(hearing.GPU_GB)
    monkeypatch.setattr(hearing, "free_gpu_bytes", lambda: int(free_gb * 1e9))
    assert hearing.best("whisper", "cuda", offline=False) == taken


def test_missing_says_why(cached: set[str], english: Path) -> None:
    assert Whisper.missing(EngineOptions()) == "not reachable"
    cached.add("tiny")
    assert Whisper.missing(EngineOptions(offline=True)) is None


@pytest.mark.parametrize(("model", "why"), [("huge", "no model 'huge'; choose tiny"), ("/nowhere/mine.pt", "no file")])
def test_missing_names_a_model_that_is_none(model: str, why: str) -> None:
    assert why in str(Whisper.missing(EngineOptions(model=model, offline=True)))
