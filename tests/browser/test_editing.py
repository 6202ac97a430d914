"""The timeline under the mouse and the keys; what Python has afterwards is what counts."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from bgm.project import Project
from bgm.timeline import Segment
from bgm.ui.jobs import Job
from bgm.ui.page import Page as Studio
from tests.browser.waiting import WAIT, eventually, saved

Truth = Callable[[str], Project]
DRAWN = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
NAMELESS = """() => [...document.querySelectorAll('main button, main [role=slider], main input')]
  .filter(e => e.offsetParent)
  .filter(e => !(e.getAttribute('aria-label') || e.title || e.textContent.trim() || e.labels?.length))
  .map(e => e.outerHTML)"""


@pytest.fixture
def gestures(page: Studio, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """Every gesture that reached Python."""
    heard: list[dict[str, Any]] = []
    edit = type(page.service).edit

    def counting(service: object, project_id: object, sent: list[dict[str, Any]]) -> Any:
        heard.extend(sent)
        return edit(page.service, project_id, sent)

    monkeypatch.setattr(type(page.service), "edit", counting)
    yield heard


class Ended:
    """An observer that keeps which jobs are over: a quick one is, before the page can be seen to wait for it."""

    def __init__(self) -> None:
        self.jobs: list[tuple[str, str]] = []

    def queued(self, job: Job) -> None: ...

    def started(self, job: Job) -> None: ...

    def ended(self, job: Job, result: object, error: BaseException | None) -> None:
        self.jobs.append((job.kind, job.project_id))


def segments(truth: Truth, project: str) -> tuple[Segment, ...]:
    return truth(project).segments


def drawn(found: tuple[Segment, ...]) -> list[Segment]:
    """Without the takes: what was composed for a moment's emotion stays in the list."""
    return [replace(s, takes=()) for s in found]


def middle(handle: Locator) -> tuple[float, float]:
    box = handle.bounding_box()
    assert box
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def pixels(tab: Page, seconds: float) -> float:
    return float(tab.evaluate("() => document.querySelector('.strip').clientWidth")) * seconds / 20


def drag(tab: Page, handle: Locator, seconds: float, alt: bool = False) -> None:
    x, y = middle(handle)
    tab.mouse.move(x, y)
    tab.mouse.down()
    if alt:
        tab.keyboard.down("Alt")
    for part in range(1, 9):
        tab.mouse.move(x + pixels(tab, seconds) * part / 8, y)
    tab.evaluate(DRAWN)
    tab.mouse.up()
    if alt:
        tab.keyboard.up("Alt")


def test_a_dragged_boundary_moves_both_neighbours_once_and_snaps(
    tab: Page, project: str, truth: Truth, gestures: list[dict[str, Any]]
) -> None:
    old = segments(truth, project)
    handle = tab.locator(".handle").nth(1)
    drag(tab, handle, 12.03 - old[2].start)
    eventually(tab, lambda: segments(truth, project)[2].start != old[2].start)
    new = segments(truth, project)
    assert new[1].end == new[2].start == pytest.approx(12.0, abs=0.1)  # it snaps: to the second, or a word's edge
    assert (new[0], new[3]) == (old[0], old[3])
    assert len(gestures) == 1
    assert abs(tab.evaluate("() => document.querySelector('.player video').currentTime") - 12.0) < 0.2
    drag(tab, handle, 10.13 - new[2].start)
    eventually(tab, lambda: segments(truth, project)[2].start == pytest.approx(10.1))
    drag(tab, handle, 0.06, alt=True)
    eventually(tab, lambda: segments(truth, project)[2].start == pytest.approx(10.16, abs=0.02))
    assert len(gestures) == 3


def test_the_picture_follows_while_the_boundary_is_dragged(tab: Page) -> None:
    x, y = middle(tab.locator(".handle").first)
    tab.mouse.move(x, y)
    tab.mouse.down()
    tab.mouse.move(x + pixels(tab, 2), y, steps=4)
    tab.wait_for_function("() => Math.abs(document.querySelector('.player video').currentTime - 7) < 0.8")
    expect(tab.locator(".drag-label")).to_be_visible()
    tab.keyboard.press("Escape")
    tab.mouse.up()
    expect(tab.locator(".drag-label")).to_be_hidden()


def test_a_boundary_is_moved_by_keys(tab: Page, project: str, truth: Truth) -> None:
    start = segments(truth, project)[1].start
    handle = tab.get_by_role("slider", name="Boundary between joy and sadness")
    handle.focus()
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("Shift+ArrowRight")
    eventually(tab, lambda: segments(truth, project)[1].start == pytest.approx(start + 1.2))
    expect(handle).to_be_focused()
    assert float(handle.get_attribute("aria-valuenow") or 0) == pytest.approx(start + 1.2, abs=0.01)


