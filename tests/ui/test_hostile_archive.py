"""Project files that were made to harm: refused in one sentence, and nothing of them grows without end."""

from __future__ import annotations

import io
import shutil
import stat
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from bgm.errors import BadInput
from bgm.project import Project
from bgm.ui import archive
from tests.ui.test_archive import project, sound  # noqa: F401 — the fixture

LIMIT = 10**6
Members = dict[str, bytes]


def refusal(file: Path, to: Path) -> str:
    to.mkdir()
    with pytest.raises(BadInput) as caught:
        archive.unpack(file, to, LIMIT)
    assert str(caught.value).isprintable()
    return str(caught.value)


@pytest.fixture
def members(project: Project) -> Members:  # noqa: F811
    with zipfile.ZipFile(archive.pack(project)) as whole:
        return {info.filename: whole.read(info) for info in whole.infolist()}


def packed(path: Path, members: Members, method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def test_the_unharmed_one_opens(members: Members, tmp_path: Path) -> None:
    """Else the tests below would show nothing."""
    (tmp_path / "new").mkdir()
    assert archive.unpack(packed(tmp_path / "a.zip", members), tmp_path / "new", LIMIT).segments


def test_a_link_is_refused(members: Members, tmp_path: Path) -> None:
    file = packed(tmp_path / "a.zip", members)
    link = zipfile.ZipInfo("takes/link.flac")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(file, "a") as more:
        more.writestr(link, "/etc/passwd")
    assert "not a project file" in refusal(file, tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []


def test_what_grows_when_it_is_unpacked_is_refused_by_its_size(members: Members, tmp_path: Path) -> None:
    bomb = packed(tmp_path / "a.zip", members | {"takes/x.flac": bytes(50_000_000)}, zipfile.ZIP_DEFLATED)
    assert bomb.stat().st_size < LIMIT
    assert "larger than" in refusal(bomb, tmp_path / "new")


def test_a_size_that_lies_is_not_believed(members: Members, tmp_path: Path) -> None:
    bomb = packed(tmp_path / "a.zip", members | {"takes/x.flac": bytes(50_000_000)}, zipfile.ZIP_DEFLATED)
    lying = bomb.read_bytes().replace(struct.pack("<I", 50_000_000), struct.pack("<I", 1000))
    bomb.write_bytes(lying)
    refusal(bomb, tmp_path / "new")
    written = sum(path.stat().st_size for path in (tmp_path / "new").rglob("*") if path.is_file())
    assert written < LIMIT


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_ways_of_compression_are_refused(members: Members, tmp_path: Path, method: int) -> None:
    assert "not a project file" in refusal(packed(tmp_path / "a.zip", members, method), tmp_path / "new")


def test_a_table_of_contents_without_end_is_not_read(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for n in range(20_000):
            file.writestr(f"takes/{n}{'-' * 200}", b"")
    (path := tmp_path / "a.zip").write_bytes(out.getvalue())
    tracemalloc.start()
    try:
        assert "not a project file" in refusal(path, tmp_path / "new")
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()


def test_too_many_files_are_refused(members: Members, tmp_path: Path) -> None:
    many = members | {f"takes/{n}.flac": b"" for n in range(5001)}
    assert "more than" in refusal(packed(tmp_path / "a.zip", many), tmp_path / "new")


@pytest.mark.parametrize(
    "name", ["takes/" + "n" * 300, "takes/" + "여" * 100, "takes/a\nb.flac", "takes/\u202egalf.flac"]
)
def test_a_name_that_no_file_should_have_is_refused(members: Members, tmp_path: Path, name: str) -> None:
    assert "not a project file" in refusal(packed(tmp_path / "a.zip", members | {name: b""}), tmp_path / "new")


def damaged_offset(data: bytes) -> bytes:
    """The table of contents says that a member lies before the file."""
    at = data.rindex(b"PK\x05\x06")
    return data[: at + 16] + struct.pack("<I", 0x7FFFFFFF) + data[at + 20 :]


def damaged_name(data: bytes) -> bytes:
    """A name that says to be UTF-8 and isn't."""
    return data.replace("여름".encode(), b"\xff\xfe\xff\xff\xff\xff")


@pytest.mark.parametrize("damage", [damaged_offset, damaged_name, lambda data: data[:-30], lambda data: data[200:]])
def test_a_damaged_zip_is_one_sentence(members: Members, tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    file = packed(tmp_path / "a.zip", members)
    file.write_bytes(damage(file.read_bytes()))
    refusal(file, tmp_path / "new")


def test_every_byte_of_the_table_may_be_wrong(members: Members, tmp_path: Path) -> None:
    data = packed(tmp_path / "a.zip", members).read_bytes()
    start = data.index(b"PK\x01\x02")
    for at in range(start, len(data), 17):
        (path := tmp_path / "b.zip").write_bytes(data[:at] + bytes([data[at] ^ 0x80]) + data[at + 1 :])
        (folder := tmp_path / f"new-{at}").mkdir()
        try:
            archive.unpack(path, folder, LIMIT)
        except BadInput as error:
            assert str(error).isprintable()
        shutil.rmtree(folder)


def test_files_that_are_not_what_they_should_be_are_refused(members: Members, tmp_path: Path) -> None:
    sound(tmp_path / "many.flac", channels=8)
    sound(tmp_path / "slow.flac", rate=8000)
    wrong = {
        "takes/s1-t1.flac": b"no sound",
        "takes/other.flac": (tmp_path / "many.flac").read_bytes(),
        "stems/voice.flac": (tmp_path / "slow.flac").read_bytes(),
        "media/page.html": b"<script>",
        "stems/activity.json": b'{"speech": ' + b"[" * 100_000,
        "source/여름 clip.mp4": b"no video",
    }
    for n, (name, content) in enumerate(wrong.items()):
        file = packed(tmp_path / f"{n}.zip", members | {name: content})
        assert Path(name).name in refusal(file, tmp_path / f"new{n}")


def test_a_video_of_another_length_is_refused(members: Members, tmp_path: Path) -> None:
    text = members["project.json"].replace(b"5.0", b"3600.0")
    file = packed(tmp_path / "a.zip", members | {"project.json": text})
    assert "another than" in refusal(file, tmp_path / "new")
