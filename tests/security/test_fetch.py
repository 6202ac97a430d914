"""The server fetches no address that a client names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

Elsewhere = tuple[str, list[str]]


def named(path: str, **more: Any) -> dict[str, Any]:
    return {"path": path, "meta": {"_type": "gradio.FileData"}, **more}


@pytest.mark.parametrize("where", ["video", "subtitles", "settings", "nested"])
@pytest.mark.parametrize("is_stream", [False, True])
def test_an_address_instead_of_a_file_is_refused(
    call: Callable[..., str], elsewhere: Elsewhere, where: str, is_stream: bool
) -> None:
    address, asked = elsewhere
    file = named(f"{address}/{where}.mp4", url=f"{address}/{where}.mp4", is_stream=is_stream)
    settings = {"settings": file, "nested": {"language": [{"deeper": file}]}}.get(where)
    answer = call("analyze", file if where == "video" else None, file if where == "subtitles" else None, settings)
    assert "event: error" in answer and "fetches no addresses" in answer
    assert asked == []


def test_an_address_among_the_edits_is_refused(call: Callable[..., str], elsewhere: Elsewhere, project: str) -> None:
    address, asked = elsewhere
    assert "fetches no addresses" in call("edit", project, [{"op": "undo", "x": named(f"{address}/x")}])
    assert asked == []


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("door", ["file=", "file/", "proxy="])
def test_no_door_passes_an_address_on(http: httpx.Client, elsewhere: Elsewhere, door: str, method: str) -> None:
    address, asked = elsewhere
    assert http.request(method, f"/gradio_api/{door}{address}/x").status_code in {400, 404}
    assert asked == []


def test_the_url_beside_an_uploaded_file_is_not_fetched(
    call: Callable[..., str], upload: Callable[..., httpx.Response], elsewhere: Elsewhere
) -> None:
    address, asked = elsewhere
    path = upload("notes.txt").json()[0]
    assert "event: error" in call("analyze", named(path, url=f"{address}/x.mp4"), None, None)
    assert asked == []
