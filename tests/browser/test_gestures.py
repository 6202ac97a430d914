"""The rules of an edit stand in Python and, to be shown at once, in the browser: one table runs through both."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page

from bgm.timeline import Emotion, Segment, Timeline
from bgm.ui.edits import apply

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parents[1] / "ui" / "gestures.json").read_text("utf-8"))
"""A segment is a row: id, start, end, emotion, fade in, fade out."""
IN_BROWSER = """async (cases) => {
  const { apply } = await import(new URL('studio/static/edits.js', location.href));
  const segment = ([id, start, end, emotion, fade_in, fade_out]) => (
    { id, start, end, emotion, fade_in, fade_out, prompt: '', takes: [], chosen: null, locked: false, silent: false });
  const row = (s) => [s.id, s.start, s.end, s.emotion, s.fade_in, s.fade_out];
  return cases.map(({ before, gesture }) => (
    apply({ segments: before.map(segment), preview: {} }, gesture).segments.map(row)));
}"""
SNAPS = """async () => {
  const { near, nearest } = await import(new URL('studio/static/timeline/snap.js', location.href));
  const { seconds } = await import(new URL('studio/static/transcript/linebar.js', location.href));
  const found = [{ time: 1, kind: 'line' }, { time: 1.4, kind: 'word' }];
  return [near([0, 1, 1.5, 3], 1.2, 0.4),
    nearest(found, 1.2, 0.3).kind, nearest(found, 1.25, 0.3).kind, nearest(found, 5, 1),
    ['1:02.5', '62,5', '1:00:01', 'soon', ''].map(seconds)];
}"""


def rows(timeline: Timeline) -> list[list[object]]:
    return [[s.id, s.start, s.end, s.emotion, s.fade_in, s.fade_out] for s in timeline.segments]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_python_follows_the_table(case: dict[str, Any]) -> None:
    before = tuple(
        Segment(i, float(a), float(b), Emotion(e), fade_in=rise, fade_out=fall)
        for i, a, b, e, rise, fall in case["before"]
    )
    assert rows(apply(Timeline(10.0, before), case["gesture"])) == case["after"]


def test_the_browser_follows_the_table(context: BrowserContext, open_tab: Callable[..., Page]) -> None:
    tab = open_tab(context)
    found = tab.evaluate(IN_BROWSER, CASES)
    assert dict(zip((c["name"] for c in CASES), found, strict=True)) == {c["name"]: c["after"] for c in CASES}
    assert tab.evaluate(SNAPS) == [[1, 1.5], "line", "word", None, [62.5, 62.5, 3601, None, None]]
