"""A whole session by keyboard alone, from the upload to the finished video."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import BrowserContext, Page, expect

from bgm.project import Project
from tests.browser.waiting import WAIT

Truth = Callable[[str], Project]
# The name of what has the focus, and what it is where that can't be seen.
FOCUS = """() => {
  const { activeElement: it } = document;
  const name = it.getAttribute('aria-label') ?? it.textContent ?? '';
  if (it === document.body || it.tagName === 'VIDEO') return [name, null]; // the browser shows it itself
  const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(it);
  const { width, height } = it.getBoundingClientRect();
  const isSeen = (outlineStyle !== 'none' && parseFloat(outlineWidth) > 0) || boxShadow !== 'none';
  return [name, isSeen && width && height ? null : it.outerHTML.slice(0, 160)];
}"""
HEARD = """async () => {
  const { sound } = await import(new URL('studio/static/playback.js', location.href));
  return Boolean(sound.audio) && !sound.audio.paused && sound.audio.currentTime > 0.2;
}"""
STILL = """async () => {
  const { isRunning, isSaving, store } = await import(new URL('studio/static/store.js', location.href));
  return !isRunning() && !isSaving() && Boolean(store.view.preview?.url);
}"""
PROJECT = "async () => (await import(new URL('studio/static/store.js', location.href))).store.view.id"
ROUND = 150
"""More stops than the editor has."""


def tab_to(tab: Page, wanted: str) -> None:
    """Press Tab until what has the focus begins with this name; wherever it stops on the way, that is seen."""
    for _ in range(ROUND):
        name, unseen = tab.evaluate(FOCUS)
        assert unseen is None
        if name.strip().startswith(wanted):
            return
        tab.keyboard.press("Tab")
    raise AssertionError(f"Tab never comes to {wanted!r}")


def test_a_session_by_keyboard_alone(
    context: BrowserContext, open_tab: Callable[..., Page], clip: Path, truth: Truth
) -> None:
    tab = open_tab(context)
    tab.on("filechooser", lambda chooser: chooser.set_files([clip, clip.with_suffix(".srt")]))
    tab_to(tab, "Open this sample")
    tab_to(tab, "Drop a video")
    tab.keyboard.press("Enter")
    expect(tab.locator(".seg .name")).to_have_text(["joy", "sadness", "anger", "fear"], timeout=WAIT)
    tab.wait_for_function(STILL, timeout=WAIT)
    edit(tab)
    choose_a_take(tab)
    tab_to(tab, "anger, 0:0")
    tab.keyboard.press(" ")
    tab.wait_for_function(HEARD)
    tab.keyboard.press(" ")
    export(tab)
    saved = truth(tab.evaluate(PROJECT))
    assert saved.segments[1].emotion == "anger"
    assert saved.utterances[0].text.endswith("Really!")
    assert tab.errors == []  # type: ignore[attr-defined]


def edit(tab: Page) -> None:
    """A line, an emotion, a boundary."""
    tab_to(tab, "Words")
    tab.keyboard.press("End")
    tab.keyboard.type(" Really!")
    tab.keyboard.press("Enter")
    tab_to(tab, "joy, 0:00")
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("1")
    expect(tab.locator(".seg .name")).to_have_text(["joy", "anger", "anger", "fear"])
    tab_to(tab, "Boundary between joy")
    before = tab.evaluate("() => document.activeElement.getAttribute('aria-valuenow')")
    tab.keyboard.press("ArrowRight")
    expect(tab.locator(".handle").first).not_to_have_attribute("aria-valuenow", before)
    tab.wait_for_function(STILL)


def choose_a_take(tab: Page) -> None:
    """One more take; the menu gives the focus back whichever way it closes."""
    tab_to(tab, "joy, take 1")
    tab.keyboard.press("Enter")
    tab.keyboard.press("ArrowUp")
    expect(tab.get_by_role("menuitem", name="Another take")).to_be_focused()
    tab.keyboard.press("Enter")
    name = tab.locator(".clip .name").first
    expect(name).to_contain_text("joy, take 2")
    expect(name).to_be_focused()
    tab.wait_for_function(STILL)
    tab.keyboard.press("Enter")
    tab.keyboard.press("Escape")
    expect(name).to_be_focused()


def export(tab: Page) -> None:
    """The finished video, taken away; Escape closes the sheet and goes back to what opened it."""
    tab_to(tab, "Export")
    tab.keyboard.press("Enter")
    sheet = tab.get_by_role("dialog", name="Export")
    expect(sheet).to_be_visible()
    tab_to(tab, "Make the video")
    tab.keyboard.press("Enter")
    expect(tab.locator(".result video")).to_be_visible(timeout=WAIT)
    tab_to(tab, "Download the video")
    with tab.expect_download() as download:
        tab.keyboard.press("Enter")
    assert download.value.suggested_filename == "holiday clip - BGM.mp4"
    tab.keyboard.press("Escape")
    expect(sheet).to_be_hidden()
    expect(tab.locator("[data-sheet=export]")).to_be_focused()
