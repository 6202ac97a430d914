"""A project as one zip file: to keep, and to open on another machine; and the exports that a browser downloads."""

from __future__ import annotations

import io
import os
import shutil
import stat
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath

from bgm import analysis, snapshots
from bgm import project as projects
from bgm.engines import CATALOGUE
from bgm.errors import BadInput
from bgm.export import EXPORTS, export
from bgm.files import full_disk_told
from bgm.media import audio
from bgm.media.probe import probe, vet
from bgm.project import Project
from bgm.settings import SETTINGS, Settings
from bgm.speech import words
from bgm.ui.steps import RECORDS

SUFFIX = ".bgm.zip"
OUTGOING = "exports"
MAX_EXPORTS = 3
"""At a time, of one project: each is a copy on disk until it has been sent."""
_EXPORT_SECONDS = 3600.0
"""An older export was left by a killed server, or is read by a download that no longer needs its name."""
_FOLDERS = ("source", "media", "stems", "takes")
_FILES = (projects.FILE, "state.json", snapshots.FILE)
_MAX_ENTRIES = 5000
_MAX_READ = 1 << 22
"""Most bytes read from a zip at once: its table of contents takes a sixth of this for _MAX_ENTRIES files."""
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Other compression methods can expand a few bytes without limit."""
_NAME_BYTES = 240
"""Longest file name: results are named after the video, with a few characters added."""
_SLACK_SECONDS = 1.0


@full_disk_told()
def pack(project: Project) -> Path:
    """The project with its video, stems and takes as a zip file, in a folder of its own.

    Takes that neither the timeline nor a snapshot names stay here: undo, which may still need them, isn't packed.
    """
    with _export_folder(project) as folder:
        out = folder / f"{Path(project.video).stem}{SUFFIX}"
        with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
            needed = snapshots.named_takes(project)
            for path in sorted(project.folder.rglob("*")):
                name = path.relative_to(project.folder)
                if needed is not None and name.parts[0] == "takes" and name.as_posix() not in needed:
                    continue
                if path.is_file() and _belongs(PurePosixPath(name.as_posix())):
                    archive.write(path, name)
        return out


def unpack(file: Path, folder: Path, max_bytes: int, settings: Settings | None = None) -> Project:
    """Fill ``folder`` (empty) from a project file and open it. Raises BadInput when it isn't one or is too large.

    ``settings`` are the server's: only harmless settings are taken from the file.
    """
    try:
        with _ZipBytes(file) as data, zipfile.ZipFile(data) as archive:
            members = archive.infolist()
            _check(members, max_bytes)
            for member in members:
                _extract(archive, member, folder)
    # What damaged and hostile files raise in zipfile: RuntimeError for an encrypted member, EOFError for one that ends
    # early, ValueError for a name with a NUL.
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError) as error:
        raise BadInput("this is not a project file of the studio") from error
    return _opened(folder, settings or Settings())


@full_disk_told()
def exported(project: Project, kind: str) -> Path:
    """One of bgm.export's kinds as a single file, in a folder of its own."""
    stem, form = Path(project.video).stem, EXPORTS[kind]
    with _export_folder(project) as folder:
        if kind != "stems":
            return export(project, kind, folder / f"{stem}{f' {kind}' if form.is_sound else ''}{form.suffix}")
        stems = export(project, kind, folder / "stems")
        out = folder / f"{stem} stems{form.suffix}"
        with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
            for path in sorted(stems.iterdir()):
                archive.write(path, path.name)
        return out


@contextmanager
def _export_folder(project: Project) -> Iterator[Path]:
    """A folder of its own for each export, removed after the download; a failed export leaves none."""
    parent = project.folder / OUTGOING
    parent.mkdir(exist_ok=True)
    for left in parent.iterdir():
        with suppress(FileNotFoundError):  # it was removed just now
            # Swept here and not by a clock: a project that exports nothing has nothing to sweep.
            if left.stat().st_mtime < time.time() - _EXPORT_SECONDS:
                shutil.rmtree(left, ignore_errors=True)
    if sum(1 for _ in parent.iterdir()) >= MAX_EXPORTS:
        raise BadInput("this project is being downloaded already; try again when that is done")
    folder = Path(tempfile.mkdtemp(dir=parent))
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


