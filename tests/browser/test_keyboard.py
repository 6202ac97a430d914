"""The editor by keyboard alone."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from bgm.project import Project
from tests.browser.waiting import saved

Truth = Callable[[str], Project]
FOCUS = "() => document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent"


def tab_to(tab: Page, wanted: str, back: bool = False) -> None:
    """Press Tab until what has the focus begins with this name."""
    for _ in range(150):
        if (tab.evaluate(FOCUS) or "").strip().startswith(wanted):
            return
        tab.keyboard.press("Shift+Tab" if back else "Tab")
    raise AssertionError(f"Tab never comes to {wanted!r}")


def test_a_session_by_keyboard_alone(tab: Page, project: str, truth: Truth) -> None:
    tab_to(tab, "Words")
    tab.keyboard.press("End")
    tab.keyboard.type(" Really!")
    tab.keyboard.press("Enter")
    expect(tab.locator(".line .text").first).to_have_text(
        "I am so happy today, this is wonderful and I love it! Really!"
    )
    tab_to(tab, "joy, 0:00")
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("1")
    expect(tab.locator(".seg .name")).to_have_text(["joy", "anger", "anger", "fear"])
    tab_to(tab, "anger, take 1")
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("menu", name="Takes")).to_be_visible()
    tab.keyboard.press("Escape")
    tab_to(tab, "Export", back=True)
    tab.keyboard.press("Enter")
    sheet = tab.get_by_role("dialog", name="Export")
    expect(sheet).to_be_visible()
    tab.keyboard.press("Escape")
    expect(sheet).to_be_hidden()
    saved(tab)
    assert truth(project).segments[1].emotion == "anger"
    assert truth(project).utterances[0].text.endswith("Really!")