def test_arrows_walk_through_the_segments(tab: Page) -> None:
    tab.locator(".seg").first.focus()
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("ArrowRight")
    expect(tab.locator(".seg").nth(2)).to_be_focused()
    expect(tab.locator(".panel h2")).to_have_text("anger")


def test_keys_for_emotion_silence_lock_split_merge_and_undo(tab: Page, project: str, truth: Truth) -> None:
    before = segments(truth, project)
    tab.locator(".seg").nth(1).click()
    tab.keyboard.press("4")
    tab.keyboard.press("n")
    tab.keyboard.press("Shift+l")
    tab.keyboard.press("s")
    eventually(tab, lambda: len(segments(truth, project)) == 5)
    second = segments(truth, project)[1]
    assert (second.emotion, second.silent, second.locked, second.source) == ("joy", True, True, "user")
    tab.keyboard.press("m")  # the way back
    eventually(tab, lambda: len(segments(truth, project)) == 4)
    assert [(s.id, s.start, s.end) for s in segments(truth, project)] == [(s.id, s.start, s.end) for s in before]
    for _ in range(5):
        tab.keyboard.press("Control+z")
    eventually(tab, lambda: drawn(segments(truth, project)) == drawn(before))
    tab.keyboard.press("Control+Shift+z")
    eventually(tab, lambda: segments(truth, project)[1].emotion == "joy")
    tab.keyboard.press("m")
    eventually(tab, lambda: len(segments(truth, project)) == 3)
    tab.keyboard.press("Control+z")
    eventually(tab, lambda: len(segments(truth, project)) == 4)
    for then, now in zip(before, segments(truth, project), strict=True):
        assert set(then.takes) <= set(now.takes)


def test_everything_has_a_visible_button(tab: Page, project: str, truth: Truth) -> None:
    box = tab.locator(".seg").nth(2).bounding_box()
    assert box
    tab.locator(".seg").nth(2).click(position={"x": 0.8 * box["width"], "y": 40})
    tab.get_by_role("button", name="Split at the playhead (S)").click()
    eventually(tab, lambda: len(segments(truth, project)) == 5)
    tab.get_by_role("button", name="Undo (Ctrl+Z)").click()
    eventually(tab, lambda: len(segments(truth, project)) == 4)
    tab.get_by_role("button", name="Merge at the boundary nearest to the playhead (M)").click()
    eventually(tab, lambda: len(segments(truth, project)) == 3)
    tab.locator(".emotions").get_by_role("button", name="surprise (7)").click()
    tab.get_by_role("button", name="No music in this segment (N)").click()
    tab.get_by_role("button", name="Lock this segment's music (Shift+L)").click()
    start = segments(truth, project)[2].start
    tab.get_by_role("button", name="Start this segment 0.1 s later").click()
    eventually(tab, lambda: segments(truth, project)[2].start == pytest.approx(start + 0.1))
    third = segments(truth, project)[2]
    assert (third.emotion, third.silent, third.locked) == ("surprise", True, True)
    nameless = tab.evaluate(NAMELESS)
    assert nameless == []


def test_a_click_selects_and_seeks_and_a_double_click_splits(tab: Page, project: str, truth: Truth) -> None:
    box = tab.locator(".seg").nth(3).bounding_box()
    assert box
    tab.mouse.click(box["x"] + box["width"] / 2, box["y"] + 40)
    expect(tab.locator(".panel h2")).to_have_text("fear")
    at = tab.evaluate("() => document.querySelector('.player video').currentTime")
    assert at == pytest.approx((segments(truth, project)[3].start + 20) / 2, abs=0.3)
    plot = tab.locator(".plot").bounding_box()
    assert plot
    tab.mouse.click(plot["x"] + plot["width"] / 4, plot["y"] + 80)
    tab.wait_for_function("() => Math.abs(document.querySelector('.player video').currentTime - 5) < 0.2")
    tab.mouse.dblclick(box["x"] + box["width"] / 2, box["y"] + 40)
    eventually(tab, lambda: len(segments(truth, project)) == 5)
    assert segments(truth, project)[4].start == pytest.approx(at, abs=0.3)


def test_an_impossible_split_is_explained_and_changes_nothing(tab: Page, project: str, truth: Truth) -> None:
    before = segments(truth, project)
    tab.evaluate("() => { document.querySelector('.player video').currentTime = 0.05 }")
    tab.wait_for_function("() => Math.abs(document.querySelector('.player video').currentTime - 0.05) < 0.01")
    tab.keyboard.press("s")
    expect(tab.locator(".timeline .message")).to_contain_text("can be split only")
    assert segments(truth, project) == before


