"""The named endpoints, called by gradio_client as a program would."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from imageio_ffmpeg import get_ffmpeg_exe

from bgm.ui.page import Page
from tests.faults.clips import clip


@pytest.fixture(scope="module")
def client(page: Page, tmp_path_factory: pytest.TempPathFactory) -> Client:
    return Client(page.blocks.local_url, verbose=False, download_files=tmp_path_factory.mktemp("client"))


def test_a_program_gets_a_video_with_its_music(client: Client, tmp_path: Path) -> None:
    video = clip(tmp_path / "talk.mp4", 8.0)
    project = client.predict(
        video=handle_file(video),
        subtitles=handle_file(video.with_suffix(".srt")),
        settings={"min_segment": 1.0},
        api_name="/analyze",
    )
    assert [s["emotion"] for s in project["segments"]] == ["joy", "sadness", "anger", "fear"]
    edits = [{"op": "emotion", "id": project["segments"][2]["id"], "emotion": "surprise"}]
    edited = client.predict(project=project["project"], edits=edits, api_name="/edit")
    assert [s["emotion"] for s in edited["segments"]] == ["joy", "sadness", "surprise", "fear"]
    scored = client.predict(project=project["project"], segments=None, another=False, api_name="/compose")
    assert all(s["chosen"] for s in scored["segments"])
    result = client.predict(project=project["project"], api_name="/render")
    described = subprocess.run([get_ffmpeg_exe(), "-i", result], capture_output=True, text=True, check=False).stderr
    assert "Duration: 00:00:08" in described and "Audio:" in described


def test_engines_are_listed_with_reasons(client: Client) -> None:
    engines = client.predict(api_name="/engines")
    assert {e["stage"] for e in engines} == {"separate", "transcribe", "classify", "music"}
    assert all(e["available"] or e["reason"] for e in engines)


def test_nothing_else_is_exposed(client: Client) -> None:
    described = client.view_api(return_format="dict", print_info=False)
    assert set(described["named_endpoints"]) == {"/analyze", "/edit", "/compose", "/render", "/engines"}
    assert not described["unnamed_endpoints"]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        ({"project": "../../etc", "edits": [], "api_name": "/edit"}, "not on the server"),
        ({"project": "x" * 32, "api_name": "/render"}, "not on the server"),
    ],
)
def test_what_is_wrong_is_said(client: Client, call: dict[str, object], sentence: str) -> None:
    with pytest.raises(AppError, match=sentence):
        client.predict(**call)


def test_a_bad_edit_is_refused(client: Client, project: str) -> None:
    with pytest.raises(AppError, match="there is no emotion 'boredom'"):
        client.predict(project=project, edits=[{"op": "emotion", "id": "s1", "emotion": "boredom"}], api_name="/edit")
