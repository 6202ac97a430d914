"""A project's files are served to who knows its id, as files and not as pages."""

from __future__ import annotations

import secrets

import httpx
import pytest

from bgm.ui.page import Page

NAMES = ("video", "audio", "voice", "master", "poster", "take/a", "peaks/a", "peaks/voice", "export/srt", "project")


def test_an_id_has_192_random_bits(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int | None] = []
    real = secrets.token_urlsafe

    def seen(size: int | None = None) -> str:
        asked.append(size)
        return real(size)

    monkeypatch.setattr(secrets, "token_urlsafe", seen)
    ids = set()
    for _ in range(5):
        with page.service.workspace.new() as (project_id, folder):
            ids.add(project_id)
            assert folder.stat().st_mode & 0o077 == 0, "only the server's own user may read it"
    assert asked == [24] * 5 and len(ids) == 5


@pytest.mark.parametrize("name", NAMES)
def test_a_project_is_served_to_who_knows_its_id(http: httpx.Client, project: str, name: str) -> None:
    answer = http.get(f"/studio/{project}/{name}")
    assert answer.status_code == 200
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cache-control"].startswith("private") or answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "wrong", ["", ".", "..", "%2e%2e", "%2e%2e%2f", "*", "x" * 32, "{id}%00", "{id} ", "{id}%0a", "{half}"]
)
def test_nobody_else_is_served(http: httpx.Client, project: str, name: str, wrong: str) -> None:
    address = wrong.format(id=project, half=project[:16])
    assert http.get(f"/studio/{address}/{name}").status_code == 404


@pytest.mark.parametrize(
    "name",
    [
        "project.json", "state.json", ".lock", "source/clip.mp4", "takes/s1-a.flac", "take/s1-a",
        "take/..%2fproject.json",
        "take/..%2f..%2fproject.json", "take/%2e%2e", "take/%2fetc%2fpasswd", "take/a%00", "peaks/..%2fproject.json",
        "peaks/%2fetc%2fpasswd", "export/..", "export/%2e%2e%2fproject", "export/json%00", "..%2f..%2fetc%2fpasswd",
        "%2fetc%2fpasswd", "..%5c..%5cproject.json", "video%2f..%2f..%2fproject.json", "result",
    ],
)  # fmt: skip
def test_no_name_becomes_a_path(http: httpx.Client, project: str, name: str) -> None:
    assert http.get(f"/studio/{project}/{name}").status_code == 404


@pytest.mark.parametrize(
    "path", ["..%2fmedia.py", "%2e%2e/media.py", "..%2f..%2f..%2fapp.py", "%2fetc%2fpasswd", "", "timeline"]
)
def test_only_scripts_are_served_as_scripts(http: httpx.Client, path: str) -> None:
    assert http.get(f"/studio/static/{path}").status_code == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_files_are_read_only(http: httpx.Client, project: str, method: str) -> None:
    assert http.request(method, f"/studio/{project}/video").status_code == 405


def test_ranges_and_heads_give_what_a_get_gives(http: httpx.Client, project: str) -> None:
    address = f"/studio/{project}/video"
    whole = http.get(address).content
    part = http.get(address, headers={"Range": "bytes=10-19"})
    assert part.status_code == 206 and part.content == whole[10:20]
    assert http.head(address).headers["content-length"] == str(len(whole))
    for wrong in ("bytes=5-1", "bytes=99999999999-", "bytes=a-b", "lines=1-2", "bytes=0-1," * 500):
        answer = http.get(address, headers={"Range": wrong})
        assert answer.status_code in {200, 206, 400, 416} and len(answer.content) <= 2 * len(whole)


def test_the_id_is_in_no_address_of_the_page(http: httpx.Client, project: str) -> None:
    """So that it leaks by no link, bookmark or Referer."""
    assert http.get("/").headers["referrer-policy"] == "same-origin"
    assert project not in http.get("/config").text


def test_one_project_gives_nothing_of_another(http: httpx.Client, page: Page, project: str) -> None:
    with page.service.workspace.new() as (other, folder):
        (folder / "project.json").write_text("{}")
    assert http.get(f"/studio/{other}/take/a").status_code == 404
    assert http.get(f"/studio/{project}/take/a").status_code == 200
