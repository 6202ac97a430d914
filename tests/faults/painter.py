"""A painter (``python -m bgm.painter``) is killed with SIGKILL in the middle of a picture while a shell waits for it.

    python -m tests.faults.painter

The shell must end with one sentence and leave nothing half-written; when a painter is there again, the same command
must give the bytes of a run in which nobody died. The checkpoint is a tiny random one. A minute or two.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from bgm.batch.units import THREADS
from bgm.files import PART_PREFIX
from testing.riffusion_checkpoint import write_checkpoint
from tests.faults.clips import LINES, clip
from tests.faults.server import ROOT, free_port

PATIENCE_S = 300.0
PAINTING = "painting the music"
SENTENCE = "run it again when it is back"


@dataclass(frozen=True)
class Shell:
    """``make`` with a painter at ``address``."""

    video: Path
    address: str

    def command(self, home: Path) -> list[str]:
        words = ["make", str(self.video), "-o", str(home / "out.mp4"), "--project", str(home / "p.bgm")]
        quick = ["--separator", "original", "--music", "riffusion", "--lora", "none", "--offline", "--min-segment", "2"]
        return [sys.executable, "-W", "ignore", "-m", "bgm", *words, *quick]

    def start(self, home: Path) -> subprocess.Popen[str]:
        home.mkdir(exist_ok=True)
        environment = {**os.environ, "BGM_PAINTER": self.address}
        return subprocess.Popen(self.command(home), cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)


@contextmanager
def painter(weights: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """One that answers; ended and waited for at the end."""
    environment = {**os.environ, "BGM_MUSIC": f"riffusion:{weights}", "BGM_LORA": "none", "BGM_DEVICE": "cpu"}
    command = [sys.executable, "-W", "ignore", "-m", "bgm.painter", "--port", str(port)]
    started = subprocess.Popen(command, cwd=ROOT, env=environment)
    try:
        until = time.monotonic() + PATIENCE_S
        while not _answers(port):
            if started.poll() is not None or time.monotonic() > until:
                raise AssertionError("the painter did not start")
            time.sleep(0.2)
        yield started
    finally:
        started.kill()
        started.wait()


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=5).is_success
    except httpx.TransportError:
        return False


def undisturbed(shell: Shell, home: Path) -> None:
    """To its end."""
    running = shell.start(home)
    told = running.communicate(timeout=PATIENCE_S)[1]
    if running.returncode:
        raise AssertionError(f"exit status {running.returncode}: {told[-2000:]}")


def bereaved(shell: Shell, home: Path, victim: subprocess.Popen[bytes]) -> list[str]:
    """Kill the painter when it paints; what is wrong with how the shell takes it."""
    running, lines, painting = shell.start(home), list[str](), threading.Event()

    def read() -> None:
        assert running.stderr is not None
        for line in running.stderr:
            lines.append(line)
            if PAINTING in line:
                painting.set()

    reader = threading.Thread(target=read)
    reader.start()
    if not painting.wait(PATIENCE_S):
        raise AssertionError(f"nothing was painted: {lines[-3:]}")
    victim.kill()
    status = running.wait(PATIENCE_S)
    reader.join()
    said = [line for line in lines if line.startswith("bgm: ")]
    return [
        *([] if status else ["the shell ended well without a painter"]),
        *([] if len(said) == 1 and SENTENCE in said[0] else [f"not one sentence: {lines[-5:]}"]),
        *(["a traceback"] if any("Traceback" in line for line in lines) else []),
        *(f"left over: {part}" for part in [*home.rglob(f"{PART_PREFIX}*"), *home.glob("out.mp4")]),
    ]


def contents(home: Path) -> dict[str, str]:
    """Digests of the result and of the takes."""
    files = [home / "out.mp4", *sorted((home / "p.bgm" / "takes").iterdir())]
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def main() -> int:
    os.environ |= THREADS  # the bits of a processor's painting depend on their number
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="bgm-painter-") as scratch:
        folder = Path(scratch)
        weights = write_checkpoint(folder / "weights")
        shell = Shell(clip(folder / "talk.mp4", 8.0, LINES[:3]), f"http://127.0.0.1:{port}")
        with painter(weights, port):
            undisturbed(shell, folder / "whole")
        with painter(weights, port) as victim:
            troubles = bereaved(shell, folder / "run", victim)
        with painter(weights, port):
            undisturbed(shell, folder / "run")
        whole, run = contents(folder / "whole"), contents(folder / "run")
        troubles += [f"differs: {name}" for name in whole.keys() | run.keys() if whole.get(name) != run.get(name)]
    print("; ".join(troubles) or f"one sentence, and then the same {len(whole)} files")
    return 1 if troubles else 0


if __name__ == "__main__":
    sys.exit(main())
