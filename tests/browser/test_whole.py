"""What is wished of the whole video, and named states to go back to: each can be undone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from bgm.project import Project
from tests.browser.waiting import eventually, settled

Open = Callable[..., Page]
Truth = Callable[[str], Project]


def test_each_wish_for_the_whole_video_is_heard_and_can_be_undone(tab: Page, project: str, truth: Truth) -> None:
    before = [s.chosen for s in truth(project).segments]
    whole = tab.get_by_role("region", name="Whole video")
    undo = tab.get_by_role("button", name="Undo (Ctrl+Z)")
    whole.get_by_label("Energy").select_option(label="energetic")
    lively = settled(tab, project, truth, lambda p: p.settings.energy == "energetic")
    assert not set(before) & {s.chosen for s in lively.segments}
    whole.get_by_label("In your words").fill("D minor, 90 bpm, frobnicate")
    whole.get_by_label("In your words").press("Enter")
    expect(whole.locator(".read")).to_have_text("Understood: D minor · 90 bpm. Not understood: frobnicate.")
    settled(tab, project, truth, lambda p: p.settings.words == "D minor, 90 bpm, frobnicate")
    whole.get_by_role("button", name="Another piece").click()
    settled(tab, project, truth, lambda p: p.settings.seed != "auto")
    undo.click()
    settled(tab, project, truth, lambda p: p.settings.seed == "auto" and bool(p.settings.words))
    undo.click()
    settled(tab, project, truth, lambda p: not p.settings.words)
    expect(whole.get_by_label("In your words")).to_have_value("")
    undo.click()
    back = settled(tab, project, truth, lambda p: p.settings.energy == "auto")
    assert [s.chosen for s in back.segments] == before, "the music of then is still there"
    expect(whole.get_by_label("Energy")).to_have_value("auto")
    expect(undo).to_be_disabled()


def test_a_snapshot_is_saved_gone_back_to_undone_and_deleted(tab: Page, project: str, truth: Truth) -> None:
    first = truth(project)
    tab.get_by_role("button", name="Snapshots").click()
    sheet = tab.get_by_role("dialog", name="Snapshots")
    sheet.get_by_label("Name of the snapshot").fill("before the trailer")
    sheet.get_by_role("button", name="Save a snapshot").click()
    expect(sheet.get_by_role("listitem")).to_have_count(1)
    sheet.get_by_role("button", name="Save a snapshot").click()
    expect(sheet.get_by_role("listitem")).to_contain_text(["Version 2", "before the trailer"])
    tab.locator(".seg").nth(0).focus()
    tab.keyboard.press("6")
    tab.get_by_role("region", name="Whole video").get_by_label("Style").select_option(label="Trailer tension")
    settled(tab, project, truth, lambda p: p.settings.style == "trailer" and p.segments[0].emotion == "sadness")
    sheet.get_by_role("button", name="Go back to before the trailer").click()
    expect(tab.locator(".seg .name")).to_have_text(["joy", "sadness", "anger", "fear"])
    back = settled(tab, project, truth, lambda p: p.settings.style == "auto" and p.segments[0].emotion == "joy")
    assert [s.chosen for s in back.segments] == [s.chosen for s in first.segments]
    tab.get_by_role("button", name="Undo (Ctrl+Z)").click()
    settled(tab, project, truth, lambda p: p.settings.style == "trailer" and p.segments[0].emotion == "sadness")
    gone = sheet.get_by_role("listitem").filter(has_text="Version 2").get_by_role("button").last
    gone.click()
    expect(gone).to_have_text("Delete?")
    gone.click()
    expect(sheet.get_by_role("listitem")).to_have_count(1)
    tab.reload()
    tab.locator(".seg").first.wait_for()
    tab.get_by_role("button", name="Snapshots").click()
    expect(sheet.get_by_role("listitem")).to_contain_text(["before the trailer"])


FITS = """(row) => {
  const inside = (box) => box.width === 0 || (box.left >= 0 && box.right <= innerWidth);
  const fields = [...row.querySelectorAll('select, input, button')].map((e) => e.getBoundingClientRect());
  const own = row.querySelector('.own input').getBoundingClientRect();
  return row.scrollWidth <= row.clientWidth + 1 && fields.every(inside) && own.width > 110;
}"""


@pytest.mark.parametrize("locale", ["en-US", "ko-KR"])
def test_the_row_fits_in_both_languages(chromium: Browser, open_tab: Open, project: str, locale: str) -> None:
    context = chromium.new_context(locale=locale, viewport={"width": 1440, "height": 844})
    try:
        tab = open_tab(context, project)
        for width in (1440, 1280, 1024, 390):
            tab.set_viewport_size({"width": width, "height": 844})
            eventually(tab, lambda: tab.locator(".whole").evaluate(FITS))
    finally:
        context.close()
