"""Files on local or shared disks and in object stores, behind one set of functions.

Names with ``://`` go through fsspec, all others are paths. Every failure is one sentence that names the file.
"""

from __future__ import annotations

import glob
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from bgm.errors import BadInput, BgmError
from bgm.files import sweep_target, write_text

if TYPE_CHECKING:
    from bgm.batch.units import Unit

CHECKPOINT = ("project.json", "state.json", "stems/activity.json", "stems/voice.flac", "media/audio.flac", "takes/")
"""The files of a project worth keeping: everything else is recomputed in seconds."""


def is_address(name: str) -> bool:
    """Whether it goes through fsspec."""
    return "://" in name


def plain(name: str) -> str:
    """``file:///videos`` becomes ``/videos``: on a disk folders must be created and files can be renamed."""
    return name.removeprefix("file://")


def join(base: str, *names: str) -> str:
    """A file below ``base``; an absolute path stays as it is."""
    return "/".join([base.rstrip("/"), *names]) if is_address(base) else str(Path(base, *names).resolve())


def parent(name: str) -> str:
    """The folder of a file."""
    return name.rpartition("/")[0] if is_address(name) else str(Path(name).parent)


def is_folder(name: str) -> bool:
    """Raises BadInput if nothing has this name."""
    if not is_address(name):
        if not Path(name).exists():
            raise BadInput(f"there is no folder or list {name}")
        return Path(name).is_dir()
    with _open(name) as (fs, path):
        if not fs.exists(path):
            raise BadInput(f"there is no folder or list {name}")
        return bool(fs.isdir(path))


def files(folder: str) -> list[str]:
    """The files that lie directly in ``folder``, by name."""
    if not is_address(folder):
        return sorted(str(file) for file in Path(folder).iterdir() if file.is_file())
    with _open(folder) as (fs, path):
        return sorted(fs.unstrip_protocol(one["name"]) for one in fs.ls(path, detail=True) if one["type"] == "file")


def read(name: str) -> bytes:
    """All of a small file."""
    with _open(name) as (fs, path):
        content: bytes = fs.cat_file(path)
        return content


def read_if_there(name: str) -> bytes | None:
    """Like :func:`read`, but None if there is no such file."""
    with _open(name) as (fs, path):
        return fs.cat_file(path) if fs.exists(path) else None


def write(name: str, text: str) -> None:
    """Replace a small file atomically: a put in an object store, a rename on a disk."""
    if not is_address(name):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        write_text(Path(name), text)
        return
    with _open(name) as (fs, path):
        fs.pipe_file(path, text.encode())


def sweep(name: str) -> None:
    """Delete what a killed run left of a file that :func:`write` writes; an object store has no such parts."""
    if not is_address(name):
        sweep_target(Path(name))


def check_writable(folder: str) -> None:
    """Create the output folder. Raises BadInput, before any work, if it can't be written to."""
    probe = join(folder, ".bgm-writable")
    try:
        write(probe, "")
        with _open(probe) as (fs, path):
            fs.rm_file(path)
    except OSError as error:
        raise BadInput(f"{folder} can't be written to: {error.strerror or error}") from error


def size(name: str) -> int:
    """Bytes, or 0 if unknown: a rough estimate of a unit's cost."""
    try:
        with _open(name) as (fs, path):
            return int(fs.size(path) or 0)
    except BgmError:
        return 0


def stamp(name: str) -> str | None:
    """Identifies a file's content: a path by its bytes, an object by size and the store's checksum; None: no file."""
    if not is_address(name):
        from bgm.digest import fingerprint

        return fingerprint(Path(name)) if Path(name).is_file() else None
    with _open(name) as (fs, path):
        return f"{fs.size(path)}:{fs.checksum(path)}" if fs.exists(path) else None


def subtitles_beside(video: str) -> list[str]:
    """Subtitle files that may belong to the video (its name, then anything, then .srt or .vtt)."""
    from bgm.speech.subtitles import SIDECAR

    stem = video[: len(video) - len(PurePosixPath(video).suffix)]
    with _open(video) as (fs, path):
        base = path[: len(path) - len(PurePosixPath(video).suffix)]
        # Escaped: a video may be called "talk [final].mp4", which glob would read as a set of letters.
        found = sorted(str(one) for one in fs.glob(f"{glob.escape(base)}.*"))
    beside = [one for one in found if one.lower().endswith(tuple(SIDECAR))]
    return [stem + one[len(base) :] for one in beside]


@dataclass
class AtHand:
    """A unit with local paths. ``save`` writes the checkpoint back to where the unit came from."""

    unit: Unit
    save: Callable[[], None] = lambda: None
    deliver: Callable[[Path], str] = str
    """Upload the result; returns its final name."""


