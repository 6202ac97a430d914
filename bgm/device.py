"""Which device a model runs on, and which models leave the GPU when another needs the memory.

Models are loaded once and shared by all users. Each moves to the GPU before it works and may be evicted while it is
idle; an evicted model moves back when it is next needed.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from bgm.errors import BgmError, EngineUnavailable

M = TypeVar("M")
S = TypeVar("S", bound="Loaded[Any]")
Tick = Callable[[], object]
"""Called while waiting or working; may raise to stop."""

WAIT_S = 0.25
SPARE_BYTES = 1 << 30
"""Headroom for a model's activations, beside its weights."""


class Movable(Protocol):
    """A model that can be evicted. ``leave`` moves it to the CPU and returns True, or False while it is at work."""

    def leave(self) -> bool: ...


def pick(wanted: str) -> str:
    """Resolve ``auto`` or a device name to ``cuda``, ``mps`` or ``cpu``. Raises EngineUnavailable for a missing
    device."""
    # Without asking torch where the answer is known: its import takes seconds.
    if wanted == "cpu" or (wanted == "auto" and not _may_have_gpu()):
        return "cpu"
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        return next(device for device, is_there in there.items() if is_there)
    if not there.get(wanted):
        raise EngineUnavailable(f"there is no {wanted} device on this machine; choose auto or cpu")
    return wanted


def cores() -> int:
    """Processor cores for one piece of work: those of this process, at most OMP_NUM_THREADS (bgm.batch sets that)."""
    own = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return min(own, max(1, int(asked))) if asked.isdecimal() else own


def _may_have_gpu() -> bool:
    """Whether torch, whose import takes seconds, has to be asked.

    On Linux a GPU driver (NVIDIA's, also on a Tegra, AMD's, WSL's) appears as a device file.
    """
    nodes = ("nvidia*", "nvhost*", "kfd", "dxg")
    return sys.platform != "linux" or any(True for node in nodes for _ in Path("/dev").glob(node))


def why_no_device(wanted: str) -> str | None:
    """Why a named device can't be used, or None. Imports torch only for a device that may be missing."""
    if wanted in ("auto", "cpu"):
        return None
    try:
        pick(wanted)
    except EngineUnavailable as error:
        return str(error)
    return None


def free_gpu_bytes() -> int:
    """Free memory of the current CUDA device, after releasing the allocator's cache."""
    import torch

    torch.cuda.empty_cache()
    return int(torch.cuda.mem_get_info()[0])


def weight_bytes(module: Any) -> int:
    """Memory of a torch module's parameters and buffers."""
    tensors = [*module.parameters(), *module.buffers()]
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


class Residents:
    """The models on the GPU, least recently used first."""

    def __init__(self, free: Callable[[], int] = free_gpu_bytes) -> None:
        self._free = free
        self._residents: list[Movable] = []
        self._lock = threading.Lock()

    def admit(self, model: Movable, needed: int) -> None:
        """Free ``needed`` bytes: evict other models, least recently used first, until there is enough."""
        with self._lock:
            others = [other for other in self._residents if other is not model]
            for other in list(others):
                # Asked again after each eviction: only then is it known what a model really gave back.
                if self._free() >= needed + SPARE_BYTES:
                    break
                # One that is at work answers False and stays: it will not be waited for, its user came first.
                if other.leave():
                    others.remove(other)
            self._residents = [*others, model]

    def forget(self, model: Movable) -> None:
        """Drop the reference to a model that will not be used again, so that its memory is freed."""
        with self._lock:
            self._residents = [other for other in self._residents if other is not model]


gpu = Residents()
"""The one GPU of this process. It holds models only, no user data."""


class Loaded(Generic[M]):
    """A loaded model that all users share: ``at_once`` calls use it at a time, and while idle it may leave the GPU.

    This is enough for a single torch module. A model with several overrides :meth:`networks` and :meth:`move`.
    """

    instead: ClassVar[str] = "--device cpu"
    """What to suggest when it doesn't fit."""

    def __init__(self, title: str, model: M, device: str, at_once: int = 1) -> None:
        """``at_once`` is more than 1 only for a model whose library allows that, on the CPU."""
        self.title, self.model, self.device, self.at_once = title, model, device, at_once
        self._placed = "cpu"
        self._free = threading.BoundedSemaphore(at_once)

    def networks(self) -> Sequence[Any]:
        """The torch modules that hold its weights."""
        return (self.model,)

    def move(self, device: str) -> None:
        """Move it to ``device``."""
        self.model.to(device)  # type: ignore[attr-defined]

    def is_lent(self) -> bool:
        """Whether the GPU is lent only for the duration of the work (ZeroGPU), so that no other model has to leave
        it."""
        return False

    @contextmanager
    def at_work(self, tick: Tick = lambda: None) -> Iterator[M]:
        """The model on its device. Calls ``tick`` while waiting for it; raises BgmError if it doesn't fit on the
        GPU."""
        import torch

        with taken(self._free, tick):
            try:
                self._place()
                yield self.model
            # The weights leave the GPU: the next user tries again with all that is free by then.
            except torch.OutOfMemoryError as error:
                self._move("cpu")
                raise BgmError(self._no_room()) from error

    def leave(self) -> bool:
        """Move to the CPU to make room for another model, unless at work; :meth:`at_work` moves it back."""
        # Never blocking: the caller holds the GPU's own lock, and the model at work may wait for that.
        with ExitStack() as held:
            for _ in range(self.at_once):
                if not self._free.acquire(blocking=False):
                    return False
                held.callback(self._free.release)
            self._move("cpu")
        return True

    def _place(self) -> None:
        if self._placed == self.device:
            return
        if self.device == "cuda" and not self.is_lent():
            gpu.admit(self, self._size())
        self._move(self.device)

    def _move(self, device: str) -> None:
        import torch

        self.move(device)
        self._placed = device
        if device == "cpu":
            torch.cuda.empty_cache()

    def _size(self) -> int:
        return sum(map(weight_bytes, self.networks()))

    def _no_room(self) -> str:
        return (
            f"the GPU has too little free memory for {self.title}, whose weights take {self._size() / 1e9:.1f} GB: "
            f"close what else uses it, or choose {self.instead}"
        )


class Shelf(Generic[S]):
    """Cache of loaded models by key; of the idle ones only the last ``most`` stay."""

    def __init__(self, most: int = 2) -> None:
        self._most = most
        self._there: dict[Hashable, S] = {}
        self._loading = threading.Lock()

    def get(self, key: Hashable, load: Callable[[], S], tick: Tick = lambda: None) -> S:
        """The model of ``key``. The first caller runs ``load``; the others wait for it and call ``tick``."""
        known = self._there.get(key)  # before locking: a ZeroGPU worker may be forked while the lock is held
        if known:
            return known
        with taken(self._loading, tick):
            # Again, under the lock: another caller may have loaded it while this one waited.
            if key not in self._there:
                self._forget_oldest()
                self._there[key] = load()
            return self._there[key]

    def _forget_oldest(self) -> None:
        while len(self._there) >= self._most:
            oldest = self._there.pop(next(iter(self._there)))
            # Off the GPU first: an engine that still holds a reference to it would keep the memory taken.
            oldest.leave()
            gpu.forget(oldest)


@contextmanager
def taken(lock: threading.Lock | threading.Semaphore, tick: Tick) -> Iterator[None]:
    """Hold a lock, or a place of a semaphore; call ``tick`` while waiting for it, so that waiting can be cancelled."""
    while not lock.acquire(timeout=WAIT_S):
        tick()
    try:
        yield
    finally:
        lock.release()
