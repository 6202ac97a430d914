"""Spleeter's own virtual environment: where it is, whether it is whole, how it is made.

spleeter 2.4.2 wants numpy below 2 and an httpx that Gradio can't work with, so it never shares our environment.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import IO

from bgm.errors import BgmError
from bgm.files import write_text
from bgm.progress import Progress, part

REQUIREMENTS = Path(__file__).resolve().parents[2] / "requirements-spleeter.txt"
_MARKER = ".bgm-studio"
"""Written last, with the digest of the requirements: an environment without it is half made or out of date."""
_TICK_SECONDS = 0.25
_TYPICAL_SECONDS = 60.0
"""How long pip usually takes: only for the look of the progress bar."""


def location() -> Path:
    """``$BGM_SPLEETER_ENV``, else a folder in the user's data directory."""
    from bgm import environment

    return environment.read().spleeter_env


def python() -> Path:
    """The environment's interpreter (there only if it is set up)."""
    return location() / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def ready() -> bool:
    """Whether the environment is whole and made from today's requirements."""
    marker = location() / _MARKER
    return python().is_file() and marker.is_file() and marker.read_text(encoding="utf-8") == _wanted()


def setup(progress: Progress) -> Path:
    """Make the environment (about 1.5 GB, mostly TensorFlow) unless it is ready; returns its folder.

    Raises BgmError when pip fails or this Python is too new. What is half made is deleted again, also on Cancelled.
    """
    folder = location()
    if ready():
        return folder
    if sys.version_info >= (3, 12):
        raise BgmError("Spleeter needs Python 3.11: TensorFlow 2.12 has no build for a newer one")
    _make_room(folder)
    try:
        _run([sys.executable, "-m", "venv", str(folder)], part(progress, 0.0, 0.1), "making an environment")
        pip = [str(python()), "-m", "pip", "install", "--no-input", "-r", str(REQUIREMENTS)]
        _run(pip, part(progress, 0.1, 1.0), "installing spleeter and TensorFlow")
        write_text(folder / _MARKER, _wanted())
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    progress(1.0, "spleeter is set up")
    return folder


def _wanted() -> str:
    return sha256(REQUIREMENTS.read_bytes()).hexdigest()


def _make_room(folder: Path) -> None:
    """Delete what an earlier setup left, but never a folder that isn't an environment."""
    if folder.is_dir() and any(folder.iterdir()):
        if not (folder / "pyvenv.cfg").is_file():
            raise BgmError(f"{folder} holds something else; choose another folder with BGM_SPLEETER_ENV")
        shutil.rmtree(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)


def _run(command: Sequence[str], progress: Progress, note: str) -> None:
    """Run a command to its end, ticking; raises BgmError with its last line when it fails, kills it on Cancelled."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        try:
            _wait(process, progress, note)
        finally:
            process.kill()
            process.wait()
        if process.returncode:
            raise BgmError(f"{note} failed: {last_line(log)}")


def _wait(process: subprocess.Popen[bytes], progress: Progress, note: str) -> None:
    began = time.monotonic()
    while process.poll() is None:
        elapsed = time.monotonic() - began
        progress(elapsed / (elapsed + _TYPICAL_SECONDS), note)
        time.sleep(_TICK_SECONDS)


def last_line(log: IO[bytes]) -> str:
    """The last line that a child process, now dead, wrote to ``log``: for an error message."""
    size = log.seek(0, os.SEEK_END)
    log.seek(max(0, size - 4000))
    lines = [line for line in log.read().decode(errors="replace").splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it said nothing"
