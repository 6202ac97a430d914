from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bgm.settings import Settings
from tests.faults.clips import LINES, clip


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two short videos, the second the longer one."""
    folder = tmp_path_factory.mktemp("clips")
    clip(folder / "first.mp4", 4, LINES[:2])
    clip(folder / "second.mkv", 6, LINES[2:], start=3)
    return folder


@pytest.fixture
def videos(clips: Path, tmp_path: Path) -> Path:
    """A folder of one's own with both videos."""
    return Path(shutil.copytree(clips, tmp_path / "videos"))


@pytest.fixture(scope="session")
def settings() -> Settings:
    """The quickest that makes real results."""
    return Settings(separator="original", music="embedded", offline=True, device="cpu", min_segment=2.0)
