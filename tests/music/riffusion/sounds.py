"""Synthetic music for tests of spectrograms and of what is joined: stereo, with attacks, partials and some noise."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

Sound = npt.NDArray[np.float32]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """On a busy machine torch's threads wait for one another; for small tensors one is faster anyway."""
    import torch

    torch.set_num_threads(1)


def music(seconds: float, rate: int, seed: int = 0) -> Sound:
    """Decaying notes of several partials on either side of the stereo field, and a little noise."""
    generator = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    sound = 0.002 * generator.standard_normal((len(time), 2))
    for start in np.arange(0, seconds, 0.4):
        since = np.maximum(0, time - start)
        pitch, pan = 110 * 2 ** (generator.integers(0, 36) / 12), generator.random()
        envelope = (time >= start) * np.exp(-4 * since) * np.minimum(1, since / 0.01)
        note = sum(np.sin(2 * np.pi * pitch * k * since) / k for k in range(1, 12) if pitch * k < rate / 2)
        sound += 0.15 * (envelope * note)[:, None] * [pan, 1 - pan]
    return sound.astype(np.float32)
