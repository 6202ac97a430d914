"""Takes, the preview, and what stays untouched when one segment changes."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import BrowserContext, Page, expect

from bgm import studio
from bgm.export import EXPORTS
from bgm.project import Project
from bgm.ui import archive
from bgm.ui.page import Page as Studio
from tests.browser.waiting import WAIT, eventually, saved, settled

Truth = Callable[[str], Project]
PLAYING = "() => [...document.querySelectorAll('.take')].some(t => t.playing.dataset.on === 'true')"


def files(project: Project) -> dict[str, int]:
    return {p.name: p.stat().st_mtime_ns for p in (project.folder / "takes").iterdir()}


def composed(tab: Page) -> None:
    expect(tab.locator(".seg.stale, .seg.empty")).to_have_count(0, timeout=WAIT)
    expect(tab.locator(".bar .progress")).to_be_hidden(timeout=WAIT)


def test_a_new_emotion_makes_only_that_clip_again_while_another_plays(tab: Page, project: str, truth: Truth) -> None:
    before = files(truth(project))
    tab.locator(".seg").nth(3).click()
    tab.locator(".take .btn").first.click()
    tab.wait_for_function(PLAYING)
    tab.locator(".seg").nth(1).focus()
    tab.keyboard.press("Enter")
    tab.keyboard.press("7")
    after = files(settled(tab, project, truth, lambda p: p.segments[1].emotion == "surprise"))
    assert {name: after[name] for name in before} == before
    assert len(after) == len(before) + 1
    tab.locator(".seg").nth(3).focus()
    tab.keyboard.press("Enter")
    played = tab.locator(".take .picture").first.evaluate("e => e.style.getPropertyValue('--played')")
    assert float(played.removesuffix("%")) > 5, "the other clip played on"


def test_another_take_is_made_chosen_and_downloaded(tab: Page, project: str, truth: Truth) -> None:
    first = truth(project).segments[0].chosen
    tab.get_by_role("tab", name="Segment").click()
    tab.get_by_role("button", name="Another take").click()
    expect(tab.locator(".take")).to_have_count(2)
    expect(tab.locator(".progress")).to_be_hidden(timeout=WAIT)
    unused = tab.locator(".take:not(.chosen)")
    unused.get_by_role("radio").click()
    expect(tab.locator(".take.chosen")).to_have_count(1)
    saved(tab)
    segment = truth(project).segments[0]
    assert len(segment.takes) == 2 and segment.chosen in {t.id for t in segment.takes}
    assert {t.id for t in segment.takes} >= {first}
    with tab.expect_download() as download:
        tab.locator(".take a.btn").first.click()
    assert Path(download.value.suggested_filename).suffix == ".flac"


def test_an_own_sound_file_takes_a_segments_place(tab: Page, project: str, truth: Truth, cate_mp3: Path) -> None:
    tab.locator(".seg").nth(1).click()
    with tab.expect_file_chooser() as chooser:
        tab.get_by_role("button", name="Use my own sound").click()
    chooser.value.set_files(cate_mp3)
    expect(tab.locator(".take.chosen .what")).to_have_text("Your own sound")
    chosen = truth(project).segments[1].chosen_take
    assert chosen is not None and chosen.engine == "file"
    expect(tab.locator(".seg").nth(1)).to_have_class("seg")


def test_a_sound_that_cannot_be_read_is_refused_beside_its_button(tab: Page, tmp_path: Path) -> None:
    tab.get_by_role("tab", name="Segment").click()
    bad = tmp_path / "bad.mp3"
    bad.write_text("no sound at all")
    with tab.expect_file_chooser() as chooser:
        tab.get_by_role("button", name="Use my own sound").click()
    chooser.value.set_files(bad)
    refusal = tab.locator(".panel .problem")
    expect(refusal).to_contain_text("bad.mp3")
    expect(refusal).not_to_contain_text("/")
    expect(tab.locator(".take.chosen .what")).to_have_text("Take 1")


def test_the_preview_sounds_with_the_picture(tab: Page) -> None:
    tab.get_by_role("button", name="With music").click()
    tab.wait_for_function("() => document.querySelector('.player video').muted")
    tab.evaluate("() => { const v = document.querySelector('.player video'); v.currentTime = 5; v.play() }")
    tab.wait_for_function("() => document.querySelector('.player video').currentTime > 6")
    sound = tab.evaluate(
        "async () => { const { sound } = await import(new URL('studio/static/playback.js', location.href));"
        " return [sound.audio.currentTime - document.querySelector('.player video').currentTime, sound.audio.paused] }"
    )
    assert abs(sound[0]) < 0.25 and not sound[1]
    tab.get_by_role("button", name="Original").click()
    assert tab.evaluate("() => document.querySelector('.player video').muted") is False


def test_stop_in_the_middle_keeps_what_is_finished(tab: Page, page: Studio, project: str) -> None:
    page.service.set_settings(project, {"takes": 4})
    for number in range(4):
        tab.locator(".seg").nth(number).focus()
        tab.keyboard.press("Enter")
        tab.keyboard.press("5" if number % 2 else "7")
    tab.get_by_role("button", name="Stop").click()
    again = tab.get_by_role("button", name="Compose and mix")
    expect(again).to_be_visible()
    assert tab.locator(".seg.stale").count() > 0
    eventually(tab, lambda: not page.service.jobs.is_busy(project))
    expect(tab.locator(".bar .progress")).to_be_hidden()
    again.click()
    composed(tab)


def test_the_second_in_the_queue_sees_its_place(tab: Page, others: Callable[..., threading.Event]) -> None:
    tab.get_by_role("tab", name="Segment").click()
    release = others("music")
    tab.get_by_role("button", name="Another take").click()
    expect(tab.locator(".bar .doing")).to_have_text("Waiting: 1 before you")
    release.set()
    expect(tab.locator(".take")).to_have_count(2)


def test_music_alone_is_mixed_first_where_the_mix_is_old(tab: Page, project: str, truth: Truth) -> None:
    tab.locator(".seg").nth(1).click()
    tab.keyboard.press("7")
    tab.get_by_role("button", name="Export").click()
    with tab.expect_download(timeout=WAIT) as download:
        tab.get_by_role("link", name="Music alone").click()
    assert download.value.suggested_filename == "clip music.wav"
    assert not studio.stale(truth(project))


def test_exports_can_be_downloaded(tab: Page) -> None:
    tab.get_by_role("button", name="Export").click()
    for kind in (kind for kind, form in EXPORTS.items() if not form.is_sound):
        with tab.expect_download() as download:
            tab.locator(f".exports [data-kind={kind}]").click()
        text = Path(download.value.path()).read_text(encoding="utf-8")
        assert "happy" in text or "joy" in text, kind


def test_a_download_that_fails_says_why(tab: Page, project: str, truth: Truth) -> None:
    for number in range(archive.MAX_EXPORTS):
        (truth(project).folder / "exports" / str(number)).mkdir(parents=True)
    tab.get_by_role("button", name="Export").click()
    tab.locator(".exports [data-kind=srt]").click()
    expect(tab.locator(".exports [role=alert]")).to_have_text(
        "This project is being downloaded already; try again when that is done"
    )


def test_what_needs_an_analysis_waits_for_it_and_one_that_was_stopped_says_how_to_go_on(
    context: BrowserContext, open_tab: Callable[..., Page], clip: Path, others: Callable[..., threading.Event]
) -> None:
    release = others("studio")
    tab = open_tab(context)
    tab.locator("#bgm-drop input[type=file]").set_input_files([clip, clip.with_suffix(".srt")])
    tab.get_by_role("button", name="Stop").click()
    tab.get_by_role("button", name="Close this message").click()
    expect(tab.locator(".invite")).to_contain_text("The analysis is not finished")
    tab.get_by_role("button", name="Export").click()
    srt = tab.locator(".exports [data-kind=srt]")
    expect(srt).to_have_attribute("aria-disabled", "true")
    assert srt.get_attribute("href") is None
    expect(tab.locator(".exports")).to_contain_text("once it is finished")
    tab.get_by_role("dialog", name="Export").get_by_role("button", name="Close").click()
    release.set()
    tab.locator(".invite").get_by_role("button", name="Go on with the analysis").click()
    expect(tab.locator(".seg")).to_have_count(4, timeout=WAIT)
    expect(tab.locator(".invite")).to_be_hidden()
    expect(srt).to_have_attribute("href", re.compile("/export/srt$"))


def test_the_style_of_the_video_and_of_one_segment_and_another_piece(tab: Page, project: str, truth: Truth) -> None:
    before = {s.id: s.chosen for s in truth(project).segments}
    tab.locator(".seg").nth(1).click()
    tab.get_by_role("tab", name="Segment").click()
    tab.get_by_role("tabpanel", name="Segment").get_by_label("Style").select_option(label="Jazz")
    one = settled(tab, project, truth, lambda p: p.segments[1].style == "jazz").segments
    assert one[1].style == "jazz" and one[1].chosen != before[one[1].id]
    assert [s.chosen for s in one if s.style is None] == [before[s.id] for s in one if s.style is None]
    whole = tab.get_by_role("region", name="Whole video")
    whole.get_by_label("Style").select_option(label="Electronic")
    settled(tab, project, truth, lambda p: p.settings.style == "electronic")
    whole.get_by_role("button", name="Another piece").click()
    told = settled(tab, project, truth, lambda p: p.settings.seed != "auto")
    assert isinstance(told.settings.seed, int)
    expect(whole.get_by_label("Piece", exact=True)).to_have_value(str(told.settings.seed))
    assert all(s.chosen not in before.values() for s in told.segments)