def test_zoom_stays_through_an_edit(tab: Page) -> None:
    box = tab.locator(".strip").bounding_box()
    assert box
    tab.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 20)
    tab.keyboard.down("Control")
    for _ in range(4):
        tab.mouse.wheel(0, -300)
    tab.keyboard.up("Control")
    seen = "() => { const s = document.querySelector('.scroller'); return [s.scrollLeft, s.scrollWidth] }"
    eventually(tab, lambda: tab.evaluate(seen)[0] > 0 and tab.evaluate(seen)[1] > 2 * box["width"])
    tab.evaluate(DRAWN)
    zoomed = tab.evaluate(seen)
    tab.keyboard.press("2")
    expect(tab.locator(".bar [aria-label^=Undo]")).to_be_enabled()
    saved(tab)
    tab.evaluate(DRAWN)
    assert tab.evaluate(seen) == zoomed
    tab.get_by_role("button", name="Show the whole video").click()
    assert tab.evaluate(seen)[0] == 0


def test_play_a_segment_stops_at_its_end(tab: Page, project: str, truth: Truth) -> None:
    second = segments(truth, project)[1]
    tab.locator(".seg").nth(1).click()
    tab.evaluate("() => { document.querySelector('.player video').playbackRate = 2 }")
    tab.get_by_role("button", name="Play this segment").first.click()
    tab.wait_for_function(f"() => document.querySelector('.player video').currentTime > {second.end - 0.05}")
    tab.wait_for_function("() => document.querySelector('.player video').paused")
    assert tab.evaluate("() => document.querySelector('.player video').currentTime") < second.end + 1
    played = tab.evaluate(
        "() => new DOMMatrix(getComputedStyle(document.querySelector('.timeline .playhead')).transform).m41"
    )
    assert played == pytest.approx(pixels(tab, second.end), abs=pixels(tab, 1))


def test_the_transcript_is_searched_corrected_and_read_again(tab: Page, project: str, truth: Truth) -> None:
    tab.get_by_role("searchbox", name="Search").fill("dare")
    expect(tab.locator(".line")).to_have_count(1)
    tab.get_by_role("searchbox", name="Search").fill("")
    tab.locator(".line .when").nth(2).click()
    assert tab.evaluate("() => document.querySelector('.player video').currentTime") == pytest.approx(10.1, abs=0.1)
    expect(tab.locator(".line").nth(2)).to_have_attribute("aria-current", "true")
    words = tab.locator(".line .text").nth(2)
    words.click()
    words.fill("I am happy and joyful, I love this wonderful day!")
    tab.keyboard.press("Enter")
    expect(tab.locator(".feeling").nth(2)).to_have_text("joy")
    assert truth(project).utterances[2].text == "I am happy and joyful, I love this wonderful day!"


def test_a_corrected_line_can_be_undone(tab: Page, project: str, truth: Truth) -> None:
    before = truth(project).utterances
    words = tab.locator(".line .text").nth(2)
    words.fill("How kind of you")
    tab.keyboard.press("Enter")
    expect(tab.locator(".feeling").nth(2)).to_have_text("changed")
    tab.get_by_role("button", name="Undo (Ctrl+Z)").click()
    expect(words).to_have_text(before[2].text)
    expect(tab.locator(".feeling").nth(2)).to_have_text("anger")
    assert truth(project).utterances == before
    tab.get_by_role("button", name="Redo (Ctrl+Shift+Z)").click()
    expect(words).to_have_text("How kind of you")


def test_typing_a_prompt_is_no_shortcut(
    tab: Page, project: str, truth: Truth, others: Callable[..., threading.Event]
) -> None:
    others("music")  # nothing is composed meanwhile
    tab.get_by_role("tab", name="Segment").click()
    prompt = tab.get_by_label("In your words (optional)")
    prompt.fill("slow strings")
    prompt.press("s")
    prompt.press("4")
    tab.get_by_role("heading", name="Takes").click()
    eventually(tab, lambda: segments(truth, project)[0].prompt == "slow stringss4")
    assert len(segments(truth, project)) == 4
    expect(tab.locator(".seg").first).to_have_class("seg stale")