@contextmanager
def at_hand(unit: Unit) -> Iterator[AtHand]:
    """A unit on disk is used in place; one in an object store is downloaded, and its checkpoint and result uploaded.

    The scratch folder is created in TMPDIR and needs room for the video, its sound and its music.
    """
    if not is_address(unit.video) and not is_address(unit.out):
        Path(unit.project).parent.mkdir(parents=True, exist_ok=True)
        yield AtHand(unit)
        return
    with tempfile.TemporaryDirectory(prefix="bgm-unit-") as folder:
        copy = _Copy(unit, Path(folder))
        copy.bring()
        try:
            yield AtHand(copy.local, copy.save, copy.deliver)
        except BaseException:
            copy.save()  # keep the checkpoint after a failure or a stop too
            raise


@dataclass
class _Copy:
    """A unit's files in a scratch folder, and which versions of them the store already has."""

    unit: Unit
    scratch: Path
    local: Unit = field(init=False)
    known: dict[str, tuple[int, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        name, out = PurePosixPath(self.unit.video).name, PurePosixPath(self.unit.out).name
        project = self.scratch / f"{self.unit.name}.bgm"
        paths = {"video": self.scratch / name, "out": self.scratch / "out" / out, "project": project}
        self.local = replace(self.unit, **{what: str(path) for what, path in paths.items()})

    def bring(self) -> None:
        for file in (self.unit.video, *subtitles_beside(self.unit.video)):
            _get(file, self.scratch / PurePosixPath(file).name)
        Path(self.local.out).parent.mkdir()
        folder = Path(self.local.project)
        with _open(self.unit.project) as (fs, base):
            for path in fs.find(base) if fs.exists(base) else ():
                name = str(path)[len(base.rstrip("/")) + 1 :]
                if name.startswith(CHECKPOINT):
                    _get(join(self.unit.project, name), folder / name)
                    self.known[name] = _version(folder / name)

    def save(self) -> None:
        """JSON documents last: the files that they refer to must be there first."""
        folder = Path(self.local.project)
        names = [file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()]
        kept = [name for name in names if name.startswith(CHECKPOINT) and "/." not in f"/{name}"]
        # False sorts before True: the documents come last.
        for name in sorted(kept, key=lambda name: (name.endswith(".json"), name)):
            if self.known.get(name) != _version(folder / name):
                _put(folder / name, join(self.unit.project, name))
                self.known[name] = _version(folder / name)

    def deliver(self, out: Path) -> str:
        self.save()
        target = join(parent(self.unit.out), out.name)
        _put(out, target)
        return target


def _version(file: Path) -> tuple[int, int]:
    status = file.stat()
    return status.st_size, status.st_mtime_ns


def _get(address: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with _open(address) as (fs, path):
        fs.get_file(path, str(target))


def _put(source: Path, address: str) -> None:
    """Atomic: an object appears once complete; on a disk the copy is renamed into place."""
    if not is_address(address):
        from shutil import copyfile

        from bgm.files import beside

        Path(address).parent.mkdir(parents=True, exist_ok=True)
        with beside(Path(address)) as part:
            copyfile(source, part)
        return
    with _open(address) as (fs, path):
        fs.put_file(str(source), path)


@contextmanager
def _open(name: str) -> Iterator[tuple[Any, str]]:
    """The file system and the path in it. Its exceptions become one sentence, except OSErrors of local paths."""
    import fsspec

    try:
        # No cache of listings: other nodes write to the same folders while this one looks.
        yield fsspec.core.url_to_fs(name, use_listings_cache=False) if is_address(name) else (_disk(), name)
    except (BgmError, KeyboardInterrupt):
        raise
    except FileNotFoundError as error:
        raise BadInput(f"there is no file {name}") from error
    except PermissionError as error:
        raise BadInput(f"{name}: no right to read or write there") from error
    except ImportError as error:
        raise BadInput(f"{name}: {first_line(error)} (pip install -r requirements-cluster.txt has s3fs)") from error
    except Exception as error:
        if not is_address(name):
            raise
        raise BadInput(f"{name} can't be reached ({type(error).__name__}: {first_line(error)})") from error


def _disk() -> Any:
    from fsspec.implementations.local import LocalFileSystem

    return LocalFileSystem()


def first_line(error: BaseException, otherwise: str = "no message") -> str:
    """The first line of an error's message, short enough to quote; ``otherwise`` if it has none."""
    return (str(error).strip().splitlines() or [otherwise])[0][:160].rstrip(".")
