"""Published weights: are they in the cache, can they be had, bring them here.

A thin layer over huggingface_hub that adds what an engine choice needs: no network call at all for cached weights, and
an answer within five seconds for the others. HF_ENDPOINT, HF_HUB_OFFLINE, HF_HUB_CACHE, HF_TOKEN and the proxy
variables work as huggingface_hub documents them.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, TypeVar

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

T = TypeVar("T")
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

    if constants.is_offline_mode():
        return False
    return _remembered(constants.ENDPOINT, lambda: _endpoint_answers(constants.ENDPOINT, timeout_s))


def why_missing(repo_id: str, files: Sequence[FileChoice], offline: bool = False) -> str | None:
    """Why these files can't be used here, in a few words, or None when they are cached or can be downloaded.

    With ``offline`` (or HF_HUB_OFFLINE) only the cache counts. Answers within 5 seconds.
    """
    from huggingface_hub import constants

    try:
        wanted = [choice for choice in files if not any(cached(repo_id, name) for name in _names(choice))]
    except ValueError:
        return f"{repo_id!r} is neither a folder nor a hub id"
    if not wanted:
        return None
    if offline or constants.is_offline_mode():
        return "weights not cached, and working offline"
    return _remembered((repo_id, wanted[0]), lambda: _why_not_published(repo_id, wanted[0]))


def published(repo_id: str, filename: str) -> bool:
    """Whether the hub lets us read this file. Raises what huggingface_hub raises when the network fails."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import HfHubHTTPError

    try:
        get_hf_file_metadata(hf_hub_url(repo_id, filename), timeout=PUBLISHED_S)
    except HfHubHTTPError as error:
        if error.response.status_code < 500:
            return False
        raise
    return True


def why_incomplete(folder: Path, files: Sequence[FileChoice]) -> str | None:
    """Which of the files a local model folder lacks, in a few words, or None."""
    for choice in files:
        if not any((folder / name).is_file() for name in _names(choice)):
            return f"there is no {' or '.join(_names(choice))} in {folder}"
    return None


def download(repo_id: str, patterns: Sequence[FileChoice], progress: Progress = silent) -> Path:
    """Bring the files that match ``patterns`` into the cache and return the folder (snapshot) that holds them.

    Of alternatives only the first that exists is fetched. ``progress`` gets the share of all bytes; an exception from
    it stops the download, and the next call goes on from there. Raises EngineUnavailable when the hub fails, the disk
    is full or no file matches.
    """
    from huggingface_hub import hf_hub_download

    try:
        sizes = _published_sizes(repo_id, patterns)
        counter = _ByteCounter(sum(sizes.values()), progress)
        paths = {name: hf_hub_download(repo_id, name, tqdm_class=counter.bar(name, n)) for name, n in sizes.items()}
    except _network_errors() as error:
        raise EngineUnavailable(f"the weights of {repo_id} could not be downloaded: {error}") from error
    if not paths:
        raise EngineUnavailable(f"{repo_id} has no such weights on the hub")
    name, path = paths.popitem()
    return Path(path.removesuffix(name))


def _published_sizes(repo_id: str, patterns: Sequence[FileChoice]) -> dict[str, int]:
    """The files to fetch, the smallest first, with their bytes."""
    from huggingface_hub import HfApi

    siblings = HfApi().model_info(repo_id, files_metadata=True).siblings or []
    sizes = {file.rfilename: file.size or 0 for file in siblings}
    spare = _spare(set(sizes), patterns)
    every = [name for choice in patterns for name in _names(choice)]
    wanted = [name for name in sizes if name not in spare and any(fnmatch(name, pattern) for pattern in every)]
    return {name: sizes[name] for name in sorted(wanted, key=sizes.__getitem__)}


def _spare(present: set[str], choices: Sequence[FileChoice]) -> set[str]:
    """The alternatives that aren't needed because a preferred one is there."""
    return {name for choice in choices for name in [n for n in _names(choice) if n in present][1:]}


class _ByteCounter:
    """Turns huggingface_hub's progress bars, one per file, into one ``progress`` over all bytes."""

    def __init__(self, total: int, progress: Progress) -> None:
        self._total = max(1, total)
        self._progress = progress
        self._finished = 0

    def bar(self, filename: str, size: int) -> type[Any]:
        """A bar class for this file; it counts on from the files before it."""
        from tqdm import tqdm

        before, self._finished = self._finished, self._finished + size
        tell = self._tell

        class Bar(tqdm):  # type: ignore[misc]
            def __init__(self, *args: Any, initial: int = 0, **kwargs: Any) -> None:
                super().__init__(*args, initial=initial, **{**kwargs, "disable": True})
                self._position = before + initial

            def update(self, n: float | None = 1) -> None:
                self._position += int(n or 0)
                tell(self._position, filename)

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


_answers: dict[Hashable, tuple[float, Any]] = {}
"""What the network said to each question, and when. It holds for everybody in this process."""


def _remembered(question: Hashable, ask: Callable[[], T]) -> T:
    known = _answers.get(question)
    if known and time.monotonic() - known[0] < REMEMBER_S:
        answer: T = known[1]
        return answer
    answer = ask()
    _answers[question] = time.monotonic(), answer
    return answer


def _endpoint_answers(endpoint: str, timeout_s: float) -> bool:
    from huggingface_hub import get_session

    return bool(_within(timeout_s, lambda: get_session().head(endpoint, timeout=timeout_s).status_code < 400))


def _why_not_published(repo_id: str, choice: FileChoice) -> str | None:
    """One missing file stands for all: a repository that has it has the others."""
    if not reachable():
        return NOT_REACHABLE
    found = _within(PUBLISHED_S, lambda: any(published(repo_id, name) for name in _names(choice)))
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
