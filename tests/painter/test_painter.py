"""A painter elsewhere: the same picture, its progress, the place in its line, stop, and what is told when it dies.

The server is the real one on a free port, with a tiny random checkpoint.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest
import uvicorn

from bgm.cli import main
from bgm.engines import EngineOptions
from bgm.environment import Environment
from bgm.errors import BadInput, BgmError, Cancelled
from bgm.music.riffusion import painting
from bgm.music.riffusion.engine import Riffusion
from bgm.music.riffusion.model import LoraChoice, ModelKey
from bgm.music.riffusion.multidiffusion import DenoiseSettings
from bgm.music.riffusion.painting import PaintJob, Region
from bgm.painter import client, wire
from bgm.painter import server as serving
from bgm.painter.client import RemotePainter
from bgm.painter.server import Line, Server
from bgm.progress import silent
from testing.riffusion_checkpoint import write_checkpoint
from tests.music.riffusion.sounds import one_thread

__all__ = ["one_thread"]
pytestmark = [pytest.mark.checkpoint, pytest.mark.usefixtures("one_thread")]
SECRET = "a secret"


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> ModelKey:
    return ModelKey(str(write_checkpoint(tmp_path_factory.mktemp("checkpoint"))), LoraChoice(None), "cpu", True)


@pytest.fixture(scope="module")
def address(key: ModelKey) -> Iterator[str]:
    """Where the painter listens."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(Server(key, SECRET).app(), log_level="warning"))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join(60)


@pytest.fixture
def painter(address: str) -> RemotePainter:
    return RemotePainter(address, SECRET)


@pytest.fixture(autouse=True)
def nobody_employed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(client, "WAITS_S", (0.1,))
    yield
    painting.employ(None)


def job(key: ModelKey, steps: int = 3) -> PaintJob:
    """Two regions, a part of the first held."""
    pixels = np.random.default_rng(0).integers(0, 255, (1, 512, 8 * 72), np.uint8)
    regions = (Region(0, 40, (("joy", 0.6), ("fear", 0.4)), (1,)), Region(40, 72, (("fear", 1.0),), (2**32 - 1,)))
    return PaintJob(key, pixels, np.arange(72) < 9, regions, DenoiseSettings(steps=steps))


def test_the_picture_is_the_one_painted_here_and_its_steps_are_told(key: ModelKey, painter: RemotePainter) -> None:
    told: list[tuple[float, str]] = []
    painting.employ(painter)
    assert painting.ready(key, silent) == ((), "cpu")
    theirs = painting.paint(job(key), lambda fraction, note="": told.append((fraction, note)))
    painting.employ(None)
    assert np.array_equal(theirs, painting.paint(job(key), silent))
    steps = [fraction for fraction, note in told if note == "painting the music"]
    assert len(set(steps)) >= 3 and steps == sorted(steps) and 0 < steps[0] < steps[-1] <= 1


def test_who_stops_stops_the_painter(key: ModelKey, painter: RemotePainter, address: str) -> None:
    def stop(fraction: float, note: str = "") -> None:
        if note == "painting the music":
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        painter.paint(job(key, steps=100), stop)
    until = time.monotonic() + 60
    while httpx.get(f"{address}/healthz").json()["jobs"] and time.monotonic() < until:
        time.sleep(0.1)
    assert httpx.get(f"{address}/healthz").json() == {"status": "ok", "jobs": 0}
    assert 'bgm_painter_jobs_ended_total{outcome="stopped"} 1.0' in httpx.get(f"{address}/metrics").text


def test_pages_share_it_in_the_order_of_asking_and_know_their_place(key: ModelKey, painter: RemotePainter) -> None:
    said: list[str] = []
    first_paints, second_waits = threading.Event(), threading.Event()

    def first(fraction: float, note: str = "") -> None:
        if note == "painting the music":
            first_paints.set()
            if second_waits.is_set():
                raise Cancelled("stopped")

    def second(fraction: float, note: str = "") -> None:
        said.append(note)
        if note.startswith("waiting"):
            second_waits.set()

    with ThreadPoolExecutor(1) as other:
        stopped = other.submit(painter.paint, job(key, steps=200), first)
        assert first_paints.wait(30)
        painter.paint(job(key), second)
        assert isinstance(stopped.exception(10), Cancelled)
    assert said[0] == "waiting for the GPU, 1 before this"
    assert said[-1] == "painting the music"


