"""Short digests: the name of a take, and how a step knows that its inputs have not changed."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

_SAMPLE_BYTES = 1 << 20


def digest(*parts: Any) -> str:
    """16 hex digits of what ``parts`` (anything JSON can hold) say."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def seed_of(*parts: Any) -> int:
    """A 32-bit seed that follows from ``parts``."""
    return int(digest(*parts)[:8], 16)


def fingerprint(path: Path) -> str:
    """What a file is, by its size and all of its bytes: ``SIZE:32 hex digits``, for two files equal only if they are.

    All of it is read (about a second for 500 MB), because an edit in the middle leaves size and both ends as they
    were, and a date of change neither survives a copy nor proves a change. The answer holds in this process until size
    or date change.
    """
    state = path.stat()
    return _fingerprint(path, state.st_ino, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=256)
def _fingerprint(path: Path, inode: int, size: int, modified_ns: int) -> str:
    with path.open("rb") as file:
        return f"{size}:{hashlib.file_digest(file, 'sha256').hexdigest()[:32]}"


def has_fingerprint(path: Path, known: str) -> bool:
    """Whether ``known`` was taken of a file like this one; only one of the same size is read for it."""
    size, _, rest = known.partition(":")
    if not rest:
        return known == _fingerprint_of_ends(path)
    return str(path.stat().st_size) == size and fingerprint(path) == known


def _fingerprint_of_ends(path: Path) -> str:
    """As version 0.1.0 took it, from the size and both ends: a project of that version still knows its video."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(_SAMPLE_BYTES)
        file.seek(max(0, size - _SAMPLE_BYTES))
        tail = file.read(_SAMPLE_BYTES)
    return hashlib.sha256(b"%d:" % size + head + tail).hexdigest()[:16]
