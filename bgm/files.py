"""Files are written beside their target and renamed: whoever finds a file finds a whole one."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PART_PREFIX = ".bgm-part-"


@contextmanager
def beside(target: Path) -> Iterator[Path]:
    """Yield a path in ``target``'s folder, with its suffix, that becomes ``target`` if the block succeeds.

    On any exception (a full disk and Ctrl-C among them) the part is deleted and ``target`` is left as it was.
    """
    part = target.with_name(f"{PART_PREFIX}{secrets.token_hex(6)}{target.suffix}")
    try:
        yield part
        _flush_to_disk(part)
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_text(target: Path, text: str) -> None:
    """Replace ``target`` with ``text`` (UTF-8) in one step."""
    with beside(target) as part:
        part.write_text(text, encoding="utf-8")


def sweep(folder: Path) -> None:
    """Delete the parts that a killed run left in ``folder`` (not below it)."""
    for stale in folder.glob(f"{PART_PREFIX}*"):
        stale.unlink(missing_ok=True)


def _flush_to_disk(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
