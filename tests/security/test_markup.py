"""What users and files say is shown as text: none of it becomes a part of the page."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from playwright.sync_api import Page as Tab

from bgm import project as projects
from bgm.project import EngineUse
from bgm.timeline import EMOTIONS, Timeline, Utterance
from bgm.ui.page import Page

pytestmark = pytest.mark.browser
EVIL = "<img src=x onerror=window.hacked=1>\"'><script>window.hacked=1<\\/script>{{hacked}}${window.hacked=1}"
EVIL_NAME = "<img src=x onerror=window.hacked=1>"
LOOK = """() => ({ hacked: window.hacked, images: document.querySelectorAll('img[src="x"]').length,
  scripts: [...document.scripts].filter((s) => s.textContent.includes('hacked')).length })"""
NOTHING = {"hacked": None, "images": 0, "scripts": 0}


@pytest.fixture
def tab(chromium: Browser) -> Iterator[Tab]:
    with chromium.new_context(locale="en-US", viewport={"width": 1400, "height": 1300}) as context:
        context.set_default_timeout(60_000)
        yield context.new_page()


@pytest.fixture
def evil(page: Page, made: Path) -> str:
    """The id of a project in which every text is markup."""
    with page.service.workspace.new() as (project_id, folder):
        shutil.copytree(made, folder, dirs_exist_ok=True)
        video = f"source/{EVIL_NAME}.mp4"
        (folder / "source" / "clip.mp4").rename(folder / video)
        project = projects.load(folder)
        segments = tuple(
            replace(s, prompt=EVIL, chosen=EVIL, takes=tuple(replace(t, id=EVIL, engine=EVIL) for t in s.takes))
            for s in project.segments
        )
        replace(
            project,
            video=video,
            language=EVIL,
            utterances=(
                Utterance(0.5, 1.5, EVIL, EVIL, dict.fromkeys(EMOTIONS, 1 / 7)),
            ),  # read: the page changes nothing
            timeline=Timeline(project.duration, segments),
            engines={"classify": EngineUse(EVIL, EVIL), EVIL: EngineUse(EVIL, EVIL)},
        ).save()
    return project_id


def test_markup_in_a_project_stays_text(page: Page, tab: Tab, evil: str) -> None:
    recent = json.dumps([{"id": evil, "title": EVIL, "duration": 4}])
    tab.add_init_script(f"localStorage.setItem('bgm-recent', {json.dumps(recent)})")
    tab.goto(page.blocks.local_url)
    tab.locator(".recent .btn").first.wait_for()
    assert EVIL in tab.locator(".recent").inner_text()
    tab.locator(".recent .btn").first.click()
    for segment in (0, 1):
        tab.locator(".seg").nth(segment).click()
        expect(tab.locator(".seg").nth(segment)).to_have_attribute("aria-selected", "true")
    shown = "".join(tab.locator("textarea, input").evaluate_all("all => all.map(e => e.value)"))
    for name in ("Segment", "Transcript"):
        tab.get_by_role("tab", name=name).click()
        shown += tab.locator("body").inner_text()
    assert EVIL in tab.get_by_role("tabpanel", name="Transcript").inner_text()
    assert EVIL_NAME in shown and shown.count("{{hacked}}") >= 2, "the texts are on the page"
    assert tab.evaluate(LOOK) == NOTHING


def test_markup_in_a_refusal_stays_text(page: Page, tab: Tab, tmp_path: Path) -> None:
    tab.goto(page.blocks.local_url)
    tab.locator(".ways .btn").first.wait_for()
    file = tmp_path / f"{EVIL_NAME}.mp4"
    file.write_bytes(b"no video")
    tab.locator("#bgm-drop input[type=file]").set_input_files(file)
    expect(tab.locator(".problem").first).to_contain_text("is damaged")
    assert tab.evaluate(LOOK) == NOTHING
    with tab.expect_file_chooser() as chooser:
        tab.get_by_role("button", name="Open a project file").click()
    chooser.value.set_files(file.rename(file.with_suffix(".zip")))
    tab.wait_for_timeout(1500)
    assert tab.evaluate(LOOK) == NOTHING


def test_a_file_of_a_user_is_no_page_of_ours(page: Page, tab: Tab, project: str) -> None:
    """Opened by itself, even HTML that somebody calls a video runs no script and has no origin."""
    folder = page.service.workspace.folder(project)
    (folder / "source" / "clip.html").write_text("<script>document.title = 'hacked'</script>")
    opened = projects.load(folder)
    replace(opened, video="source/clip.html").save()
    answer = tab.goto(f"{page.blocks.local_url}studio/{project}/video")
    assert answer is not None and answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert tab.title() != "hacked"
