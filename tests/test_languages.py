"""Speech and subtitles of any language, from video to scores: what could not be read is named, never guessed."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile

from bgm import studio
from bgm.engines import EngineOptions
from bgm.errors import EngineUnavailable
from bgm.project import Project
from bgm.settings import Settings
from bgm.speech.whisper import FasterWhisper, Whisper

SETTINGS = Settings(offline=True, separator="original", device="cpu")
GERMAN = """1
00:00:00,200 --> 00:00:02,600
Und so, meine amerikanischen Landsleute!

2
00:00:03,200 --> 00:00:07,800
fragt nicht, was euer Land für euch tun kann.

3
00:00:08,000 --> 00:00:10,900
fragt, was ihr für euer Land tun könnt.
"""


def analyzed(sound: Path, folder: Path, settings: Settings = SETTINGS) -> Project:
    return studio.analyze(studio.open_video(sound, folder, settings))


def beside(sound: Path, folder: Path, subtitles: str) -> Path:
    """The sound with subtitles of its name."""
    copy = folder / f"talk{sound.suffix}"
    copy.write_bytes(sound.read_bytes())
    copy.with_suffix(".de.srt").write_text(subtitles, encoding="utf-8")
    return copy


@pytest.mark.checkpoint
def test_subtitles_in_another_language_are_read_in_english_from_the_sound(jfk: Path, tmp_path: Path) -> None:
    project = analyzed(beside(jfk, tmp_path, GERMAN), tmp_path / "p")
    assert [u.text for u in project.utterances][:1] == ["Und so, meine amerikanischen Landsleute!"]
    assert project.language == "de"
    english = " ".join(u.english for u in project.utterances)
    assert "fellow Americans" in english and "your country" in english
    assert all(u.english and u.scores for u in project.utterances)
    assert any("heard by faster-whisper" in note for note in project.notes["transcribe"])


def test_lines_that_nobody_speaks_are_named_and_not_read(tmp_path: Path) -> None:
    silent = tmp_path / "silent.wav"
    soundfile.write(silent, [0.0] * 48_000 * 12, 48_000)
    project = analyzed(beside(silent, tmp_path, GERMAN), tmp_path / "p")
    assert not any(u.english or u.scores for u in project.utterances)
    assert project.segments[0].emotion == "neutral"
    (named,) = [note for note in project.notes["transcribe"] if "no English" in note]
    assert f"1 to {len(project.utterances)}" in named


def test_with_no_recogniser_at_all_everything_else_works(
    jfk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for engine in (Whisper, FasterWhisper):
        monkeypatch.setattr(engine, "missing", classmethod(lambda cls, options: "weights not reachable"))
    project = analyzed(jfk, tmp_path / "p")
    assert project.utterances == ()
    assert [s.emotion for s in project.segments] == ["neutral"]
    assert "bring subtitles" in project.notes["transcribe"][0]
    assert project.engines["transcribe"].name == "none"
    with pytest.raises(EngineUnavailable):
        analyzed(jfk, tmp_path / "q", Settings(offline=True, transcriber="faster-whisper"))


def test_auto_goes_on_to_whisper_where_faster_whisper_cannot_run(monkeypatch: pytest.MonkeyPatch) -> None:
    options = EngineOptions(offline=True, device="cpu")
    assert Whisper.passed_over(options)
    monkeypatch.setattr(FasterWhisper, "missing", classmethod(lambda cls, options: "not installed"))
    assert Whisper.passed_over(options) is None
