"""The weights of our own readers, which lie beside this module: plain numpy arrays, no pickle."""

from __future__ import annotations

import zipfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bgm.errors import EngineUnavailable

WEIGHTS = Path(__file__).parent / "weights"
MINILM = WEIGHTS / "minilm.npz"
MPNET = WEIGHTS / "mpnet.npz"
WORDS = WEIGHTS / "words.npz"
_DAMAGED = "its weights {name} are damaged ({error}); install BGM Studio again"


def why_unusable(path: Path) -> str | None:
    """Why a file of weights can't serve, in one sentence, or None. It is read through once, and when it changed."""
    try:
        stat = path.stat()
    except OSError:
        return f"its weights {path.name} are not installed; install BGM Studio again"
    return _why_damaged(path, stat.st_mtime_ns, stat.st_size)


def read(path: Path) -> dict[str, npt.NDArray[Any]]:
    """The arrays of a file of weights. Raises EngineUnavailable."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
        raise EngineUnavailable(_DAMAGED.format(name=path.name, error=error)) from error


@lru_cache(maxsize=8)
def _why_damaged(path: Path, changed: int, size: int) -> str | None:
    """``changed`` and ``size`` only tell one state of the file from another."""
    try:
        with zipfile.ZipFile(path) as archive:
            bad = archive.testzip()
    except (OSError, zipfile.BadZipFile, EOFError, RuntimeError) as error:
        return _DAMAGED.format(name=path.name, error=error)
    return _DAMAGED.format(name=path.name, error=f"{bad} fails its checksum") if bad else None
