"""Files that are always complete: written next to their target and renamed; and what identifies them.

A digest names a take, and tells whether the inputs of a step have changed.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import random
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from bgm.errors import BadInput, BgmError

if TYPE_CHECKING:
    from pydantic import TypeAdapter

T = TypeVar("T")

log = logging.getLogger("bgm")
PART_PREFIX = ".bgm-part-"
DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""The system's error codes for a full disk or an exhausted quota."""
_open_parts: set[Path] = set()
"""What this process is writing, so that a hard stop can clean up."""


@contextmanager
def beside(target: Path) -> Iterator[Path]:
    """Yield a path in ``target``'s folder, with its suffix, that becomes ``target`` if the block succeeds.

    On any exception (including a full disk and Ctrl-C) the part is deleted and ``target`` stays as it was.
    """
    part = target.with_name(f"{_part_prefix(target)}{secrets.token_hex(6)}{target.suffix}")
    _open_parts.add(part)
    try:
        yield part
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    finally:
        _open_parts.discard(part)


@contextmanager
def scratch(near: Path) -> Iterator[Path]:
    """Yield a path in the folder of ``near``, with its suffix, for a file that is deleted after the block."""
    part = near.with_name(f"{_part_prefix(near)}{secrets.token_hex(6)}{near.suffix}")
    _open_parts.add(part)
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)
        _open_parts.discard(part)


@contextmanager
def full_disk_told() -> Iterator[None]:
    """Turn a disk-full error in the block into BgmError, and log it. Also works as a decorator."""
    try:
        yield
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise
        log.error("the disk is full")
        raise BgmError(
            "the server's disk is full at the moment; what was finished is kept, please try again later"
        ) from error


def free_bytes(folder: Path) -> int:
    """Of the disk of ``folder``, which need not exist yet."""
    return shutil.disk_usage(next(place for place in (folder, *folder.absolute().parents) if place.exists())).free


def is_full(folder: Path) -> bool:
    """Whether less than a megabyte is free."""
    return free_bytes(folder) < 1 << 20


def write_text(target: Path, text: str) -> None:
    """Replace ``target`` with ``text`` (UTF-8) atomically."""
    with beside(target) as part:
        part.write_text(text, encoding="utf-8")


def read_noted(file: Path, schema: Callable[[], TypeAdapter[T]]) -> T | None:
    """What the analysis wrote to ``file`` as JSON; None if there is none. Raises BadInput if it is damaged."""
    try:
        return schema().validate_json(file.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError as error:
        raise BadInput(f"{file.name} is damaged; run the analysis again") from error


def user_folder() -> Path:
    """Where the user's own projects, models and virtual environments of the studio live."""
    from platformdirs import user_data_path

    return user_data_path("bgm-studio", appauthor=False)


def user_cache() -> Path:
    """Where the studio keeps what it can compute or download again."""
    from platformdirs import user_cache_path

    return user_cache_path("bgm-studio", appauthor=False)


def sweep(folder: Path) -> None:
    """Delete the parts that a killed run left in ``folder`` (not below it), except what this process is writing."""
    for stale in folder.glob(f"{PART_PREFIX}*"):
        if stale not in _open_parts:
            stale.unlink(missing_ok=True)


def sweep_target(target: Path) -> None:
    """Delete the parts of ``target`` that a killed run left next to it."""
    for stale in target.parent.glob(f"{_part_prefix(target)}*"):
        stale.unlink(missing_ok=True)


def drop_open_parts() -> None:
    """Delete what this process is writing: for a stop that can't wait for the writers."""
    for part in list(_open_parts):
        part.unlink(missing_ok=True)


def _part_prefix(target: Path) -> str:
    return f"{PART_PREFIX}{hashlib.sha256(os.fsencode(target.name)).hexdigest()[:8]}-"


_SAMPLE_BYTES = 1 << 20


def digest(*parts: Any) -> str:
    """16 hex digits that identify ``parts`` (anything JSON can hold)."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def seed_of(*parts: Any) -> int:
    """A 32-bit seed derived from ``parts``."""
    return int(digest(*parts)[:8], 16)


def stream(*names: object) -> random.Random:
    """The stream of chance that belongs to ``names`` (strings and numbers), the same on every machine.

    One for each decision, so that a change in how the drums are chosen never changes the melody. ``random.Random``
    is used because its sequence for a seed is part of Python's documentation; numpy's generators may change.
    """
    text = "\x1f".join(str(name) for name in names)
    return random.Random(int.from_bytes(hashlib.sha256(text.encode("utf-8")).digest()[:8], "big"))


def sha256_of(path: Path) -> str:
    """Of a file's content; kept in this process until the file's size or modification time changes."""
    state = path.stat()
    return _sha256_of(path, state.st_ino, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=256)
def _sha256_of(path: Path, inode: int, size: int, modified_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(path: Path) -> str:
    """Identify a file by its size and all its bytes: ``SIZE:32 hex digits``, equal only for equal files.

    The whole file is read (about a second for 500 MB), because an edit in the middle leaves size and both ends
    unchanged, and a modification time neither survives a copy nor proves a change.
    """
    return f"{path.stat().st_size}:{sha256_of(path)[:32]}"


def has_fingerprint(path: Path, known: str) -> bool:
    """Whether ``known`` is the fingerprint of a file like this one; the file is read only if the size matches."""
    size, _, rest = known.partition(":")
    if not rest:
        return known == _fingerprint_of_ends(path)
    return str(path.stat().st_size) == size and fingerprint(path) == known


def _fingerprint_of_ends(path: Path) -> str:
    """The fingerprint of version 0.1.0, from the size and both ends, so that its projects still recognise their
    video."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(_SAMPLE_BYTES)
        file.seek(max(0, size - _SAMPLE_BYTES))
        tail = file.read(_SAMPLE_BYTES)
    return hashlib.sha256(b"%d:" % size + head + tail).hexdigest()[:16]
