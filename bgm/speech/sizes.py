"""Whisper's sizes: which suits a machine, which are available, which can translate."""

from __future__ import annotations

import os
from collections.abc import Iterator

from bgm import weights
from bgm.device import free_gpu_bytes

GPU_GB = {"large-v3": 10, "medium": 5, "small": 2, "base": 1, "tiny": 1}
"""GPU memory of the multilingual sizes, best first (openai-whisper's README)."""
MANY_PROCESSORS = 8
"""From this many CPUs on, ``small`` runs in real time; with fewer ``base`` does."""


def best(engine: str, device: str, offline: bool) -> str:
    """The size that ``engine`` uses if none is named.

    On a GPU the best available one that fits. On a CPU the best real-time size on this machine, else any available one:
    a packaged base at once is better than half a gigabyte to download, and a larger size is slow enough that the user
    should ask for it.
    """
    sizes = list(GPU_GB)
    fitting = sizes[sizes.index(_largest(device)) :]
    here = next((size for size in fitting if _is_here(engine, size)), None)
    if device != "cuda" and here:
        return here
    reachable = (size for size in fitting if weights.why_no_model(engine, size, offline=offline) is None)
    any_here = (size for size in reversed(sizes) if _is_here(engine, size))
    return next(reachable, None) or next(any_here, "base")


def why_none(engine: str, offline: bool) -> str | None:
    """Why no size is available, in a few words, or None."""
    if any(_is_here(engine, size) for size in GPU_GB):
        return None
    return weights.why_no_model(engine, "base", offline=offline)


def translators(engine: str, offline: bool) -> Iterator[str]:
    """Available sizes that translate: those on this machine, best first, then small."""
    here = [size for size in GPU_GB if _is_here(engine, size)]
    yield from here or [size for size in ("small",) if weights.why_no_model(engine, size, offline=offline) is None]


def _is_here(engine: str, size: str) -> bool:
    return weights.find(weights.card_for(engine, size)) is not None


def _largest(device: str) -> str:
    if device == "cuda":
        free_gb = free_gpu_bytes() / 1e9
        return next((size for size, needed in GPU_GB.items() if needed <= free_gb), "tiny")
    return "small" if (os.cpu_count() or 1) >= MANY_PROCESSORS else "base"
