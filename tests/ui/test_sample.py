"""The bundled sample opens analyzed and with its music; a server prepares itself when somebody comes."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bgm import engines, studio
from bgm import project as projects
from bgm.engines import Choice, Classifier, classifier
from bgm.environment import Environment
from bgm.media import audio
from bgm.media.audio import frames_of
from bgm.progress import Progress
from bgm.settings import Settings
from bgm.speech.words import Recording, Transcript
from bgm.timeline import Emotion, Utterance
from bgm.ui.page import build
from bgm.ui.sample import Sample
from bgm.ui.serving import prepare_when_visited
from bgm.ui.steps import Records, mix_key
from bgm.ui.view import project_view

SETTINGS = Settings(music="embedded", offline=True)


@pytest.fixture
def bundled(sample: Path, tmp_path: Path) -> Sample:
    return Sample(sample, tmp_path / "kept")


def test_it_opens_analyzed_and_complete(bundled: Sample, tmp_path: Path) -> None:
    project = bundled.open(tmp_path / "project", SETTINGS)
    assert [s.emotion for s in project.segments] == ["joy", "neutral", "sadness", "fear", "anger", "surprise"]
    assert all(u.scores for u in project.utterances)
    for sound in (project.audio, project.voice):
        assert soundfile.info(sound).frames == frames_of(project.duration)
    done: list[str] = []
    again = studio.analyze(project, lambda step: done.append(step.stage))
    assert again.timeline == project.timeline
    assert "separate" not in done and "transcribe" not in done, "an analysis has nothing left to do"


def test_its_music_is_unpacked_once_and_each_project_is_its_own(
    bundled: Sample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("bgm.takes.compose", None)  # nothing is composed
        one, other = (bundled.open(tmp_path / name, SETTINGS) for name in ("one", "other"))
    (ready,) = bundled.kept.iterdir()
    assert all(path.samefile(ready / path.relative_to(one.folder)) for path in one.folder.rglob("*.flac"))
    for take in (one.take_path(s.takes[0]) for s in one.segments):
        assert np.abs(audio.read(take)).max() > 0.05
    assert not studio.stale(one)
    assert Records.load(one.folder).preview == mix_key(one)
    assert project_view("x" * 32, one)["preview"]["url"]
    assert one.timeline is not None
    studio.edit(one, one.timeline.set_emotion("s1", Emotion.FEAR))
    studio.compose(projects.load(one.folder, SETTINGS), segments=["s1"])
    assert projects.load(other.folder).segments[0].emotion == "joy"
    assert len(list((other.folder / "takes").iterdir())) == 6


def test_other_settings_get_no_music_that_was_made_by_these(bundled: Sample, tmp_path: Path) -> None:
    project = bundled.open(tmp_path / "project", replace(SETTINGS, style="jazz"))
    assert len(studio.stale(project)) == 6


def test_another_video_in_its_place_is_no_analyzed_sample(sample: Path, tmp_path: Path) -> None:
    stranger = tmp_path / "sample.mp4"
    stranger.write_bytes(sample.read_bytes()[:-1])
    assert not Sample(stranger, tmp_path / "kept").is_analyzed()
    assert Sample(stranger, tmp_path / "kept").showcase() is None


def test_a_server_prepares_itself_when_the_first_visitor_comes(
    sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []

    def load(choice: Choice) -> Classifier:
        loaded.append(choice.stage)
        return classifier(choice)

    class Transcriber:
        def transcribe(self, recording: Recording, progress: Progress) -> Transcript:
            loaded.append("transcribe")
            return Transcript("en", (Utterance(0.5, 3.0, "I am so happy today!", "I am so happy today!"),))

    monkeypatch.setattr(engines, "transcriber", lambda choice: Transcriber())
    monkeypatch.setattr(engines, "classifier", load)
    page = build(Environment(data=tmp_path), replace(SETTINGS, separator="original"), sample)
    preparing = prepare_when_visited(page)
    assert not page.sample.kept.exists(), "nobody has come"
    page.visited.set()
    preparing.join(120)
    assert set(loaded) == {"transcribe", "classify"}
    assert page.sample.kept.is_dir()


def test_a_server_prepares_itself_behind_what_users_ask_for(
    bundled: Sample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bgm.ui.sample.IDLE_SECONDS", 0.01)
    monkeypatch.setattr("bgm.ui.sample._load_reader", lambda settings: None)
    monkeypatch.setattr(Sample, "warm", lambda self, settings, tick: tick())
    mine = Sample(bundled.video, tmp_path / "kept")
    whole: list[bool] = []

    def is_busy() -> bool:
        """A user's work comes when the unpacking has begun, and takes a while."""
        whole.append(any(projects.exists(folder) for folder in mine.kept.glob("*") if folder.name != "part"))
        return 3 <= len(whole) < 20

    mine.prepare(SETTINGS, is_busy)
    assert not any(whole[:20]), "it waits"
    assert [projects.exists(folder) for folder in mine.kept.iterdir()] == [True], "it is made all the same, anew"


def test_what_the_landing_draws_covers_the_video(bundled: Sample) -> None:
    shown = bundled.showcase()
    assert shown is not None
    spans = [(s["start"], s["end"]) for s in shown["segments"]]
    assert spans[0][0] == 0 and spans[-1][1] == shown["duration"]
    assert all(a[1] == b[0] for a, b in pairwise(spans))
    assert max(shown["peaks"]) > 0.05
    assert bundled.scored.stat().st_size < 3_000_000
