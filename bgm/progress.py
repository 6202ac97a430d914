"""One progress callback for every stage; it can also stop the work.

A stage calls ``progress(fraction, note)`` often (at least twice a second where it can). Whoever listens may raise
:class:`bgm.errors.Cancelled` from it; the stage lets that pass through and leaves no half-written file.
"""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """``fraction`` is 0..1 of the stage's own work; ``note`` is a few words such as ``segment 3 of 7``."""

    def __call__(self, fraction: float, note: str = "") -> None: ...


def silent(fraction: float, note: str = "") -> None:
    """Listen to nothing."""


def part(progress: Progress, start: float, end: float) -> Progress:
    """Map a sub-step's 0..1 onto ``start``..``end`` of ``progress``."""

    def inner(fraction: float, note: str = "") -> None:
        progress(start + (end - start) * min(1.0, max(0.0, fraction)), note)

    return inner
