"""The timeline under eyes, wheel and keys: everything agrees on where a moment is, and on which segment is meant."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from bgm.project import Project
from tests.browser.waiting import WAIT, eventually, saved

Truth = Callable[[str], Project]
AT = "() => document.querySelector('.player video').currentTime"
SCROLLED = "() => { const s = document.querySelector('.scroller'); return [s.scrollLeft, s.scrollWidth] }"
LONG = """async ([seconds, count]) => {
  const { setView, store, want } = await import(new URL('studio/static/store.js', location.href));
  want(`long ${count}`);
  const step = seconds / count;
  const at = (i) => (i >= count ? seconds : i * step);
  const pattern = store.view.segments[0];
  const segments = [...Array(count).keys()].map((i) => ({ ...pattern, id: `s${i + 1}`, start: at(i), end: at(i + 1) }));
  const utterances = segments.map(({ start, end }, i) => (
    { start: start + step * 0.2, end: end - step * 0.2, text: 'words', english: 'words',
      scores: [0, 0, 0, i % 2, 1 - (i % 2), 0, 0] }));
  setView({ ...store.view, id: `long ${count}`, duration: seconds, segments, utterances });
}"""
# Where each row shows the same moments: the left edges of the utterance, of the segment and of its music with the given
# number, the playhead. On a canvas the nearest column where paint begins is looked for: a curve at full height and the
# ground of the words begin with the utterance, the ground of the music one pixel after the segment.
PLACES = """(number) => {
  const left = (e) => e.getBoundingClientRect().left;
  const { start, end } = document.querySelectorAll('.seg')[number].segment;
  const scroller = document.querySelector('.scroller');
  const inner = document.querySelector('.inner');
  const x = (time) => (time / Number(inner.dataset.duration)) * inner.clientWidth - scroller.scrollLeft;
  const begins = (selector, y, wanted, solid) => {
    const canvas = document.querySelector(selector);
    const ratio = canvas.width / canvas.getBoundingClientRect().width;
    const from = Math.max(0, Math.round((wanted - 12) * ratio));
    const row = canvas.getContext('2d').getImageData(from, y * ratio, 24 * ratio, 1).data;
    const edges = [...Array(Math.floor(24 * ratio)).keys()].slice(1)
      .filter((column) => row[column * 4 + 3] > solid && row[column * 4 - 1] <= solid)
      .map((column) => (from + column) / ratio);
    return left(canvas) + edges.sort((a, b) => Math.abs(a - wanted) - Math.abs(b - wanted))[0];
  };
  const spoken = x(start + (end - start) * 0.2);
  const box = document.querySelectorAll('.seg')[number].getBoundingClientRect();
  return {
    curve: begins('.plot', document.querySelector('.plot').clientHeight - 58, spoken, 200),
    words: begins('canvas.voice', 4, spoken, 9),
    music: begins('canvas.music', 3, x(start), 9) - 1,
    block: box.left + box.width * 0.2,
    begin: box.left,
    playhead: left(document.querySelector('.timeline .playhead')) + 1,
    now: left(scroller) + x(document.querySelector('.player video').currentTime),
    wide: [...document.querySelectorAll('.plot, .voice, .music')].map((e) => e.getBoundingClientRect().width)
      .concat(scroller.clientWidth),
  };
}"""


def settled(tab: Page) -> None:
    """Two frames: what a scroll asked for is drawn."""
    tab.evaluate("() => new Promise((f) => requestAnimationFrame(() => requestAnimationFrame(f)))")


def seek(tab: Page, time: float) -> None:
    tab.evaluate(f"() => {{ document.querySelector('.player video').currentTime = {time} }}")
    tab.wait_for_function(f"() => Math.abs(document.querySelector('.player video').currentTime - {time}) < 0.01")


def middle_of(part: Locator, share: float = 0.5) -> tuple[float, float]:
    box = part.bounding_box()
    assert box
    return box["x"] + box["width"] * share, box["y"] + box["height"] / 2


def test_typing_in_any_text_is_no_shortcut(tab: Page, project: str, truth: Truth) -> None:
    before = truth(project).segments
    line = tab.get_by_role("textbox", name="Words", exact=True).nth(1)
    line.click()
    tab.keyboard.press("End")
    tab.keyboard.type(" my friends sing along now 1 4 7")
    expect(line).to_have_text(
        "I miss her so much, I cried the whole night, it is so sad. my friends sing along now 1 4 7"
    )
    tab.keyboard.press("Escape")
    tab.evaluate("""() => {
      const host = document.createElement('div');
      host.id = 'foreign';
      host.attachShadow({ mode: 'open' }).innerHTML = '<p contenteditable="" tabindex="0">a</p>';
      document.body.append(host);
      host.shadowRoot.querySelector('p').focus();
    }""")
    tab.keyboard.type("slnm 4")
    assert tab.evaluate("() => document.querySelector('#foreign').shadowRoot.textContent.includes('slnm')")
    line.click()
    keys = tab.context.new_cdp_session(tab)
    for part in ("ㄴ", "나", "난", "나느", "나는"):  # as an input method composes Korean letter by letter
        keys.send("Input.dispatchKeyEvent", {"type": "rawKeyDown", "windowsVirtualKeyCode": 229, "key": "Process"})
        keys.send("Input.imeSetComposition", {"text": part, "selectionStart": len(part), "selectionEnd": len(part)})
    keys.send("Input.insertText", {"text": "나는"})
    expect(line).to_contain_text("나는")
    tab.keyboard.press("Escape")
    assert truth(project).segments == before
    assert tab.evaluate("() => document.querySelector('.player video').paused")
    expect(tab.locator(".seg")).to_have_count(4)


def test_keys_of_an_input_method_are_no_shortcuts(tab: Page, project: str, truth: Truth) -> None:
    before = truth(project).segments
    for how in ("isComposing: true", "keyCode: 229"):
        tab.evaluate(f"() => document.dispatchEvent(new KeyboardEvent('keydown', {{ key: 's', {how} }}))")
        tab.evaluate(
            f"() => document.body.dispatchEvent(new KeyboardEvent('keydown', {{ key: '4', bubbles: true, {how} }}))"
        )
    expect(tab.locator(".timeline .message")).to_be_empty()
    assert truth(project).segments == before


def test_every_row_shows_a_moment_at_the_same_place(tab: Page) -> None:
    for seconds, count in ((20.5, 4), (450, 40), (5400, 300)):
        tab.set_viewport_size({"width": 1400, "height": 1300})
        every_row_agrees(tab, seconds, count)


def every_row_agrees(tab: Page, seconds: float, count: int) -> None:
    tab.evaluate(LONG, [seconds, count])
    expect(tab.locator(".seg")).to_have_count(count)
    seek(tab, 10.0)
    number = 2
    for turns in (0, 1, 3, 60):
        x, y = tab.evaluate(
            "(n) => { const b = document.querySelectorAll('.seg')[n].getBoundingClientRect();"
            " return [b.left + b.width * 0.2, b.top + 20] }",
            number,
        )
        tab.mouse.move(x, y)
        tab.keyboard.down("Control")
        for _ in range(min(turns, 8)):
            tab.mouse.wheel(0, -100 * turns)
        tab.keyboard.up("Control")
        settled(tab)
        places = tab.evaluate(PLACES, number)
        assert places["words"] == pytest.approx(places["curve"], abs=2), turns
        assert places["block"] == pytest.approx(places["curve"], abs=2), turns
        assert places["music"] == pytest.approx(max(0, places["begin"]), abs=2), turns
        assert places["playhead"] == pytest.approx(places["now"], abs=2), turns
        assert max(places["wide"]) - min(places["wide"]) <= 1, "no row is stretched"
    tab.set_viewport_size({"width": 1101, "height": 900})
    settled(tab)
    places = tab.evaluate(PLACES, number)
    assert places["block"] == pytest.approx(places["curve"], abs=2)
    assert max(places["wide"]) - min(places["wide"]) <= 1


def test_pictures_stand_under_the_ruler(tab: Page) -> None:
    """They come by themselves, and closer ones after a zoom; the ground in their place is not opaque."""
    seen = """() => {
      const canvas = document.querySelector('.plot');
      const ratio = canvas.width / canvas.clientWidth;
      const row = canvas.getContext('2d').getImageData(0, 36 * ratio, canvas.width, 1).data;
      const opaque = [...Array(canvas.width).keys()].filter((x) => row[x * 4 + 3] === 255);
      return opaque.length > 0.9 * canvas.width;
    }"""
    tab.wait_for_function(seen)
    with tab.expect_response(lambda answer: "/film/0/" in answer.url and answer.status == 200):
        for _ in range(8):
            tab.get_by_role("button", name="Zoom in").click()
    tab.wait_for_function(seen)


def drag(tab: Page, slider: Locator, *, right: float = 0.0, down: float = 0.0) -> None:
    """By its middle, in pixels."""
    x, y = middle_of(slider)
    tab.mouse.move(x, y)
    tab.mouse.down()
    tab.mouse.move(x + right, y + down, steps=4)
    tab.mouse.up()


def test_the_ends_of_a_line_are_dragged_and_moved_by_keys(tab: Page, project: str, truth: Truth) -> None:
    seek(tab, 2.0)
    end = tab.get_by_role("slider", name="Line 1: End")
    drag(tab, end, right=300)
    expect(end).to_have_attribute("aria-valuenow", "5.20")  # as far as the next line
    assert tab.evaluate("() => document.querySelector('.range').hidden"), "no stretch was marked"
    end.press("ArrowLeft")
    end.press("ArrowLeft")
    expect(end).to_have_attribute("aria-valuenow", "5.00")
    tab.get_by_role("slider", name="Line 1: Start").press("Shift+ArrowRight")
    saved(tab)
    lines = truth(project).utterances
    assert (lines[0].start, lines[0].end) == (1.5, 5.0) and lines[1].start == 5.2
    for wanted in ("0.50", "0.50", "0.50"):
        tab.get_by_role("button", name="Undo (Ctrl+Z)").click()
        expect(tab.get_by_role("slider", name="Line 1: Start")).to_have_attribute("aria-valuenow", wanted)
    saved(tab)
    assert truth(project).utterances[0].end == 4.6


def test_the_wheel_is_the_pages_and_zooms_and_pans_with_a_key(tab: Page) -> None:
    tab.evaluate("() => window.addEventListener('wheel', (event) => { window.taken = event.defaultPrevented })")
    tab.mouse.move(*middle_of(tab.locator(".strip"), 0.6))
    before = tab.evaluate(SCROLLED)
    tab.mouse.wheel(0, -120)
    tab.wait_for_function("() => window.taken === false")
    assert tab.evaluate(SCROLLED) == before
    width = tab.evaluate(SCROLLED)[1]
    tab.mouse.move(*middle_of(tab.locator(".plot"), 0.6))
    for key in ("Control", "Alt"):
        tab.keyboard.down(key)
        tab.mouse.wheel(0, -300)
        tab.keyboard.up(key)
        tab.wait_for_function(f"() => document.querySelector('.scroller').scrollWidth > {width} * 1.3")
        width = tab.evaluate(SCROLLED)[1]
    left = tab.evaluate(SCROLLED)[0]
    tab.keyboard.down("Shift")
    tab.mouse.wheel(0, 100)
    tab.keyboard.up("Shift")
    tab.wait_for_function(f"() => document.querySelector('.scroller').scrollLeft >= {left} + 80")
    assert tab.evaluate(SCROLLED)[1] == width


def test_nothing_moves_under_a_click(tab: Page, project: str, truth: Truth) -> None:
    """Segments with much and with little to show, a refusal, a step that runs: the strip stays where it is."""
    tab.set_viewport_size({"width": 1440, "height": 900})
    tab.locator(".seg").first.scroll_into_view_if_needed()
    place = "() => { const b = document.querySelector('.strip').getBoundingClientRect(); return b.top + scrollY }"
    before = tab.evaluate(place)
    for number in (1, 3):
        tab.mouse.click(*middle_of(tab.locator(".seg").nth(number)))
        tab.keyboard.press("n" if number == 1 else "6")
        settled(tab)
        assert tab.evaluate(place) == before
    seek(tab, 0.05)
    tab.keyboard.press("s")
    expect(tab.locator(".timeline .message")).to_contain_text("can be split only")
    assert tab.evaluate(place) == before
    expect(tab.locator(".seg.stale, .seg.composing")).to_have_count(0, timeout=WAIT)
    assert tab.evaluate(place) == before, "what is composed by itself moves nothing"
    tab.locator(".seg").first.scroll_into_view_if_needed()
    x, y = middle_of(tab.locator(".seg").nth(2), 0.3)
    tab.mouse.dblclick(x, y)
    expect(tab.locator(".seg")).to_have_count(5)
    assert tab.evaluate(place) == before


def test_keys_act_on_what_is_under_the_playhead(tab: Page, project: str, truth: Truth) -> None:
    names = tab.locator(".seg .name")
    tab.locator(".line .when").nth(2).click()  # a line of the transcript, in the third segment
    expect(tab.locator(".panel h2")).to_have_text("anger")
    tab.keyboard.press("7")
    expect(names).to_have_text(["joy", "sadness", "surprise", "fear"])
    tab.mouse.click(*middle_of(tab.locator(".plot"), 0.35))  # the curves, over the second
    expect(tab.locator(".panel h2")).to_have_text("sadness")
    tab.keyboard.press("2")
    expect(names).to_have_text(["joy", "disgust", "surprise", "fear"])
    tab.locator("body").press("Shift+ArrowRight")  # five seconds on
    expect(tab.locator(".panel h2")).to_have_text("surprise")
    seek(tab, 16.0)  # as the video's own slider does
    expect(tab.locator(".seg[aria-selected=true] .name")).to_have_text("fear")


def test_the_selection_goes_with_the_video_but_not_away_from_a_field(tab: Page, project: str, truth: Truth) -> None:
    tab.locator(".seg").nth(1).click()
    prompt = tab.get_by_label("In your words (optional)")
    prompt.fill("solo piano")
    seek(tab, 16.0)
    expect(tab.locator(".panel h2")).to_have_text("sadness")
    expect(prompt).to_have_value("solo piano")
    prompt.blur()
    expect(tab.locator(".panel h2")).to_have_text("fear")
    eventually(tab, lambda: [s.prompt for s in truth(project).segments] == ["", "solo piano", "", ""])


def test_a_segment_that_was_played_stays_selected(tab: Page, project: str, truth: Truth) -> None:
    second = truth(project).segments[1]
    tab.locator(".seg").nth(1).click()
    tab.evaluate("() => { document.querySelector('.player video').playbackRate = 4 }")
    tab.get_by_role("button", name="Play this segment").first.click()
    tab.wait_for_function(f"() => document.querySelector('.player video').currentTime > {second.end - 0.05}")
    tab.wait_for_function("() => document.querySelector('.player video').paused")
    expect(tab.locator(".seg[aria-selected=true] .name")).to_have_text("sadness")
    later = tab.get_by_role("button", name="Start this segment 0.1 s later")
    for _ in range(3):
        later.click()
    assert tab.evaluate(AT) == pytest.approx(second.start + 0.3, abs=0.02), "the playhead goes with the boundary"
    expect(tab.locator(".seg[aria-selected=true] .name")).to_have_text("sadness")


def test_the_creators_words_are_answered(tab: Page, project: str) -> None:
    tab.get_by_role("tab", name="Segment").click()
    prompt, answer = tab.get_by_label("In your words (optional)"), tab.locator(".fields .read")
    expect(answer).to_be_empty()
    prompt.fill("warm strings, slow, hopeful")
    prompt.blur()
    expect(answer).to_have_text("Understood: warm · strings · slow · hopeful.")
    prompt.fill("no brass please, like a walk in the rain")
    prompt.blur()
    expect(answer).to_have_text("Understood: no brass. Not understood: walk in the rain.")
    prompt.fill("purple elephants")
    prompt.blur()
    expect(answer).to_contain_text("Not understood: purple elephants. The composer knows styles, instruments")


def test_a_marked_range_is_painted(tab: Page, project: str, truth: Truth) -> None:
    plot = tab.locator(".plot").bounding_box()
    assert plot
    x, y = plot["x"] + plot["width"] * 6 / 20.48, plot["y"] + 60
    tab.mouse.move(x, y)
    tab.mouse.down()
    tab.mouse.move(x + plot["width"] * 2 / 20.48, y, steps=5)
    tab.mouse.up()
    expect(tab.locator(".range")).to_be_visible()
    tab.keyboard.press("7")
    expect(tab.locator(".seg .name")).to_have_text(["joy", "sadness", "surprise", "sadness", "anger", "fear"])
    expect(tab.locator(".range")).to_be_hidden()
    saved = [(s.emotion, s.start, s.end) for s in truth(project).segments if s.emotion == "surprise"]
    assert saved == [("surprise", pytest.approx(6, abs=0.2), pytest.approx(8, abs=0.2))]
    tab.keyboard.press("Control+z")
    expect(tab.locator(".seg")).to_have_count(4)
    seek(tab, 11.0)
    tab.keyboard.press("i")
    tab.mouse.click(plot["x"] + plot["width"] * 13 / 20.48, y)
    expect(tab.locator(".range")).to_contain_text("9.5 s, 1–7 paints it")
    seek(tab, 13.0)
    tab.keyboard.press("o")
    expect(tab.locator(".range")).to_contain_text("2.0 s")
    tab.keyboard.press("4")
    expect(tab.locator(".seg .name")).to_have_text(["joy", "sadness", "anger", "joy", "anger", "fear"])
    tab.keyboard.press("i")
    tab.keyboard.press("Escape")
    expect(tab.locator(".range")).to_be_hidden()


def test_transport_keys_and_speed(tab: Page) -> None:
    seek(tab, 5.0)
    tab.keyboard.press(".")
    assert tab.evaluate(AT) == pytest.approx(5 + 1 / 30, abs=0.005)
    tab.keyboard.press(",")
    assert tab.evaluate(AT) == pytest.approx(5, abs=0.005)
    tab.keyboard.press("l")
    tab.wait_for_function("() => !document.querySelector('.player video').paused")
    tab.keyboard.press("l")
    expect(tab.get_by_label("Playback speed")).to_have_value("1.5")
    tab.keyboard.press("j")
    expect(tab.get_by_label("Playback speed")).to_have_value("1")
    tab.keyboard.press("k")
    tab.wait_for_function("() => document.querySelector('.player video').paused")
    tab.get_by_label("Playback speed").select_option("2")
    assert tab.evaluate("() => document.querySelector('.player video').playbackRate") == 2


def test_the_next_uncertain_segment_is_found(tab: Page) -> None:
    tab.evaluate("""async () => {
      const { setView, store } = await import(new URL('studio/static/store.js', location.href));
      const sure = [1, 0.6, 0.4, 0.99];
      setView({ ...store.view, segments: store.view.segments.map((s, i) => ({ ...s, confidence: sure[i] })) });
    }""")
    for wanted in ("anger", "sadness", "anger"):
        tab.keyboard.press("u")
        expect(tab.locator(".seg[aria-selected=true] .name")).to_have_text(wanted)


def test_the_music_lane_has_level_and_takes(tab: Page, project: str, truth: Truth) -> None:
    level = tab.get_by_role("slider", name="Level of sadness")
    drag(tab, level, down=8)
    expect(level).not_to_have_attribute("aria-valuenow", "0")
    told = float(level.get_attribute("aria-valuenow") or 0)
    assert told < -3
    level.press("ArrowUp")
    expect(level).to_have_attribute("aria-valuetext", f"{told + 0.5:.1f} dB")
    eventually(tab, lambda: truth(project).segments[1].gain_db == told + 0.5)
    name = tab.get_by_role("button", name="sadness, take 1")
    name.focus()
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("menuitemradio", name="sadness, take 1")).to_be_focused()
    tab.keyboard.press("Escape")
    expect(name).to_be_focused()
    name.click()
    tab.get_by_role("menuitem", name="Another take").click()
    expect(tab.get_by_role("button", name="sadness, take 2")).to_be_visible(timeout=WAIT)
    assert len(truth(project).segments[1].takes) == 2


def test_the_plus_zooms_at_the_playhead(tab: Page) -> None:
    seek(tab, 15.0)
    place = "() => document.querySelector('.timeline .playhead').getBoundingClientRect().left"
    before = tab.evaluate(place)
    tab.get_by_role("button", name="Zoom in").click()
    settled(tab)
    assert tab.evaluate(place) == pytest.approx(before, abs=2)


def clicked(tab: Page, number: int, key: str = "") -> None:
    tab.locator(".seg").nth(number).click(modifiers=[key] if key else [])  # type: ignore[list-item]


def test_several_segments_take_an_edit_as_one_step(tab: Page, project: str, truth: Truth) -> None:
    names = tab.locator(".seg .name")
    clicked(tab, 1)
    clicked(tab, 3, "Shift")
    chosen = tab.get_by_role("listbox", name="Segments").get_by_role("option", selected=True)
    expect(chosen).to_have_count(3)
    expect(tab.locator(".timeline .message")).to_contain_text("3 segments selected")
    expect(tab.locator(".panel h2")).to_have_text("3 segments")
    tab.keyboard.press("4")
    expect(names).to_have_text(["joy", "joy", "joy", "joy"])
    tab.keyboard.press("Shift+L")
    expect(tab.locator(".seg.locked")).to_have_count(3)
    tab.keyboard.press("Control+z")
    expect(tab.locator(".seg.locked")).to_have_count(0)
    tab.keyboard.press("Control+z")
    expect(names).to_have_text(["joy", "sadness", "anger", "fear"])
    expect(chosen).to_have_count(3)
    tab.keyboard.press("Escape")
    expect(chosen).to_have_count(1)


def test_picked_segments_share_a_level_and_leave_together(tab: Page, project: str, truth: Truth) -> None:
    clicked(tab, 0)
    clicked(tab, 2, "Control")
    expect(tab.locator(".seg[aria-selected=true]")).to_have_count(2)
    tab.get_by_role("slider", name="Level of joy").press("PageDown")
    for name in ("joy", "anger"):
        expect(tab.get_by_role("slider", name=f"Level of {name}")).to_have_attribute("aria-valuenow", "-6")
    expect(tab.get_by_role("slider", name="Level of sadness")).to_have_attribute("aria-valuenow", "0")
    tab.locator(".seg").first.focus()
    tab.keyboard.press("m")
    expect(tab.locator(".timeline .message")).to_contain_text("Only neighbours can be merged")
    tab.keyboard.press("Delete")
    expect(tab.locator(".seg .name")).to_have_text(["sadness", "fear"])
    tab.keyboard.press("Control+z")
    expect(tab.locator(".seg")).to_have_count(4)
    clicked(tab, 1)
    tab.keyboard.press("Shift+ArrowRight")
    expect(tab.locator(".seg[aria-selected=true]")).to_have_count(2)
    tab.keyboard.press("m")
    expect(tab.locator(".seg")).to_have_count(3)
    tab.keyboard.press("Control+z")
    expect(tab.locator(".seg .name")).to_have_text(["joy", "sadness", "anger", "fear"])


def test_a_dragged_boundary_shows_to_what_it_snaps(tab: Page, project: str, truth: Truth) -> None:
    seek(tab, 8.5)
    handle = tab.get_by_role("slider", name="Boundary between sadness and anger").bounding_box()
    strip = tab.locator(".strip").bounding_box()
    assert handle and strip
    y, a_second = handle["y"] + 30, strip["width"] / truth(project).duration
    tab.mouse.move(handle["x"] + handle["width"] / 2, y)
    tab.mouse.down()
    for time, name in ((9.4, "line"), (8.5, "playhead"), (10.1, "line")):
        tab.mouse.move(strip["x"] + time * a_second + 3, y, steps=3)
        line = tab.locator(".snap-line")
        expect(line).to_be_visible()
        expect(line).to_have_attribute("data-name", name)
        box = line.bounding_box()
        assert box and box["x"] == pytest.approx(strip["x"] + time * a_second, abs=1.5)
    tab.mouse.up()
    expect(tab.locator(".snap-line")).to_be_hidden()
    expect(tab.get_by_role("slider", name="Boundary between sadness and anger")).to_have_attribute(
        "aria-valuenow", "10.10"
    )


def test_a_fade_is_dragged_and_heeded(tab: Page, project: str, truth: Truth) -> None:
    knob = tab.get_by_role("slider", name="Fade in of sadness")
    strip = tab.locator(".strip").bounding_box()
    assert strip
    drag(tab, knob, right=2 * strip["width"] / 20.5)
    expect(knob).to_have_attribute("aria-valuetext", "2.0 s")
    knob.press("Shift+ArrowRight")
    knob.press("ArrowLeft")
    expect(knob).to_have_attribute("aria-valuetext", "2.9 s")
    out = tab.get_by_role("slider", name="Fade out of sadness")
    out.press("ArrowUp")
    expect(out).to_have_attribute("aria-valuetext", "0.1 s")
    tab.get_by_role("button", name="Undo (Ctrl+Z)").click()
    expect(out).to_have_attribute("aria-valuetext", "0.0 s")
    second = truth(project).segments[1]
    assert (second.fade_in, second.fade_out) == (2.9, 0)
