"""Rows of pictures for the timeline."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from bgm import studio
from bgm.project import Project
from bgm.ui import media
from bgm.ui.media import FILM_CELLS, FILM_STEPS, Films, film_sheet


@pytest.fixture
def project(sample: Path, tmp_path: Path) -> Project:
    return studio.open_video(sample, tmp_path / "project")


def wait(films: Films, project: Project, step: int, number: int) -> Path | None:
    """The sheet when it is made; None where it can't be."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        path = films.sheet(project, step, number)
        if path is None or path.is_file():
            return path
        time.sleep(0.02)
    raise AssertionError("it was not made")


def cells(path: Path) -> list[tuple[int, ...]]:
    """The middle pixel of each picture in a sheet."""
    with Image.open(path) as sheet:
        across = sheet.width // FILM_CELLS
        assert (sheet.height, across) == (64, 114), "the sample is 16:9"
        found = [sheet.getpixel((round((cell + 0.5) * across), 6)) for cell in range(FILM_CELLS)]
    return [tuple(pixel) for pixel in found]  # type: ignore[arg-type]


def test_a_sheet_is_made_aside_and_kept(project: Project) -> None:
    films = Films()
    for seconds in (2.0, 8.0):  # exact pictures; key frames
        sheet = wait(films, project, FILM_STEPS.index(seconds), 0)
        assert sheet
        pixels = cells(sheet)
        seen = min(FILM_CELLS, int(project.duration / seconds))
        assert len(set(pixels[:seen])) > seen / 3, "they are of different moments"
        if seen < FILM_CELLS - 1:
            assert max(pixels[-1]) < 20, "nothing is shown beyond the end"
        assert wait(Films(), project, FILM_STEPS.index(seconds), 0) == sheet, "found again after a restart"


def test_a_librarys_error_costs_one_sheet(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def make(project: Project, step: int, number: int) -> None:
        if number == 0:
            raise MemoryError("a library gave up")
        path = film_sheet(project, step, number)
        path.parent.mkdir()
        path.write_bytes(b"a sheet")

    monkeypatch.setattr(media, "make_sheet", make)
    films = Films()
    assert wait(films, project, 0, 0) is None
    assert wait(films, project, 0, 1), "the next one is made"


def test_what_cannot_be_made_is_not_promised(project: Project) -> None:
    films = Films()
    assert films.sheet(project, 0, 100_000) is None
    assert films.sheet(project, len(FILM_STEPS), 0) is None
    gone = replace(project, video="gone.mp4")
    assert wait(films, gone, 3, 0) is None
