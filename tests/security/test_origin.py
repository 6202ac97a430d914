"""Another site's page in the same browser can neither use the server nor read from it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from bgm.ui.guard import is_foreign, listens_on, middleware

EVIL = "http://evil.example"


@pytest.mark.parametrize(
    "sent", [{"Origin": EVIL}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}]
)
@pytest.mark.parametrize("kind", ["application/json", "text/plain", None])
def test_another_sites_page_can_not_call(http: httpx.Client, sent: dict[str, str], kind: str | None) -> None:
    """A browser sends text/plain to another site without asking it first."""
    headers = sent | ({"Content-Type": kind} if kind else {})
    for door in ("call/engines", "queue/join", "component_server", "run/engines"):
        assert http.post(f"/gradio_api/{door}", content='{"data": []}', headers=headers).status_code == 403


@pytest.mark.parametrize("sent", [{"Origin": EVIL}, {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}])
def test_another_sites_page_can_neither_upload_nor_read(http: httpx.Client, sent: dict[str, str], project: str) -> None:
    assert http.post("/gradio_api/upload", files={"files": ("x", b"x")}, headers=sent).status_code == 403
    for address in ("config", "gradio_api/token", f"studio/{project}/video", f"studio/{project}/export/srt"):
        assert http.get(f"/{address}", headers=sent).status_code == 403


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
    ],
)
def test_the_page_a_link_a_frame_and_a_program_pass(http: httpx.Client, sent: dict[str, str]) -> None:
    answer = http.get("/", headers=sent)
    assert answer.status_code == 200
    assert "x-frame-options" not in answer.headers, "a Space is shown in a frame"
    assert "frame-ancestors" not in answer.headers.get("content-security-policy", "")


def test_a_form_of_another_site_is_refused(http: httpx.Client) -> None:
    sent = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Origin": EVIL}
    assert http.post("/login", data={"username": "a", "password": "b"}, headers=sent).status_code == 403


def test_the_own_page_over_plain_http_in_a_network_passes() -> None:
    """There a browser doesn't say where a request is from: the Origin has to be the Host."""
    own = Headers({"origin": "http://studio.lan:7860", "host": "studio.lan:7860"})
    other = Headers({"origin": "http://evil.example", "host": "studio.lan:7860"})
    assert not is_foreign("POST", own) and is_foreign("POST", other)


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:7860", "127.0.0.1.evil.example", "localhost.evil.example"]
)
def test_a_foreign_name_that_leads_here_is_refused(http: httpx.Client, host: str) -> None:
    """DNS rebinding: the browser takes such a page for the attacker's own."""
    for address in ("/", "/config", "/gradio_api/info"):
        assert http.get(address, headers={"Host": host}).status_code == 400


@pytest.mark.parametrize(
    ("listens_on", "names", "host", "passes"),
    [
        ("127.0.0.1", [], "127.0.0.1:7860", True),
        ("127.0.0.1", ["studio.example"], "studio.example", True),
        ("127.0.0.1", ["studio.example"], "other.example", False),
        ("0.0.0.0", [], "any.example", True),
        ("0.0.0.0", ["studio.example"], "other.example", False),
        ("0.0.0.0", ["studio.example"], "localhost:7860", True),
    ],
)
def test_the_names_that_a_server_answers_to(listens_on: str, names: list[str], host: str, passes: bool) -> None:
    def answer(request: Request) -> PlainTextResponse:
        return PlainTextResponse("here")

    app: Any = Starlette(routes=[Route("/", answer)], middleware=middleware(listens_on, names, 1))
    assert (TestClient(app).get("/", headers={"Host": host}).status_code == 200) is passes


def test_a_machine_asks_for_the_health_by_address() -> None:
    def answer(request: Request) -> PlainTextResponse:
        return PlainTextResponse("here")

    routes = [Route("/healthz", answer), Route("/", answer)]
    app: Any = Starlette(routes=routes, middleware=middleware("0.0.0.0", ["studio.example"], 1))
    client = TestClient(app, headers={"Host": "10.0.0.7:7860"})
    assert client.get("/healthz").status_code == 200 and client.get("/").status_code == 400


@pytest.mark.parametrize(
    ("variables", "wanted", "address"),
    [
        ({}, None, "127.0.0.1"),
        ({"GRADIO_SERVER_NAME": "0.0.0.0"}, None, "0.0.0.0"),
        ({"GRADIO_SERVER_NAME": "0.0.0.0"}, "127.0.0.1", "127.0.0.1"),
        ({"SPACE_ID": "a/b"}, None, "0.0.0.0"),
    ],
)
def test_what_the_server_listens_on(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], wanted: str | None, address: str
) -> None:
    for name in ("SPACE_ID", "GRADIO_SERVER_NAME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert listens_on(wanted) == address
