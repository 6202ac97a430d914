"""A hub of our own on this machine, for what asks Hugging Face's."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class FakeHub:
    """What huggingface_hub asks of a hub, for one repository; ``asked`` counts the requests.

    Large files are sent from the byte that is asked for, in small pieces, and named by their SHA-256.
    """

    def __init__(self, repo_id: str, files: dict[str, bytes]) -> None:
        self.repo_id, self.files, self.asked = repo_id, files, 0
        self.ranges: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(handler) -> None:
                self._answer(handler, body=True)

            def do_HEAD(handler) -> None:
                self._answer(handler, body=False)

            def log_message(handler, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def _answer(self, handler: BaseHTTPRequestHandler, body: bool) -> None:
        self.asked += 1
        content = self._content(urlsplit(handler.path).path)
        begin = re.match(r"bytes=(\d+)-", handler.headers.get("Range") or "")
        handler.send_response(404 if content is None else 206 if begin else 200)
        content = content or b""
        handler.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        if begin:
            self.ranges.append(begin[0])
            handler.send_header("Content-Range", f"bytes {begin[1]}-{len(content) - 1}/{len(content)}")
            content = content[int(begin[1]) :]
        handler.send_header("Content-Length", str(len(content)))
        handler.send_header("X-Repo-Commit", COMMIT)
        handler.end_headers()
        if body:
            with contextlib.suppress(OSError):  # whoever asked may have left
                handler.wfile.write(content)

    def _content(self, path: str) -> bytes | None:
        api = f"/api/models/{self.repo_id}"
        if path in ("", "/"):
            return b"a hub"
        if path == api:
            siblings = [{"rfilename": name, "size": len(content)} for name, content in self.files.items()]
            return json.dumps({"id": self.repo_id, "sha": COMMIT, "siblings": siblings}).encode()
        for revision in ("main", COMMIT):
            prefix = f"/{self.repo_id}/resolve/{revision}/"
            if path.startswith(prefix):
                return self.files.get(path.removeprefix(prefix))
        return None


def put_in_cache(cache: Path, repo_id: str, put: Callable[[Path], object]) -> None:
    """Leave a repository as huggingface_hub would have; ``put`` fills the snapshot's folder."""
    folder = cache / f"models--{repo_id.replace('/', '--')}"
    (folder / "snapshots" / COMMIT).mkdir(parents=True)
    put(folder / "snapshots" / COMMIT)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(COMMIT)


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever opens a connection or looks up a name fails."""

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """huggingface_hub with a cache of its own, online, and no answer remembered from another test."""
    from huggingface_hub import constants

    from bgm.weights import network

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(network, "_asked", {})
    return tmp_path / "hub"


@pytest.fixture
def fake_hub(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A hub with the repository ``someone/model``."""
    from huggingface_hub import constants

    fake = FakeHub("someone/model", {"config.json": b"{}", "model.safetensors": b"x" * 4000, "model.bin": b"y"})
    monkeypatch.setattr(constants, "ENDPOINT", fake.url)
    template = fake.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    # How often it looks whether to stop: the usual 0.5 s are waited for at the end of each test.
    threading.Thread(target=fake.server.serve_forever, args=(0.02,), daemon=True).start()
    yield fake
    fake.server.shutdown()
    fake.server.server_close()


def callers(silent: socket.socket) -> int:
    """How many connections wait at a server that never answered."""
    silent.setblocking(False)
    found = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            silent.accept()[0].close()
            found += 1
    return found
