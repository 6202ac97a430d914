"""Write files next to their target and rename them, so that every file found is complete."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

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
        # 1. The bytes reach the disk before the name does, or a power cut leaves an empty file of the right name.
        with part.open("rb") as file:
            os.fsync(file.fileno())
        # 2. A rename is atomic within one file system: that is why the part lies beside its target.
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
        # EDQUOT too: on shared servers it is the quota that ends first.
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
    # By what is free, not by the error: libraries (libsndfile, FFmpeg) say only that a write failed.
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
        # Another thread of this process may be writing one: the page's jobs share the process.
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
