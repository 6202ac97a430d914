"""The addresses of Gradio's that the page has no use for are closed; ours say no more than they should."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from bgm.ui.page import Page

CLOSED = (
    "monitoring",
    "monitoring/summary",
    "monitoring/x",
    "gradio_api/deep_link?session_hash=x",
    "gradio_api/dev/reload",
    "gradio_api/runs",
    "gradio_api/run-history/buckets",
    "gradio_api/stream/a/b/1/playlist.m3u8",
    "gradio_api/custom_component/a/client/component/x.js",
    "gradio_api/profiling/traces",
    "gradio_api/vibe-code",
)


@pytest.mark.parametrize("door", CLOSED)
def test_a_door_that_is_not_used_is_closed(http: httpx.Client, door: str) -> None:
    assert http.get(f"/{door}").status_code == 404


@pytest.mark.parametrize("door", ["process_recording", "vibe-edit", "vibe-code", "run-history/connect"])
def test_nothing_can_be_posted_to_them(http: httpx.Client, door: str) -> None:
    assert http.post(f"/gradio_api/{door}", json={}).status_code == 404


def test_a_deep_link_brings_nothing_of_a_stranger_to_the_page(http: httpx.Client) -> None:
    plain, linked = (http.get("/", params=query).text for query in ({}, {"deep_link": "x" * 43}))
    assert linked.count('"type":"uploadbutton"') == plain.count('"type":"uploadbutton"')


def test_nothing_is_told_to_anybody_about_the_server(page: Page) -> None:
    assert page.blocks.analytics_enabled is False, "Gradio reports the launch over the network"
    assert page.blocks.share is False and page.blocks.allowed_paths == []
    assert page.blocks.enable_monitoring is False


def test_a_failure_inside_tells_nothing_of_the_inside(
    http: httpx.Client, call: Callable[..., str], project: str
) -> None:
    for answer in (call("edit", project, "no list"), call("compose", project, 5, "no"), call("render", {"a": 1})):
        assert "event: error" in answer
        assert "Traceback" not in answer and "/bgm/" not in answer and "projects" not in answer


def test_only_the_functions_of_the_page_can_be_called(http: httpx.Client) -> None:
    """Gradio lets a browser call methods of components by name, if they are marked for it."""
    config = http.get("/config").json()
    for component in config["components"]:
        for name in ("__init__", "preprocess", "postprocess", "move_resource_to_block_cache", "get_config"):
            body = {"component_id": component["id"], "session_hash": "s", "fn_name": name, "data": "/etc/passwd"}
            assert http.post("/gradio_api/component_server", json=body).status_code == 404
