"""Sources of weights: the user's own path, pip packages, an address, a Debian package (the hub is in ``hub.py``).

Each reports what it has on this machine (without network) and why it can't provide a model (within five seconds), and
provides it, verified. Files are written next to their target and renamed, under a lock between processes.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from bgm.digest import sha256_of
from bgm.errors import EngineUnavailable
from bgm.files import PART_PREFIX
from bgm.progress import Progress
from bgm.weights import network
from bgm.weights.network import BLOCK_BYTES, Offer, fetch

if TYPE_CHECKING:
    from bgm.weights.cards import Card

NOT_CACHED = "weights not cached, and working offline"
WAIT_S = 0.3


@dataclass(frozen=True, slots=True)
class File:
    """A file of a model. Of several ``names`` (paths in the model's folder) one is enough; the first is preferred."""

    names: tuple[str, ...]
    sha256: str | None = None
    size: int | None = None
    needed: bool = True
    """False: fetched if it is published, otherwise not missed. Its names may be patterns."""

    def path(self, folder: Path) -> Path | None:
        """Its path in ``folder`` if it is complete, judging by its size; an empty file counts as missing."""
        # By size alone: checksums of gigabytes are for provide(), not for a list of engines.
        for path in (folder / name for name in self.names):
            size = path.stat().st_size if path.is_file() else 0
            if size and self.size in (None, size):
                return path
        return None

    def __str__(self) -> str:
        return " or ".join(self.names)


class Source(Protocol):
    """Where a model's files are, or may be."""

    def find(self, card: Card) -> Path | None:
        """The model's folder (the file, if it is one) if all of it is on this machine, judging by names and sizes."""

    def why_not(self, card: Card, offline: bool) -> str | None:
        """Why this source can't provide it, in a few words, or None."""

    def provide(self, card: Card, progress: Progress) -> Path:
        """Like :meth:`find`, with the content verified, and fetched first if necessary. Raises EngineUnavailable."""

    def __str__(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Local:
    """The user's own folder or file."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    def find(self, card: Card) -> Path | None:
        if self._lacking(card):
            return None
        return card.files[0].path(self.path) if card.is_file and self.path.is_dir() else self.path

    def why_not(self, card: Card, offline: bool) -> str | None:
        return self._lacking(card)

    def provide(self, card: Card, progress: Progress) -> Path:
        found = self.find(card)
        if found is None:
            raise EngineUnavailable(self._lacking(card) or f"{self.path} is empty")
        return found

    def _lacking(self, card: Card) -> str | None:
        if self.path.is_file():
            return None if self.path.stat().st_size else f"{self.path} is empty"
        if not self.path.is_dir():
            return f"there is no file or folder {self.path}"
        return _lacks(card, self.path)


@dataclass(frozen=True, slots=True)
class Packages:
    """pip packages that contain a model's files, whole or split into parts; their code is never imported."""

    parts: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    """(name of the file, (distribution, path in it) of each of its parts, in order)"""
    archive: str | None = None
    """If the only file is a zip archive: the folder in it with the model's files."""

    def __str__(self) -> str:
        names = self._distributions()
        return f"package{'s' if len(names) > 1 else ''} {' and '.join(names)}"

    def _distributions(self) -> list[str]:
        return sorted({name for _, parts in self.parts for name, _ in parts})

    def _are_cut(self) -> bool:
        return any(len(parts) > 1 for _, parts in self.parts)

    def find(self, card: Card) -> Path | None:
        joined = cache_folder(card)
        if self._are_cut() and _lacks(card, joined) is None:
            return joined
        return None if self._absent(card) else self._in_place() or joined

    def why_not(self, card: Card, offline: bool) -> str | None:
        return None if self._are_cut() and _lacks(card, cache_folder(card)) is None else self._absent(card)

    def provide(self, card: Card, progress: Progress) -> Path:
        """Whole files stay where pip installed them; split ones are joined in the cache, once."""
        if not self._are_cut():
            folder = self._in_place()
            if self._absent(card) or folder is None:
                raise EngineUnavailable(self._absent(card) or f"the {self} is damaged")
            return _checked(card, folder, f"install {' and '.join(self._distributions())} again")
        folder = cache_folder(card)
        if _lacks(card, folder) or _damage(card, folder):  # checked before locking: the cache may be read-only
            with locked(folder, progress):
                if _lacks(card, folder) or _damage(card, folder):
                    self._join(card, folder, progress)
        return folder

    def _in_place(self) -> Path | None:
        """The folder of the package that has every file."""
        if self._are_cut():
            return None
        # The package's folder is so many levels above each file as the file's name has.
        folders = {_part(*parts[0]).parents[name.count("/")] for name, parts in self.parts}
        return folders.pop() if len(folders) == 1 else None

    def _absent(self, card: Card) -> str | None:
        """What is missing from the packages, judging by sizes."""
        for name, parts in self.parts:
            size = 0
            for package, path in parts:
                try:
                    part = _part(package, path)
                except PackageNotFoundError:
                    return f"the package {package} is not installed"
                if not part.is_file():
                    return f"the package {package} lacks {path}: install it again"
                size += part.stat().st_size
            expected = next((file.size for file in card.files if name in file.names), None)
            if expected not in (None, size):
                where = " and ".join(dict.fromkeys(package for package, _ in parts))
                return f"{name} in {where} is incomplete ({size:,} of {expected:,} bytes): install it again"
        return None

    def _join(self, card: Card, folder: Path, progress: Progress) -> None:
        """Join the files in a temporary folder, which is renamed when all are verified."""
        absent = self._absent(card)
        if absent:
            raise EngineUnavailable(absent)
        network.need_room(folder, card.size or 0)
        # Made beside its place and renamed when verified: nobody ever finds half a model.
        fresh = folder.with_name(f"{PART_PREFIX}{folder.name}")
        shutil.rmtree(fresh, ignore_errors=True)
        try:
            for name, parts in self.parts:
                progress(0.0, f"joining the parts of {card.title}")
                digest = _joined([_part(*part) for part in parts], fresh / name)
                file = next((file for file in card.files if name in file.names), None)
                if file and file.sha256 not in (None, digest):
                    raise EngineUnavailable(self._are_damaged(parts))
                if self.archive:
                    self._unpack(card, fresh / name, progress)
            shutil.rmtree(folder, ignore_errors=True)
            fresh.rename(folder)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)

    def _unpack(self, card: Card, archive: Path, progress: Progress) -> None:
        """Extract the model's files next to the archive, verify them, delete the archive."""
        progress(0.5, f"unpacking {card.title}")
        try:
            with zipfile.ZipFile(archive) as packed:
                for name in (file.names[0] for file in card.files):
                    with packed.open(f"{self.archive}/{name}") as inside, (archive.parent / name).open("wb") as target:
                        shutil.copyfileobj(inside, target, BLOCK_BYTES)
        except (zipfile.BadZipFile, zlib.error, KeyError, EOFError) as error:
            raise EngineUnavailable(self._are_damaged(self.parts[0][1])) from error
        archive.unlink()
        if _damage(card, archive.parent):
            raise EngineUnavailable(self._are_damaged(self.parts[0][1]))

    def _are_damaged(self, parts: Sequence[tuple[str, str]]) -> str:
        where = " and ".join(str(_part(*part)) for part in parts)
        return f"{where} is damaged: install {' and '.join(self._distributions())} again"


@dataclass(frozen=True, slots=True)
class Address:
    """One file from its publisher, kept where the publisher's own library keeps it."""

    url: str
    cache: str
    """Folder in the user's cache (``$XDG_CACHE_HOME``, else ``~/.cache``)."""

    def __str__(self) -> str:
        return self.url.split("/")[2]

    @property
    def target(self) -> Path:
        """Where the file is or will be."""
        cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        return Path(cache) / self.cache / self.url.rpartition("/")[2]

    def find(self, card: Card) -> Path | None:
        """Cheap: a checkpoint is a zip file, whose directory is at its end, so an incomplete one has none."""
        return self.target if self.target.is_file() and zipfile.is_zipfile(self.target) else None

    def why_not(self, card: Card, offline: bool) -> str | None:
        return None if self.find(card) else _why_not_fetched(self.url, offline)

    def provide(self, card: Card, progress: Progress) -> Path:
        """A file that differs from the published one is fetched again."""
        target, expected = self.target, card.files[0].sha256
        if not self.find(card) or sha256_of(target) != expected:
            with locked(target, progress):
                fetch(Offer(self.url, expected), target, card.title, progress)
        return target


@dataclass(frozen=True, slots=True)
class DebianPackage:
    """A .deb from Debian's servers that contains a model's only file, which is extracted; nothing in it is run."""

    url: str
    sha256: str
    member: str
    """The file's path in the package."""

    def __str__(self) -> str:
        return f"Debian, {self.url.rpartition('/')[2].partition('_')[0]}"

    def find(self, card: Card) -> Path | None:
        return card.files[0].path(cache_folder(card))

    def why_not(self, card: Card, offline: bool) -> str | None:
        return None if self.find(card) else _why_not_fetched(self.url, offline)

    def provide(self, card: Card, progress: Progress) -> Path:
        """A file that differs from the published one is fetched again."""
        file = card.files[0]
        target = cache_folder(card) / file.names[0]
        if not self.find(card) or sha256_of(target) != file.sha256:
            with locked(target, progress):
                network.need_room(target.parent, (card.size or 0) + (file.size or 0))
                package = target.with_name(self.url.rpartition("/")[2])
                fetch(Offer(self.url, self.sha256), package, card.title, progress)
                progress(1.0, f"unpacking {card.title}")
                self._unpack(package, target)
                package.unlink()
        return target

    def _unpack(self, package: Path, target: Path) -> None:
        """deb(5): an ar(5) archive whose ``data.tar``, compressed in some way, has the files."""
        with package.open("rb") as deb:
            # 1. ar: a global header, then members with a header of 60 bytes each, the size in decimal at 48.
            deb.seek(len(b"!<arch>\n"))
            while header := deb.read(60):
                size = int(header[48:58])
                if header.startswith(b"data.tar"):
                    break
                deb.seek(size + size % 2, os.SEEK_CUR)  # members begin at even offsets
            unfinished = target.with_name(f"{PART_PREFIX}{target.name}")
            # 2. The data's tar as a stream, whatever its compression; one file is taken out, none is extracted by its
            #    own path.
            with tarfile.open(fileobj=deb, mode="r|*") as files:
                for inside in files:
                    content = files.extractfile(inside) if inside.name.removeprefix("./") == self.member else None
                    if content:
                        with unfinished.open("wb") as out:
                            shutil.copyfileobj(content, out, BLOCK_BYTES)
                        unfinished.replace(target)
                        return
        raise EngineUnavailable(f"{package.name} has no {self.member}")


def _why_not_fetched(url: str, offline: bool) -> str | None:
    """Why an uncached file can't be fetched, or None."""
    if offline:
        return NOT_CACHED
    return None if network.reachable(url) else network.NOT_REACHABLE


def cache_folder(card: Card) -> Path:
    """The folder for this card's joined, converted or downloaded files (BGM_WEIGHTS), existing or not."""
    from bgm import environment

    # A user's own model is named by a path or a hub id: its digest is a name that every file system takes.
    known = all(part.isalnum() or part in ":-._" for part in card.key)
    name = card.key.replace(":", "-")
    if not known:
        name = f"{card.engine}-{hashlib.sha256(card.key.encode()).hexdigest()[:12]}"
    return environment.read().weights / name


@contextmanager
def locked(target: Path, progress: Progress, lock: Path | None = None) -> Iterator[None]:
    """Only one process and thread writes ``target``. Waiting can be cancelled; disk errors become one sentence."""
    from filelock import FileLock, Timeout

    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = lock or target.with_name(f".{target.name}.lock")
        lock.parent.mkdir(parents=True, exist_ok=True)
        held = FileLock(lock)
        # Short waits in a loop: a cancel between two of them is heard.
        while True:
            try:
                held.acquire(timeout=WAIT_S)
                break
            except Timeout:
                progress(0.0, f"waiting for {target.name}")
        try:
            yield
        finally:
            held.release()
    except OSError as error:
        raise EngineUnavailable(f"the weights can't be written to {target}: {error.strerror or error}") from error


def _part(package: str, path: str) -> Path:
    return Path(str(distribution(package).locate_file(path)))


def _joined(parts: Sequence[Path], target: Path) -> str:
    """Concatenate the parts; returns the SHA-256 of the result."""
    digest = hashlib.sha256()
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as out:
        for part in parts:
            with part.open("rb") as file:
                while block := file.read(BLOCK_BYTES):
                    digest.update(block)
                    out.write(block)
        out.flush()
        # On disk before it is renamed into place: after a power cut the name would otherwise be there and the content
        # not.
        os.fsync(out.fileno())
    return digest.hexdigest()


def _lacks(card: Card, folder: Path) -> str | None:
    absent = next((file for file in card.files if file.needed and not file.path(folder)), None)
    return f"there is no {absent} in {folder}" if absent else None


def _damage(card: Card, folder: Path) -> str | None:
    """The first file that differs from the published one, as a message."""
    for file in card.files:
        path = file.path(folder)
        if path and file.sha256 not in (None, sha256_of(path)):
            return f"{path} is damaged"
    return None


def _checked(card: Card, folder: Path, remedy: str) -> Path:
    damage = _damage(card, folder)
    if damage:
        raise EngineUnavailable(f"{damage}: {remedy}")
    return folder
