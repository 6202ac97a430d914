"""One short video whose project was finished undisturbed: what every killed or choked run must come to."""

from __future__ import annotations

from pathlib import Path

import pytest

from bgm import studio
from bgm.settings import Settings
from tests.faults.clips import LINES, clip
from tests.faults.kill import PROJECT, RESULT, Task, Undisturbed, make, rework, undisturbed

SETTINGS = Settings(min_segment=1.0, offline=True)


@pytest.fixture(scope="session")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clip(tmp_path_factory.mktemp("faults") / "talk.mp4", 4.0, LINES[:2], start=1.5)


@pytest.fixture(scope="session")
def finished(video: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the project and its result, made in this process."""
    home = tmp_path_factory.mktemp("finished")
    project = studio.open_video(video, home / PROJECT, SETTINGS)
    studio.render(studio.compose(studio.analyze(project)), home / RESULT)
    return home


@pytest.fixture(scope="session")
def whole(video: Path) -> Task:
    return make(video, "--min-segment", "1")


@pytest.fixture(scope="session")
def again(finished: Path) -> Task:
    return rework(finished)


@pytest.fixture(scope="session")
def reworked(again: Task, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Undisturbed]:
    """The folder, and what is known of it."""
    home = tmp_path_factory.mktemp("reworked") / "home"
    return home, undisturbed(again, home)
