"""What plays and what is rendered is what the timeline says."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import soundfile
from playwright.sync_api import Page, expect

from bgm import studio
from bgm.project import Project
from bgm.ui.page import Page as Studio
from bgm.ui.steps import Records, mix_key, result_key
from tests.browser.waiting import WAIT, eventually, saved, until

Truth = Callable[[str], Project]
HEARD = """async () => {
  const { sound } = await import(new URL('studio/static/playback.js', location.href));
  return sound.audio?.dataset.url ?? null;
}"""
FRESH = """async () => {
  const { store } = await import(new URL('studio/static/store.js', location.href));
  const { sound } = await import(new URL('studio/static/playback.js', location.href));
  const { url } = store.view.preview;
  return Boolean(url) && sound.audio?.dataset.url === url && store.job.state !== 'running' && sound.audio.dataset.url;
}"""


def with_music(tab: Page) -> str:
    tab.get_by_role("button", name="With music").click()
    return heard(tab, "")


def heard(tab: Page, before: str) -> str:
    """The address of the mix that is heard, when it is another than before and made of what the timeline is now."""
    return str(until(tab, FRESH, lambda address: address not in {False, before}))


def idle(tab: Page) -> None:
    expect(tab.locator(".progress")).to_be_hidden(timeout=WAIT)


def test_what_is_heard_with_music_follows_every_edit(tab: Page, page: Studio, project: str, truth: Truth) -> None:
    first = with_music(tab)
    tab.locator(".seg").nth(1).click()
    tab.keyboard.press("n")
    silent = heard(tab, first)
    tab.get_by_label("Music volume").press("ArrowLeft")
    tab.keyboard.press("Control+z")  # volume back
    tab.keyboard.press("Control+z")  # and the music of the segment
    back = heard(tab, silent)
    tab.locator(".seg").nth(2).click()
    tab.keyboard.press("6")
    relabelled = heard(tab, back)
    assert len({first, silent, back, relabelled}) == 4
    now = truth(project)
    assert now.segments[2].emotion == "sadness" and not studio.stale(now), "its music was made"
    assert Records.load(now.folder).preview == mix_key(now)
    tab.get_by_role("button", name="Original").click()
    tab.keyboard.press("n")
    saved(tab)
    assert tab.evaluate(HEARD) is None
    idle(tab)


def test_a_mix_makes_way_for_a_step(tab: Page, project: str, truth: Truth) -> None:
    tab.get_by_role("button", name="With music").click()
    tab.get_by_role("tab", name="Segment").click()
    tab.get_by_role("button", name="Another take").click()
    expect(tab.locator(".take")).to_have_count(2, timeout=WAIT)
    expect(tab.locator(".problem")).to_be_hidden()
    heard(tab, "")


def test_render_makes_what_is_out_of_date_and_an_edit_marks_the_result(
    tab: Page, page: Studio, project: str, truth: Truth
) -> None:
    tab.locator(".seg").nth(1).click()
    tab.keyboard.press("7")
    tab.get_by_role("button", name="Export").click()
    tab.locator("[data-step=render]").click()
    expect(tab.locator(".result video")).to_be_visible(timeout=WAIT)
    idle(tab)
    now = truth(project)
    assert now.segments[1].emotion == "surprise"
    assert not studio.stale(now)
    result = Records.load(now.folder).result
    assert result is not None and result.key == result_key(now)
    expect(tab.locator(".result .note").first).not_to_contain_text("make the video again")
    tab.locator(".seg").nth(0).focus()
    tab.keyboard.press("5")
    expect(tab.locator(".result .note").first).to_contain_text("make the video again")


def test_one_thing_sounds_at_a_time(tab: Page) -> None:
    tab.get_by_role("tab", name="Segment").click()
    on = "() => document.querySelector('.take').playing.dataset.on"
    tab.locator(".take .btn").first.click()
    tab.wait_for_function(f"() => ({on})() === 'true'")
    tab.locator(".player .controls .btn").first.click()
    tab.wait_for_function(f"() => ({on})() === 'false'")
    tab.wait_for_function("() => !document.querySelector('.player video').paused")
    tab.locator(".take .btn").first.click()
    tab.wait_for_function("() => document.querySelector('.player video').paused")


def test_a_new_take_is_chosen_and_played_and_an_own_sound_takes_no_number(
    tab: Page, page: Studio, project: str, truth: Truth, cate_mp3: str
) -> None:
    tab.get_by_role("tab", name="Segment").click()
    with tab.expect_file_chooser() as chooser:
        tab.get_by_role("button", name="Use my own sound").click()
    chooser.value.set_files(cate_mp3)
    expect(tab.locator(".take .what")).to_have_text(["Take 1", "Your own sound"], timeout=WAIT)
    tab.get_by_role("button", name="Another take").click()
    expect(tab.locator(".take .what")).to_have_text(["Take 1", "Your own sound", "Take 2"], timeout=WAIT)
    expect(tab.locator(".take.chosen .what")).to_have_text("Take 2")
    tab.wait_for_function("() => document.querySelector('.take.chosen').playing.dataset.on === 'true'")
    idle(tab)
    assert truth(project).segments[0].chosen == truth(project).segments[0].takes[2].id


def test_steps_of_the_volume_are_one_undo(tab: Page, project: str, truth: Truth) -> None:
    tab.get_by_role("tab", name="Segment").click()
    volume = tab.get_by_label("Music volume")
    tab.keyboard.press("n")
    for key in ("ArrowLeft", "ArrowLeft", "ArrowLeft", "ArrowLeft"):
        volume.press(key)
    expect(tab.locator(".fields output")).to_have_text("-2.0 dB")
    saved(tab)
    assert truth(project).segments[0].gain_db == -2.0
    tab.get_by_role("button", name="Undo (Ctrl+Z)").click()
    expect(tab.locator(".fields output")).to_have_text("0.0 dB")
    expect(tab.get_by_label("No music here")).to_be_checked()
    tab.get_by_role("button", name="Undo (Ctrl+Z)").click()
    expect(tab.get_by_label("No music here")).not_to_be_checked()


def test_both_halves_of_a_split_go_on_with_the_music(
    tab: Page, project: str, truth: Truth, others: Callable[..., threading.Event]
) -> None:
    others("music")  # nothing is composed meanwhile
    whole = truth(project).segments[1]
    tab.evaluate(f"() => {{ document.querySelector('.player video').currentTime = {whole.start + 2} }}")
    expect(tab.locator(".panel h2")).to_have_text("sadness")
    tab.keyboard.press("s")
    expect(tab.locator(".seg.stale")).to_have_count(2)
    expect(tab.locator(".take.chosen")).to_have_count(1)
    saved(tab)
    now = truth(project)
    first, second = now.segments[1:3]
    assert first.chosen == whole.chosen and second.chosen_take is not None
    old, _ = soundfile.read(now.folder / whole.takes[0].file)
    rest, rate = soundfile.read(now.folder / second.chosen_take.file)
    cut = round(second.start * rate) - round(first.start * rate)
    assert np.array_equal(rest, old[cut:])


def test_a_merge_keeps_the_longer_label(tab: Page, page: Studio, project: str, truth: Truth) -> None:
    boundary = truth(project).segments[1].start
    page.service.edit(project, [{"op": "move", "id": truth(project).segments[1].id, "time": boundary - 3}])
    tab.reload()
    tab.locator(".seg").first.wait_for()
    tab.locator(".seg").first.click()
    tab.keyboard.press("m")
    expect(tab.locator(".seg .name")).to_have_text(["sadness", "anger", "fear"])
    saved(tab)
    assert [s.emotion for s in truth(project).segments] == ["sadness", "anger", "fear"]
    tab.keyboard.press("Control+z")
    expect(tab.locator(".seg .name")).to_have_text(["joy", "sadness", "anger", "fear"])


def test_two_steps_asked_for_while_a_mix_makes_way_both_count(tab: Page, project: str, truth: Truth) -> None:
    with_music(tab)
    idle(tab)
    before = truth(project).segments
    tab.evaluate(
        """async (ids) => {
          const { store } = await import(new URL('studio/static/store.js', location.href));
          store.run('preview');
          for (const id of ids) store.run('compose', { segments: [id], another: true });
        }""",
        [segment.id for segment in before[:2]],
    )
    taken = [len(segment.takes) + 1 for segment in before[:2]]
    eventually(tab, lambda: [len(segment.takes) for segment in truth(project).segments[:2]] == taken)
