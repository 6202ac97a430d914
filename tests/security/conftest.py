"""A live server in this process, attacked over HTTP as a browser or a client would; one server for each module."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile

from bgm import project as projects
from bgm.environment import Environment
from bgm.media.audio import SAMPLE_RATE, frames_of
from bgm.settings import Settings
from bgm.timeline import Emotion, Segment, Take, Timeline, Utterance
from bgm.ui.page import Page, build

SECONDS = 4.0
SETTINGS = Settings(separator="original", transcriber="subtitles", classifier="minilm", music="embedded", offline=True)


@pytest.fixture(scope="module", autouse=True)
def uploads(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where Gradio keeps the uploads of this module's server."""
    folder = tmp_path_factory.mktemp("uploads")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(folder))
        yield folder


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return Environment(data=tmp_path_factory.mktemp("data"), max_minutes=2, max_mb=3)


@pytest.fixture(scope="module")
def page(environment: Environment, uploads: Path, sample: Path) -> Iterator[Page]:
    page = build(environment, SETTINGS, sample)
    page.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", auth=environment.users() or None)
    yield page
    page.blocks.close(verbose=False)


@pytest.fixture
def http(page: Page) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=page.blocks.local_url, timeout=60) as client:
        yield client


@pytest.fixture(scope="session")
def clip(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """4 s of the sample."""
    from imageio_ffmpeg import get_ffmpeg_exe

    out = tmp_path_factory.mktemp("clip") / "clip.mp4"
    cut = [get_ffmpeg_exe(), "-nostdin", "-v", "error", "-i", str(sample), "-t", str(SECONDS), "-c", "copy", str(out)]
    subprocess.run(cut, check=True, timeout=60)
    return out


@pytest.fixture(scope="session")
def made(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project folder as if analyzed and scored, without the work: two segments, one take each, all stems."""
    folder = tmp_path_factory.mktemp("made") / "project"
    for name in ("source", "media", "stems", "takes"):
        (folder / name).mkdir(parents=True)
    shutil.copy(clip, folder / "source" / "clip.mp4")
    sound = np.zeros((frames_of(SECONDS), 2), np.float32)
    for name in ("media/audio", "stems/voice", "stems/master", "takes/s1-a", "takes/s2-b"):
        soundfile.write(folder / f"{name}.flac", sound, SAMPLE_RATE)
    project = projects.create(folder, folder / "source" / "clip.mp4", SECONDS, SETTINGS)
    parts = ((0.0, 2.0, "s1", "a"), (2.0, SECONDS, "s2", "b"))
    segments = tuple(
        Segment(
            name, start, end, Emotion.JOY, chosen=take, takes=(Take(take, "embedded", 0, f"takes/{name}-{take}.flac"),)
        )
        for start, end, name, take in parts
    )
    words = (Utterance(0.5, 1.5, "a private word", "a private word"),)
    replace(project, utterances=words, timeline=Timeline(SECONDS, segments)).save()
    return folder


@pytest.fixture
def project(page: Page, made: Path) -> str:
    """The id of a project of its own on the server."""
    with page.service.workspace.new() as (project_id, folder):
        shutil.copytree(made, folder, dirs_exist_ok=True)
    return project_id


@pytest.fixture
def upload(http: httpx.Client) -> Callable[..., httpx.Response]:
    """Upload one file under a name."""
    return lambda name, data=b"x", **more: http.post("/gradio_api/upload", files={"files": (name, data)}, **more)


@pytest.fixture
def call(http: httpx.Client) -> Callable[..., str]:
    """Call a named endpoint; the stream of events that it answered with."""

    def called(endpoint: str, *data: Any) -> str:
        queued = http.post(f"/gradio_api/call/{endpoint}", json={"data": data})
        queued.raise_for_status()
        return http.get(f"/gradio_api/call/{endpoint}/{queued.json()['event_id']}").text

    return called


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, list[str]]]:
    """Another web server, on an address that counts as public, and the paths that it was asked for."""
    asked: list[str] = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"fetched")

        def log_message(self, *args: Any) -> None:
            """Nothing is written to the tests' output."""

    server = HTTPServer(("127.0.0.1", 0), Answer)
    monkeypatch.setattr("safehttpx.is_public_ip", lambda ip: True)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()
