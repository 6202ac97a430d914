"""Narrow and touched, dark, Korean."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Browser, Page, expect

from bgm.project import Project
from bgm.ui.page import Page as Studio
from tests.browser.waiting import WAIT, eventually, saved, settled

Open = Callable[..., Page]


def test_a_session_by_touch(chromium: Browser, open_tab: Open, project: str, truth: Callable[[str], Project]) -> None:
    """A boundary, an emotion, another take, a level and the export, with nothing but a finger on a phone."""
    phone = chromium.new_context(locale="en-US", viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    try:
        tab = open_tab(phone, project, tap=True)
        for part in ("html", ".bgm-studio", "header.bar"):
            assert tab.locator(part).evaluate("(e) => e.scrollWidth") <= 390, part
        tab.locator(".seg").nth(2).tap()
        expect(tab.locator(".seg").nth(2)).to_have_attribute("aria-selected", "true")
        handle = tab.locator(".handle").nth(1)
        box = handle.bounding_box()
        assert box and box["width"] >= 32
        before = truth(project).segments[2]
        touch_drag(tab, box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, 40)
        emotion = tab.locator(".emotions").get_by_role("button", name="joy (4)")
        emotion.tap()
        expect(emotion).to_have_attribute("aria-pressed", "true")
        moved = settled(
            tab, project, truth, lambda p: p.segments[2].emotion == "joy" and p.segments[2].start != before.start
        )
        panel = tab.locator(".panel")
        panel.get_by_role("tab", name="Segment").tap()
        expect(panel).to_have_attribute("data-open", "true")
        takes, chosen = panel.locator(".take"), panel.locator(".take.chosen")
        count = len(moved.segments[2].takes)
        expect(takes).to_have_count(count)
        panel.get_by_role("button", name="Another take").tap()
        expect(takes).to_have_count(count + 1, timeout=WAIT)
        expect(chosen).to_contain_text(f"Take {count + 1}", timeout=WAIT)
        takes.nth(count - 1).get_by_role("radio").tap()  # an older one would be of other inputs, and made again
        expect(chosen).to_contain_text(f"Take {count}")
        level = panel.get_by_label("Music volume").bounding_box()
        assert level
        touch_drag(tab, level["x"] + level["width"] / 2, level["y"] + level["height"] / 2, -level["width"] / 4)
        expect(panel.locator(".fields output")).to_contain_text("-")
        panel.get_by_role("tab", name="Segment").tap()
        expect(panel).to_have_attribute("data-open", "false")
        tab.locator("[data-sheet=export]").tap()
        sheet = tab.get_by_role("dialog", name="Export").bounding_box()
        assert sheet and sheet["y"] >= 0 and sheet["x"] >= 0 and sheet["x"] + sheet["width"] <= 390
        saved(tab)
        now = truth(project).segments[2]
        assert now.start > before.start + 0.5 and now.emotion == "joy" and now.gain_db < 0
        assert now.chosen == now.takes[count - 1].id
        assert tab.errors == []  # type: ignore[attr-defined]
    finally:
        phone.close()


def test_the_editor_is_one_screen(tab: Page) -> None:
    strip = tab.locator(".strip")
    for width, height in ((1280, 720), (1440, 900), (1024, 768), (768, 1024)):
        tab.set_viewport_size({"width": width, "height": height})
        eventually(tab, lambda width=width: strip.evaluate("(e) => e.clientWidth") == width)  # edge to edge
        for tab_name in ("Segment", "Transcript"):
            tab.get_by_role("tab", name=tab_name).click()
            eventually(tab, lambda: tab.evaluate(OVERFLOW) == [])  # nothing scrolls but the panel's inside
            eventually(tab, lambda: tab.evaluate(OUTSIDE) == [])
        assert tab.evaluate(ROOM_FOR_LINES) >= 5


STATES = """async (state) => {
  const { setJob, store, setView, want } = await import(new URL('studio/static/store.js', location.href));
  const preview = { ...store.view.preview, stale: state === 'old', composes: false };
  want('long'); // what the server says of the project meanwhile changes nothing
  setView({ ...store.view, id: 'long', title: 'The whole festival with all of its speeches, second cut', preview });
  const working = { state: 'running', kind: 'mix', stage: 'classify', overall: 0.37, remaining: 84 };
  setJob(state === 'working' ? { ...working, note: 'sentence 12 of 37' } : { state: 'idle' });
}"""
SAID = """() => {
  const row = document.querySelector('.bar .doing').getBoundingClientRect();
  return [...document.querySelectorAll('.bar .doing span')].map((part) => {
    const { left, right, top, bottom } = part.getBoundingClientRect();
    if (top > row.bottom - 5) return null;
    const isWhole = left >= row.left && right <= Math.min(row.right, innerWidth) && bottom <= row.bottom;
    return isWhole ? part.textContent : 'cut';
  });
}"""
PLACES = """() => [...document.querySelectorAll('.controls > *, .controls .switch button, .bar > :is(.btn, .title)')]
  .map((e) => Math.round(e.getBoundingClientRect().x))"""
TOLD = ["37%", "~85 s left", "Reading emotions", "12 of 37"]


def test_what_the_studio_says_is_read_at_every_width_and_moves_nothing(tab: Page) -> None:
    for width, least in ((1440, 4), (1280, 2), (1024, 2), (768, 2), (390, 2)):
        tab.set_viewport_size({"width": width, "height": 844})
        tab.evaluate(STATES, "idle")
        places = tab.evaluate(PLACES)
        tab.evaluate(STATES, "working")
        seen = [TOLD[:n] + [None] * (4 - n) for n in range(least, 5)]
        eventually(tab, lambda seen=seen: tab.evaluate(SAID) in seen)
        assert tab.evaluate(PLACES) == places, width
        tab.evaluate(STATES, "old")
        expect(tab.locator(".old-mix")).to_have_text("music out of date")
        assert tab.evaluate(PLACES) == places, width
    tab.evaluate(STATES, "working")
    tab.locator(".bar .doing").click()
    expect(tab.locator(".bar .doing")).to_have_attribute("aria-expanded", "true")


OUTSIDE = """() => ['header.bar', '.player video', '.panel', '.strip'].filter((part) => {
  const { left, top, right, bottom } = document.querySelector(part).getBoundingClientRect();
  return left < 0 || top < 0 || right > innerWidth || bottom > innerHeight;
})"""
ROOM_FOR_LINES = """() => {
  const list = document.querySelector('.lines');
  const least = Math.min(...[...list.children].map((line) => line.offsetHeight));
  return list.clientHeight / least;
}"""
OVERFLOW = """() => [...document.querySelectorAll('html, .bgm-studio, .bgm-steps, .bar, .player, .panel')]
  .filter((e) => e.scrollHeight > e.clientHeight + 1 || e.scrollWidth > e.clientWidth + 1)
  .map((e) => [e.className, e.scrollWidth, e.clientWidth, e.scrollHeight, e.clientHeight])"""


def touch_drag(tab: Page, x: float, y: float, by: float) -> None:
    client = tab.context.new_cdp_session(tab)

    def send(kind: str, points: list[dict[str, float]]) -> None:
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    send("touchStart", [{"x": x, "y": y}])
    for part in range(1, 6):
        send("touchMove", [{"x": x + by * part / 5, "y": y}])
    send("touchEnd", [])


def test_korean(chromium: Browser, open_tab: Open, project: str) -> None:
    korean = chromium.new_context(locale="ko-KR", viewport={"width": 1400, "height": 1000})
    try:
        tab = open_tab(korean, project)
        expect(tab.locator(".seg .name").first).to_have_text("기쁨")
        expect(tab.locator("[data-step=render] b")).to_have_text("영상 만들기")
        untranslated = tab.evaluate("() => document.querySelector('main').innerText.match(/[a-z]+_[a-z_]+/g)")
        assert untranslated is None
        tab.get_by_role("button", name="English").click()
        expect(tab.locator(".seg .name").first).to_have_text("joy")
    finally:
        korean.close()


def test_text_can_be_read_in_both_themes(tab: Page) -> None:
    def readable() -> bool:
        pairs = tab.evaluate(COLOURS)
        return len(pairs) > 20 and all(contrast(text, ground) >= 4.5 for text, ground, _ in pairs)  # WCAG 2 AA

    is_dark = tab.evaluate("() => document.body.classList.contains('dark')")
    eventually(tab, readable)
    tab.get_by_role("button", name="Light or dark").click()
    tab.wait_for_function(f"() => document.body.classList.contains('dark') === {str(not is_dark).lower()}")
    eventually(tab, readable)


COLOURS = """() => {
  const numbers = (color) => {
    const found = color.match(/[\\d.]+/g).map(Number);
    return color.startsWith('color(') ? found.map((v, i) => (i < 3 ? v * 255 : v)) : found;
  };
  const opacity = (element) => {
    let product = 1;
    for (let e = element; e; e = e.parentElement) product *= Number(getComputedStyle(e).opacity);
    return product;
  };
  const ground = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const color = numbers(getComputedStyle(e).backgroundColor);
      if (color.length === 3 || color[3] > 0.5) return color.slice(0, 3);
    }
    return [255, 255, 255];
  };
  return [...document.querySelectorAll('.bgm-studio *, .bgm-steps *')]
    .filter((e) => e.offsetParent && !e.closest(':disabled') && !e.closest('svg') )
    .filter((e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()))
    .map((e) => {
      const below = ground(e);
      const shown = opacity(e);
      const own = numbers(getComputedStyle(e).color).slice(0, 3);
      return [own.map((c, i) => c * shown + below[i] * (1 - shown)), below, `${e.className}: ${e.textContent}`];
    });
}"""


def luminance(rgb: list[float]) -> float:
    linear = [c / 255 / 12.92 if c / 255 <= 0.04045 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in rgb]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: list[float], other: list[float]) -> float:
    """WCAG 2's contrast ratio."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


