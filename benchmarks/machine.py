"""Where and with what figures were taken: date, machine, versions, commit. No names of machines, people or folders."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.peers import ffmpeg_build, ffmpeg_name

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = (
    "av", "gradio", "imageio-ffmpeg", "moviepy", "numpy", "playwright", "faster-whisper", "pretty_midi", "pyloudnorm",
    "scikit-learn", "scipy", "soundfile", "soxr", "torch", "transformers",
)  # fmt: skip
MEASURED = ("bgm", "benchmarks", "app.py", "requirements.txt", "requirements-dev.txt")


def head() -> list[str]:
    """The lines above the table."""
    load = f"; load before the first run {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return [
        f"- Taken {datetime.now(UTC):%Y-%m-%d %H:%M} UTC at commit {commit()}.",
        f"- Machine: {processor()}, {os.cpu_count()} cores, {memory_gb()} of memory, {platform.system()}{load}.",
        f"- Python {platform.python_version()}; {', '.join(filter(None, map(_package, PACKAGES)))};"
        f" {ffmpeg_name()} is imageio-ffmpeg's build {ffmpeg_build()}.",
    ]


def processor() -> str:
    """The processor's name as the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return f"{line.partition(':')[2].strip()} ({platform.machine()})"
    return f"{platform.processor()} ({platform.machine()})".strip()


def memory_gb() -> str:
    """All of the machine's memory."""
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return "an unknown amount"
    return f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 1e9:.0f} GB"


def commit(folder: Path = ROOT) -> str:
    """The checkout's commit, and whether what is measured differs from it."""
    try:
        name = _git(folder, "rev-parse", "--short", "HEAD")
        changed = _git(folder, "status", "--porcelain", "--", *MEASURED) if folder == ROOT else ""
    except (OSError, subprocess.CalledProcessError):
        return "unknown (not a git checkout)"
    return f"{name} with uncommitted changes" if changed else name


def _git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def _package(name: str) -> str:
    try:
        return f"{name} {version(name)}"
    except PackageNotFoundError:
        return ""
