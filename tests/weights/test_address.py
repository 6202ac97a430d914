"""A file at its publisher's: fetched, gone on with where it was cut, checked; and a host that doesn't answer."""

from __future__ import annotations

import hashlib
import io
import re
import socket
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bgm import weights
from bgm.errors import Cancelled, EngineUnavailable
from bgm.weights import Card, File, network
from bgm.weights.sources import Address, DebianPackage
from tests.fake_hub import callers


def checkpoint() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("data", bytes(range(256)) * 4096 * 5)
    return buffer.getvalue()


WHOLE = checkpoint()
SHA256 = hashlib.sha256(WHOLE).hexdigest()


class Publisher:
    """Serves ``body``; of each connection at most ``most`` bytes come through."""

    def __init__(self) -> None:
        self.body, self.most, self.ranges = WHOLE, len(WHOLE), [""]
        self.knows_ranges = True
        self.ranges.clear()

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(handler) -> None:
                handler.send_response(200)
                handler.end_headers()

            def do_GET(handler) -> None:
                self._send(handler)

            def log_message(handler, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/models/{SHA256}/base.pt"

    def _send(self, handler: BaseHTTPRequestHandler) -> None:
        wanted = re.match(r"bytes=(\d+)-", handler.headers.get("Range") or "")
        begin = int(wanted[1]) if wanted and self.knows_ranges else 0
        self.ranges.append(handler.headers.get("Range") or "")
        if begin >= len(self.body):
            handler.send_error(416)
            return
        handler.send_response(206 if begin else 200)
        if begin:
            handler.send_header("Content-Range", f"bytes {begin}-{len(self.body) - 1}/{len(self.body)}")
        handler.send_header("Content-Length", str(len(self.body) - begin))
        handler.end_headers()
        handler.wfile.write(self.body[begin : begin + self.most])


@pytest.fixture
def publisher(monkeypatch: pytest.MonkeyPatch) -> Iterator[Publisher]:
    monkeypatch.setattr(network, "_asked", {})
    serving = Publisher()
    threading.Thread(target=serving.server.serve_forever, args=(0.02,), daemon=True).start()
    yield serving
    serving.server.shutdown()
    serving.server.server_close()


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where openai-whisper would look for the base model."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "whisper" / "base.pt"


def card_at(url: str) -> Card:
    return Card("whisper:base", "Whisper base", "MIT", None, (File(("base.pt",), SHA256),), (Address(url, "whisper"),))


def left(target: Path) -> set[str]:
    """What lies in the folder, but for the lock."""
    return (
        {path.name for path in target.parent.iterdir() if path.suffix != ".lock"} if target.parent.exists() else set()
    )


def test_the_addresses_are_openai_whisper_s_own() -> None:
    import whisper

    for size, url in whisper._MODELS.items():
        card = weights.card(f"whisper:{size}")
        assert [source.url for source in card.sources if isinstance(source, Address)] == [url]
        assert card.files[0].sha256 == url.split("/")[-2]


def test_the_repositories_are_faster_whisper_s_own() -> None:
    from faster_whisper.utils import _MODELS

    for size, repo_id in _MODELS.items():
        assert f"Hugging Face, {repo_id}" in [str(source) for source in weights.card(f"faster-whisper:{size}").sources]


def test_a_download_tells_its_size_and_is_found_again_offline(publisher: Publisher, target: Path) -> None:
    card = card_at(publisher.url)
    assert weights.why_missing(card, offline=True) == "weights not cached, and working offline"
    assert weights.why_missing(card) is None
    notes: list[str] = []
    assert weights.provide(card, progress=lambda fraction, note="": notes.append(note)) == target
    assert target.read_bytes() == WHOLE
    assert notes[-1] == "fetching Whisper base: 5 MB of 5 MB"
    assert left(target) == {"base.pt"}
    assert weights.provide(card, offline=True) == target


def test_a_cut_connection_is_gone_on_with_at_once(publisher: Publisher, target: Path) -> None:
    publisher.most = 2_000_000
    assert weights.provide(card_at(publisher.url)).read_bytes() == WHOLE
    assert publisher.ranges == ["", "bytes=2000000-", "bytes=4000000-"]


def test_a_stopped_download_is_kept_and_gone_on_with(publisher: Publisher, target: Path) -> None:
    def stop(fraction: float, note: str = "") -> None:
        if fraction > 0.5:
            raise Cancelled("stopped")

    card = card_at(publisher.url)
    with pytest.raises(Cancelled):
        weights.provide(card, progress=stop)
    assert weights.find(card) is None
    [part] = left(target)
    kept = (target.parent / part).stat().st_size
    shares: list[float] = []
    weights.provide(card, progress=lambda fraction, note="": shares.append(fraction))
    assert target.read_bytes() == WHOLE
    assert publisher.ranges[-1] == f"bytes={kept}-"
    assert shares[0] > 0.5


def test_a_host_without_ranges_sends_all_again(publisher: Publisher, target: Path) -> None:
    publisher.knows_ranges = False
    target.parent.mkdir()
    target.with_name("base.pt.part").write_bytes(WHOLE[:1_000_000])
    assert weights.provide(card_at(publisher.url)).read_bytes() == WHOLE


@pytest.mark.parametrize("begun", [b"\0" * 1_000_000, WHOLE + b"more", WHOLE])
def test_what_is_there_of_another_file_does_not_spoil_it(publisher: Publisher, target: Path, begun: bytes) -> None:
    target.parent.mkdir()
    target.with_name("base.pt.part").write_bytes(begun)
    assert weights.provide(card_at(publisher.url)).read_bytes() == WHOLE
    assert left(target) == {"base.pt"}


@pytest.mark.parametrize("damaged", [WHOLE[:1_000_000], WHOLE.replace(b"\x01\x02", b"\x02\x01", 1)])
def test_half_a_file_and_one_with_other_bytes_are_fetched_again(
    publisher: Publisher, target: Path, damaged: bytes
) -> None:
    target.parent.mkdir()
    target.write_bytes(damaged)
    assert weights.provide(card_at(publisher.url)).read_bytes() == WHOLE


@pytest.mark.parametrize("arrived", [WHOLE[:-5], b"<html>sign in to this network</html>"])
def test_what_is_not_the_published_file_is_refused_and_not_kept(
    publisher: Publisher, target: Path, arrived: bytes
) -> None:
    publisher.body = arrived
    with pytest.raises(EngineUnavailable, match="Whisper base arrived damaged from 127"):
        weights.provide(card_at(publisher.url))
    assert left(target) == set()


def test_a_host_that_refuses_is_one_clear_line(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "_asked", {})
    card = card_at(f"http://127.0.0.1:9/models/{SHA256}/base.pt")
    assert weights.why_missing(card) == network.NOT_REACHABLE
    monkeypatch.setattr(network, "reachable", lambda address: True)
    with pytest.raises(EngineUnavailable, match="Whisper base could not be fetched"):
        weights.provide(card)


def test_a_host_that_never_answers_is_waited_for_once(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "_asked", {})
    monkeypatch.setattr(network, "REACHABLE_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"http://127.0.0.1:{silent.getsockname()[1]}"
        for size in ("tiny", "base", "small"):
            assert weights.why_missing(card_at(f"{host}/{SHA256}/{size}.pt")) == network.NOT_REACHABLE
        assert callers(silent) == 1


def deb(content: bytes) -> bytes:
    """A package as Debian builds them: an ar archive with a compressed tar of the files."""
    inside = io.BytesIO()
    with tarfile.open(fileobj=inside, mode="w:xz") as files:
        entry = tarfile.TarInfo("./usr/share/sounds/font.sf2")
        entry.size = len(content)
        files.addfile(entry, io.BytesIO(content))
    parts = {"debian-binary": b"2.0\n", "control.tar.xz": b"odd", "data.tar.xz": inside.getvalue()}
    packed = b"!<arch>\n"
    for name, part in parts.items():
        packed += f"{name:<16}{0:<12}{0:<6}{0:<6}{0o644:<8}{len(part):<10}`\n".encode() + part + b"\n" * (len(part) % 2)
    return packed


@pytest.mark.parametrize("member", ["usr/share/sounds/font.sf2", "usr/share/sounds/none.sf2"])
def test_a_font_is_taken_out_of_its_package_and_kept(
    member: str, publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BGM_WEIGHTS", str(tmp_path))
    font = bytes(range(256)) * 999
    publisher.body = deb(font)
    file = File(("font.sf2",), hashlib.sha256(font).hexdigest(), len(font))
    source = DebianPackage(f"{publisher.url}/font.deb", hashlib.sha256(publisher.body).hexdigest(), member)
    card = Card("soundfont", "A font", "MIT", len(publisher.body), (file,), (source,))
    if member.endswith("none.sf2"):
        with pytest.raises(EngineUnavailable, match=r"has no usr/share/sounds/none\.sf2"):
            weights.provide(card)
        return
    path = weights.provide(card)
    assert path.read_bytes() == font
    assert [found.name for found in path.parent.iterdir() if not found.name.startswith(".")] == ["font.sf2"]
    publisher.body = b""
    assert weights.provide(card, offline=True) == path
