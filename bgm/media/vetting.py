"""``python -m bgm.media.vetting FILE``: scan an untrusted file in a process that may crash.

FFmpeg parses a damaged or hostile file in C: a crash, an endless loop without reads, or excessive memory use can't be
stopped from Python. So a child process opens the file first, under limits of the operating system, and the server
itself opens only files that the child survived.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import bgm
from bgm.errors import BadInput

CPU_SECONDS = 20
"""Opening an hour of video takes a tenth of a second; reading 3 h of a recording without an index takes a few
seconds."""
BYTES_A_CPU_SECOND = 200_000_000
"""A file that is read whole, such as a broadcast checked for clock jumps, takes time in proportion to its size (half of
this)."""
WALL_SECONDS = 120.0
MEMORY_BYTES = 4 << 30
"""Of address space; a probe of 8K video takes half a gigabyte."""


def vet(path: Path, cpu_seconds: int = CPU_SECONDS) -> None:
    """Raise BadInput if scanning ``path`` crashes, takes too long or takes too much memory.

    Says nothing about files that are merely damaged, or not media: see :func:`bgm.media.probe.probe`.
    """
    size = path.stat().st_size if path.is_file() else 0
    allowed = cpu_seconds + size // BYTES_A_CPU_SECOND
    command = [sys.executable, "-m", __name__, str(path.absolute()), str(allowed)]
    root = Path(bgm.__file__).parent.parent
    try:
        done = subprocess.run(
            command, cwd=root, stdin=subprocess.DEVNULL, capture_output=True, timeout=WALL_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise BadInput(f"{path.name} takes too long to read") from error
    if done.returncode:
        raise BadInput(f"{path.name} can't be read safely: it takes too much time or memory, or is badly damaged")


def main(path: str, cpu_seconds: str) -> None:
    """Scan the file as the studio will. Exits with 0 also if the file is rejected."""
    from bgm.media.probe import probe

    _limit(int(cpu_seconds))
    try:
        probe(Path(path))
    except BadInput:
        return


def _limit(cpu_seconds: int) -> None:
    """Limit the rest of the process; Windows has no such limits."""
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main(*sys.argv[1:])
