"""What must hold after every case."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from bgm.files import PART_PREFIX

LONGEST_MESSAGE = 400
_JARGON = re.compile(
    r"0x[0-9a-fA-F]{4,}|Errno|Traceback|site-packages|\bNoneType\b|libav|av\.error|pydantic|libsndfile|codec can't"
)


def judge_message(message: str) -> str | None:
    """What is wrong with a sentence that a user would read, or None."""
    if not message.strip():
        return "the message is empty"
    if not message.isprintable():
        return "the message holds characters that can't be shown"
    if len(message) > LONGEST_MESSAGE:
        return "the message is too long to be read"
    found = _JARGON.search(message)
    return f"the message speaks of {found[0]!r}" if found else None


def left_behind(folder: Path) -> list[str]:
    """Half-written files that should be gone."""
    return sorted(path.name for path in folder.rglob("*") if path.name.startswith((PART_PREFIX, "tmp")))


def stamp(path: Path) -> str:
    """Tells whether a file was changed."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "gone"
