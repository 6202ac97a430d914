"""What one client can make the server keep, read or hold."""

from __future__ import annotations

import json
import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
import soundfile

from bgm.environment import Environment
from bgm.errors import BadInput
from bgm.ui import archive, edits, guard
from bgm.ui.guard import MAX_CALL_BYTES
from bgm.ui.page import Page
from bgm.ui.steps import StepOptions

MIB = 2**20
Upload = Callable[..., httpx.Response]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return Environment(data=tmp_path_factory.mktemp("data"), max_minutes=2, max_mb=3, max_projects=20, max_project_mb=4)


def files(folder: Path) -> set[Path]:
    """All files below; folders may vanish meanwhile (rglob raises then on Python 3.11, os.walk does not)."""
    return {Path(at, name) for at, _, names in os.walk(folder) for name in names}


def soon(holds: Callable[[], bool]) -> bool:
    """Whether it holds within a minute."""
    end = time.monotonic() + 60
    while not holds() and time.monotonic() < end:
        time.sleep(0.05)
    return holds()


def test_an_upload_over_the_limit_is_refused_and_leaves_nothing(upload: Upload, uploads: Path) -> None:
    before = files(uploads)
    assert upload("large.mp4", bytes(3 * MIB + 1)).status_code == 413
    assert files(uploads) == before


def test_uploads_do_not_fill_the_disk(upload: Upload, monkeypatch: pytest.MonkeyPatch) -> None:
    free = guard.RESERVE_BYTES + MIB
    monkeypatch.setattr(guard.shutil, "disk_usage", lambda folder: SimpleNamespace(free=free))
    assert upload("small.mp4", bytes(1000)).status_code == 200
    refused = upload("larger.mp4", bytes(2 * MIB))
    assert refused.status_code == 507 and "full" in refused.text


def test_one_request_does_not_carry_many_uploads(http: httpx.Client, uploads: Path) -> None:
    before = files(uploads)
    many = [("files", (f"{n}.mp4", bytes(2 * MIB))) for n in range(8)]
    assert http.post("/gradio_api/upload", files=many).status_code == 413
    assert files(uploads) == before


def test_an_upload_that_is_broken_off_leaves_nothing(page: Page, uploads: Path) -> None:
    before = files(uploads)
    address = urlsplit(page.blocks.local_url)
    with socket.create_connection((address.hostname, address.port), timeout=60) as line:
        head = "POST /gradio_api/upload HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 3000000\r\n"
        part = 'Content-Disposition: form-data; name="files"; filename="half.mp4"\r\n\r\n'
        line.sendall(f"{head}Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n{part}".encode() + bytes(MIB))
        assert soon(lambda: files(uploads) != before), "the upload has begun"
    assert soon(lambda: files(uploads) == before)


def test_a_body_of_unknown_length_is_counted(http: httpx.Client) -> None:
    def endless() -> Iterator[bytes]:
        yield b'{"data": [], "session_hash": "s", "component_id": 1, "fn_name": "x", "more": "'
        for _ in range(20):
            yield b"x" * MIB
        yield b'"}'

    headers = {"Content-Type": "application/json"}
    for door in ("call/edit", "queue/join", "run/edit"):
        assert http.post(f"/gradio_api/{door}", content=endless(), headers=headers).status_code == 413
    assert http.post("/gradio_api/component_server", content=endless(), headers=headers).status_code == 400


def test_a_thousand_edits_fit_in_a_call() -> None:
    gesture = {"op": "set", "id": "s1", "field": "prompt", "value": "한" * edits.PROMPT_LENGTH}
    call = json.dumps({"data": ["x" * 32, [gesture] * 1000]}, ensure_ascii=False)
    assert len(call.encode()) < MAX_CALL_BYTES


def test_a_project_that_has_grown_to_its_limit_starts_no_step(page: Page, project: str, tmp_path: Path) -> None:
    folder = page.service.workspace.folder(project)
    (folder / "takes" / "s1-more.flac").write_bytes(bytes(4 * MIB))
    sound = tmp_path / "own.wav"
    soundfile.write(sound, np.zeros(44100, np.float32), 44100)
    with pytest.raises(BadInput, match="has grown to the 4 MB"):
        page.service.start(project, "compose", StepOptions(another=True))
    with pytest.raises(BadInput, match="has grown to the 4 MB"):
        page.service.add_own_audio(project, "s1", sound)


def test_an_own_sound_is_no_longer_than_a_video_may_be(page: Page, project: str, tmp_path: Path) -> None:
    sound = tmp_path / "long.flac"
    soundfile.write(sound, np.zeros(121 * 8000, np.int16), 8000)
    with pytest.raises(BadInput, match="up to 2"):
        page.service.add_own_audio(project, "s1", sound)


def test_a_timeline_is_not_cut_without_end(page: Page, project: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edits, "MAX_SEGMENTS", 3)
    page.service.edit(project, [{"op": "split", "id": "s1", "time": 1.0}])
    for gesture in (
        {"op": "split", "id": "s2", "time": 3.0},
        {"op": "insert", "start": 1.2, "end": 1.8, "emotion": "joy"},
    ):
        with pytest.raises(BadInput, match="up to 3 segments"):
            page.service.edit(project, [gesture])


def test_the_server_takes_no_more_projects_than_it_should(page: Page, clip: Path) -> None:
    root = page.service.workspace.root
    while sum(1 for _ in root.iterdir()) < 20:
        page.service.begin([clip], copy=True)
    with pytest.raises(BadInput, match="full"):
        page.service.begin([clip], copy=True)
    for folder in root.iterdir():
        shutil.rmtree(folder)


def test_a_project_is_copied_a_few_times_at_once_only(page: Page, project: str) -> None:
    """Each download of a whole project is a copy on disk until it was sent."""
    opened = page.service.workspace.load(project)
    copies = [archive.pack(opened) for _ in range(archive.MAX_EXPORTS)]
    with pytest.raises(BadInput, match="downloaded already"):
        archive.pack(opened)
    shutil.rmtree(copies[0].parent)
    assert archive.pack(opened).is_file()


def test_downloads_at_once_leave_nothing(http: httpx.Client, page: Page, project: str) -> None:
    answers: list[Any] = []

    def download() -> None:
        answers.append(httpx.get(f"{page.blocks.local_url}studio/{project}/project", timeout=30).status_code)

    threads = [threading.Thread(target=download) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(answers) <= {200, 409} and 200 in answers
    exports = page.service.workspace.folder(project) / archive.OUTGOING
    assert soon(lambda: not files(exports))


def test_what_gradio_remembers_of_sessions_is_bounded(page: Page) -> None:
    """It keeps the values of each session's last call, and anybody may call as many sessions."""
    assert page.blocks.app.state_holder.capacity * MAX_CALL_BYTES < 2**29


def test_uploads_that_nobody_uses_are_deleted(page: Page, upload: Upload) -> None:
    """The cleaner of Gradio's is on, and knows the uploads."""
    path = upload("left.mp4", b"left").json()[0]
    assert path in page.blocks.upload_file_set
    every, after = page.blocks.delete_cache or (None, None)
    assert every and every <= 3600 and after and after <= 4 * 3600
