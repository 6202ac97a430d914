"""The landing: the scored sample plays without a sound, lets one hear before and after, and opens at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from bgm.ui.page import Page as Studio
from tests.browser.waiting import eventually

Open = Callable[..., Page]
SHIFTS = """
  window.shifts = [];
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifts.push(entry.value);
  }).observe({ type: 'layout-shift', buffered: true });
"""
PLAYS = "() => document.querySelector('.showcase video').currentTime > 0.3"
IN_STEP = """() => {
  const { left, width } = document.querySelector('.stretches').getBoundingClientRect();
  const head = document.querySelector('.stretches .playhead').getBoundingClientRect();
  const { currentTime, duration } = document.querySelector('.showcase video');
  return Math.abs((head.left + 1 - left) / width - currentTime / duration) < 0.02;
}"""


@pytest.fixture
def landing(chromium: Browser, open_tab: Open) -> Iterator[Page]:
    """In a browser that has nothing of the page yet."""
    context = chromium.new_context(locale="en-US", viewport={"width": 1400, "height": 1300})
    context.add_init_script(SHIFTS)
    tab = open_tab(context)
    yield tab
    assert tab.errors == []  # type: ignore[attr-defined]
    context.close()


def test_the_sample_plays_muted_with_its_timeline_in_step(landing: Page) -> None:
    landing.wait_for_function(PLAYS)
    assert landing.evaluate("() => document.querySelector('.showcase video').muted")
    landing.wait_for_function(IN_STEP)
    expect(landing.locator(".stretch")).to_have_count(6)
    expect(landing.locator(".stretch.now")).to_have_text("joy")
    box = landing.locator(".stretches").bounding_box()
    assert box
    landing.mouse.click(box["x"] + 0.9 * box["width"], box["y"] + 50)
    expect(landing.locator(".stretch.now")).to_have_text("surprise")
    landing.wait_for_function(IN_STEP)


def test_before_and_after_are_one_click_each(landing: Page) -> None:
    sample = landing.locator(".showcase")
    sample.get_by_role("button", name="With music").click()
    expect(sample.get_by_role("button", name="With music")).to_have_attribute("aria-pressed", "true")
    landing.wait_for_function("() => !document.querySelector('.showcase video').muted")
    sample.get_by_role("button", name="Original").click()
    landing.wait_for_function("() => document.querySelector('.showcase video').muted")
    expect(sample.get_by_role("button", name="Original")).to_have_attribute("aria-pressed", "true")
    sample.get_by_role("button", name="Original").click()
    expect(sample.get_by_role("button", name="Original")).to_have_attribute("aria-pressed", "false")


def test_the_landing_does_not_jump(landing: Page) -> None:
    landing.wait_for_function(PLAYS)
    assert landing.evaluate("() => window.shifts.reduce((a, b) => a + b, 0)") < 0.05


def test_it_stands_still_where_less_motion_is_asked_for(chromium: Browser, open_tab: Open) -> None:
    context = chromium.new_context(locale="en-US", reduced_motion="reduce")
    try:
        tab = open_tab(context)
        expect(tab.locator(".showcase")).to_be_visible()
        assert tab.evaluate("() => document.querySelector('.showcase video').paused")
        tab.locator(".showcase").get_by_role("button", name="Play").click()
        tab.wait_for_function(PLAYS)
    finally:
        context.close()


def test_the_sample_opens_with_its_music(landing: Page, page: Studio) -> None:
    landing.get_by_role("button", name="Open this sample").click()
    expect(landing.locator(".bar .title")).to_have_text("sample")
    expect(landing.locator(".seg .name")).to_have_text(["joy", "neutral", "sadness", "fear", "anger", "surprise"])
    expect(landing.locator(".seg.stale")).to_have_count(0)
    expect(landing.get_by_role("button", name="With music")).to_have_attribute("aria-pressed", "true")
    landing.wait_for_function("() => document.querySelector('.showcase video').paused")
    expect(landing.locator(".bar .progress")).to_be_hidden()
    eventually(landing, lambda: page.service.jobs.count("running") == 0)


def test_the_page_has_its_words_however_late_a_script_of_its_head_comes(chromium: Browser, open_tab: Open) -> None:
    """What had been a blank page: the words were asked for before the script that chooses the language had run."""
    context = chromium.new_context(locale="ko-KR")
    context.route("**/static/boot.js", lambda route: route.abort())
    tab = open_tab(context)
    expect(tab.locator(".hero h2")).to_have_text("영상의 순간마다 어울리는 음악")
    assert tab.errors == []  # type: ignore[attr-defined]
    context.close()


def test_nothing_is_cut_off(landing: Page) -> None:
    for width, height in ((1440, 900), (1280, 720), (1024, 768), (390, 844)):
        landing.set_viewport_size({"width": width, "height": height})
        eventually(landing, lambda width=width: landing.evaluate(SCROLL_WIDTH) <= width)
        eventually(landing, lambda: landing.evaluate(CUT) == [])
        if width > 860:
            eventually(landing, lambda: landing.evaluate(BELOW) == [])


BELOW = """() => ['#bgm-drop', '.showcase']
  .filter((part) => document.querySelector(part).getBoundingClientRect().bottom > innerHeight)"""
SCROLL_WIDTH = "() => document.documentElement.scrollWidth"


CUT = """() => [...document.querySelectorAll('.hero *, .ways *, .how *, .showcase .row *')]
  .filter((e) => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== 'inline' && !e.closest('svg'))
  .map((e) => e.outerHTML)"""
