"""With BGM_AUTH nothing of the studio is served to who did not log in; without it everything is as before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from gradio_client import Client
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from bgm.environment import Environment
from bgm.ui.guard import middleware
from bgm.ui.page import Page

NAME, PASSWORD = "ada", "correct horse"
OTHERS = "grace:battery staple\n"
PRIVATE = ("video", "poster", "take/a", "peaks/a", "export/json", "project", "nothing")


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    users = tmp_path_factory.mktemp("auth") / "users"
    users.write_text(OTHERS)
    data = tmp_path_factory.mktemp("data")
    return Environment(data=data, auth=f"{NAME}:{PASSWORD}", auth_file=users, max_mb=3)


@pytest.fixture
def login(http: httpx.Client) -> Callable[..., httpx.Response]:
    """By the form's own address."""
    return lambda name, password: http.post("/login", data={"username": name, "password": password})


@pytest.fixture
def logged_in(page: Page) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=page.blocks.local_url, timeout=20) as client:
        assert client.post("/login", data={"username": NAME, "password": PASSWORD}).status_code == 200
        yield client


@pytest.mark.parametrize("name", PRIVATE)
def test_a_projects_files_need_a_login(http: httpx.Client, logged_in: httpx.Client, project: str, name: str) -> None:
    assert http.get(f"/studio/{project}/{name}").status_code == 401
    assert http.head(f"/studio/{project}/{name}").status_code == 401
    assert logged_in.get(f"/studio/{project}/{name}").status_code == (404 if name == "nothing" else 200)


@pytest.mark.parametrize(
    "door", ["config", "gradio_api/info", "gradio_api/file=x", "gradio_api/queue/data?session_hash=s"]
)
def test_so_do_gradios_own_doors(http: httpx.Client, door: str) -> None:
    assert http.get(f"/{door}").status_code == 401


@pytest.mark.parametrize("door", ["upload", "call/analyze", "queue/join", "component_server", "run/analyze"])
def test_and_calls_and_uploads(http: httpx.Client, door: str, uploads: Path) -> None:
    assert http.post(f"/gradio_api/{door}", json={"data": []}).status_code == 401


def test_the_page_shows_nothing_but_the_form(http: httpx.Client, project: str) -> None:
    page = http.get("/")
    assert page.status_code == 200 and '"auth_required":true' in page.text.replace(" ", "")
    assert "bgm-offstage" not in page.text


@pytest.mark.parametrize("address", ["healthz", "studio/static/dom.js"])
def test_what_says_nothing_of_anybody_is_open(http: httpx.Client, address: str) -> None:
    assert http.get(f"/{address}").status_code == 200


@pytest.mark.parametrize("address", ["studio/static/../{id}/video", "studio/static/%2e%2e/{id}/video"])
def test_no_detour_leads_past_the_login(page: Page, project: str, address: str) -> None:
    """Sent as it is: httpx would tidy the address up."""
    target = f"/{address.format(id=project)}".encode()
    with httpx.Client(base_url=page.blocks.local_url) as client:
        request = client.build_request("GET", "/", extensions={"target": target})
        assert client.send(request).status_code in {401, 404}


@pytest.mark.parametrize(
    ("name", "password"),
    [(NAME, "wrong"), (NAME, ""), ("", ""), ("nobody", PASSWORD), (NAME, "battery staple"), (NAME, PASSWORD.upper())],
)
def test_a_wrong_password_is_refused(
    http: httpx.Client, login: Callable[..., httpx.Response], project: str, name: str, password: str
) -> None:
    assert login(name, password).status_code in {400, 422}
    assert not http.cookies
    assert http.get(f"/studio/{project}/video").status_code == 401


def test_every_user_of_the_file_may_enter(
    http: httpx.Client, login: Callable[..., httpx.Response], project: str
) -> None:
    assert login("grace", "battery staple").status_code == 200
    assert http.get(f"/studio/{project}/video").status_code == 200


def test_a_forged_cookie_opens_nothing(http: httpx.Client, logged_in: httpx.Client, project: str) -> None:
    for cookie in logged_in.cookies.jar:
        http.cookies.set(cookie.name, "x" * len(cookie.value or ""))
    assert http.get(f"/studio/{project}/video").status_code == 401


def test_the_cookie_is_kept_from_scripts(logged_in: httpx.Client) -> None:
    answer = logged_in.post("/login", data={"username": NAME, "password": PASSWORD})
    cookies = answer.headers.get_list("set-cookie")
    assert cookies and all("httponly" in cookie.lower() for cookie in cookies)


def test_who_logs_out_is_out(logged_in: httpx.Client, project: str) -> None:
    kept = dict(logged_in.cookies)
    logged_in.get("/logout")
    logged_in.cookies.update(kept)
    assert logged_in.get(f"/studio/{project}/video").status_code == 401


def test_a_program_logs_in_with_gradio_client(page: Page, tmp_path: Path) -> None:
    client = Client(page.blocks.local_url, auth=(NAME, PASSWORD), verbose=False, download_files=tmp_path)
    assert {e["stage"] for e in client.predict(api_name="/engines")} == {"separate", "transcribe", "classify", "music"}
    with pytest.raises(ValueError, match="Could not login"):
        Client(page.blocks.local_url, auth=(NAME, "wrong"), verbose=False)


@pytest.mark.parametrize(
    ("root", "address", "host"),
    [("", "/studio/x/video", "here"), ("", "/studio/x/video", "here/open?"), ("/sub", "/sub/studio/x/video", "here")],
)
def test_neither_a_host_nor_a_root_path_hides_where_a_request_goes(root: str, address: str, host: str) -> None:
    def video(request: Request) -> PlainTextResponse:
        return PlainTextResponse("private")

    app: Any = Starlette(routes=[Route("/studio/x/video", video)], middleware=middleware("0.0.0.0", [], 1))
    app.auth, app.cookie_id, app.tokens = {NAME: PASSWORD}, "c", {}
    client = TestClient(app, root_path=root)
    assert client.get(address, headers={"Host": host}).status_code == 401
    app.auth = None
    assert client.get(address, headers={"Host": host}).text == "private"


def test_a_password_is_shown_nowhere(environment: Environment) -> None:
    assert PASSWORD not in repr(environment) and PASSWORD not in str(environment.model_dump())
