"""Tiny sets of spectrograms that a test can tell apart: each emotion is a band of sound at a height of its own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from bgm.timeline import EMOTIONS


def write_set(folder: Path, each: dict[str, int], emotions: int = 2, size: tuple[int, int] = (512, 512)) -> Path:
    """``each``: pictures of an emotion in each split."""
    for split, count in each.items():
        (folder / split).mkdir(parents=True)
        rows = []
        for n in range(count * emotions):
            emotion = EMOTIONS[n % emotions]
            name = f"{n}.png"
            Image.fromarray(_picture(n % emotions, n + 1000 * len(split), size)).save(
                folder / split / name, compress_level=1
            )
            rows.append({"file_name": name, "text": f"{emotion}, music", "emotion": emotion, "track": f"{split} {n}"})
        (folder / split / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "README.md").write_text("---\nlicense: cc0-1.0\n---\n# Pictures of a test\n")
    return folder


def _picture(kind: int, seed: int, size: tuple[int, int]) -> np.ndarray:
    chance = np.random.default_rng(seed)
    grey = chance.integers(180, 255, (size[1], size[0]), dtype=np.uint8)
    top = 40 + 60 * kind
    grey[top : top + 60] -= chance.integers(60, 160, (len(grey[top : top + 60]), 1), dtype=np.uint8)
    return np.stack([grey] * 3, axis=-1)
