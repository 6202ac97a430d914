"""The folders of all users' projects on a server. Whoever knows a project's id may open it; ids can't be guessed."""

from __future__ import annotations

import contextlib
import logging
import re
import secrets
import shutil
import threading
import time
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bgm import project as projects
from bgm.environment import Environment
from bgm.errors import BadInput
from bgm.project import Project
from bgm.settings import Settings

log = logging.getLogger("bgm")
_ID = re.compile(r"[A-Za-z0-9_-]{32}")
_LAST_USED = ".last-used"
_NAME_BYTES = 160
"""File systems take 255; what is added to a video's name for its results must fit too."""
UPLOADS_KEPT_SECONDS = 2 * 3600
"""An upload that nobody came for is deleted after this time."""
GONE = "this project is not on the server any more; open its project file, or start with the video again"


@dataclass(frozen=True)
class Workspace:
    """The projects under ``environment.data``. Safe to share between threads."""

    environment: Environment
    settings: Settings = field(default_factory=Settings)
    """The server's: what new projects begin with, and the machine that all are worked on."""
    _locks: dict[str, threading.RLock] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    @property
    def root(self) -> Path:
        return self.environment.data / "projects"

    @contextmanager
    def new(self) -> Iterator[tuple[str, Path]]:
        """A new id and its folder; the folder is deleted again if the block fails."""
        self.root.mkdir(parents=True, exist_ok=True)
        if sum(1 for _ in self.root.iterdir()) >= self.environment.max_projects:
            raise BadInput("the server is full at the moment; please try again later")
        # 192 random bits in 32 characters: whoever knows the id may open the project, so it must not be guessed.
        project_id = secrets.token_urlsafe(24)
        folder = self.root / project_id
        # For a machine with several accounts: the id in the path is the key.
        folder.mkdir(mode=0o700)
        try:
            yield project_id, folder
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        self.touch(project_id)

    def folder(self, project_id: object) -> Path:
        """The folder of an existing project. Raises BadInput for anything else (the id comes from a browser)."""
        if not (isinstance(project_id, str) and _ID.fullmatch(project_id)):
            raise BadInput(GONE)
        folder = self.root / project_id
        if not projects.exists(folder):
            raise BadInput(GONE)
        return folder

    def load(self, project_id: object, *, is_use: bool = True) -> Project:
        """The project, marked as used now; without ``is_use`` it is kept no longer for it."""
        folder = self.folder(project_id)
        # Before it is read: a sweep at this moment would take the folder away under the reader.
        if is_use:
            self.touch(folder.name)
        return projects.load(folder, self.settings)

    @contextmanager
    def editing(self, project_id: str) -> Iterator[None]:
        """One edit of a project at a time."""
        with self._guard:
            lock = self._locks.setdefault(project_id, threading.RLock())
        with lock:
            yield

    def check_room(self, folder: Path) -> None:
        """Raises BadInput when a project has grown to its limit; what one step adds depends on the video's length."""
        if sum(_size(path) for path in folder.rglob("*")) >= self.environment.max_project_bytes:
            limit = self.environment.max_project_mb
            raise BadInput(
                f"this project has grown to the {limit} MB that this server keeps; start with the video again"
            )

    def changed(self, project_id: str) -> int:
        """When the project was last written (ns); 0 for one that is gone."""
        try:
            return (self.root / project_id / projects.FILE).stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    def touch(self, project_id: str) -> None:
        (self.root / project_id / _LAST_USED).touch()

    def sweep(self, is_busy: Callable[[str], bool] = lambda project_id: False) -> list[str]:
        """Delete the projects that nobody used for ``environment.keep_hours``; the ids of those that went."""
        if not self.root.is_dir():
            return []
        oldest = time.time() - self.environment.keep_hours * 3600
        stale = [f.name for f in self.root.iterdir() if _last_used(f) < oldest and not is_busy(f.name)]
        for project_id in stale:
            shutil.rmtree(self.root / project_id, ignore_errors=True)
            # Or the dictionary would grow with every project that ever was.
            self._locks.pop(project_id, None)
        if stale:
            log.info("removed %d projects that were not used for %g hours", len(stale), self.environment.keep_hours)
        return stale

    def sweep_uploads(self) -> None:
        """Delete uploads that nobody came for, those of a server that was killed among them."""
        oldest = time.time() - UPLOADS_KEPT_SECONDS
        for upload in self.environment.uploads.glob("*"):
            with contextlib.suppress(FileNotFoundError):
                if upload.stat().st_mtime < oldest:
                    shutil.rmtree(upload, ignore_errors=True)

    def keep_swept(self, is_busy: Callable[[str], bool], every_seconds: float = 600.0) -> None:
        """Sweep now and then for as long as the process lives."""

        def work() -> None:
            while True:
                self.sweep(is_busy)
                self.sweep_uploads()
                time.sleep(every_seconds)

        threading.Thread(target=work, name="bgm-sweeper", daemon=True).start()


def _last_used(folder: Path) -> float:
    """0 for a folder that somebody else deletes just now."""
    for path in (folder / _LAST_USED, folder):
        with contextlib.suppress(FileNotFoundError):
            return path.stat().st_mtime
    return 0.0


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except FileNotFoundError:  # a part that became a file just now
        return 0


def place_for_source(folder: Path, name: str) -> Path:
    """Where an uploaded video is kept: under its own name, without what a file system or browser stumbles over."""
    source = folder / "source"
    source.mkdir()
    upload = Path(unicodedata.normalize("NFC", name))  # macOS sends letters and their accents apart
    # The creator finds the own name again in every download, so it is kept as far as file systems, zip files and the
    # Content-Disposition header can carry it.
    words = "".join(c if _may_stand_in_a_name(c) else "_" for c in upload.stem)
    words = re.sub(r"_{2,}", "_", words).strip(" ._-")[:80]
    stem = words.encode()[:_NAME_BYTES].decode(errors="ignore") or "video"
    suffix = re.sub(r"[^.a-z0-9]", "", upload.suffix.lower())[:8]
    return source / f"{stem}{suffix}"


def _may_stand_in_a_name(character: str) -> bool:
    """Letters and digits of any script. ``\\w`` knows no combining marks (category M), without which Hindi, Thai and
    Tamil lose their vowels, nor the joiners (U+200C and U+200D) that shape them."""
    return bool(re.match(r"[\w .()\u200c\u200d-]", character)) or unicodedata.category(character).startswith("M")
