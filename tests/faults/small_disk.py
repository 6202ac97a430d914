"""A disk that can be as small as a test wants: a tmpfs, which only root may mount."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PAGE = 4096
ROOMY = 1 << 30


class NoSmallDisk(Exception):
    """Why none can be had here."""


@dataclass(frozen=True)
class SmallDisk:
    """An empty file system at ``path``."""

    path: Path

    def resize(self, size: int) -> None:
        """Let it hold ``size`` bytes, in whole pages and at least one; it must not hold more already."""
        pages = max(1, -(-size // PAGE))
        _run("mount", "-o", f"remount,size={pages * PAGE}", "tmpfs", str(self.path))


@contextmanager
def small_disk() -> Iterator[SmallDisk]:
    """Roomy at first. Raises NoSmallDisk where nothing can be mounted."""
    with tempfile.TemporaryDirectory(prefix="bgm-disk-") as folder:
        try:
            _run("mount", "-t", "tmpfs", "-o", f"size={ROOMY}", "tmpfs", folder)
        except (OSError, subprocess.CalledProcessError) as error:
            raise NoSmallDisk(f"a tmpfs can't be mounted here (root may): {error}") from error
        try:
            yield SmallDisk(Path(folder))
        finally:
            _run("umount", "--lazy", folder)


def on_disk(path: Path) -> int:
    """Bytes that a file takes there."""
    return -(-path.stat().st_size // PAGE) * PAGE


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
