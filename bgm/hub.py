"""Published weights: are they in the cache, can they be had, bring them here.

A thin layer over huggingface_hub that adds what an engine choice needs: no network call at all for cached weights, and
an answer within five seconds for the others. HF_ENDPOINT, HF_HUB_OFFLINE, HF_HUB_CACHE, HF_TOKEN and the proxy
variables work as huggingface_hub documents them.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from bgm.errors import EngineUnavailable
from bgm.progress import Progress, silent

FileChoice = str | tuple[str, ...]
"""A file that a model needs, as a path in its repository; a tuple names alternatives, the preferred one first."""

NOT_REACHABLE = "weights not reachable"
REACHABLE_S = 2.5
PUBLISHED_S = 2.0
"""Longest wait for each of the two questions to the network: together a decision stays under 5 s."""
REMEMBER_S = 30.0
"""How long an answer of the network is believed, so that several engines ask only once."""

log = logging.getLogger(__name__)


def cached(repo_id: str, filename: str) -> Path | None:
    """The file in the local cache (main revision), or None. Never touches the network.

    Raises ValueError when ``repo_id`` can't be a repository's name.
    """
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(repo_id, filename)
    return Path(found) if isinstance(found, str) else None


def reachable(timeout_s: float = REACHABLE_S) -> bool:
    """Whether the hub answers within ``timeout_s`` seconds, name lookup and all; remembered for half a minute."""
    from huggingface_hub import constants

    return not constants.is_offline_mode() and _endpoint_answers(constants.ENDPOINT, timeout_s, _era())


def why_missing(repo_id: str, files: Sequence[FileChoice], offline: bool = False) -> str | None:
    """Why these files can't be used here, in a few words, or None when they are cached or can be downloaded.

    With ``offline`` (or HF_HUB_OFFLINE) only the cache counts. Answers within 5 seconds.
    """
    from huggingface_hub import constants

    try:
        wanted = tuple(choice for choice in files if not any(cached(repo_id, name) for name in _names(choice)))
    except ValueError:
        return f"{repo_id!r} is neither a folder nor a hub id"
    if not wanted:
        return None
    if offline or constants.is_offline_mode():
        return "weights not cached, and working offline"
    return _why_not_published(repo_id, wanted, _era())


def published(repo_id: str, filename: str) -> bool:
    """Whether the hub lets us read this file. Raises what huggingface_hub raises when the network fails."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import EntryNotFoundError, RepositoryNotFoundError

    try:
        get_hf_file_metadata(hf_hub_url(repo_id, filename), timeout=PUBLISHED_S)
    except (EntryNotFoundError, RepositoryNotFoundError):
        return False
    return True


def download(repo_id: str, patterns: Sequence[str], progress: Progress = silent) -> Path:
    """Bring the files that match ``patterns`` into the cache and return the folder (snapshot) that holds them.

    ``progress`` gets the share of all bytes; an exception from it stops the download, and the next call goes on from
    there. Raises EngineUnavailable when the hub fails, the disk is full or no file matches.
    """
    from huggingface_hub import hf_hub_download, snapshot_download

    try:
        files = snapshot_download(repo_id, allow_patterns=list(patterns), dry_run=True)
        counter = _ByteCounter(sum(file.file_size or 0 for file in files), progress)
        paths = [hf_hub_download(repo_id, file.filename, tqdm_class=counter.bar(file)) for file in files]
    except _network_errors() as error:
        raise EngineUnavailable(f"the weights of {repo_id} could not be downloaded: {error}") from error
    if not paths:
        raise EngineUnavailable(f"{repo_id} has no such weights on the hub")
    return Path(paths[0].removesuffix(files[0].filename))


class _ByteCounter:
    """Turns huggingface_hub's progress bars, one per file, into one ``progress`` over all bytes."""

    def __init__(self, total: int, progress: Progress) -> None:
        self._total = max(1, total)
        self._progress = progress
        self._finished = 0

    def bar(self, file: Any) -> type[Any]:
        """A bar class for this file (a DryRunFileInfo); it counts on from the files before it."""
        from tqdm import tqdm

        before, self._finished = self._finished, self._finished + (file.file_size or 0)
        tell = self._tell

        class Bar(tqdm):  # type: ignore[misc]
            def __init__(self, *args: Any, initial: int = 0, **kwargs: Any) -> None:
                super().__init__(*args, initial=initial, **{**kwargs, "disable": True})
                self._position = before + initial

            def update(self, n: float | None = 1) -> None:
                self._position += int(n or 0)
                tell(self._position, file.filename)

        return Bar

    def _tell(self, position: int, filename: str) -> None:
        note = f"downloading {filename}: {position / 1e6:.0f} of {self._total / 1e6:.0f} MB"
        self._progress(min(1.0, position / self._total), note)


def _names(choice: FileChoice) -> tuple[str, ...]:
    return (choice,) if isinstance(choice, str) else choice


def _network_errors() -> tuple[type[Exception], ...]:
    """What huggingface_hub raises when the network or the hub fails (its HTTP library's errors among them)."""
    from huggingface_hub.errors import HfHubHTTPError

    return (*HfHubHTTPError.__bases__, OSError)


def _era() -> int:
    """Changes every REMEMBER_S seconds: as a cache key it lets an answer of the network grow old."""
    return int(time.monotonic() // REMEMBER_S)


@lru_cache(maxsize=8)
def _endpoint_answers(endpoint: str, timeout_s: float, era: int) -> bool:
    from huggingface_hub import get_session

    return bool(_within(timeout_s, lambda: get_session().head(endpoint, timeout=timeout_s).status_code < 400))


@lru_cache(maxsize=64)
def _why_not_published(repo_id: str, wanted: tuple[FileChoice, ...], era: int) -> str | None:
    """One missing file stands for all: a repository that has its first file has the others."""
    if not reachable():
        return NOT_REACHABLE
    found = _within(PUBLISHED_S, lambda: any(published(repo_id, name) for name in _names(wanted[0])))
    if found is None:
        return NOT_REACHABLE
    return None if found else f"{repo_id} is not on the hub, or may not be read without a token"


def _within(seconds: float, question: Callable[[], bool]) -> bool | None:
    """The answer, or None when it doesn't come in time or the network fails.

    A thread asks, because a name lookup can't be given a time limit; it is left behind when it is late.
    """
    answers: list[bool] = []

    def ask() -> None:
        try:
            answers.append(question())
        except _network_errors() as error:
            log.debug("the hub did not answer: %s", error)

    asking = threading.Thread(target=ask, name="hub-question", daemon=True)
    asking.start()
    asking.join(seconds)
    return answers[0] if answers else None
