"""One session of a creator on the page: how long until music is heard, and how much jumps on the way.

python -m benchmarks.session          prints a Markdown table

The sample without its subtitles is uploaded after the ten seconds in which a creator chooses a file; its emotions are
read, its music is made and played; one segment's emotion is changed while it plays; the video is exported. Heard means
that the page's sound element plays a mix of the present takes. The limits are the project's own.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.page import HOME, SAMPLE, server
from benchmarks.peers import Options
from benchmarks.table import LIMIT, Row, not_run, show

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHOOSING_SECONDS = 10.0
FIRST_SECONDS, EDIT_SECONDS, SHIFT = 20.0, 2.5, 0.05
EMOTIONS = "3154"
"""Keys that are pressed one after the other, each another emotion of the first segment, which plays."""
ARGUMENTS = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
SHIFTS = """
  window.shifts = [];
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifts.push(entry.value);
  }).observe({ type: 'layout-shift', buffered: true });
"""
# The seconds from `act` until a mix that was not there before plays: its time has moved on.
HEARD = """async (act) => {
  const { sound, play, seek, isPlaying } = await import(new URL('studio/static/playback.js', location.href));
  const before = sound.audio?.dataset.url;
  const begun = performance.now();
  if (act) seek(1); // where the first segment is
  const segment = document.querySelector('.seg[aria-selected=true]');
  if (act) segment.dispatchEvent(new KeyboardEvent('keydown', { key: act, bubbles: true }));
  return new Promise((done) => {
    let from = null;
    const look = () => {
      const { audio } = sound;
      const isNew = audio && audio.dataset.url !== before;
      if (isNew && !isPlaying()) play();
      if (isNew && !audio.paused) {
        from ??= audio.currentTime;
        if (audio.currentTime > from + 0.02) return done((performance.now() - begun) / 1000);
      }
      return setTimeout(look, 10);
    };
    look();
  });
}"""


def session(browser: Browser) -> tuple[float, list[float], float]:
    """Seconds to the first music, seconds from each edit to its sound, and the sum of all shifts of the layout."""
    tab = browser.new_page(viewport={"width": 1440, "height": 900}, locale="en-US")
    tab.set_default_timeout(240_000)
    tab.add_init_script(SHIFTS)
    tab.goto(HOME)
    tab.locator(".ways .btn").first.wait_for()
    time.sleep(CHOOSING_SECONDS)
    with tempfile.TemporaryDirectory() as folder:
        video = shutil.copy(SAMPLE, Path(folder) / "festival.mp4")
        begun = time.monotonic()
        tab.locator("#bgm-drop input[type=file]").set_input_files(video)
        tab.evaluate(HEARD, "")
        first = time.monotonic() - begun
        settled(tab)
        edits = []
        for key in EMOTIONS:
            edits.append(float(tab.evaluate(HEARD, key)))
            settled(tab)
        tab.get_by_role("button", name="Export").first.click()
        tab.locator("[data-step=render]").click()
        tab.locator(".result video").wait_for()
    shifts = float(tab.evaluate("() => window.shifts.reduce((a, b) => a + b, 0)"))
    tab.close()
    return first, edits, shifts


def settled(tab: Page) -> None:
    """Nothing is made and nothing is saved."""
    tab.wait_for_function("""async () => {
      const { isRunning, isSaving } = await import(new URL('studio/static/store.js', location.href));
      return !isRunning() && !isSaving();
    }""")


def rows(_options: Options) -> Iterator[Row]:
    """The session's figures beside what is asked of them."""
    chromium = shutil.which("chromium")
    if chromium is None:
        yield not_run("a session on the page", LIMIT, "no program named chromium here")
        return
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, server(Path(folder)), sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        first, edits, shifts = session(browser)
        browser.close()
    yield Row("session: from the upload of 56 s to the first music heard", "s", first, LIMIT, FIRST_SECONDS)
    heard = "session: from an edit to its music heard"
    yield Row(f"{heard}, median", "s", statistics.median(edits), LIMIT, EDIT_SECONDS, len(edits))
    yield Row(f"{heard}, longest", "s", max(edits), LIMIT, EDIT_SECONDS, len(edits))
    yield Row("session: cumulative layout shift, upload to export", "", shifts, LIMIT, SHIFT)


if __name__ == "__main__":
    show(rows(Options()))
