"""The short version of ``python -m tests.faults.disk_full``; a little longer with ``-m slow``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.conftest import SETTINGS
from tests.faults.disk_full import edit_troubles, service_on, shell_troubles, sizes, step_troubles, upload_troubles
from tests.faults.kill import Task, Undisturbed
from tests.faults.small_disk import NoSmallDisk, SmallDisk, on_disk, small_disk


@pytest.fixture
def disk() -> Iterator[SmallDisk]:
    try:
        with small_disk() as disk:
            yield disk
    except NoSmallDisk as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("room", [pytest.param(0.0, marks=pytest.mark.slow), 0.6])
def test_the_shell_says_it_in_one_sentence_and_resumes(
    again: Task, finished: Path, reworked: tuple[Path, Undisturbed], disk: SmallDisk, room: float
) -> None:
    """Without any room the take can't be written; with some of it the mix can't, beside the one that is there."""
    home, known = reworked
    filled = sum(on_disk(path) for path in finished.rglob("*") if path.is_file())
    mix = sum(on_disk(path) for path in home.rglob("stems/[bm]*.flac"))
    take = max(on_disk(path) for path in home.rglob("takes/*.flac"))
    size = filled + (take // 2 if room == 0 else take + int(room * mix))
    assert shell_troubles(again, known, disk, size) == []


def test_an_upload_that_does_not_fit_leaves_nothing(disk: SmallDisk, video: Path) -> None:
    assert upload_troubles(service_on(disk, SETTINGS), disk, video) == []


def test_an_edit_that_can_not_be_saved_changes_nothing(disk: SmallDisk, video: Path) -> None:
    assert edit_troubles(service_on(disk, SETTINGS), disk, video) == []


@pytest.mark.parametrize(
    "stage", [pytest.param("voice", marks=pytest.mark.slow), "master", pytest.param("result", marks=pytest.mark.slow)]
)
def test_a_step_says_it_and_runs_again(disk: SmallDisk, video: Path, finished: Path, stage: str) -> None:
    assert step_troubles(service_on(disk, SETTINGS), disk, video, sizes(finished)[stage]) == []
