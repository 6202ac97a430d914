"""Whisper's weights: which there are, which lie in the cache, whether the others can be had, and fetching them."""

from __future__ import annotations

import ast
import hashlib
import os
import threading
import time
import zipfile
from collections.abc import Mapping
from functools import lru_cache
from http.client import HTTPResponse
from importlib.util import find_spec
from pathlib import Path
from typing import cast
from urllib.request import Request, urlopen

from bgm.errors import BgmError, EngineUnavailable
from bgm.files import beside
from bgm.progress import Progress, silent

DECISION_S = 4.0
"""How long to wait for an answer before the weights count as out of reach."""
BELIEVED_S = 60.0
"""For about so long an answer of the network is believed."""
STALLED_S = 30.0
"""A download that gives nothing for this long is given up."""
BLOCK_BYTES = 1 << 20


@lru_cache(maxsize=1)
def addresses() -> Mapping[str, str]:
    """Model name → address, as the installed openai-whisper has them; empty when it isn't installed.

    Read from its source without importing it: importing it brings torch, and the question must be cheap.
    """
    spec = find_spec("whisper")
    if spec is None or spec.origin is None:
        return {}
    for node in ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "_MODELS":
            return cast(Mapping[str, str], ast.literal_eval(node.value))
    return {}


def cached_file(model: str) -> Path:
    """Where openai-whisper keeps a model (``$XDG_CACHE_HOME/whisper``, ``~/.cache/whisper``), there or not."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "whisper" / addresses()[model].rpartition("/")[2]


def is_cached(model: str) -> bool:
    """Is the whole file there? Cheap: a checkpoint is a zip file, whose directory comes last, so a part has none."""
    path = cached_file(model)
    return path.is_file() and zipfile.is_zipfile(path)


def why_missing(model: str, offline: bool) -> str | None:
    """Why a model can't be had here, in a few words, or None. Answers within five seconds."""
    if is_cached(model):
        return None
    if offline:
        return "weights not cached, and working offline"
    any_address = next(iter(addresses().values()))  # one host has them all, and one wait for it is enough
    return None if _reachable(any_address, int(time.monotonic() / BELIEVED_S)) else "weights not reachable"


def fetch(model: str, offline: bool, progress: Progress = silent) -> Path:
    """The checked file of a model, downloaded when it isn't in the cache.

    Raises EngineUnavailable when it isn't and ``offline`` is set, BgmError when the download fails. A download that
    is stopped leaves nothing behind.
    """
    target = cached_file(model)
    if is_cached(model) and _digest(target) == _expected(model):
        return target
    if offline:
        raise EngineUnavailable(f"the weights of Whisper {model} are not on this machine, and offline was asked for")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with beside(target) as part:
            _download(addresses()[model], part, f"Whisper {model}", progress)
            if _digest(part) != _expected(model):
                raise BgmError(f"the weights of Whisper {model} arrived damaged: try again")
    except OSError as error:
        raise BgmError(f"the weights of Whisper {model} could not be fetched: {error}") from error
    return target


def _expected(model: str) -> str:
    """SHA-256: the folder in the address."""
    return addresses()[model].split("/")[-2]


def _digest(path: Path) -> str:
    state = path.stat()
    return _digest_of(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=16)
def _digest_of(path: Path, size: int, modified_ns: int) -> str:
    """Seconds for the large model, so once for each state of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache(maxsize=32)
def _reachable(address: str, minute: int) -> bool:
    """In a thread of its own, because looking up a name knows no time limit."""
    answers: list[int] = []

    def ask() -> None:
        try:
            with urlopen(Request(address, method="HEAD"), timeout=DECISION_S) as response:
                answers.append(response.status)
        except OSError:
            answers.append(0)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(DECISION_S)
    return answers[:1] == [200]


def _download(address: str, target: Path, what: str, progress: Progress) -> None:
    with urlopen(address, timeout=STALLED_S) as response, target.open("wb") as file:
        total = int(cast(HTTPResponse, response).headers.get("Content-Length") or 0)
        done = 0
        while block := response.read(BLOCK_BYTES):
            file.write(block)
            done += len(block)
            share = done / total if total else 0.0
            progress(share, f"fetching {what}: {done / 1e6:.0f} of {total / 1e6:.0f} MB")
