"""RNNoise, a small recurrent network that keeps speech: Valin, "A Hybrid DSP/Deep Learning Approach to Real-Time
Full-Band Speech Enhancement" (2018). The library is the one in pyrnnoise's wheel, called through ctypes, because
importing that package wants audiolab and matplotlib.
"""

from __future__ import annotations

import ctypes
import importlib.util
import sys
from functools import cache
from pathlib import Path
from typing import Self

import numpy as np

from bgm.voice.stft import Signal

_FRAME = 480
"""Samples per call at 48 kHz; the network knows no other rate."""
_DELAY = 960
"""Samples by which the output lags behind the input."""
_SCALE = np.float32(32768)
"""The network expects the range of 16-bit samples."""
_FLOATS = ctypes.POINTER(ctypes.c_float)


def available() -> bool:
    """Whether the library loads on this machine."""
    return _library() is not None


class Denoiser:
    """One stream of mono sound at 48 kHz. The network's memory is carried from one push to the next."""

    def __init__(self) -> None:
        library = _library()
        if library is None:
            raise RuntimeError("RNNoise's library can't be loaded: ask available() first")
        self._library = library
        self._state = library.rnnoise_create(None)
        self._waiting = np.zeros(0, np.float32)
        self._to_drop = _DELAY

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self._library.rnnoise_destroy(self._state)

    def push(self, signal: Signal) -> Signal:
        """Take the next samples and give those that are ready, in step with the input but up to 30 ms behind it."""
        frames = np.concatenate([self._waiting, signal * _SCALE])
        whole = len(frames) // _FRAME * _FRAME
        self._waiting = frames[whole:]
        ready = np.ascontiguousarray(frames[:whole], np.float32)
        address = ready.ctypes.data
        for offset in range(0, whole, _FRAME):
            frame = ctypes.cast(address + offset * ready.itemsize, _FLOATS)
            self._library.rnnoise_process_frame(self._state, frame, frame)
        dropped = min(self._to_drop, whole)
        self._to_drop -= dropped
        return np.asarray(ready[dropped:] / _SCALE, np.float32)

    def flush(self) -> Signal:
        """The rest, after the last push, and up to 10 ms of silence beyond it."""
        return self.push(np.zeros(_DELAY + -len(self._waiting) % _FRAME, np.float32))


@cache
def _library() -> ctypes.CDLL | None:
    path = _path()
    if path is None:
        return None
    try:
        library = ctypes.CDLL(str(path))
    except OSError:  # built for another platform: the separator says that it does without
        return None
    library.rnnoise_create.restype = ctypes.c_void_p
    library.rnnoise_create.argtypes = [ctypes.c_void_p]
    library.rnnoise_destroy.restype = None
    library.rnnoise_destroy.argtypes = [ctypes.c_void_p]
    library.rnnoise_process_frame.restype = ctypes.c_float
    library.rnnoise_process_frame.argtypes = [ctypes.c_void_p, _FLOATS, _FLOATS]
    return library


def _path() -> Path | None:
    suffix = {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")
    package = importlib.util.find_spec("pyrnnoise")
    folders = package.submodule_search_locations or [] if package else []
    found = (path for folder in folders for path in sorted(Path(folder).glob(f"*rnnoise*{suffix}")))
    return next(found, None)
