"""Waiting for what stays: the end of what a gesture began, never a moment on the way and never a fixed time."""

from __future__ import annotations

import time
from collections.abc import Callable

from playwright.sync_api import Page, expect

from bgm import studio
from bgm.project import Project

WAIT = 180_000
"""Milliseconds: a busy machine is no failure."""
_SAVING = "async () => (await import(new URL('studio/static/store.js', location.href))).isSaving()"


def eventually(tab: Page, holds: Callable[[], object]) -> None:
    """Wait until it holds; the page goes on meanwhile."""
    until = time.monotonic() + WAIT / 1000
    while not holds():
        assert time.monotonic() < until, "it did not come to hold"
        tab.wait_for_timeout(50)


def until(tab: Page, script: str, holds: Callable[[object], bool]) -> object:
    """What a script answers, as soon as that will do."""
    for _ in range(WAIT // 100):
        if holds(answer := tab.evaluate(script)):
            return answer
        tab.wait_for_timeout(100)
    raise AssertionError(f"{script} answered {answer!r}")


def saved(tab: Page) -> None:
    """Python has all that was edited."""
    until(tab, _SAVING, lambda is_saving: not is_saving)


def settled(
    tab: Page, project: str, truth: Callable[[str], Project], wanted: Callable[[Project], object] = bool
) -> Project:
    """The project when Python has what is ``wanted`` and all of its music is made for it."""
    eventually(tab, lambda: wanted(now := truth(project)) and not studio.stale(now))
    expect(tab.locator(".bar .progress")).to_be_hidden(timeout=WAIT)
    return truth(project)
