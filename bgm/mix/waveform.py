"""The shape of a sound, for the page."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bgm.media.audio import blocks, length


def peaks(path: Path, buckets: int) -> list[float]:
    """The highest absolute sample, 0..1, in each of ``buckets`` equal parts of a file; 0.0 where a part is empty."""
    if buckets < 1:
        raise ValueError("a waveform needs at least one bucket")
    frames, highest, done = length(path), np.zeros(buckets, np.float32), 0
    for block in blocks(path):
        position = np.arange(done, done + len(block), dtype=np.int64)
        bucket = position * buckets // frames
        starts = np.flatnonzero(np.diff(bucket, prepend=-1))
        found = np.maximum.reduceat(np.abs(block).max(axis=1), starts)
        highest[bucket[starts]] = np.maximum(highest[bucket[starts]], found)
        done += len(block)
    return [float(peak) for peak in highest]
