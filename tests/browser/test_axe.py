"""axe-core finds nothing to object to: landing, editor and the sheets, in both themes and languages."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

Open = Callable[..., Page]
TAGS = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}}
SMALL = {("target-size", f'<div class="{name}"') for name in ("handle", "fade fade_in", "fade fade_out")}
"""Smaller than WCAG 2.5.8's 24 px under a mouse: a boundary's handle, which the toolbar moves too, and the knobs of the
fades, which touch enlarges and the keyboard moves."""
SHEETS = ("export", "settings", "snapshots", "shortcuts")
LOOKS = [
    ("en-US", "light"),
    pytest.param("ko-KR", "dark", marks=pytest.mark.slow),
    pytest.param("en-US", "dark", marks=pytest.mark.slow),
    pytest.param("ko-KR", "light", marks=pytest.mark.slow),
]


def violations(tab: Page, within: str = "html") -> list[str]:
    found = Axe().run(tab, context=within, options=TAGS).response["violations"]
    nodes = ((v["id"], node["html"]) for v in found for node in v["nodes"])
    return [f"{rule}: {html[:160]}" for rule, html in nodes if (rule, html.split(" role")[0]) not in SMALL]


@pytest.mark.parametrize(("locale", "theme"), LOOKS)
def test_nothing_keeps_anybody_out(chromium: Browser, open_tab: Open, project: str, locale: str, theme: str) -> None:
    context = chromium.new_context(locale=locale, viewport={"width": 1280, "height": 720}, reduced_motion="reduce")
    context.add_init_script(f"localStorage.setItem('bgm-theme', '{theme}')")
    try:
        landing = open_tab(context)
        expect(landing.locator("#bgm-drop input")).to_have_count(1)
        assert violations(landing) == []
        landing.close()
        tab = open_tab(context, project)
        assert violations(tab) == []
        tab.locator("#bgm-tab-segment").click()
        assert violations(tab) == []
        for sheet in SHEETS:
            tab.locator(f"[data-sheet={sheet}]").click()
            expect(tab.locator(f"dialog.{sheet}")).to_be_visible()
            assert violations(tab, f"dialog.{sheet}") == []
    finally:
        context.close()