def test_a_subtitle_file_takes_the_transcripts_place(tab: Page, project: str, truth: Truth, tmp_path: Path) -> None:
    better = tmp_path / "better.srt"
    better.write_text(
        "1\n00:00:01,000 --> 00:00:08,000\nWow, I can not believe it, what a surprise!\n", encoding="utf-8"
    )
    with tab.expect_file_chooser() as chooser:
        tab.get_by_role("button", name="Use a subtitle file").click()
    chooser.value.set_files(better)
    expect(tab.locator(".line .text")).to_have_text(["Wow, I can not believe it, what a surprise!"])
    assert [u.text for u in truth(project).utterances] == ["Wow, I can not believe it, what a surprise!"]


def test_a_bad_subtitle_file_is_refused_and_changes_nothing(
    tab: Page, project: str, truth: Truth, tmp_path: Path
) -> None:
    before = truth(project).video_path.with_suffix(".srt").read_bytes()
    bad = tmp_path / "bad.srt"
    bad.write_text("no times in here")
    with tab.expect_file_chooser() as chooser:
        tab.get_by_role("button", name="Use a subtitle file").click()
    chooser.value.set_files(bad)
    expect(tab.locator(".transcript .problem")).to_contain_text("bad.srt is not a subtitle file")
    expect(tab.locator(".line")).to_have_count(4)
    assert truth(project).video_path.with_suffix(".srt").read_bytes() == before


def test_lines_of_another_language_take_a_translation(tab: Page, project: str, truth: Truth, tmp_path: Path) -> None:
    korean = tmp_path / "korean.srt"
    korean.write_text("1\n00:00:01,000 --> 00:00:08,000\n오늘 정말 행복해요\n", encoding="utf-8")
    with tab.expect_file_chooser() as chooser:
        tab.get_by_role("button", name="Use a subtitle file").click()
    chooser.value.set_files(korean)
    expect(tab.locator(".line .text")).to_have_text(["오늘 정말 행복해요"])
    english = tab.get_by_role("textbox", name="In English")
    english.click()
    english.fill("I am so happy today, I love it!")
    tab.keyboard.press("Enter")
    expect(tab.locator(".feeling")).to_have_text("joy")
    assert truth(project).utterances[0].text == "오늘 정말 행복해요"


def test_a_decision_of_the_creator_survives_a_new_analysis(tab: Page, page: Studio, project: str, truth: Truth) -> None:
    ended = Ended()
    page.service.jobs.attach(ended)
    tab.locator(".seg").nth(3).click()
    tab.keyboard.press("5")
    tab.get_by_role("button", name="Settings").click()
    shortest = tab.get_by_label("Shortest segment")
    shortest.fill("7")
    eventually(tab, lambda: truth(project).settings.min_segment == 7.0)
    eventually(tab, lambda: ("read_emotions", project) in ended.jobs)  # asked for by the setting
    tab.locator("[data-step=analyze]").click()
    eventually(tab, lambda: ("analyze", project) in ended.jobs)
    assert segments(truth, project)[-1].emotion == "neutral"


def test_the_sound_track_is_chosen_where_there_are_several(tab: Page, project: str, truth: Truth) -> None:
    tab.get_by_role("button", name="Settings").click()
    select = tab.get_by_label("Sound track")
    assert not select.is_visible()
    truth(project).mark("sounds", json.dumps(["1 (Game)", "2 (Mic)"]))
    tab.get_by_label("Lower the music while somebody speaks").click()  # brings the project as it is now
    select.wait_for()
    assert select.locator("option").all_inner_texts() == [
        "The one with speech",
        "1 (Game)",
        "2 (Mic)",
        "All of them, mixed",
    ]
    for value in ("2", "mix", "auto"):
        select.select_option(value)
        eventually(tab, lambda value=value: truth(project).settings.audio_track == value)  # type: ignore[misc]


def test_a_feeling_too_short_to_be_a_segment_is_a_mark_and_a_click_makes_it_one(
    tab: Page, project: str, truth: Truth
) -> None:
    tab.get_by_role("button", name="Settings").click()
    shortest = tab.get_by_label("Shortest segment")
    shortest.fill("30")
    shortest.dispatch_event("change")
    eventually(tab, lambda: truth(project).settings.min_segment == 30.0)
    eventually(tab, lambda: len(segments(truth, project)) == 1)
    expect(tab.locator(".bar .progress")).to_be_hidden(timeout=WAIT)
    expect(tab.locator(".ignored-mark").first).to_be_visible(timeout=WAIT)
    told = tab.locator(".ignored-mark").first.get_attribute("aria-label") or ""
    tab.locator(".ignored-mark").first.click()
    eventually(tab, lambda: len(segments(truth, project)) > 1)
    mine = [s for s in segments(truth, project) if s.source == "user"]
    assert [told.startswith(str(s.emotion)) for s in mine] == [True]
