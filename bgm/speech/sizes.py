"""Whisper's sizes: which one suits a machine, which can be had, which can translate."""

from __future__ import annotations

import os
from collections.abc import Iterator

from bgm import weights
from bgm.device import free_gpu_bytes

GPU_GB = {"large-v3": 10, "medium": 5, "small": 2, "base": 1, "tiny": 1}
"""GPU memory of the multilingual sizes, best first (openai-whisper's README)."""
MANY_PROCESSORS = 8
"""From so many on, ``small`` keeps up with the clock; below it ``base`` does."""


def best(engine: str, device: str, offline: bool) -> str:
    """The size that ``engine`` uses where none is named.

    On a GPU the best one that fits and can be had. On a processor the best one of those that keep up with the clock
    and lie on this machine, else what can be had: a package's base at once is worth more than half a gigabyte to fetch,
    and a larger size is slow enough for the user to ask for it.
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
    """Why no size can be had, in a few words, or None."""
    if any(_is_here(engine, size) for size in GPU_GB):
        return None
    return weights.why_no_model(engine, "base", offline=offline)


def translators(engine: str, offline: bool) -> Iterator[str]:
    """Sizes that translate and can be had: those on this machine, the best first, then small."""
    here = [size for size in GPU_GB if _is_here(engine, size)]
    yield from here or [size for size in ("small",) if weights.why_no_model(engine, size, offline=offline) is None]


def _is_here(engine: str, size: str) -> bool:
    return weights.find(weights.card_for(engine, size)) is not None


def _largest(device: str) -> str:
    if device == "cuda":
        free_gb = free_gpu_bytes() / 1e9
        return next((size for size, needed in GPU_GB.items() if needed <= free_gb), "tiny")
    return "small" if (os.cpu_count() or 1) >= MANY_PROCESSORS else "base"
