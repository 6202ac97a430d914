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
WAIT_FIRST_SECONDS, WAIT_EDIT_SECONDS = 180.0, 30.0
"""After which a session has failed."""
EMOTIONS = "3154"
"""Keys that are pressed one after the other, each another emotion of the first segment, which plays."""
ARGUMENTS = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
SHIFTS = """
  window.shifts = [];
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifts.push(entry.value);
  }).observe({ type: 'layout-shift', buffered: true });
"""
# The seconds from `act` until a mix that was not there before plays: its time has moved on. Where none plays within
# `limit` seconds, what there was instead.
HEARD = """async ([act, limit]) => {
  const { sound, play, player, seek, isPlaying } = await import(new URL('studio/static/playback.js', location.href));
  const { store } = await import(new URL('studio/static/store.js', location.href));
  const before = sound.audio?.dataset.url;
  const begun = performance.now();
  const passed = () => (performance.now() - begun) / 1000;
  if (act) seek(1); // where the first segment is
  const segment = document.querySelector('.seg[aria-selected=true]');
  if (act) segment.dispatchEvent(new KeyboardEvent('keydown', { key: act, bubbles: true }));
  const seen = () => {
    const told = (media) => media && (({ currentTime, paused, ended, readyState, seeking }) => (
      { currentTime, paused, ended, readyState, seeking }))(media);
    const { job, view } = store;
    return JSON.stringify({ job, preview: view.preview, sound: told(sound.audio), video: told(player()) });
  };
  return new Promise((done) => {
    let [heard, from] = [null, null];
    const look = () => {
      const { audio } = sound;
      const isNew = audio && audio.dataset.url !== before;
      if (isNew && !isPlaying()) play();
      if (isNew && !audio.paused) {
        if (heard !== audio) [heard, from] = [audio, audio.currentTime];
        if (audio.currentTime > from + 0.02) return done({ seconds: passed() });
      }
      if (passed() > limit) return done({ seen: seen() });
      return setTimeout(look, 10);
    };
    look();
  });
}"""


class NothingHeardError(RuntimeError):
    """No music within the limit of time."""


def heard(tab: Page, act: str, limit: float) -> float:
    """Seconds from ``act`` (a key, or nothing) until its music is heard."""
    # Not awaited in one call: a page that answers no more has to end the session too.
    tab.evaluate(
        f"(asked) => {{ window.found = null; ({HEARD})(asked).then((found) => {{ window.found = found; }}); }}",
        [act, limit],
    )
    found = tab.wait_for_function("() => window.found", timeout=(limit + 10) * 1000).json_value()
    if "seconds" not in found:
        raise NothingHeardError(f"no music within {limit:.0f} s after {act or 'the upload'}: {found['seen']}")
    return float(found["seconds"])


def session(browser: Browser) -> tuple[float, list[float], float]:
    """Seconds to the first music, seconds from each edit to its sound, and the sum of all shifts of the layout."""
    tab = browser.new_page(viewport={"width": 1440, "height": 900}, locale="en-US")
    tab.set_default_timeout(120_000)
    tab.add_init_script(SHIFTS)
    tab.goto(HOME)
    tab.locator(".ways .btn").first.wait_for()
    time.sleep(CHOOSING_SECONDS)
    with tempfile.TemporaryDirectory() as folder:
        video = shutil.copy(SAMPLE, Path(folder) / "festival.mp4")
        begun = time.monotonic()
        tab.locator("#bgm-drop input[type=file]").set_input_files(video)
        heard(tab, "", WAIT_FIRST_SECONDS)
        first = time.monotonic() - begun
        settled(tab)
        edits = []
        for key in EMOTIONS:
            edits.append(heard(tab, key, WAIT_EDIT_SECONDS))
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
    edit = "session: from an edit to its music heard"
    yield Row(f"{edit}, median", "s", statistics.median(edits), LIMIT, EDIT_SECONDS, len(edits))
    yield Row(f"{edit}, longest", "s", max(edits), LIMIT, EDIT_SECONDS, len(edits))
    yield Row("session: cumulative layout shift, upload to export", "", shifts, LIMIT, SHIFT)


if __name__ == "__main__":
    try:
        show(rows(Options()))
    except NothingHeardError as error:
        raise SystemExit(str(error)) from None
