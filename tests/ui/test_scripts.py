"""What the page's scripts compute: undo, the mapping of time to pixels, and the rules of an edit, which stand in Python

too: one table runs through both. In Node where it is, else in Chromium.
"""

from __future__ import annotations

import http.server
import json
import re
import shutil
import subprocess
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bgm.errors import BadInput
from bgm.timeline import Emotion, Segment, Timeline, Utterance
from bgm.ui.edits import Heard, apply, apply_to_lines
from bgm.ui.looks import head
from bgm.ui.media import STATIC

HERE = Path(__file__).parent
CASES: list[dict[str, Any]] = json.loads((HERE / "gestures.json").read_text("utf-8"))
"""A segment is a row: id, start, end, emotion, fade in, fade out; a line: start, end, text. Without an

``after`` the edit is refused."""
IN_BROWSER = """async ([known, cases]) => {
  window.bgm = { ...known, language: 'en' };
  const { run } = await import('/tests/ui/scripts.mjs');
  return run('/bgm/ui/static', cases);
}"""


def known() -> dict[str, Any]:
    """What Python tells the scripts."""
    found = re.search(r"window\.bgm = (\{.*\});\n", head())
    assert found
    return dict(json.loads(found[1]))


def in_node(node: str) -> list[tuple[str, str | None]]:
    command = [node, str(HERE / "scripts.mjs"), str(STATIC), json.dumps(known()), json.dumps(CASES)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [(name, failed) for name, failed in json.loads(done.stdout)]


def in_chromium(browser: Any) -> list[tuple[str, str | None]]:
    handler = partial(_Quiet, directory=str(HERE.parents[1]))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        tab = browser.new_page()
        tab.goto(f"http://127.0.0.1:{server.server_port}/bgm/ui/static/page.css")
        found = tab.evaluate(IN_BROWSER, [known(), CASES])
        tab.close()
        server.shutdown()
    return [(name, failed) for name, failed in found]


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


def test_the_scripts_compute_what_they_should(request: pytest.FixtureRequest) -> None:
    node = shutil.which("node")
    found = in_node(node) if node else in_chromium(request.getfixturevalue("chromium"))
    assert [(name, failed) for name, failed in found if failed] == []
    assert len(found) > len(CASES) + 15, "all of them ran"


def rows(timeline: Timeline) -> list[list[object]]:
    return [[s.id, s.start, s.end, s.emotion, s.fade_in, s.fade_out] for s in timeline.segments]


def of(kind: str) -> list[Any]:
    return [pytest.param(case, id=case["name"]) for case in CASES if kind in case]


@pytest.mark.parametrize("case", of("lines"))
def test_an_edit_of_a_line_finds_it_or_is_refused(case: dict[str, Any]) -> None:
    before = tuple(Utterance(float(a), float(b), text, text) for a, b, text in case["lines"])
    heard = Heard(lambda: (), 10.0)
    if case["after"] is None:
        with pytest.raises(BadInput, match="was changed elsewhere meanwhile and stays as it is now; you wrote: "):
            apply_to_lines(before, case["gesture"], heard)
    else:
        after, _ = apply_to_lines(before, case["gesture"], heard)
        assert [[u.start, u.end, u.text] for u in after] == case["after"]


@pytest.mark.parametrize("case", of("before"))
def test_python_follows_the_table(case: dict[str, Any]) -> None:
    before = tuple(
        Segment(i, float(a), float(b), Emotion(e), fade_in=rise, fade_out=fall)
        for i, a, b, e, rise, fall in case["before"]
    )
    assert rows(apply(Timeline(10.0, before), case["gesture"])) == case["after"]