def test_nobody_is_overtaken() -> None:
    line, order = Line(), []
    inside = threading.Event()

    def wait(name: str) -> None:
        with line.turn(silent):
            order.append(name)

    with line.turn(silent):
        threads = []
        for name in "abcd":
            threads.append(threading.Thread(target=wait, args=(name,)))
            threads[-1].start()
            while line.length() < len(threads) + 1:
                inside.wait(0.01)
    for thread in threads:
        thread.join(60)
    assert order == list("abcd")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"source": "somebody/else"}, "another model than somebody/else"),
        ({"lora": LoraChoice("/etc/passwd")}, "another LoRA than /etc/passwd"),
    ],
)
def test_nobody_makes_it_open_another_model(
    key: ModelKey, painter: RemotePainter, change: dict[str, object], sentence: str
) -> None:
    with pytest.raises(BgmError, match=sentence):
        painter.ready(replace(key, **change), silent)  # type: ignore[arg-type]


def test_who_leaves_the_model_open_gets_the_painters(key: ModelKey, painter: RemotePainter) -> None:
    assert painter.ready(ModelKey(), silent) == ()


def test_without_the_token_nothing_is_painted(key: ModelKey, address: str) -> None:
    for token in (None, "another"):
        with pytest.raises(BgmError, match="BGM_PAINTER_TOKEN"):
            RemotePainter(address, token).paint(job(key), silent)


@pytest.mark.parametrize("body", [b"", b"no json\n", b"[]\n", b"{}\n", b'{"revision": 0}\n'])
def test_what_is_no_job_is_refused_in_one_sentence(address: str, body: bytes) -> None:
    answer = httpx.post(f"{address}/paint", content=body, headers={"authorization": f"Bearer {SECRET}"})
    assert answer.status_code == 400 and len(answer.json()["error"].splitlines()) == 1


def test_a_job_survives_the_way_and_a_damaged_one_does_not(key: ModelKey) -> None:
    sent = job(key)
    packed = wire.pack_job(sent)
    arrived = wire.unpack_job(packed)
    assert np.array_equal(arrived.pixels, sent.pixels) and np.array_equal(arrived.held, sent.held)
    assert (arrived.regions, arrived.settings) == (sent.regions, sent.settings)
    for damaged in (
        packed[:-1],
        packed.replace(b'"steps": 3', b'"steps": 3e9'),
        packed.replace(b"[1, 512, 576]", b"[-1, 512, 576]"),
        packed.replace(b'"stop": 72', b'"stop": 720'),
        packed.replace(b'"held": "', b'"held": "zz'),
    ):
        assert damaged != packed
        with pytest.raises(BadInput):
            wire.unpack_job(damaged)


def test_a_failure_inside_is_told_and_the_next_job_is_painted(
    key: ModelKey, painter: RemotePainter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("in C++")

    with monkeypatch.context() as broken:
        broken.setattr(painting, "here", fail)
        with pytest.raises(BgmError, match=serving.UNEXPECTED):
            painter.paint(job(key), silent)
    assert painter.paint(job(key), silent).shape == (1, 512, 576)


def dying(answer: bytes, times: int) -> str:
    """A painter that takes a job, says a part of an answer and is gone, so often."""
    listening = socket.create_server(("127.0.0.1", 0))

    def die() -> None:
        for _ in range(times):
            connection, _peer = listening.accept()
            connection.recv(1 << 16)
            connection.sendall(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + answer)
            time.sleep(0.1)
            connection.close()
        listening.close()

    threading.Thread(target=die, daemon=True).start()
    return f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.mark.parametrize("answer", [b"", b'e\r\n{"done": 0.5}\n\r\n', b'e\r\n{"done": 0.5}\n\r\n0\r\n\r\n'])
def test_one_that_dies_is_one_sentence_after_asking_again(key: ModelKey, answer: bytes) -> None:
    said: list[str] = []
    lost = RemotePainter(dying(answer, times=2))
    with pytest.raises(BgmError, match=r"the painter at http://127\.0\.0\.1:\d+: .*run it again") as failed:
        lost.ready(key, lambda fraction, note="": said.append(note))
    assert len(str(failed.value).splitlines()) == 1
    assert "the painter was lost: asking again" in said


def test_who_waits_for_a_lost_painter_can_stop(key: ModelKey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "WAITS_S", (60.0,))

    def stop(fraction: float, note: str = "") -> None:
        if "lost" in note:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        RemotePainter(dying(b"", times=1)).ready(key, stop)


def test_auto_takes_riffusion_where_a_painter_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Riffusion.missing(EngineOptions(offline=True)) is not None
    client.employ(Environment(painter="http://gpu:8000"))
    assert Riffusion.missing(EngineOptions(offline=True)) is None


def test_an_address_that_is_none_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("BGM_PAINTER", "gpu:8000")
    assert main(["engines"]) == 2
    assert capsys.readouterr().err == "bgm: BGM_PAINTER: an address is written as http://host:8000\n"
