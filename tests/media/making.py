"""Make small media files with ffmpeg's binary from imageio-ffmpeg."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg
import numpy as np

from bgm.media import audio


@dataclass(frozen=True)
class Make:
    """``folder`` is where shared files go; a test's own output goes into its tmp_path."""

    folder: Path

    def ffmpeg(self, *arguments: object) -> Path:
        """Run ffmpeg; the last argument is the file that it makes and gives back."""
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *map(str, arguments)]
        subprocess.run(command, check=True)
        return Path(str(arguments[-1]))

    def master(self, path: Path, seconds: float) -> audio.Audio:
        """Write a master of low noise, always the same, in which an offset shows; give its samples."""
        noise = np.random.default_rng(5).normal(0, 1, (audio.frames_of(seconds) + 30, 2))
        sums = np.cumsum(noise, axis=0)
        samples = np.clip((sums[30:] - sums[:-30]) * 0.02, -0.9, 0.9).astype(np.float32)
        with audio.writer(path) as out:
            out.write(samples)
        return samples
