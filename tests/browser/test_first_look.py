"""From the drop to the timeline: nothing jumps, and a video in which nobody speaks is no error."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.waiting import WAIT

SHIFTS = """() => {
  window.shifts = [];
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) {
      window.shifts.push([entry.value, entry.sources.map((s) => s.node?.className ?? s.node?.nodeName ?? '')]);
    }
  }).observe({ type: 'layout-shift' });
}"""
MIXED = """async () => {
  const { sound } = await import(new URL('studio/static/playback.js', location.href));
  return Boolean(sound.audio);
}"""
SILENT = """async () => {
  const { setView, store, want } = await import(new URL('studio/static/store.js', location.href));
  const [first] = store.view.segments;
  const whole = { ...first, start: 0, end: store.view.duration };
  Object.assign(whole, { emotion: 'neutral', confidence: 0, scores: null, source: 'auto' });
  want('silent');
  setView({ ...store.view, id: 'silent', utterances: [], segments: [{ ...whole, ignored: [] }] });
}"""


def test_nothing_jumps_when_the_analysis_ends(
    context: BrowserContext, open_tab: Callable[..., Page], clip: Path
) -> None:
    tab = open_tab(context)
    tab.set_viewport_size({"width": 1440, "height": 900})
    tab.evaluate(SHIFTS)
    tab.locator("#bgm-drop input[type=file]").set_input_files([clip, clip.with_suffix(".srt")])
    expect(tab.locator(".seg")).to_have_count(4, timeout=WAIT)
    tab.wait_for_function(MIXED, timeout=WAIT)
    shifts = tab.evaluate("() => window.shifts")
    assert sum(value for value, _ in shifts) < 0.05, shifts


def test_before_the_analysis_the_timeline_takes_no_keys_and_a_stopped_one_goes_on_when_asked(
    context: BrowserContext, open_tab: Callable[..., Page], clip: Path, others: Callable[..., threading.Event]
) -> None:
    release = others("studio")  # the analysis waits
    tab = open_tab(context)
    tab.locator("#bgm-drop input[type=file]").set_input_files([clip, clip.with_suffix(".srt")])
    expect(tab.locator(".bar .doing")).to_contain_text("before you")
    tab.keyboard.press("s")
    expect(tab.locator(".timeline .message")).to_be_empty()
    expect(tab.locator(".timeline")).to_have_attribute("inert", "")
    tab.get_by_role("button", name="Stop").click()
    again = tab.locator("#bgm-studio").get_by_role("button", name="Go on with the analysis")
    expect(again).to_be_visible()
    release.set()
    again.click()
    expect(tab.locator(".seg")).to_have_count(4, timeout=WAIT)


def test_where_nobody_speaks_there_is_no_share_and_no_empty_chart(tab: Page) -> None:
    expect(tab.locator(".nothing")).to_be_hidden()
    tab.evaluate(SILENT)
    block = tab.locator(".seg")
    expect(block).to_have_count(1)
    expect(block.locator(".sure")).to_have_text("no speech")
    assert "%" not in (block.get_attribute("aria-label") or "")
    assert tab.evaluate("() => getComputedStyle(document.querySelector('.seg .name'), '::after').content") == "none"
    expect(tab.locator(".nothing")).to_be_visible()
    expect(tab.locator(".panel")).to_contain_text("Nobody speaks here")


def test_a_file_of_another_kind_is_refused_in_the_readers_language(
    chromium: Browser, open_tab: Callable[..., Page], tmp_path: Path
) -> None:
    picture, broken = tmp_path / "holiday.png", tmp_path / "broken.mp4"
    picture.write_bytes(b"\x89PNG")
    broken.write_text("no video at all")
    context = chromium.new_context(locale="ko-KR")
    try:
        tab = open_tab(context)
        words = (
            "() => getComputedStyle(document.querySelector('#bgm-drop [data-testid=upload-text]'), '::after').content"
        )
        assert "놓" in tab.evaluate(words), "the drop area speaks the reader's language"
        drop = tab.locator("#bgm-drop input[type=file]")
        drop.set_input_files(picture)
        expect(tab.locator(".problem")).to_have_text(re.compile("holiday.png.*자막.*아닙니다"))
        drop.set_input_files(broken)  # what only the server can tell
        expect(tab.locator(".problem")).to_have_text(re.compile("broken.mp4.*손상"))
        expect(tab.get_by_text("Invalid file type")).to_have_count(0)
    finally:
        context.close()


def test_block_bars_and_sentence_say_the_same_number(tab: Page) -> None:
    tab.locator("#bgm-tab-segment").click()
    for number in range(4):
        block = tab.locator(".seg").nth(number)
        block.click()
        expect(block).to_have_attribute("aria-selected", "true")
        share = block.locator(".sure").text_content()
        here = tab.locator(".score.here")
        expect(here.locator(".name")).to_have_text(block.locator(".name").text_content() or "")
        expect(here.locator(".value")).to_have_text(share or "")
        expect(tab.locator(".scores .note")).to_contain_text(f" {share} sure")
        assert share in (block.get_attribute("aria-label") or "")
