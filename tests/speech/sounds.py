"""Sound for the tests, as the studio's stems are: float32, (frames, channels), 48 kHz."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from bgm.media.audio import SAMPLE_RATE

Wave = npt.NDArray[np.float32]


def at_48k(path: Path) -> Wave:
    """Any sound file at 48 kHz."""
    wave, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return np.asarray(soxr.resample(wave, rate, SAMPLE_RATE), np.float32)


def write(path: Path, parts: Sequence[Wave]) -> Path:
    soundfile.write(path, np.concatenate(parts), SAMPLE_RATE, subtype="PCM_24")
    return path


def silence(seconds: float, channels: int = 2) -> Wave:
    return np.zeros((round(seconds * SAMPLE_RATE), channels), np.float32)
