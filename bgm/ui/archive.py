"""A project as one file: to keep, and to open on another machine."""

from __future__ import annotations

import shutil
import stat
import tempfile
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path, PurePosixPath

from bgm import project as projects
from bgm.errors import BadInput
from bgm.export import export
from bgm.project import Project
from bgm.settings import Settings
from bgm.ui import records

SUFFIX = ".bgm.zip"
EXPORTS = "exports"
_FOLDERS = ("source", "media", "stems", "takes")
_FILES = (projects.FILE, "state.json")
_MAX_ENTRIES = 5000
_SAFE_SETTINGS = ("min_segment", "takes", "seed", "language", "lufs", "duck", "duck_depth_db", "keep_original", "cuts")
"""Settings taken over from a project file. The others name files, models and devices: here the server's hold."""


def pack(project: Project) -> Path:
    """The project with its video, stems and takes as a zip file, in a folder of its own."""
    out = _export_folder(project) / f"{Path(project.video).stem}{SUFFIX}"
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(project.folder.rglob("*")):
            name = path.relative_to(project.folder)
            if path.is_file() and _belongs(PurePosixPath(name.as_posix())):
                archive.write(path, name)
    return out


def unpack(file: Path, folder: Path, max_bytes: int) -> Project:
    """Fill ``folder`` (empty) from a project file and open it. Raises BadInput when it isn't one or is too large."""
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            _check(members, max_bytes)
            for member in members:
                _extract(archive, member, folder)
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError) as error:
        raise BadInput("this is not a project file of the studio") from error
    return _opened(folder)


def exported(project: Project, kind: str, suffix: str) -> Path:
    """One of bgm.export's kinds as a single file, in a folder of its own."""
    stem = Path(project.video).stem
    folder = _export_folder(project)
    if kind != "stems":
        return export(project, kind, folder / f"{stem}{suffix}")
    stems = export(project, kind, folder / "stems")
    out = folder / f"{stem} stems{suffix}"
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(stems.iterdir()):
            archive.write(path, path.name)
    return out


def _export_folder(project: Project) -> Path:
    """A folder of its own for each export: who downloads it removes it afterwards."""
    parent = project.folder / EXPORTS
    parent.mkdir(exist_ok=True)
    return Path(tempfile.mkdtemp(dir=parent))


def _belongs(name: PurePosixPath) -> bool:
    if any(part.startswith(".") or part == ".." for part in name.parts) or name.is_absolute():
        return False
    return (len(name.parts) == 1 and name.name in _FILES) or (len(name.parts) == 2 and name.parts[0] in _FOLDERS)


def _check(members: list[zipfile.ZipInfo], max_bytes: int) -> None:
    names = [m.filename for m in members]
    foreign = [m.filename for m in members if not _belongs(PurePosixPath(m.filename)) or "\\" in m.filename]
    links = [m.filename for m in members if stat.S_ISLNK(m.external_attr >> 16)]
    if projects.FILE not in names or foreign or links or len(set(names)) != len(names) or len(names) > _MAX_ENTRIES:
        raise BadInput("this is not a project file of the studio")
    if sum(m.file_size for m in members) > max_bytes:
        raise BadInput(f"this project is larger than the {max_bytes // 2**20} MB that this server takes")


def _extract(archive: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path) -> None:
    target = folder / PurePosixPath(member.filename)
    target.parent.mkdir(exist_ok=True)
    with archive.open(member) as source, target.open("xb") as sink:
        shutil.copyfileobj(source, sink, 1 << 20)


def _opened(folder: Path) -> Project:
    project = projects.load(folder)
    name = PurePosixPath(project.video)
    if len(name.parts) != 2 or name.parts[0] != "source" or not project.video_path.is_file():
        raise BadInput("this project file has no video in it; a project is opened here with its video")
    missing = [t.file for s in project.segments for t in s.takes if not project.take_path(t).is_file()]
    if missing:
        raise BadInput(f"this project file lacks the take {missing[0]}")
    (folder / records.FILE).unlink(missing_ok=True)
    kept = {field: getattr(project.settings, field) for field in _SAFE_SETTINGS}
    return replace(project, settings=replace(Settings(), **kept)).save()
