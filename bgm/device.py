"""Which processor a model runs on, and who has to leave the GPU when another needs the room.

Each loaded model is a guest of the GPU: it settles before it works and may be asked to leave while it rests. Models are
loaded once and shared by all users, so a model that left comes back the next time that somebody needs it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Protocol

from bgm.errors import EngineUnavailable

SPARE_BYTES = 1 << 30
"""Left free for what a model computes beside its weights."""


class Guest(Protocol):
    """A model that can move. ``leave`` goes to the CPU and answers True, or False while it is at work."""

    def leave(self) -> bool: ...


def pick(wanted: str) -> str:
    """``cuda``, ``mps`` or ``cpu`` for ``auto`` or one of them. Raises EngineUnavailable for one that isn't there."""
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        return next(device for device, is_there in there.items() if is_there)
    if not there.get(wanted):
        raise EngineUnavailable(f"there is no {wanted} device on this machine; choose auto or cpu")
    return wanted


def why_no_device(wanted: str) -> str | None:
    """Why a device that was named can't be used, or None. Imports torch only for one that may not be there."""
    if wanted in ("auto", "cpu"):
        return None
    try:
        pick(wanted)
    except EngineUnavailable as error:
        return str(error)
    return None


def free_gpu_bytes() -> int:
    """Free memory of the current CUDA device, with what the allocator only keeps in reserve given back."""
    import torch

    torch.cuda.empty_cache()
    return int(torch.cuda.mem_get_info()[0])


def weight_bytes(module: Any) -> int:
    """Memory of a torch module's parameters and buffers."""
    tensors = [*module.parameters(), *module.buffers()]
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


class Rooms:
    """The GPU's guests, the one that rested longest first."""

    def __init__(self, free: Callable[[], int] = free_gpu_bytes) -> None:
        self._free = free
        self._guests: list[Guest] = []
        self._lock = threading.Lock()

    def settle(self, guest: Guest, needed: int) -> None:
        """Make room for ``needed`` bytes: the others leave, longest rested first, until there is enough."""
        with self._lock:
            others = [other for other in self._guests if other is not guest]
            for other in list(others):
                if self._free() >= needed + SPARE_BYTES:
                    break
                if other.leave():
                    others.remove(other)
            self._guests = [*others, guest]

    def forget(self, guest: Guest) -> None:
        """Let go of a model that nobody will ask for again, so that its memory is freed."""
        with self._lock:
            self._guests = [other for other in self._guests if other is not guest]


gpu = Rooms()
"""The one GPU of this process. It holds no user's data: models only."""
