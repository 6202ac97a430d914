"""Weights on the Hugging Face hub, in its own cache.

A thin layer over huggingface_hub that adds what an engine choice needs: no network call at all for cached weights, and
an answer within five seconds for the others. HF_ENDPOINT, HF_HUB_OFFLINE, HF_HUB_CACHE, HF_TOKEN and the proxy
variables work as huggingface_hub documents them. Downloads go on where they were cut.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bgm.errors import EngineUnavailable
from bgm.progress import Progress
from bgm.weights import network
from bgm.weights.network import PUBLISHED_S, in_words
from bgm.weights.sources import NOT_CACHED, File, digest_of

if TYPE_CHECKING:
    from bgm.weights.cards import Card

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Hub:
    """A repository, main revision. ``single``: the model is one file of it, and that file is what is brought."""

    repo_id: str
    single: bool = False

    def __str__(self) -> str:
        return f"Hugging Face, {self.repo_id}"

    def find(self, card: Card) -> Path | None:
        """Never touches the network."""
        try:
            paths = [self._cached(file) for file in card.files if file.needed]
        except ValueError:
            return None
        if not paths or None in paths:
            return None
        return self._whole(card, Path(str(paths[0])))

    def why_not(self, card: Card, offline: bool) -> str | None:
        """One missing file stands for all: a repository that has it has the others."""
        from huggingface_hub import constants

        try:
            absent = next((file for file in card.files if file.needed and not self._cached(file)), None)
        except ValueError:
            return f"{self.repo_id!r} is neither a folder nor a hub id"
        if absent is None:
            return None
        if offline or constants.is_offline_mode():
            return NOT_CACHED
        if not network.reachable(constants.ENDPOINT, _endpoint_answers):
            return network.NOT_REACHABLE
        found = network.answer((self.repo_id, absent), lambda: self._publishes(absent), PUBLISHED_S)
        if found is None:
            return network.NOT_REACHABLE
        return None if found else f"{self.repo_id} is not on the hub, or may not be read without a token"

    def bring(self, card: Card, progress: Progress) -> Path:
        """The snapshot's folder. A cached file that isn't what the hub published is named, not used."""
        found = self.find(card) or self._download(card, progress)
        folder = found.parent if self.single else found
        damaged = next((path for path in sorted(folder.rglob("*")) if _is_damaged(path)), None)
        if damaged:
            raise EngineUnavailable(f"{damaged.resolve()} is damaged: delete it, and it is fetched again")
        return found

    def _cached(self, file: File) -> Path | None:
        """Raises ValueError when ``repo_id`` can't be a repository's name."""
        from huggingface_hub import try_to_load_from_cache

        found = (try_to_load_from_cache(self.repo_id, name) for name in file.names)
        return next((Path(path) for path in found if isinstance(path, str)), None)

    def _whole(self, card: Card, path: Path) -> Path:
        """The snapshot's folder, or its file, from the path of the first needed file."""
        if self.single:
            return path
        first = next(file for file in card.files if file.needed)
        name = next(name for name in first.names if path.as_posix().endswith(f"/{name}"))
        return path.parents[name.count("/")]

    def _publishes(self, file: File) -> bool:
        from huggingface_hub import get_hf_file_metadata, hf_hub_url
        from huggingface_hub.errors import HfHubHTTPError

        for name in file.names:
            try:
                get_hf_file_metadata(hf_hub_url(self.repo_id, name), timeout=PUBLISHED_S)
            except HfHubHTTPError as error:
                if error.response.status_code >= 500:
                    raise
            else:
                return True
        return False

    def _download(self, card: Card, progress: Progress) -> Path:
        """Of alternatives only the first that exists is fetched. ``progress`` gets the share of all bytes."""
        from huggingface_hub import constants, hf_hub_download

        try:
            sizes = self._published_sizes(card.files)
            network.need_room(Path(constants.HF_HUB_CACHE), sum(sizes.values()))
            counter = _ByteCounter(sum(sizes.values()), card.title, progress)
            for name, size in sizes.items():
                hf_hub_download(self.repo_id, name, tqdm_class=counter.bar(size))
        except _network_errors() as error:
            raise EngineUnavailable(f"{self.repo_id} could not be downloaded: {error}") from error
        found = self.find(card)
        if found is None:
            raise EngineUnavailable(f"{self.repo_id} has no such weights on the hub")
        return found

    def _published_sizes(self, files: Sequence[File]) -> dict[str, int]:
        """The files to fetch, the smallest first, with their bytes."""
        from huggingface_hub import HfApi

        siblings = HfApi().model_info(self.repo_id, files_metadata=True).siblings or []
        sizes = {sibling.rfilename: sibling.size or 0 for sibling in siblings}
        wanted = {name for file in files for name in _chosen(file, sizes)}
        return {name: sizes[name] for name in sorted(wanted, key=sizes.__getitem__)}


def _chosen(file: File, published: dict[str, int]) -> list[str]:
    """Of a needed file one of its names, of the others all that match."""
    matching = [name for pattern in file.names for name in published if fnmatch(name, pattern)]
    return matching[:1] if file.needed else matching


def _is_damaged(path: Path) -> bool:
    """The hub's cache names a large file by its SHA-256; small ones have another kind of name and are not checked."""
    blob = path.resolve()
    return path.is_symlink() and bool(_SHA256.fullmatch(blob.name)) and digest_of(blob) != blob.name


def _endpoint_answers() -> bool:
    from huggingface_hub import constants, get_session

    return bool(get_session().head(constants.ENDPOINT, timeout=network.REACHABLE_S).status_code < 400)


class _ByteCounter:
    """Turns huggingface_hub's progress bars, one per file, into one ``progress`` over all bytes."""

    def __init__(self, total: int, title: str, progress: Progress) -> None:
        self._total, self._title, self._progress = max(1, total), title, progress
        self._finished = 0

    def bar(self, size: int) -> type[Any]:
        """A bar class for the next file; it counts on from the files before it."""
        from tqdm import tqdm

        before, self._finished = self._finished, self._finished + size
        tell = self._tell

        class Bar(tqdm):  # type: ignore[misc]
            def __init__(self, *args: Any, initial: int = 0, **kwargs: Any) -> None:
                super().__init__(*args, initial=initial, **{**kwargs, "disable": True})
                self._position = before + initial

            def update(self, n: float | None = 1) -> None:
                self._position += int(n or 0)
                tell(self._position)

        return Bar

    def _tell(self, position: int) -> None:
        note = f"fetching {self._title}: {in_words(position)} of {in_words(self._total)}"
        self._progress(min(1.0, position / self._total), note)


def _network_errors() -> tuple[type[Exception], ...]:
    """What huggingface_hub raises when the network or the hub fails (its HTTP library's errors among them)."""
    from huggingface_hub.errors import HfHubHTTPError

    return (*HfHubHTTPError.__bases__, OSError)
