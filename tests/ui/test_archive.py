from __future__ import annotations

import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bgm import project as projects
from bgm import snapshots
from bgm.errors import BadInput
from bgm.media import audio
from bgm.project import Project
from bgm.settings import Settings
from bgm.timeline import Emotion, Segment, Take, Timeline
from bgm.ui import archive

LIMIT = 10**6


@pytest.fixture
def project(tmp_path: Path, muted_mp4: Path) -> Project:
    """Of a video of 5 s."""
    folder = tmp_path / "project"
    (folder / "source").mkdir(parents=True)
    (folder / "takes").mkdir()
    shutil.copyfile(muted_mp4, folder / "source" / "여름 clip.mp4")
    sound(folder / "takes" / "s1-t1.flac")
    (folder / "page.json").write_text("{}")
    (folder / ".lock").touch()
    made = projects.create(folder, folder / "source" / "여름 clip.mp4", 5.0, Settings(min_segment=2.0))
    take = Take("t1", "embedded", 1, "takes/s1-t1.flac")
    segment = Segment("s1", 0.0, 5.0, Emotion.JOY, chosen="t1", takes=(take,))
    return replace(made, timeline=Timeline(5.0, (segment,))).save()


def sound(path: Path, channels: int = 2, rate: int = audio.SAMPLE_RATE) -> None:
    soundfile.write(path, np.zeros((rate // 10, channels)), rate)


def unpack(file: Path, to: Path) -> Project:
    to.mkdir()
    return archive.unpack(file, to, LIMIT)


def test_a_project_file_opens_elsewhere(project: Project, muted_mp4: Path, tmp_path: Path) -> None:
    file = archive.pack(project)
    assert file.name == "여름 clip.bgm.zip"
    moved = tmp_path / "elsewhere.zip"
    shutil.move(file, moved)
    shutil.rmtree(project.folder)
    opened = unpack(moved, tmp_path / "new")
    assert opened.segments == project.segments and opened.settings.min_segment == 2.0
    assert opened.video_path.read_bytes() == muted_mp4.read_bytes()
    assert {p.name for p in opened.folder.iterdir()} == {"project.json", "source", "takes"}


def test_a_project_file_has_the_takes_that_can_be_chosen_and_no_abandoned_ones(project: Project) -> None:
    for name in ("s1-old", "s9-gone", "s1-kept"):
        sound(project.folder / "takes" / f"{name}.flac")
    kept = Take("kept", "embedded", 2, "takes/s1-kept.flac")
    segment = replace(project.segments[0], takes=(kept,), chosen="kept")
    snapshots.save(replace(project, timeline=Timeline(5.0, (segment,))), "before")
    with zipfile.ZipFile(archive.pack(project)) as packed:
        takes = {name for name in packed.namelist() if name.startswith("takes/")}
    assert takes == {"takes/s1-t1.flac", "takes/s1-kept.flac"}


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/evil", "takes/../../evil", "a/b/c", ".hidden", "takes/.x", "takes\\evil", "evil.py"]
)
def test_a_file_that_would_land_elsewhere_is_refused(project: Project, tmp_path: Path, name: str) -> None:
    file = archive.pack(project)
    with zipfile.ZipFile(file, "a") as more:
        more.writestr(name, "x")
    with pytest.raises(BadInput, match="not a project file"):
        unpack(file, tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []


def test_no_zip_and_too_large(project: Project, tmp_path: Path) -> None:
    text = tmp_path / "text.zip"
    text.write_text("no zip")
    with pytest.raises(BadInput, match="not a project file"):
        unpack(text, tmp_path / "a")
    (tmp_path / "b").mkdir()
    with pytest.raises(BadInput, match="larger than"):
        archive.unpack(archive.pack(project), tmp_path / "b", 10)


def test_paths_and_engines_of_another_machine_are_not_taken_over(project: Project, tmp_path: Path) -> None:
    def rewritten(name: str, **changes: object) -> Path:
        document = json.loads((project.folder / "project.json").read_text())
        document["settings"] |= changes.pop("settings", {})  # type: ignore[operator]
        (project.folder / "project.json").write_text(json.dumps({**document, **changes}))
        return Path(shutil.move(archive.pack(project), tmp_path / name))

    settings = {"subtitles": "/etc/passwd", "transcriber": "whisper:/srv/model.pt", "lora": "/srv/x", "device": "cuda"}
    opened = unpack(rewritten("one.zip", settings=settings), tmp_path / "one")
    assert (opened.settings.subtitles, opened.settings.transcriber, opened.settings.lora) == (None, "auto", None)
    with pytest.raises(BadInput, match="no video in it"):
        unpack(rewritten("two.zip", video="/etc/passwd"), tmp_path / "two")
    with pytest.raises(BadInput, match="no video in it"):
        unpack(rewritten("three.zip", video="source/../../../etc/passwd"), tmp_path / "three")
