from __future__ import annotations

import hashlib
import io
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bgm.errors import BgmError, Cancelled, EngineUnavailable
from bgm.speech import whisper_weights as weights


def checkpoint() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("data", b"\x01" * 3_000_000)
    return buffer.getvalue()


WHOLE = checkpoint()
SHA256 = hashlib.sha256(WHOLE).hexdigest()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the base model's file belongs."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "whisper" / "base.pt"


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bytes], None]]:
    """Publish bytes as the base model on this machine."""
    body = b""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()

        def do_GET(self) -> None:
            self.do_HEAD()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    at(monkeypatch, f"http://127.0.0.1:{server.server_port}")

    def publish(content: bytes) -> None:
        nonlocal body
        body = content

    yield publish
    server.shutdown()
    server.server_close()


def at(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setattr(weights, "addresses", lambda: {"base": f"{host}/models/{SHA256}/base.pt"})


def test_the_addresses_are_openai_whisper_s_own() -> None:
    import whisper

    assert dict(weights.addresses()) == whisper._MODELS


def test_asking_imports_nothing_heavy() -> None:
    check = (
        "import sys; from bgm.engines import EngineOptions; from bgm.speech.whisper import Whisper; "
        "Whisper.missing(EngineOptions(offline=True)); print([m for m in ('torch', 'whisper') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_download_tells_its_size_and_is_found_again_offline(serve: Callable[[bytes], None], cache: Path) -> None:
    serve(WHOLE)
    notes: list[str] = []
    assert weights.fetch("base", False, lambda fraction, note="": notes.append(note)) == cache
    assert cache.read_bytes() == WHOLE
    assert notes[-1] == "fetching Whisper base: 3 of 3 MB"
    assert len(notes) >= 3
    assert weights.fetch("base", offline=True) == cache
    assert weights.why_missing("base", offline=True) is None


def test_half_a_file_is_not_cached_and_is_fetched_again(serve: Callable[[bytes], None], cache: Path) -> None:
    cache.parent.mkdir()
    cache.write_bytes(WHOLE[:1_000_000])
    assert not weights.is_cached("base")
    with pytest.raises(EngineUnavailable, match="offline"):
        weights.fetch("base", offline=True)
    serve(WHOLE)
    assert weights.fetch("base", offline=False).read_bytes() == WHOLE


def test_a_whole_file_with_other_bytes_is_fetched_again(serve: Callable[[bytes], None], cache: Path) -> None:
    cache.parent.mkdir()
    cache.write_bytes(WHOLE.replace(b"\x01" * 100, b"\x02" * 100, 1))
    serve(WHOLE)
    assert weights.fetch("base", offline=False).read_bytes() == WHOLE


@pytest.mark.parametrize("arrived", [b"", WHOLE[:-5], b"<html>sign in to this network</html>"])
def test_a_damaged_download_is_refused_and_leaves_nothing(
    serve: Callable[[bytes], None], cache: Path, arrived: bytes
) -> None:
    serve(arrived)
    with pytest.raises(BgmError, match="arrived damaged"):
        weights.fetch("base", offline=False)
    assert list(cache.parent.iterdir()) == []


def test_a_stopped_download_leaves_nothing(serve: Callable[[bytes], None], cache: Path) -> None:
    def stop(fraction: float, note: str = "") -> None:
        raise Cancelled("stopped")

    serve(WHOLE)
    with pytest.raises(Cancelled):
        weights.fetch("base", False, stop)
    assert list(cache.parent.iterdir()) == []


def test_a_host_that_refuses_is_a_quick_no_and_one_clear_line(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at(monkeypatch, "http://127.0.0.1:9")
    assert weights.why_missing("base", offline=False) == "weights not reachable"
    with pytest.raises(BgmError, match="could not be fetched"):
        weights.fetch("base", offline=False)


def test_a_host_that_never_answers_is_given_up_within_five_seconds(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        at(monkeypatch, f"http://127.0.0.1:{silent.getsockname()[1]}")
        began = time.monotonic()
        assert weights.why_missing("base", offline=False) == "weights not reachable"
        assert time.monotonic() - began < 5.0


def test_a_host_that_never_answers_is_waited_for_once_and_not_for_each_size(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "DECISION_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"http://127.0.0.1:{silent.getsockname()[1]}"
        sizes = ("tiny", "base", "small", "medium")
        monkeypatch.setattr(weights, "addresses", lambda: {size: f"{host}/{SHA256}/{size}.pt" for size in sizes})
        began = time.monotonic()
        assert {weights.why_missing(size, offline=False) for size in sizes} == {"weights not reachable"}
        assert time.monotonic() - began < 0.6


def test_a_host_that_answers_is_asked_once_a_minute(serve: Callable[[bytes], None], cache: Path) -> None:
    serve(WHOLE)
    assert weights.why_missing("base", offline=False) is None
    assert weights.why_missing("base", offline=True) == "weights not cached, and working offline"
