"""Network requests that take a few seconds at most, and downloads that resume."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import cast
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from bgm.digest import sha256_of
from bgm.errors import EngineUnavailable
from bgm.files import free_bytes
from bgm.progress import Progress

NOT_REACHABLE = "weights not reachable"
REACHABLE_S = 2.0
"""Maximum wait for a host, including the name lookup: two that never answer take under five seconds together."""
PUBLISHED_S = 2.0
"""Maximum wait for a host to say whether it has a file."""
BELIEVED_S = 60.0
"""An older answer is refreshed in the background and still used meanwhile."""
STALLED_S = 30.0
"""A download that receives nothing for this long is aborted."""
TRIES = 4
"""Attempts per download, as long as each makes progress."""
BLOCK_BYTES = 1 << 20

log = logging.getLogger("bgm")


class _Question:
    """Asked once, in its own thread, because a name lookup has no timeout; a late answer still counts."""

    def __init__(self, ask: Callable[[], bool], before: _Question | None) -> None:
        self._ask, self._before = ask, before
        self._started = time.monotonic()
        self._answered = threading.Event()
        self.answer: bool | None = None
        # A daemon: a lookup that hangs must not keep the process from ending.
        threading.Thread(target=self._run, name="weights-question", daemon=True).start()

    def is_old(self) -> bool:
        return time.monotonic() - self._started > BELIEVED_S

    def wait(self, seconds: float) -> bool | None:
        """The answer; None if it takes longer than ``seconds`` from the question on, or the network fails."""
        # An old answer is better than waiting again: it holds until the new one is there.
        if self._before is not None and not self._answered.is_set():
            return self._before.answer
        self._answered.wait(max(0.0, self._started + seconds - time.monotonic()))
        return self.answer

    def _run(self) -> None:
        try:
            self.answer = self._ask()
        except Exception as error:  # each HTTP library has its own errors; none is an answer
            log.debug("no answer from the network: %s", error)
        self._before = None
        self._answered.set()


_asked: dict[Hashable, _Question] = {}
"""Shared by all users of the process."""
_guard = threading.Lock()


def answer(subject: Hashable, ask: Callable[[], bool], seconds: float) -> bool | None:
    """What ``ask`` says about ``subject``, cached for the process; None if it fails or is late."""
    with _guard:
        known = _asked.get(subject)
        if known is None or known.is_old():
            known = _asked[subject] = _Question(ask, known)
    return known.wait(seconds)


def reachable(address: str, ask: Callable[[], bool] | None = None) -> bool:
    """Whether the host of ``address`` answers, asked once per host; ``ask`` replaces the HEAD request."""
    parts = urlsplit(address)
    return bool(answer((parts.scheme, parts.netloc), ask or (lambda: _answers(address)), REACHABLE_S))


def distrust(address: str) -> None:
    """The host answers, but not the requests that matter: don't wait for it again for a while."""
    parts = urlsplit(address)
    known = _asked.get((parts.scheme, parts.netloc))
    if known:
        known.answer = False


def _answers(address: str) -> bool:
    with urlopen(Request(address, method="HEAD"), timeout=REACHABLE_S) as response:
        return bool(response.status == 200)


def need_room(folder: Path, size: int) -> None:
    """Raise EngineUnavailable if the disk has no room for another ``size`` bytes."""
    free = free_bytes(folder)
    if free < size:
        raise EngineUnavailable(f"{folder} has {in_words(free)} free, and {in_words(size)} are to be fetched")


@dataclass(frozen=True)
class Offer:
    """A published file. The headers in ``secret`` are not sent to hosts that its host redirects to."""

    address: str
    sha256: str | None
    secret: Mapping[str, str] = field(default_factory=dict)

    def request(self, begin: int) -> Request:
        """The request for the bytes from ``begin`` on."""
        request = Request(self.address, headers={"Range": f"bytes={begin}-"} if begin else {})
        for name, value in self.secret.items():
            # The hub redirects to a content network, which must not see the token.
            request.add_unredirected_header(name, value)
        return request


def fetch(offer: Offer, target: Path, what: str, progress: Progress) -> None:
    """Download to ``target`` via ``target``.part, from which the next call resumes if this one is interrupted.

    Raises EngineUnavailable if the network fails or the file differs from the published one.
    """
    part = target.with_name(f"{target.name}.part")
    for begun in (part.exists(), False):  # if the old part was wrong, once more from the start
        _download(offer, part, what, progress)
        if offer.sha256 in (None, sha256_of(part)):
            part.replace(target)
            return
        part.unlink()
        if not begun:
            break
    raise EngineUnavailable(f"{what} arrived damaged from {urlsplit(offer.address).netloc}: try again")


def _download(offer: Offer, part: Path, what: str, progress: Progress) -> None:
    """Reconnect where the connection was lost, as long as that makes progress."""
    for last in (False,) * (TRIES - 1) + (True,):
        before = _size(part)
        try:
            if _fetch(offer.request(before), part, what, progress):
                return
            problem = "the connection was cut"
        except (OSError, HTTPException) as error:
            problem = str(error)
        if last or _size(part) <= before:
            kept = f"; the {in_words(_size(part))} that came are kept, the next try goes on from there"
            raise EngineUnavailable(f"{what} could not be fetched: {problem}{kept if _size(part) else ''}")


def _fetch(request: Request, part: Path, what: str, progress: Progress) -> bool:
    """One connection; returns whether the file is complete."""
    begin = _size(part)
    try:
        response = cast(HTTPResponse, urlopen(request, timeout=STALLED_S))
    except HTTPError as error:
        if error.code != 416 or not begin:
            raise
        part.unlink()  # "range not satisfiable": the part is not the start of this file, or all of it
        request.remove_header("Range")
        return _fetch(request, part, what, progress)
    with response:
        # A server may ignore the range and send all of it (200), or another part: then the file starts anew.
        goes_on = response.status == 206 and _first_byte(response) == begin
        done = begin if goes_on else 0
        length = response.headers.get("Content-Length")
        total = done + int(length) if length else None
        # Before the first byte: a full disk at the end of 3 GB helps nobody
        need_room(part.parent, (total or done) - done)
        with part.open("ab" if goes_on else "wb") as file:
            while block := response.read(BLOCK_BYTES):
                file.write(block)
                done += len(block)
                of = f" of {in_words(total)}" if total else ""
                progress(done / total if total else 0.0, f"fetching {what}: {in_words(done)}{of}")
    return total is None or done >= total


def _first_byte(response: HTTPResponse) -> int | None:
    found = re.match(r"bytes (\d+)-", response.headers.get("Content-Range") or "")
    return int(found[1]) if found else None


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def in_words(size: int) -> str:
    """Bytes as ``145 MB`` or ``3.1 GB``."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB" if size >= 1e6 else f"{size} bytes"