class _ZipBytes(io.FileIO):
    """A zip file for zipfile that rejects negative offsets and a table of contents that would fill the memory."""

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        # zipfile computes offsets from fields of the file; a negative one would be an OSError without a sentence.
        if whence == os.SEEK_SET and offset < 0:
            raise zipfile.BadZipFile("a place before the start")
        return super().seek(offset, whence)

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _MAX_READ:
            raise zipfile.BadZipFile("a table of contents beyond reason")
        return super().read(size)


def _belongs(name: PurePosixPath) -> bool:
    if any(part.startswith(".") or part == ".." for part in name.parts) or name.is_absolute():
        return False
    if len(name.name.encode("utf-8", "replace")) > _NAME_BYTES or not name.name.isprintable():
        return False
    return (len(name.parts) == 1 and name.name in _FILES) or (len(name.parts) == 2 and name.parts[0] in _FOLDERS)


def _check(members: list[zipfile.ZipInfo], max_bytes: int) -> None:
    names = [m.filename for m in members]
    foreign = [m.filename for m in members if not _belongs(PurePosixPath(m.filename)) or "\\" in m.filename]
    links = [m.filename for m in members if stat.S_ISLNK(m.external_attr >> 16)]
    odd = [m.filename for m in members if m.compress_type not in _METHODS]
    if projects.FILE not in names or foreign or links or odd or len(set(names)) != len(names):
        raise BadInput("this is not a project file of the studio")
    if len(names) > _MAX_ENTRIES:
        raise BadInput(f"this project holds more than the {_MAX_ENTRIES} files that this server takes")
    # The sizes are the file's own claims, but they bind: zipfile reads no more than file_size bytes of a member, so no
    # bomb grows beyond the sum that is allowed here.
    if sum(m.file_size for m in members) > max_bytes:
        raise BadInput(f"this project is larger than the {max_bytes // 2**20} MB that this server takes")


def _extract(archive: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path) -> None:
    target = folder / PurePosixPath(member.filename)
    target.parent.mkdir(exist_ok=True)
    # "x": a member that would replace another is refused, whatever the check of names has let through.
    with archive.open(member) as source, target.open("xb") as sink:
        shutil.copyfileobj(source, sink, 1 << 20)


def _opened(folder: Path, settings: Settings) -> Project:
    # 1. The document itself, read as strictly as any. 2. Its video must lie in it: a path elsewhere would let a
    # stranger read this server's files. 3. The takes that it names. 4. Every other file, by its content. 5. What a page
    # noted is of another server, and goes. 6. Settings and engines by what no harm can come from.
    project = projects.load(folder)
    name = PurePosixPath(project.video)
    if len(name.parts) != 2 or name.parts[0] != "source" or not project.video_path.is_file():
        raise BadInput("this project file has no video in it; a project is opened here with its video")
    missing = [t.file for s in project.segments for t in s.takes if not project.take_path(t).is_file()]
    if missing:
        raise BadInput(f"this project file lacks the take {missing[0]}")
    _check_media(project)
    (folder / RECORDS).unlink(missing_ok=True)
    kept = {name: getattr(project.settings, name) for name, setting in SETTINGS.items() if setting.card.portable}
    # By the bare name: a model after it would be a path or a hub id of the sender's choice.
    known = {(str(listed.stage), listed.name) for listed in CATALOGUE}
    engines = {stage: use for stage, use in project.engines.items() if (stage, use.name) in known}
    return replace(project, settings=replace(settings, **kept), engines=engines).save()


def _check_media(project: Project) -> None:
    """Check that every file is what the studio would take it for. Raises BadInput otherwise."""
    vet(project.video_path)
    if abs(probe(project.video_path).duration - project.duration) > _SLACK_SECONDS:
        raise BadInput("the video in this project file is another than the one that the project was made from")
    analysis.activity(project)
    snapshots.check(project)
    words.load(project.words)
    for name in ("media", "stems", "takes"):
        for path in sorted((project.folder / name).glob("*")):
            if path not in (project.activity, project.words) and not audio.is_ours(path):
                raise BadInput(f"{name}/{path.name} in this project file is not a sound of the studio")
