"""The main flow in Firefox: the landing, an upload, its first music, an edit and its undo, the finished video.

    python -m tests.firefox FIREFOX            # the program of Debian's firefox-esr, for example

Playwright drives an unpatched Firefox over WebDriver BiDi, as far as both know the same commands: 1.58.0 and Firefox
ESR 153 do, 1.65.2 asks for one that this Firefox lacks. What needs no installation:

    apt-get download firefox-esr && dpkg-deb -x firefox-esr_*.deb ff && pip install --target pw playwright==1.58.0
    PYTHONPATH=pw python -m tests.firefox ff/usr/lib/firefox-esr/firefox-esr

Each step is named as it is done; the exit status is 1 where one fails or a script of ours has failed. Half a minute.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.faults.clips import clip
from tests.faults.server import server

if TYPE_CHECKING:
    from playwright.sync_api import Page

TIMEOUT_MS = 120_000
ENGINES = {"BGM_SEPARATOR": "original", "BGM_CLASSIFIER": "minilm", "BGM_MUSIC": "embedded"}
PLAYS = """async (before) => {
  const { sound } = await import(new URL('studio/static/playback.js', location.href));
  const { audio } = sound;
  return audio && audio.dataset.url !== before && !audio.paused && audio.currentTime > 0.3 ? audio.dataset.url : null;
}"""


def main() -> int:
    """Walk the flow; 1 where it can't be walked."""
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    from playwright.sync_api import Error, expect, sync_playwright

    expect.set_options(timeout=TIMEOUT_MS)
    with tempfile.TemporaryDirectory() as folder, server(Path(folder), **ENGINES) as running, sync_playwright() as play:
        browser = play.firefox.launch(
            channel="moz-firefox", executable_path=sys.argv[1], firefox_user_prefs={"media.autoplay.default": 0}
        )
        tab = browser.new_page(viewport={"width": 1440, "height": 900})
        errors: list[str] = []
        tab.on("pageerror", lambda error: errors.append(str(error)))
        tab.set_default_timeout(TIMEOUT_MS)
        try:
            walk(tab, running.url, clip(Path(folder) / "talk.mp4", 20))
        except (AssertionError, Error) as error:
            errors.append(str(error))
        print(f"Firefox {browser.version}: {'; '.join(errors) or 'all done'}")
        browser.close()
    return int(bool(errors))


def walk(tab: Page, address: str, video: Path) -> None:
    """As a creator does it; what can't be done raises."""
    from playwright.sync_api import expect

    tab.goto(address)
    tab.wait_for_function("() => document.querySelector('.showcase video')?.currentTime > 0.3")
    done("the sample plays on the landing")
    tab.locator("#bgm-drop input[type=file]").set_input_files([video, video.with_suffix(".srt")])
    tab.locator(".seg").first.wait_for()
    done("an uploaded video has its blocks")
    expect(tab.locator(".seg.stale, .seg.empty")).to_have_count(0)
    tab.locator(".player").get_by_role("button", name="Play or pause").click()
    first = tab.wait_for_function(PLAYS, arg=None).json_value()
    done("its music is heard")
    tab.locator(".seg").first.click()
    wanted = "fear" if tab.locator(".seg .name").first.text_content() != "fear" else "anger"
    tab.keyboard.press("3" if wanted == "fear" else "1")
    expect(tab.locator(".seg .name").first).to_have_text(wanted)
    tab.wait_for_function(PLAYS, arg=first)
    done("an edit is heard")
    tab.keyboard.press("Control+z")
    expect(tab.locator(".seg .name").first).not_to_have_text(wanted)
    done("undo")
    tab.get_by_role("button", name="Export").first.click()
    tab.locator("[data-step=render]").click()
    tab.locator(".result video").wait_for()
    tab.wait_for_function("() => document.querySelector('.result video').readyState > 1")
    href = tab.locator(".result a.primary").get_attribute("href")
    size = tab.evaluate("async (from) => (await (await fetch(from)).blob()).size", href)
    assert size > video.stat().st_size / 2, f"the finished video has {size} bytes"
    done("the finished video is there")


def done(what: str) -> None:
    print(f"  {what}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
