"""The real ``python app.py`` on loopback, and what it takes of the machine."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

ROOT = Path(__file__).resolve().parents[2]
START_S = 180.0


@dataclass(frozen=True)
class Footprint:
    """Of the server with its children."""

    mb: float
    threads: int
    descriptors: int

    def __str__(self) -> str:
        return f"{self.mb:.0f} MB, {self.threads} threads, {self.descriptors} open descriptors"


@dataclass(frozen=True)
class Server:
    """A running one."""

    url: str
    process: psutil.Process
    log: Path

    def footprint(self) -> Footprint:
        """Now."""
        all_of_it = [self.process, *self.process.children(recursive=True)]
        memory = sum(p.memory_info().rss for p in all_of_it)
        threads = sum(p.num_threads() for p in all_of_it)
        return Footprint(memory / 2**20, threads, sum(p.num_fds() for p in all_of_it))

    def jobs(self) -> int:
        """Running and waiting."""
        counts = httpx.get(f"{self.url}healthz", timeout=60).json()["jobs"]
        return int(counts["running"]) + int(counts["waiting"])


@contextmanager
def server(data: Path, **variables: str) -> Iterator[Server]:
    """Start it with its projects and uploads under ``data``; ended and waited for at the end."""
    port = free_port()
    given = {"GRADIO_SERVER_PORT": str(port), "GRADIO_TEMP_DIR": str(data / "uploads"), "GRADIO_ANALYTICS_ENABLED": "0"}
    given["BGM_WARM_UP"] = "0"  # what a user's own work costs is measured
    environment = {**os.environ, "BGM_DATA": str(data), "BGM_OFFLINE": "true", **given, **variables}
    log = data / "server.log"
    with log.open("wb") as sink:
        started = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=environment, stdout=sink, stderr=sink)
    try:
        found = Server(f"http://127.0.0.1:{port}/", psutil.Process(started.pid), log)
        _wait(found, started)
        yield found
    finally:
        started.terminate()
        started.wait(60)


def _wait(found: Server, started: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until and started.poll() is None:
        try:
            httpx.get(f"{found.url}config", timeout=60).raise_for_status()
            return
        except httpx.TransportError:
            time.sleep(0.3)
    raise AssertionError(f"the server did not start: {found.log.read_text(errors='replace')[-2000:]}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
