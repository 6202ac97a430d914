"""Users, tabs, reloads: the work is found again by its owner and by nobody else."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Browser, BrowserContext, Page, expect

from bgm.progress import Listener, Step
from bgm.project import Project, update
from bgm.ui.jobs import Job
from bgm.ui.page import Page as Studio
from tests.browser.conftest import LINES
from tests.browser.waiting import WAIT, eventually, saved, settled, until

Truth = Callable[[str], Project]
Open = Callable[..., Page]
Other = tuple[str, Job, list[threading.Event]]
KNOWN_TOO = """one => localStorage.setItem('bgm-recent',
  JSON.stringify([...JSON.parse(localStorage.getItem('bgm-recent')), one]))"""
JOINED, RETOLD = (
    f"async () => (await import(new URL('studio/static/store.js', location.href))).commit({edit})"
    for edit in (
        "{ op: 'line_merge', index: 0, text: 'both' }",
        "{ op: 'line_text', index: 0, name: 'text', text: 'others' }",
    )
)
GOING = """async () => {
  const { h, reconcile } = await import(new URL('studio/static/dom.js', location.href));
  const list = h('ol', {});
  document.body.append(list);
  let told = '';
  const draw = (keys) => reconcile(list, [...keys], (key) => key, (key) => h('li', { tabindex: '0', onblur: () => {
    told = 'saved: ';
    draw('ab'); // the newer
  } }, key), () => {});
  draw('abc');
  list.lastChild.focus();
  draw('a');
  return told + list.textContent;
}"""


def test_a_reload_keeps_the_work(tab: Page, context: BrowserContext, page: Studio) -> None:
    tab.locator(".seg").nth(1).click()
    tab.keyboard.press("4")
    expect(tab.locator(".bar [aria-label^=Undo]")).to_be_enabled()
    tab.reload()
    expect(tab.locator(".seg .name")).to_have_text(["joy", "joy", "anger", "fear"])
    expect(tab.locator(".bar [aria-label^=Undo]")).to_be_enabled()
    other = context.new_page()
    tab.close()
    other.goto(page.blocks.local_url)
    expect(other.locator(".seg .name")).to_have_text(["joy", "joy", "anger", "fear"])


def test_a_tab_shows_what_was_changed_in_another_when_one_comes_back(
    tab: Page, context: BrowserContext, page: Studio
) -> None:
    other = context.new_page()
    other.goto(page.blocks.local_url)
    other.locator(".seg").nth(1).click()
    other.keyboard.press("4")
    expect(other.locator(".bar [aria-label^=Undo]")).to_be_enabled()
    saved(other)
    tab.bring_to_front()
    tab.evaluate("() => document.dispatchEvent(new Event('visibilitychange'))")  # a browser without windows tells none
    expect(tab.locator(".seg .name")).to_have_text(["joy", "joy", "anger", "fear"])


def test_what_is_typed_lands_in_its_line_although_another_tab_joined_lines(
    tab: Page, context: BrowserContext, page: Studio, project: str, truth: Truth
) -> None:
    other = context.new_page()
    other.goto(page.blocks.local_url)
    expect(other.locator(".line")).to_have_count(4)
    before = [u.text for u in truth(project).utterances]
    tab.evaluate(JOINED)
    eventually(tab, lambda: len(truth(project).utterances) == 3)
    line = other.get_by_role("textbox", name="Words", exact=True)
    line.nth(2).click()
    other.keyboard.press("Control+End")
    other.keyboard.type(" Really.")
    other.keyboard.press("Tab")
    eventually(other, lambda: truth(project).utterances[1].text == f"{before[2]} Really.")
    assert [u.text for u in truth(project).utterances] == ["both", f"{before[2]} Really.", before[3]]
    line.nth(0).click()
    other.keyboard.press("Control+End")
    other.keyboard.type(" words")
    tab.evaluate(RETOLD)
    eventually(tab, lambda: truth(project).utterances[0].text == "others")
    other.keyboard.press("Tab")
    expect(other.get_by_text("you wrote: both words")).to_be_visible()
    expect(line.nth(0)).to_have_text("others")
    assert truth(project).utterances[0].text == "others"


def test_a_job_survives_a_closed_tab(
    tab: Page, context: BrowserContext, project: str, truth: Truth, others: Callable[..., threading.Event]
) -> None:
    release = others("music")  # so that this one isn't over before the tab is
    tab.get_by_role("tab", name="Segment").click()
    tab.get_by_role("button", name="Another take").click()
    expect(tab.locator(".progress")).to_be_visible()
    other, address = context.new_page(), tab.url
    tab.close()
    release.set()
    other.goto(address)
    expect(other.locator(".take")).to_have_count(2, timeout=WAIT)
    assert len(truth(project).segments[0].takes) == 2


def test_two_users_do_not_see_each_other(
    tab: Page, page: Studio, chromium: Browser, open_tab: Open, project: str
) -> None:
    stranger = chromium.new_context(locale="en-US")
    try:
        theirs = open_tab(stranger)
        expect(theirs.locator(".ways .btn").first).to_be_visible()
        expect(theirs.locator(".seg")).to_have_count(0)
        expect(theirs.locator(".recent")).to_be_hidden()
        theirs.get_by_text("Open this sample").click()
        expect(theirs.locator(".bar .title")).to_have_text("sample")
        expect(tab.locator(".bar .title")).to_have_text("clip")
        root = page.blocks.local_url + "studio/"
        for address in (f"{project[:-1]}x/video", "../video", "%2e%2e/video", f"{project}/..%2f..%2fproject.json"):
            assert stranger.request.get(root + address).status == 404
        assert stranger.request.get(f"{root}{project}/video").status == 200, "who knows the id is the owner"
        disk = page.service.workspace.folder(project) / "project.json"
        assert stranger.request.get(f"{page.blocks.local_url}gradio_api/file={disk}").status in {403, 404}
    finally:
        stranger.close()


@pytest.fixture
def other(page: Studio, made: Path) -> Iterator[Other]:
    """A second project, whose analysis goes on to its next stage when it is told to."""
    with page.service.workspace.new() as (project_id, folder):
        shutil.copytree(made, folder, dirs_exist_ok=True)
    stages = [threading.Event() for _ in range(3)]

    def analyze(listen: Listener) -> None:
        for number, event in enumerate(stages, 2):
            listen(Step("transcribe", 0.5, number / 10, 60.0))
            update(page.service.workspace.load(project_id), partial(replace, language=f"x{number}"))
            assert event.wait(300)

    job = page.service.jobs.submit(project_id, "analyze", "studio", analyze)
    yield project_id, job, stages
    for event in stages:
        event.set()
    assert job.finished.wait(60)


def test_what_goes_on_in_another_project_changes_nothing_in_the_one_that_is_shown(
    context: BrowserContext, open_tab: Open, project: str, other: Other, truth: Truth
) -> None:
    other_id, job, stages = other
    tab = open_tab(context, other_id)
    expect(tab.locator(".bar .progress")).to_be_visible()
    tab.evaluate(KNOWN_TOO, {"id": project, "title": "clip", "duration": 20})
    tab.get_by_role("button", name="Another video").click()
    theirs, own = (tab.locator(f".recent [data-key='{one}']") for one in (other_id, project))
    expect(theirs).to_contain_text("Being analysed, 20 %")
    stages[0].set()
    expect(theirs).to_contain_text("Being analysed, 30 %", timeout=WAIT)
    expect(tab.locator(".hero")).to_be_visible()
    own.click()
    line = tab.locator(".line .text").first
    line.click()
    tab.keyboard.press("End")
    tab.keyboard.type(" For")
    stages[1].set()
    eventually(tab, lambda: job.step and job.step.overall == 0.4)
    tab.keyboard.type(" ever")
    expect(tab.locator(".bar .progress")).to_be_hidden()
    stages[2].set()
    assert job.finished.wait(60)
    tab.keyboard.type(" more")
    tab.get_by_role("button", name="Another video").click()
    eventually(tab, lambda: truth(project).utterances[0].text == f"{LINES[0][2]} For ever more")
    assert truth(other_id).utterances[0].text == LINES[0][2] and truth(other_id).language == "x4"
    theirs.click()
    expect(line).to_have_text(LINES[0][2])
    assert tab.errors == []  # type: ignore[attr-defined]


def test_what_is_typed_in_an_element_that_goes_is_saved_before_and_draws_the_rest_anew(
    context: BrowserContext, open_tab: Open
) -> None:
    assert open_tab(context).evaluate(GOING) == "saved: ab"


def test_a_bad_upload_is_explained_where_it_was_dropped(
    context: BrowserContext, open_tab: Open, tmp_path: Path, page: Studio
) -> None:
    bad = tmp_path / "notes.mp4"
    bad.write_text("this is no video at all")
    known = len(list(page.service.workspace.root.glob("*"))) if page.service.workspace.root.exists() else 0
    tab = open_tab(context)
    tab.locator("#bgm-drop input[type=file]").set_input_files(bad)
    expect(tab.locator(".problem")).to_contain_text("notes.mp4")
    expect(tab.locator(".problem")).not_to_contain_text("/")
    expect(tab.locator(".hero")).to_be_visible()
    assert len(list(page.service.workspace.root.glob("*"))) == known


def test_too_large_and_too_long_uploads_are_refused(
    context: BrowserContext, open_tab: Open, tmp_path: Path, page: Studio
) -> None:
    large, long = tmp_path / "large.mp4", tmp_path / "long.wav"
    with large.open("wb") as file:
        file.truncate(page.service.workspace.environment.max_bytes + 1)
    soundfile.write(long, np.zeros(8000 * 180, np.int16), 8000)
    tab = open_tab(context)
    tab.locator("#bgm-drop input[type=file]").set_input_files(large)
    expect(tab.locator(".problem")).to_have_text("large.mp4 is larger than the 50 MB that this server takes.")
    tab.reload()
    tab.locator("#bgm-drop input[type=file]").set_input_files(long)
    expect(tab.locator(".problem")).to_contain_text("is 3 minutes long; this server takes up to 2")


@pytest.mark.parametrize("way", ["reload", "forward"])
def test_a_gone_project_is_explained(tab: Page, page: Studio, project: str, tmp_path: Path, way: str) -> None:
    if way == "forward":
        tab.go_back()
        expect(tab.locator(".hero")).to_be_visible()
    page.service.workspace.folder(project).rename(tmp_path / "gone")
    _ = tab.reload() if way == "reload" else tab.go_forward()
    expect(tab.locator(".problem")).to_contain_text("not on the server any more")
    expect(tab.locator(".hero")).to_be_visible()
    until(tab, "() => history.state.bgm.project", lambda shown: shown is None)


def test_a_project_file_opens_again(tab: Page, chromium: Browser, open_tab: Open, project: str, truth: Truth) -> None:
    tab.locator(".seg").nth(2).click()
    tab.keyboard.press("6")
    eventually(tab, lambda: truth(project).segments[2].emotion == "sadness")
    tab.get_by_role("button", name="Export").click()
    with tab.expect_download() as download:
        tab.get_by_role("link", name="Project file").click()
    assert download.value.suggested_filename == "clip.bgm.zip"
    elsewhere = chromium.new_context(locale="en-US", viewport={"width": 1400, "height": 1300})
    try:
        theirs = open_tab(elsewhere)
        saved = Path(download.value.path()).with_name("clip.bgm.zip")
        download.value.save_as(saved)
        with theirs.expect_file_chooser() as chooser:
            theirs.get_by_role("button", name="Open a project file").click()
        chooser.value.set_files(saved)
        expect(theirs.locator(".seg .name")).to_have_text(["joy", "sadness", "sadness", "fear"])
        expect(theirs.locator(".seg.stale, .seg.empty")).to_have_count(0, timeout=WAIT)
    finally:
        elsewhere.close()


def test_back_and_forward_walk_between_the_start_the_project_and_a_sheet(
    tab: Page, project: str, truth: Truth, others: Callable[..., threading.Event]
) -> None:
    address, release = tab.url, others("music")
    sheet = tab.get_by_role("dialog", name="Export")
    tab.get_by_role("button", name="Export").click()
    tab.go_back()
    expect(sheet).to_be_hidden()
    tab.go_forward()
    expect(sheet).to_be_visible()
    sheet.get_by_role("button", name="Close").click()
    expect(sheet).to_be_hidden()
    until(tab, "() => history.state.bgm.sheet", lambda name: name is None)
    tab.get_by_role("tab", name="Segment").click()
    tab.get_by_role("button", name="Another take").click()
    tab.get_by_label("In your words (optional)").fill("slow strings")
    tab.evaluate("() => document.querySelector('.player video').play()")
    tab.go_back()
    expect(tab.locator(".hero")).to_be_visible()
    assert tab.url == address and project not in address, "no link names a project"
    assert tab.evaluate("() => document.querySelector('.player video').paused")
    eventually(tab, lambda: truth(project).segments[0].prompt == "slow strings")
    release.set()
    eventually(tab, lambda: len(truth(project).segments[0].takes) > 1)
    expect(tab.locator(".recent .btn")).to_have_count(1)
    tab.go_forward()
    expect(tab.locator(".seg")).to_have_count(4)
    settled(tab, project, truth)
    tab.reload()
    expect(tab.locator(".seg")).to_have_count(4)
    tab.go_back()
    expect(tab.locator(".hero")).to_be_visible()


def test_back_to_the_start_and_to_the_work_again(tab: Page) -> None:
    tab.get_by_role("button", name="Another video").click()
    expect(tab.locator(".hero")).to_be_visible()
    tab.locator(".recent .btn").first.click()
    expect(tab.locator(".seg")).to_have_count(4)
