"""``python -m bgm.media.vetting FILE``: a first look into a stranger's file, by a process that may be lost.

FFmpeg reads a damaged or hostile file in C: what makes it crash, loop without reading on, or take all memory can't be
stopped from Python. So a child process opens the file first, under limits of the operating system, and only a file
that it came back from is opened by the server itself.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import bgm
from bgm.errors import BadInput

CPU_SECONDS = 20
"""Opening an hour of video takes a tenth of a second; reading 3 h of a recording without an index takes a few."""
BYTES_A_CPU_SECOND = 200_000_000
"""What is read whole, as a broadcast is for jumps of its clock, takes longer the larger it is (half of this)."""
WALL_SECONDS = 120.0
MEMORY_BYTES = 4 << 30
"""Of address space; a probe of 8K video takes half a gigabyte."""


def vet(path: Path, cpu_seconds: int = CPU_SECONDS) -> None:
    """Raise BadInput when a look into ``path`` ends in a crash or takes too long or too much memory.

    Nothing is said of files that are only damaged, or no media: :func:`bgm.media.probe.probe` is for that.
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
    """Look into the file as the studio will. Exits with 0 also where it is refused."""
    from bgm.media.probe import probe

    _limit(int(cpu_seconds))
    try:
        probe(Path(path))
    except BadInput:
        return


def _limit(cpu_seconds: int) -> None:
    """No more than this for the rest of the process; Windows knows no such limits."""
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main(*sys.argv[1:])
