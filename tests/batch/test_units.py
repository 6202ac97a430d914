"""Which videos a batch has, what they are called, and what is refused before any work."""

from __future__ import annotations

from pathlib import Path

import pytest

from bgm.batch.units import plan
from bgm.errors import BadInput


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    home = tmp_path / "in"
    (home / "more").mkdir(parents=True)
    for name in ("b.mp4", "a.TS", "a.srt", ".hidden.mp4", "notes.txt", "more/b.mp4"):
        (home / name).write_bytes(b"\x00\xff")
    return home


def test_a_folder_gives_its_videos_and_nothing_else(folder: Path, tmp_path: Path) -> None:
    planned = plan(str(folder), str(tmp_path / "out"))
    assert [unit.name for unit in planned.units] == ["a.TS", "b.mp4"]
    assert planned.units[1].out == str(tmp_path / "out" / "b.mp4")
    assert planned.units[1].project == str(tmp_path / "out" / "projects" / "b.mp4.bgm")
    assert planned.notes == ()


def test_a_list_gives_its_lines_beside_it_and_elsewhere(folder: Path, tmp_path: Path) -> None:
    listed = folder / "list.txt"
    listed.write_text("\ufeff# talks\n\n  b.mp4 \nmissing file.mp4\ns3://bucket/c.mp4\n", encoding="utf-8")
    planned = plan(str(listed), str(tmp_path / "out"))
    expected = [str(folder / "b.mp4"), str(folder / "missing file.mp4"), "s3://bucket/c.mp4"]
    assert [unit.video for unit in planned.units] == expected


def test_one_video_is_a_batch_too(folder: Path, tmp_path: Path) -> None:
    assert [unit.name for unit in plan(str(folder / "b.mp4"), str(tmp_path / "out")).units] == ["b.mp4"]


def test_two_videos_of_one_name_get_two_and_a_sentence(folder: Path, tmp_path: Path) -> None:
    listed = folder / "list.txt"
    listed.write_text("b.mp4\nmore/b.mp4\nb.mp4\n", encoding="utf-8")
    planned = plan(str(listed), str(tmp_path / "out"))
    first, second = planned.units
    assert first.name == "b.mp4" and second.name.startswith("b-") and second.name.endswith(".mp4")
    assert len({first.out, second.out, first.project, second.project}) == 4
    assert [second.name in note or "more than once" in note for note in planned.notes] == [True, True]


def test_a_name_stays_when_the_list_grows(folder: Path, tmp_path: Path) -> None:
    listed = folder / "list.txt"
    listed.write_text("b.mp4\n", encoding="utf-8")
    before = plan(str(listed), str(tmp_path / "out")).units
    listed.write_text("b.mp4\nmore/b.mp4\n", encoding="utf-8")
    assert plan(str(listed), str(tmp_path / "out")).units[:1] == before


@pytest.mark.parametrize("out", [".", "scored", "more/scored"])
def test_results_among_the_videos_are_refused(folder: Path, out: str) -> None:
    with pytest.raises(BadInput, match="among the videos"):
        plan(str(folder), str(folder / out))


def test_a_folder_that_only_begins_with_the_same_letters_is_another(folder: Path) -> None:
    assert plan(str(folder), f"{folder}-scored").units


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("gone", None, "there is no folder or list"),
        ("empty.txt", b"# nothing\n", "there are no videos"),
        ("binary.lst", b"\xff\xfe\x00", "not text in UTF-8"),
    ],
)
def test_what_is_no_list_is_said_in_one_sentence(
    tmp_path: Path, name: str, content: bytes | None, sentence: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput, match=sentence) as failed:
        plan(str(tmp_path / name), str(tmp_path / "out"))
    assert name in str(failed.value)
