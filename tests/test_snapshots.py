"""Named states of a project: saved, listed, gone back to, forgotten; no sound is copied for them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bgm import project as projects
from bgm import snapshots
from bgm.errors import BadInput
from bgm.project import Project
from bgm.settings import Settings
from bgm.timeline import Emotion, Segment, Take, Timeline, Utterance

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
TAKE = Take("0123456789abcdef", "embedded", 7, "takes/s1-0123456789abcdef.flac")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    first = Segment("s1", 0.0, 4.0, Emotion.JOY, chosen=TAKE.id, takes=(TAKE,))
    timeline = Timeline(8.0, (first, Segment("s2", 4.0, 8.0, Emotion.SADNESS, prompt="slow strings")))
    begun = projects.create(tmp_path / "p", tmp_path / "talk.mp4", 8.0, Settings(style="jazz", words="D minor"))
    (begun.folder / "takes").mkdir()
    begun.take_path(TAKE).write_bytes(b"x" * 1_000_000)
    return replace(begun, timeline=timeline, utterances=(Utterance(0.5, 3.0, "안녕", "Hello"),)).save()


def test_a_state_is_found_again_as_it_was(project: Project) -> None:
    (saved,) = snapshots.save(project, "  first   cut ", NOON)
    assert (saved.name, saved.saved) == ("first cut", "2026-05-01T12:00:00+00:00")
    assert project.timeline is not None
    later = replace(project, timeline=project.timeline.set_emotion("s1", Emotion.FEAR), settings=Settings()).save()
    then = snapshots.get(later, "first cut")
    assert (then.timeline, then.utterances, then.settings) == (project.timeline, project.utterances, project.settings)
    assert projects.load(project.folder).timeline == later.timeline, "asking changes nothing"


def test_a_name_is_saved_once_and_can_be_forgotten(project: Project) -> None:
    snapshots.save(project, "one")
    snapshots.save(project, "two")
    snapshots.save(replace(project, utterances=()), "one")
    assert [s.name for s in snapshots.listed(project.folder)] == ["two", "one"]
    assert snapshots.get(project, "one").utterances == ()
    assert [s.name for s in snapshots.remove(project, "two")] == ["one"]
    with pytest.raises(BadInput, match="no such snapshot"):
        snapshots.get(project, "two")


def test_no_sound_is_copied(project: Project) -> None:
    before = sum(f.stat().st_size for f in project.folder.rglob("*") if f.is_file())
    for name in ("one", "two", "three"):
        snapshots.save(project, name)
    after = sum(f.stat().st_size for f in project.folder.rglob("*") if f.is_file())
    assert after - before < 20_000


@pytest.mark.parametrize("name", ["", "   ", "x" * 61, "line\x07bell"])
def test_an_impossible_name_is_refused(project: Project, name: str) -> None:
    with pytest.raises(BadInput, match="1 to 60"):
        snapshots.save(project, name)


def test_there_is_an_end_to_them(project: Project) -> None:
    for number in range(snapshots.MOST):
        snapshots.save(project, f"version {number}")
    snapshots.save(project, "version 3")
    with pytest.raises(BadInput, match="up to 20"):
        snapshots.save(project, "one more")


@pytest.mark.parametrize("text", ["{", "{}", "[1]", '[{"name": 1, "saved": "", "project": {}}]', '[{"name": "x"}]'])
def test_a_damaged_file_is_said(project: Project, text: str) -> None:
    (project.folder / snapshots.FILE).write_text(text)
    with pytest.raises(BadInput, match=r"snapshots\.json is damaged"):
        snapshots.listed(project.folder)


def test_what_a_stranger_wrote_is_read_as_strictly_as_a_project(project: Project) -> None:
    snapshots.save(project, "one")
    file = project.folder / snapshots.FILE
    file.write_text(file.read_text().replace('"takes/s1-', '"../s1-'))
    with pytest.raises(BadInput, match="takes/"):
        snapshots.check(project)


def test_one_without_its_take_is_not_whole(project: Project) -> None:
    snapshots.save(project, "one")
    snapshots.check(project)
    project.take_path(TAKE).unlink()
    with pytest.raises(BadInput, match="lacks the take"):
        snapshots.check(project)