MISNAMED = """() => [...document.querySelectorAll('main :is(button, a)[aria-label]')].filter((e) => e.offsetParent)
  .map((e) => {
    const seen = e.cloneNode(true);
    seen.querySelectorAll('[aria-hidden=true]').forEach((hidden) => hidden.remove());
    return [e.getAttribute('aria-label'), seen.textContent.trim()];
  })
  .filter(([name, text]) => !name.toLowerCase().includes(text.toLowerCase()))"""


def test_a_control_is_called_what_is_written_on_it(tab: Page) -> None:
    """WCAG 2.5.3: who speaks to the page says what is seen."""
    assert tab.evaluate(MISNAMED) == []
    tab.get_by_role("button", name="한국어").click()
    expect(tab.locator(".seg .name").first).to_have_text("기쁨")
    assert tab.evaluate(MISNAMED) == []


def test_the_first_paint_needs_no_other_host(chromium: Browser, page: Studio) -> None:
    context = chromium.new_context()
    try:
        tab = context.new_page()
        asked: list[str] = []
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto(page.blocks.local_url)
        tab.locator(".ways .btn").first.wait_for()
        expect(tab.get_by_role("button", name="Export")).to_have_count(0)  # the editor's bar comes with a video
        home = page.blocks.local_url
        assert [url for url in asked if not url.startswith((home, "data:", "blob:"))] == []
    finally:
        context.close()


