"""The picture of a sound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bgm.media.audio import peaks
from testing.mix_sounds import RATE, write


def test_each_bucket_holds_its_highest_sample(tmp_path: Path) -> None:
    sound = np.zeros((25 * RATE, 2), np.float32)
    sound[3 * RATE + 5, 1] = -0.75
    sound[24 * RATE, 0] = 0.5
    shape = peaks(write(tmp_path / "sound.flac", sound), 25)
    assert shape == [0.0] * 3 + [0.75] + [0.0] * 20 + [0.5]


@pytest.mark.parametrize("frames", [1, 7])
def test_more_buckets_than_samples(frames: int, tmp_path: Path) -> None:
    shape = peaks(write(tmp_path / "sound.flac", np.full((frames, 1), 0.25, np.float32)), 10)
    assert len(shape) == 10 and shape.count(0.25) == frames


def test_no_buckets_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="bucket"):
        peaks(write(tmp_path / "sound.flac", np.zeros((10, 1), np.float32)), 0)
