from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from bgm import project as projects
from bgm.environment import Environment
from bgm.errors import BadInput
from bgm.settings import Settings
from bgm.ui.workspace import Workspace, place_for_source


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(Environment(data=tmp_path, keep_hours=1, max_projects=3))


def begin(workspace: Workspace) -> str:
    with workspace.new() as (project_id, folder):
        projects.create(folder, folder / "v.mp4", 3.0, Settings())
    return project_id


def test_ids_cannot_be_guessed_and_only_they_open(workspace: Workspace) -> None:
    one, other = begin(workspace), begin(workspace)
    assert one != other and len(one) == 32
    assert workspace.load(one).folder.name == one
    for wrong in ("", "x" * 32, "../" + one, one[:-1], None, 5, ["a"], one + "/.", f"{one}\n"):
        with pytest.raises(BadInput, match="not on the server"):
            workspace.folder(wrong)


def test_what_nobody_used_is_removed_unless_it_works(workspace: Workspace) -> None:
    old, busy, fresh = begin(workspace), begin(workspace), begin(workspace)
    for project_id in (old, busy):
        mark = workspace.root / project_id / ".last-used"
        os.utime(mark, (time.time() - 3700,) * 2)
    assert workspace.sweep(lambda project_id: project_id == busy) == [old]
    assert {p.name for p in workspace.root.iterdir()} == {busy, fresh}


def test_opening_a_project_keeps_it(workspace: Workspace) -> None:
    project_id = begin(workspace)
    os.utime(workspace.root / project_id / ".last-used", (time.time() - 3700,) * 2)
    workspace.load(project_id)
    assert workspace.sweep() == []


def test_a_full_server_says_so(workspace: Workspace) -> None:
    for _ in range(3):
        begin(workspace)
    with pytest.raises(BadInput, match="the server is full"):
        begin(workspace)


def test_a_failed_beginning_leaves_nothing(workspace: Workspace) -> None:
    with pytest.raises(BadInput, match="no video"), workspace.new():
        raise BadInput("no video")
    assert list(workspace.root.iterdir()) == []


def test_uploads_that_nobody_came_for_are_removed(workspace: Workspace) -> None:
    old, fresh = (workspace.environment.uploads / name for name in ("old", "fresh"))
    for folder in (old, fresh):
        folder.mkdir(parents=True)
        (folder / "talk.mp4").touch()
    os.utime(old, (time.time() - 3 * 3600,) * 2)
    workspace.sweep_uploads()
    assert [folder.name for folder in workspace.environment.uploads.iterdir()] == ["fresh"]


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("여름 휴가.MP4", "여름 휴가.mp4"),
        ("../../etc/passwd", "passwd"),
        ("-rf; $(x).mov", "rf_ _(x).mov"),
        ("...", "video"),
        ("a.h<t>ml", "a.html"),
        ("यात्रा का वीडियो.mp4", "यात्रा का वीडियो.mp4"),
        ("เที่ยวน้ำตก.mov", "เที่ยวน้ำตก.mov"),
        ("தமிழ் பேச்சு.mkv", "தமிழ் பேச்சு.mkv"),
        ("می\u200cخواهم.mp4", "می\u200cخواهم.mp4"),
        ("cafe\u0301.mp4", "café.mp4"),
        ("x" * 300 + ".mkv", "x" * 80 + ".mkv"),
        ("𐐷" * 80 + ".mkv", "𐐷" * 40 + ".mkv"),
    ],
)
def test_uploads_keep_a_name_that_harms_nobody(tmp_path: Path, name: str, kept: str) -> None:
    assert place_for_source(tmp_path, name) == tmp_path / "source" / kept
