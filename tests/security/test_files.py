"""No path from a client is opened: a file is one that was uploaded to this server, whatever else is said of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from bgm.ui.page import Page

Call = Callable[..., str]
Upload = Callable[..., httpx.Response]


def named(path: object, **more: Any) -> dict[str, Any]:
    return {"path": str(path), "meta": {"_type": "gradio.FileData"}, **more}


@pytest.fixture
def secret(tmp_path: Path, clip: Path) -> Path:
    """A video on the server that nobody uploaded."""
    return Path(shutil.copy(clip, tmp_path / "secret.mp4"))


def count(page: Page) -> int:
    root = page.service.workspace.root
    return sum(1 for _ in root.iterdir()) if root.is_dir() else 0


def forms(secret: Path, uploads: Path) -> list[dict[str, Any]]:
    """The ways to name a file of the server's."""
    climbing = uploads / Path(*[".."] * len(uploads.parts)) / secret.relative_to("/")
    return [
        named(secret),
        named(secret, is_stream=True),
        named(secret, url=f"file://{secret}"),
        named(f"file://{secret}"),
        named(climbing),
        named(uploads),
        {"path": str(secret)},
        {"path": "x", "url": str(secret), "meta": {"_type": "gradio.FileData"}},
    ]


@pytest.mark.parametrize("form", range(8))
def test_a_forged_file_is_refused(call: Call, page: Page, secret: Path, uploads: Path, form: int) -> None:
    before = count(page)
    assert "event: error" in call("analyze", forms(secret, uploads)[form], None, None)
    assert secret.is_file() and count(page) == before


@pytest.mark.parametrize("form", range(8))
def test_the_pages_own_events_refuse_it_too(
    http: httpx.Client, page: Page, secret: Path, uploads: Path, form: int
) -> None:
    before = count(page)
    config = http.get("/config").json()
    kinds = {c["id"]: c["type"] for c in config["components"]}
    forged, tried = forms(secret, uploads)[form], 0
    for event in config["dependencies"]:
        inputs = [kinds[i] for i in event["inputs"]]
        if "uploadbutton" not in inputs and inputs != ["file", "json"]:
            continue
        given = {"uploadbutton": forged, "file": [forged], "json": ["x.mp4"]}
        data = [given.get(kind, "x" * 32) for kind in inputs]
        assert _answer(http, event["id"], data)["success"] is False
        tried += 1
    assert tried == 4  # dropped files, a project file, subtitles, an own sound
    assert secret.is_file() and count(page) == before


def _answer(http: httpx.Client, function: int, data: list[Any]) -> dict[str, Any]:
    session = f"s{function}"
    http.post("/gradio_api/queue/join", json={"fn_index": function, "data": data, "session_hash": session})
    with http.stream("GET", "/gradio_api/queue/data", params={"session_hash": session}) as events:
        for line in events.iter_lines():
            message = json.loads(line.removeprefix("data: ") or "{}")
            if message.get("msg") == "process_completed":
                return dict(message)
    raise AssertionError("no answer")


def test_a_file_named_among_the_edits_is_not_touched(call: Call, secret: Path, project: str, uploads: Path) -> None:
    kept = {p for p in uploads.rglob("*") if p.suffix == ".mp4"}
    assert "event: error" in call("edit", project, [{"op": "undo", "x": named(secret)}])
    assert secret.is_file() and {p for p in uploads.rglob("*") if p.suffix == ".mp4"} == kept


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "{data}/projects/{project}/project.json", "app.py", "../../etc/passwd"]
)
def test_gradio_serves_no_file_of_the_servers(http: httpx.Client, page: Page, project: str, path: str) -> None:
    asked = path.format(data=page.service.workspace.environment.data, project=project)
    assert http.get(f"/gradio_api/file={asked}").status_code in {403, 404}


@pytest.mark.parametrize("name", ["../../evil.mp4", "/etc/evil.mp4", "..\\..\\evil.mp4", "..", "a/../../evil.mp4", "~"])
def test_an_upload_lands_among_the_uploads(upload: Upload, uploads: Path, name: str) -> None:
    answer = upload(name)
    if answer.status_code == 200:
        path = Path(answer.json()[0])
        assert path.resolve().is_relative_to(uploads.resolve()) and path.read_bytes() == b"x"
        assert path.parent.parent == uploads


def test_an_upload_can_not_be_guessed_by_its_name(http: httpx.Client, upload: Upload, uploads: Path) -> None:
    path = Path(upload("private.txt", b"what nobody knows").json()[0])
    assert http.get(f"/gradio_api/file={path}").status_code == 200  # whoever has the file itself may name it
    assert http.get(f"/gradio_api/file={uploads}").status_code == 403
    assert http.get(f"/gradio_api/file={uploads}/private.txt").status_code == 403


def test_one_users_upload_is_not_taken_from_another(call: Call, upload: Upload, clip: Path, page: Page) -> None:
    """Gradio keeps equal uploads once: two users with the same video must not take it from each other."""
    first, second = (upload("same.mp4", clip.read_bytes()).json()[0] for _ in range(2))
    assert first == second
    one, two = (page.service.begin([Path(path)]) for path in (first, second))
    sources = [page.service.workspace.load(project).video_path for project in (one, two)]
    assert all(source.read_bytes() == clip.read_bytes() for source in sources)
    assert sources[0] != sources[1]


@pytest.mark.parametrize("name", ["../outside", "{data}/outside", "x/../../outside", "../outside/", "."])
def test_an_id_is_no_path_either(call: Call, page: Page, made: Path, name: str) -> None:
    """Not even to a project, where it would be one."""
    data = page.service.workspace.environment.data
    shutil.copytree(made, data / "outside", dirs_exist_ok=True)
    page.service.workspace.root.mkdir(exist_ok=True)
    assert "not on the server" in call("edit", name.format(data=data), [])
    assert "not on the server" in call("render", name.format(data=data))
