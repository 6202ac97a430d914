"""The transcript as a text: lines cut, joined, timed, found and replaced, a script laid over them; by role and name."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from bgm.project import Project
from tests.browser.waiting import WAIT, saved

Truth = Callable[[str], Project]
VIEWS = """async () => {  // two of them come while one types
  const { setView, store } = await import(new URL('studio/static/store.js', location.href));
  for (const rev of [1, 2]) setView({ ...store.view, rev: store.view.rev + rev });
}"""
CARET = """() => [document.activeElement.closest('.line')?.dataset.key, document.getSelection().anchorOffset]"""

JOINED = """async () => {
  const { commit } = await import(new URL('studio/static/store.js', location.href));
  commit({ op: 'line_merge', index: 2, text: 'both in one' });
}"""


def lines(tab: Page, truth: Truth, project: str, count: int) -> list[tuple[float, float, str]]:
    """What Python has, when every edit has come there."""
    expect(tab.locator(".line")).to_have_count(count)
    saved(tab)
    return [(u.start, u.end, u.text) for u in truth(project).utterances]


def caret_in(tab: Page, number: int, offset: int) -> None:
    tab.get_by_role("textbox", name="Words", exact=True).nth(number).click()
    tab.evaluate("(n) => document.getSelection().collapse(document.activeElement.firstChild, n)", offset)


def test_enter_cuts_a_line_and_backspace_joins_it_again(tab: Page, project: str, truth: Truth) -> None:
    before = truth(project).utterances
    first, second = "I miss her so much,", "I cried the whole night, it is so sad."
    caret_in(tab, 1, len(first))
    tab.keyboard.press("Enter")
    found = lines(tab, truth, project, 5)
    assert [text for _, _, text in found[1:3]] == [first, second]
    assert found[1][0] == before[1].start and found[2][1] == before[1].end
    assert found[1][1] <= found[2][0] and 6.0 < found[1][1] < 7.5, "between the words, not in the middle"
    assert tab.evaluate(CARET) == ["2", 0]
    tab.keyboard.press("Backspace")
    assert lines(tab, truth, project, 4)[1] == (before[1].start, before[1].end, before[1].text)
    assert tab.evaluate(CARET) == ["1", len(first) + 1]
    tab.keyboard.press("End")
    tab.keyboard.press("Delete")
    assert lines(tab, truth, project, 3)[1] == (before[1].start, before[2].end, f"{before[1].text} {before[2].text}")
    for count in (4, 5, 4):
        tab.get_by_role("button", name="Undo (Ctrl+Z)").click()
        expect(tab.locator(".line")).to_have_count(count)
    assert lines(tab, truth, project, 4)[1][2] == before[1].text


def test_what_is_typed_is_not_lost_by_a_cut(tab: Page, project: str, truth: Truth) -> None:
    caret_in(tab, 0, 0)
    tab.keyboard.type("Well, ")
    tab.keyboard.press("Enter")
    found = lines(tab, truth, project, 5)
    assert [text for _, _, text in found[:2]] == ["Well,", "I am so happy today, this is wonderful and I love it!"]


def test_a_lines_times_are_typed_and_stop_at_its_neighbours(tab: Page, project: str, truth: Truth) -> None:
    tab.get_by_role("textbox", name="Words", exact=True).nth(1).click()
    tools = tab.get_by_role("group", name="The line")
    expect(tools).to_contain_text("Line 2")
    end = tools.get_by_role("textbox", name="End")
    expect(end).to_have_value("0:09.40")
    end.fill("0:09.9")
    end.press("Enter")
    expect(end).to_have_value("0:09.90")
    message = tab.locator(".timeline .message")
    end.fill("55")
    end.press("Enter")
    expect(message).to_have_text("Not changed: this line can end between 0:05.30 and 0:10.10.")
    expect(end).to_have_value("0:09.90")
    start = tools.get_by_role("textbox", name="Start")
    start.click()
    expect(message).to_be_empty()
    start.fill("0:31")
    start.press("Enter")
    expect(message).to_contain_text("this line can start between")
    assert lines(tab, truth, project, 4)[1][:2] == (5.2, 9.9), "nothing moved"
    start.fill("nonsense")
    tab.evaluate(VIEWS)
    start.press("Enter")
    expect(message).to_contain_text("That is no time")
    expect(start).to_have_value("0:05.20")
    for _ in range(3):
        start.press("ArrowUp")
    expect(start).to_have_value("0:05.50")
    assert lines(tab, truth, project, 4)[1][:2] == (5.5, 9.9)
    tab.get_by_role("button", name="Undo (Ctrl+Z)").click()
    expect(start).to_have_value("0:05.20")  # one held key is one step


def test_what_is_typed_on_stays_text_whatever_becomes_of_the_line(tab: Page, project: str, truth: Truth) -> None:
    before = truth(project)
    caret_in(tab, 1, len(before.utterances[1].text))
    tab.keyboard.type(" So much.")
    tab.keyboard.press("Enter")
    tab.keyboard.type(" no music")
    for _ in range(3):  # on to the last line, where it stays
        tab.keyboard.press("Enter")
    tab.keyboard.type(" nim")
    tab.keyboard.press("Enter")
    tab.evaluate(JOINED)  # as another tab may
    assert tab.evaluate(CARET)[0] == "2"
    tab.keyboard.press("End")
    tab.keyboard.type(" m")
    tab.set_viewport_size({"width": 700, "height": 900})
    tab.evaluate("() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    assert tab.evaluate(CARET)[0] == "2"
    tab.keyboard.type("ns")
    tab.route("**/component_server/**", lambda route: route.abort())  # the server is away
    tab.keyboard.press("Enter")
    expect(tab.locator(".line.unsaved")).to_have_count(1)
    tab.unroute_all()
    tab.evaluate("() => dispatchEvent(new Event('online'))")
    texts = [text for _, _, text in lines(tab, truth, project, 3)]
    assert [text.rsplit(maxsplit=2)[1:] for text in texts[1:]] == [["So", "much."], ["one", "mns"]]
    assert {(s.source, s.silent) for s in truth(project).segments} == {("auto", False)}, "no letter was a shortcut"


def test_lines_are_cut_and_joined_by_buttons(tab: Page, project: str, truth: Truth) -> None:
    caret_in(tab, 2, len("How dare you,"))
    tab.get_by_role("button", name="Split the line at the caret").click()
    assert [text for _, _, text in lines(tab, truth, project, 5)[2:4]] == [
        "How dare you,",
        "I am furious, I hate this!",
    ]
    tab.get_by_role("button", name="Merge with the line before").click()
    tab.get_by_role("button", name="Merge with the next line").click()
    assert lines(tab, truth, project, 3)[2][2].startswith("How dare you, I am furious, I hate this! I am so scared")


def test_words_are_found_and_replaced_in_one_step(tab: Page, project: str, truth: Truth) -> None:
    before = [u.text for u in truth(project).utterances]
    tab.get_by_role("textbox", name="Words", exact=True).first.click()
    tab.keyboard.press("Control+f")
    search = tab.get_by_role("searchbox", name="Search")
    expect(search).to_be_focused()
    tab.keyboard.type("i am SO")
    expect(tab.locator(".line")).to_have_count(2)
    tab.get_by_role("tab", name="Transcript").focus()
    tab.keyboard.press("Control+h")
    expect(search).to_be_focused()
    search.fill("am s")
    tab.get_by_role("checkbox", name="Whole words").check()
    expect(tab.locator(".line")).to_have_count(0)
    search.fill("i am SO")
    expect(tab.locator(".line")).to_have_count(2)
    search.press("Tab")
    tab.keyboard.type("I was very")
    tab.keyboard.press("Enter")
    expect(tab.locator(".timeline .message")).to_contain_text("2 replaced")
    search.fill("")
    wanted = [text.replace("I am so", "I was very") for text in before]
    assert [text for _, _, text in lines(tab, truth, project, 4)] == wanted
    assert truth(project).utterances[0].english == wanted[0]
    tab.get_by_role("button", name="Undo (Ctrl+Z)").click()
    expect(tab.locator(".line .text")).to_have_text(before)
    tab.get_by_role("button", name="Redo (Ctrl+Shift+Z)").click()
    expect(tab.locator(".line .text")).to_have_text(wanted)


def test_a_script_is_laid_on_the_words(tab: Page, project: str, truth: Truth) -> None:
    before = truth(project).utterances
    tab.get_by_role("button", name="Paste a script").click()
    text = tab.get_by_role("textbox", name="Script", exact=True)
    expect(text).to_be_focused()
    text.fill(
        "ACT ONE\n\nI'm so happy today; this is wonderful, and I love it!\nI miss her so much. I cried the whole night."
    )
    tab.get_by_role("button", name="Lay it on the video").click()
    sheet = tab.get_by_role("dialog", name="Paste a script")
    expect(sheet).to_contain_text("Lines placed: 3. Lines kept that the script lacks: 2.")
    expect(sheet.get_by_role("listitem")).to_have_text(["ACT ONE"])
    found = lines(tab, truth, project, 5)
    assert [text for _, _, text in found[:3]] == [
        "I'm so happy today; this is wonderful, and I love it!",
        "I miss her so much.",
        "I cried the whole night.",
    ]
    assert found[1][0] == pytest.approx(5.2, abs=0.3) and found[2][1] < 9.0
    assert found[3:] == [(u.start, u.end, u.text) for u in before[2:]]
    text.fill("Something that belongs to an entirely different film with other people")
    tab.get_by_role("button", name="Lay it on the video").click()
    expect(sheet).to_contain_text("script is of something else")
    tab.get_by_role("button", name="Close").click()
    tab.get_by_role("button", name="Undo (Ctrl+Z)").click()
    assert lines(tab, truth, project, 4) == [(u.start, u.end, u.text) for u in before]


def test_the_emotions_of_changed_lines_are_read_again(tab: Page, project: str, truth: Truth) -> None:
    caret_in(tab, 0, len("I am so happy today,"))
    tab.keyboard.press("Enter")
    expect(tab.locator(".line")).to_have_count(5)
    expect(tab.locator(".feeling.unread")).to_have_count(0, timeout=WAIT)
    assert all(u.scores for u in truth(project).utterances)
