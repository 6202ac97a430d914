"""Short digests: the name of a take, and how a step knows that its inputs have not changed."""

from __future__ import annotations

import hashlib
import json
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
    """Tell one large file from another by its size and both ends, without reading all of it."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(_SAMPLE_BYTES)
        file.seek(max(0, size - _SAMPLE_BYTES))
        tail = file.read(_SAMPLE_BYTES)
    return hashlib.sha256(b"%d:" % size + head + tail).hexdigest()[:16]
