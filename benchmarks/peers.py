"""The programs that figures are compared with, by name and version, and the data that a reader may have to bring."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

JFK = Path(__file__).resolve().parents[2] / "shared" / "data" / "jfk.flac"
"""11 s of real speech beside a developer's checkout; what needs it says so where it is not there."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command was given: data and peers that no package brings, and whether to take the long figures too."""

    goemotions: Path | None = None
    riffusion_hobby: Path | None = None
    torchaudio: Path | None = None
    full: bool = False


def package(name: str) -> str:
    """``moviepy 2.2.1``."""
    return f"{name} {version(name)}"


def ffmpeg_name() -> str:
    """``FFmpeg 9.0.2``: the build that imageio-ffmpeg carries, the same wherever the pinned packages are installed."""
    return f"FFmpeg {ffmpeg_build().removeprefix('n').split('-')[0]}"


def ffmpeg_build() -> str:
    """Its version in full."""
    import imageio_ffmpeg

    return str(imageio_ffmpeg.get_ffmpeg_version())


def ffmpeg(*arguments: object) -> str:
    """Run it with these words, numbers and paths, overwriting what is there; what it logged."""
    import imageio_ffmpeg

    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-hide_banner", "-nostats", "-y", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True, errors="replace").stderr
