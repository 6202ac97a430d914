"""project.json: read back strictly, written in one step, safe against a second run."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bgm import project as projects
from bgm import timeline
from bgm.digest import fingerprint, has_fingerprint
from bgm.errors import BadInput
from bgm.project import EngineUse, Project
from bgm.settings import Settings, table
from bgm.timeline import EMOTIONS, Emotion, Segment, Take, Timeline, Utterance

EVEN = dict.fromkeys(EMOTIONS, 1 / 7)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    segments = (
        Segment("s1", 0.0, 4.0, Emotion.JOY, 0.5, takes=(Take("x", "embedded", 1, "takes/x.flac"),), chosen="x"),
        Segment("s2", 4.0, 10.0, Emotion.SADNESS, source="user", prompt="느린 피아노"),
    )
    words = (Utterance(0.5, 3.0, "안녕", "hello", EVEN), Utterance(4.0, 6.0, "bye", "bye"))
    engines = {"music": EngineUse("embedded", "riffusion: weights not reachable → embedded")}
    return Project(tmp_path, "a.mp4", 10.0, "ko", words, Timeline(10.0, segments), engines, Settings(takes=2))


def edited(project: Project, *path: str | int, value: Any) -> str:
    document = json.loads(projects.dumps(project))
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return json.dumps(document)


def test_a_saved_project_comes_back_equal(project: Project) -> None:
    project.save()
    assert projects.load(project.folder) == project


def test_what_was_noted_is_kept_by_step(project: Project) -> None:
    noted = project.noted("render", ("The cover was left out.",)).noted("source", ("The clock restarts.",))
    assert projects.load(noted.save().folder).notes == noted.notes
    assert list(noted.notes.values()) == [("The clock restarts.",), ("The cover was left out.",)]
    assert noted.noted("render", ()).notes == {"source": ("The clock restarts.",)}


def test_a_project_of_the_first_releases_has_no_notes(project: Project) -> None:
    document = json.loads(projects.dumps(project))
    del document["notes"]
    assert projects.loads(json.dumps(document), project.folder) == project


def test_what_an_older_project_noted_of_its_score_is_read_as_of_composing(project: Project) -> None:
    older = edited(project, "notes", value={"score": ["It hums."], "mix": ["It is quiet."]})
    assert projects.loads(older, project.folder).notes == {"compose": ("It hums.",), "mix": ("It is quiet.",)}


def test_the_schema_has_the_promised_fields(project: Project) -> None:
    document = json.loads(projects.dumps(project))
    assert set(document) == set("version video duration language utterances segments engines settings notes".split())
    assert set(document["segments"][0]) == set(
        "id start end emotion confidence source prompt seed gain_db locked silent chosen".split()
    ) | set("takes style fade_in fade_out chosen_for".split())
    assert set(document["segments"][0]["takes"][0]) == set("id engine seed file number".split())
    assert set(document["utterances"][0]) == set("start end text english scores unsure".split())
    assert set(document["utterances"][0]["scores"]) == set(EMOTIONS)


def test_where_models_run_is_the_machines_and_not_the_projects(project: Project) -> None:
    """The first releases wrote it: an old file loads, and is worked on as the machine at hand says."""
    here = Settings(device="cpu", offline=True)
    assert not {"device", "offline"} & set(json.loads(projects.dumps(replace(project, settings=here)))["settings"])
    document = json.loads(projects.dumps(project))
    document["settings"] |= {"device": "cuda", "offline": False}
    loaded = projects.loads(json.dumps(document), project.folder, here)
    assert (loaded.settings.device, loaded.settings.offline, loaded.settings.takes) == ("cpu", True, 2)


def test_the_docs_list_the_settings_and_the_fields_of_a_segment() -> None:
    text = (Path(__file__).resolve().parents[1] / "docs" / "project.md").read_text(encoding="utf-8")
    assert table() in text, "put bgm.settings.table() into docs/project.md"
    assert timeline.table() in text, "put bgm.timeline.table() into docs/project.md"


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("version",), 2, "version"),
        (("notes",), {"cooking": ["salt"]}, "notes.cooking"),
        (("segments", 0, "emotion"), "happy", "segments.0.emotion"),
        (("segments", 0, "emotoin"), "joy", "emotoin"),
        (("segments", 0, "locked"), "no", "segments.0.locked"),
        (("segments", 0, "end"), 5.0, "where the one before it ends"),
        (("segments", 0, "id"), "../s1", "letters, digits"),
        (("segments", 0, "takes", 0, "file"), "../../etc/passwd", "must lie in takes/"),
        (("segments", 0, "takes", 0, "file"), "takes/..", "must lie in takes/"),
        (("segments", 0, "chosen"), "y", "no take 'y'"),
        (("segments", 0, "gain_db"), 99, "gain outside"),
        (("utterances", 0, "end"), 0.1, "must end after it starts"),
        (("utterances", 0, "scores"), {"joy": 1.0}, "seven emotions"),
        (("segments", 0, "style"), "polka", "segments.0.style"),
        (("settings", "takes"), 99, "takes must be"),
        (("settings", "seed"), "dice", "settings.seed"),
        (("settings", "seed"), -1, "seed must be auto or"),
        (("settings", "seed"), True, "settings.seed"),
        (("settings", "style"), "polka", "style must be auto, lofi, acoustic"),
        (("settings", "volume"), 9, "volume"),
        (("duration",), -1, "duration"),
        (("extra",), 1, "extra"),
    ],
)
def test_a_wrong_edit_is_refused_with_its_place(project: Project, path: Any, value: Any, said: str) -> None:
    with pytest.raises(BadInput) as refused:
        projects.loads(edited(project, *path, value=value), project.folder)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_nan_is_refused(project: Project) -> None:
    text = projects.dumps(project).replace('"gain_db": 0.0', '"gain_db": NaN', 1)
    with pytest.raises(BadInput):
        projects.loads(text, project.folder)


def test_half_a_file_is_refused_in_one_line(project: Project) -> None:
    text = projects.dumps(project)
    with pytest.raises(BadInput) as refused:
        projects.loads(text[: len(text) // 2], project.folder)
    assert "\n" not in str(refused.value)


def test_no_project_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="there is no project"):
        projects.load(tmp_path)


def test_a_failed_save_leaves_the_old_file(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.save()
    before = (project.folder / projects.FILE).read_bytes()
    monkeypatch.setattr("os.fsync", lambda fd: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        project.save()
    assert (project.folder / projects.FILE).read_bytes() == before
    assert not list(project.folder.glob(".bgm-part-*"))


def test_a_second_run_is_kept_out(project: Project) -> None:
    with project.locked(), pytest.raises(BadInput, match="another run"), project.locked():
        pass


def test_what_a_killed_run_left_is_swept(project: Project) -> None:
    with project.locked():
        pass
    stale = project.folder / "takes" / ".bgm-part-123.flac"
    stale.write_bytes(b"half")
    with project.locked():
        assert not stale.exists()


def test_an_edit_that_is_being_saved_is_not_swept(project: Project) -> None:
    from bgm.files import beside

    with beside(project.folder / projects.FILE) as part:
        part.write_text(projects.dumps(project), encoding="utf-8")
        with project.locked():
            pass
    assert projects.load(project.folder) == project


def test_a_change_keeps_what_was_saved_meanwhile(project: Project) -> None:
    project.save()
    replace(project, language="en").save()
    written = (project.folder / projects.FILE).stat()
    after = projects.update(project, lambda p: replace(p, duration=p.duration))
    assert after.language == "en"
    assert (project.folder / projects.FILE).stat() == written, "no change, nothing is written"
    assert projects.update(project, lambda p: replace(p, language="ko")) == projects.load(project.folder) == project


def test_a_project_that_was_not_analyzed_loads(tmp_path: Path) -> None:
    (tmp_path / "v").mkdir()
    new = projects.create(tmp_path / "v", tmp_path / "a.mp4", 3.0, Settings())
    assert projects.load(tmp_path / "v") == new
    assert new.timeline is None


def test_a_project_killed_while_it_was_created_opens_again(tmp_path: Path, muted_mp4: Path) -> None:
    from bgm import studio

    folder = tmp_path / "p"
    studio.open_video(muted_mp4, folder)
    (folder / "state.json").unlink()
    assert studio.open_video(muted_mp4, folder).state()["video"]


def test_a_project_that_lost_its_state_is_not_overwritten(project: Project, muted_mp4: Path) -> None:
    from bgm import studio

    project.save()
    with pytest.raises(BadInput, match="another video"):
        studio.open_video(muted_mp4, project.folder)


def test_a_video_inside_the_folder_is_named_relative(tmp_path: Path) -> None:
    assert projects.relative_video(tmp_path, tmp_path / "media" / "v.mp4") == "media/v.mp4"


def test_an_edit_in_the_middle_is_another_file(tmp_path: Path) -> None:
    """A sound editor leaves size and both ends as they were."""
    talk = tmp_path / "talk.wav"
    content = bytearray(5 << 20)
    talk.write_bytes(content)
    before = fingerprint(talk)
    content[5 << 19] = 1
    talk.write_bytes(content)
    assert fingerprint(talk) != before and not has_fingerprint(talk, before)


def test_a_project_of_the_first_version_knows_its_video(tmp_path: Path) -> None:
    video = tmp_path / "talk.mp4"
    video.write_bytes(b"picture" * 1000)
    of_ends = hashlib.sha256(b"%d:" % 7000 + b"picture" * 2000).hexdigest()[:16]
    assert has_fingerprint(video, of_ends) and not has_fingerprint(video, "0" * 16)
    assert not has_fingerprint(video, "70x00:damaged")


def test_a_video_that_moved_along_is_found_by_what_it_is(tmp_path: Path) -> None:
    home, away = tmp_path / "home", tmp_path / "away"
    home.mkdir()
    video = home / "talk.mp4"
    video.write_bytes(b"picture")
    project = projects.create(home / "talk.bgm", video, 3.0, Settings())
    project.mark("video", fingerprint(video))
    home.rename(away)
    (away / "talk.mp4").rename(away / "renamed.mp4")
    (away / "other.mp4").write_bytes(b"PICTURE")

    found = projects.with_video(projects.load(away / "talk.bgm"))
    assert found.video_path == away / "renamed.mp4"
    assert projects.load(away / "talk.bgm") == found

    (away / "renamed.mp4").unlink()
    with pytest.raises(BadInput, match=r"not there any more: put it beside .* python -m bgm analyze VIDEO --project"):
        projects.with_video(found)