def test_no_hint_is_cut_and_all_stand_in_a_sheet(tab: Page) -> None:
    for width in (1440, 1280, 1024):
        tab.set_viewport_size({"width": width, "height": 768})
        eventually(tab, lambda: tab.evaluate(HALF_SEEN) == [])
        expect(tab.locator(".keys span").first).to_be_in_viewport()
    tab.get_by_role("button", name="Keys").click()
    expect(tab.get_by_role("dialog", name="Keys").get_by_role("listitem")).to_have_count(
        tab.locator(".hints .keys span").count()
    )


HALF_SEEN = """() => {
  const { right, bottom } = document.querySelector('.hints .keys').getBoundingClientRect();
  const cut = (box) => (box.left < right && box.right > right + 1) || (box.top < bottom - 1 && box.bottom > bottom + 1);
  const hints = [...document.querySelectorAll('.hints .keys span')];
  return hints.filter((e) => cut(e.getBoundingClientRect())).map((e) => e.textContent);
}"""


def test_on_a_phone_language_and_theme_are_in_the_settings(chromium: Browser, open_tab: Open, project: str) -> None:
    phone = chromium.new_context(locale="en-US", viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    try:
        tab = open_tab(phone, project)
        tab.locator("[data-sheet=settings]").tap()
        sheet = tab.get_by_role("dialog", name="Settings")
        sheet.get_by_role("button", name="Light or dark").tap()
        assert tab.evaluate("() => document.body.classList.contains('dark')")
        sheet.get_by_role("button", name="한국어").tap()
        expect(tab.locator("#bgm-tab-segment")).to_have_text("구간")
    finally:
        phone.close()
