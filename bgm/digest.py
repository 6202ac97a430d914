"""Short digests: the name of a take, how a step knows that its inputs have not changed, and chance that repeats."""

from __future__ import annotations

import hashlib
import json
import random
from functools import lru_cache
from pathlib import Path
from typing import Any

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
    # A separator that stands in no name: ("a", "bc") and ("ab", "c") are other streams.
    text = "\x1f".join(str(name) for name in names)
    return random.Random(int.from_bytes(hashlib.sha256(text.encode("utf-8")).digest()[:8], "big"))


def sha256_of(path: Path) -> str:
    """Of a file's content; kept in this process until the file's size or modification time changes."""
    # The inode too: a file that was replaced by a rename within one tick of the clock has another.
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
