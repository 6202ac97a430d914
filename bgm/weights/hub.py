"""Weights on the Hugging Face hub, in its own cache.

A thin layer over huggingface_hub that adds what choosing an engine requires: no network request for cached weights, and
an answer within five seconds for the others. HF_ENDPOINT, HF_HUB_OFFLINE, HF_HUB_CACHE, HF_TOKEN and the proxy
variables work as huggingface_hub documents them. Interrupted downloads resume.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

from bgm.digest import sha256_of
from bgm.errors import EngineUnavailable
from bgm.progress import Progress, each
from bgm.weights import network
from bgm.weights.network import PUBLISHED_S, Offer, fetch
from bgm.weights.sources import NOT_CACHED, File, locked

if TYPE_CHECKING:
    from bgm.weights.cards import Card

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Hub:
    """The main revision of a repository."""

    repo_id: str

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
        """Asks for one missing file: a repository that has it has the others."""
        from huggingface_hub import constants

        try:
            absent = next((file for file in card.files if file.needed and not self._cached(file)), None)
        except ValueError:
            return f"{self.repo_id!r} is neither a folder nor a hub id"
        if absent is None:
            return None
        if offline or constants.is_offline_mode():
            return NOT_CACHED
        # Two questions of two seconds each: whether the hub answers at all, then whether it has the file.
        if not network.reachable(constants.ENDPOINT, _endpoint_answers):
            return network.NOT_REACHABLE
        found = network.answer((self.repo_id, absent), lambda: self._publishes(absent), PUBLISHED_S)
        if found is None:
            # A proxy may answer for the hub and pass nothing on: the other models needn't wait for it too.
            network.distrust(constants.ENDPOINT)
            return network.NOT_REACHABLE
        return None if found else f"{self.repo_id} is not on the hub, or may not be read without a token"

    def provide(self, card: Card, progress: Progress) -> Path:
        """The snapshot's folder. Raises EngineUnavailable for a cached file that differs from the published one."""
        found = self.find(card) or self._download(card, progress)
        folder = found.parent if card.is_file else found
        # Checked before each use: a disk may fail later than a download.
        damaged = next(filter(None, map(_damaged, sorted(folder.rglob("*")))), None)
        if damaged:
            raise EngineUnavailable(f"{damaged} is damaged: delete it, and it will be fetched again")
        return found

    def _cached(self, file: File) -> Path | None:
        """Raises ValueError if ``repo_id`` is not a valid repository name."""
        from huggingface_hub import try_to_load_from_cache

        # Of several names (safetensors, or the older .bin) the first that is cached.
        found = (try_to_load_from_cache(self.repo_id, name) for name in file.names)
        return next((Path(path) for path in found if isinstance(path, str)), None)

    def _whole(self, card: Card, path: Path) -> Path:
        """The snapshot's folder, or its only file, from the path of the first needed file."""
        if card.is_file:
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
        """Fetch the files, of alternatives the first that exists. Progress is the share of all bytes."""
        from huggingface_hub import constants

        try:
            sizes = self._published_sizes(card.files)
            network.need_room(Path(constants.HF_HUB_CACHE), sum(sizes.values()))
            for name, own in each(progress, list(sizes), sizes.__getitem__):
                self._fetch(name, card.title, own)
        except _network_errors() as error:
            raise EngineUnavailable(f"{self.repo_id} could not be downloaded: {error}") from error
        found = self.find(card)
        if found is None:
            raise EngineUnavailable(f"{self.repo_id} has no such weights on the hub")
        return found

    def _fetch(self, name: str, title: str, progress: Progress) -> None:
        """Fetch one file into the hub's own cache.

        huggingface_hub 2 restarts every download, so a large file is downloaded to where the library would put it, and
        the library only links it.
        """
        from huggingface_hub import constants, get_hf_file_metadata, get_token, hf_hub_download, hf_hub_url
        from huggingface_hub.file_download import repo_folder_name
        from huggingface_hub.utils.tqdm import disable_progress_bars

        url = hf_hub_url(self.repo_id, name)
        published = get_hf_file_metadata(url)
        etag = str(published.etag)
        folder = repo_folder_name(repo_id=self.repo_id, repo_type="model")
        blob = Path(constants.HF_HUB_CACHE) / folder / "blobs" / etag
        if _SHA256.fullmatch(etag) and not blob.exists():
            lock = Path(constants.HF_HUB_CACHE) / ".locks" / folder / f"{etag}.lock"
            token = get_token()
            secret = {"Authorization": f"Bearer {token}"} if token else {}
            with locked(blob, progress, lock):
                fetch(Offer(url, etag, secret), blob, title, progress)
        disable_progress_bars()
        hf_hub_download(self.repo_id, name)
        progress(1.0, f"fetching {title}: {name}")

    def _published_sizes(self, files: Sequence[File]) -> dict[str, int]:
        """The files to fetch and their sizes in bytes, smallest first."""
        from huggingface_hub import HfApi

        siblings = HfApi().model_info(self.repo_id, files_metadata=True).siblings or []
        sizes = {sibling.rfilename: sibling.size or 0 for sibling in siblings}
        wanted = {name for file in files for name in _chosen(file, sizes)}
        return {name: sizes[name] for name in sorted(wanted, key=sizes.__getitem__)}


def _chosen(file: File, published: dict[str, int]) -> list[str]:
    """One name of a needed file; of an optional one all that match."""
    # In the order of the names, not of the repository: the first is preferred.
    matching = [name for pattern in file.names for name in published if fnmatch(name, pattern)]
    return matching[:1] if file.needed else matching


def _damaged(path: Path) -> Path | None:
    """The blob of a snapshot's file, if it differs from the published one.

    The blob of a large file is named after its SHA-256; small ones have another kind of name and are not checked. (The
    blob may itself be a link into a store shared by several caches.)
    """
    if not path.is_symlink():
        return None
    # One step along the link, not resolve(): only the hub's own blob has the checksum for its name.
    blob = Path(os.path.normpath(path.parent / path.readlink()))
    return blob if _SHA256.fullmatch(blob.name) and sha256_of(blob) != blob.name else None


def _endpoint_answers() -> bool:
    from huggingface_hub import constants, get_session

    return bool(get_session().head(constants.ENDPOINT, timeout=network.REACHABLE_S).status_code < 400)


def _network_errors() -> tuple[type[Exception], ...]:
    """What huggingface_hub raises if the network or the hub fails, including its HTTP library's errors."""
    from huggingface_hub.errors import HfHubHTTPError

    return (*HfHubHTTPError.__bases__, OSError)
