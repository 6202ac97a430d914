"""Chance that can be repeated: one independent stream of random numbers for each decision.

Streams are named, so a change in how the drums are chosen never changes the melody. ``random.Random`` is used because
its sequence for a seed is part of Python's documentation; numpy's generators may change between versions.
"""

from __future__ import annotations

import hashlib
import random


def stream(*names: object) -> random.Random:
    """The generator that belongs to ``names`` (strings and numbers), the same on every machine."""
    text = "\x1f".join(str(name) for name in names)
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return random.Random(int.from_bytes(digest[:8], "big"))
