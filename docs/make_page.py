"""Make docs/page.png and docs/page.webm anew: the page as somebody sees it who opens the sample and works on it.

    PYTHONPATH=. python docs/make_page.py

Needs Chromium on the path. The pictures come by Chromium's own screencast and are encoded with PyAV. Where the page
composes, at most a second of it is shown, so that the recording is no longer on a busy machine.
"""

from __future__ import annotations

import base64
import io
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from PIL import Image
from playwright.sync_api import Page as Tab
from playwright.sync_api import sync_playwright

from bgm.environment import Environment
from bgm.settings import Settings
from bgm.ui.page import build

DOCS = Path(__file__).parent
SIZE = {"width": 1280, "height": 720}
PICTURE = {"width": 1440, "height": 900}
MOST_BYTES = 3_000_000
MOST_WAIT = 1.0
QUALITY = ("34", "40", "46")
"""Of VP9, the next one where a recording is too large."""
POINTER = """() => {
  const dot = document.createElement('div');
  dot.style = 'position:fixed;z-index:99;width:18px;height:18px;margin:-9px;border-radius:50%;pointer-events:none;' +
    'background:#e5383b88;border:2px solid #fff;box-shadow:0 0 4px #0008';
  document.body.append(dot);
  const follow = ({ clientX, clientY }) => Object.assign(dot.style, { left: `${clientX}px`, top: `${clientY}px` });
  document.addEventListener('mousemove', follow, true);
}"""
HEARD = """async () => {
  const { store, isSaving } = await import(new URL('studio/static/store.js', location.href));
  return Boolean(store.view.preview?.url) && !isSaving() && !['running', 'waiting'].includes(store.job.state);
}"""
Frames = list[tuple[float, bytes]]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as address, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        picture(browser, address)
        frames = recorded(browser, address)
        browser.close()
    out = DOCS / "page.webm"
    for quality in QUALITY:
        encode(frames, out, quality)
        if out.stat().st_size < MOST_BYTES:
            break
    print(f"{out.name}: {frames[-1][0] - frames[0][0]:.0f} s, {out.stat().st_size / 1e6:.2f} MB")


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The page, for as long as the block lasts."""
    page = build(Environment(data=folder), Settings(music="embedded", offline=True))
    page.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
    yield page.blocks.local_url
    page.blocks.close(verbose=False)


def opened(browser: Any, address: str, size: dict[str, int]) -> Tab:
    tab: Tab = browser.new_context(locale="en-US", viewport=size).new_page()
    tab.goto(address)
    tab.locator(".stretch").first.wait_for()
    return tab


def picture(browser: Any, address: str) -> None:
    """docs/page.png: the editor with the segment under the playhead."""
    tab = opened(browser, address, PICTURE)
    tab.get_by_role("button", name="Open this sample").click()
    tab.locator(".seg").nth(2).click()
    tab.wait_for_function("() => document.querySelector('.player video').readyState > 2")
    tab.mouse.move(5, 300)
    tab.wait_for_timeout(5000)  # the frames of the film come one sheet after the other
    tab.screenshot(path=DOCS / "page.png")
    tab.context.close()


def recorded(browser: Any, address: str) -> Frames:
    """Everything that is seen during :func:`walk`, as (seconds, JPEG)."""
    tab = opened(browser, address, SIZE)
    tab.evaluate(POINTER)
    frames: Frames = []
    screen = tab.context.new_cdp_session(tab)

    def keep(event: dict[str, Any]) -> None:
        frames.append((event["metadata"]["timestamp"], base64.b64decode(event["data"])))
        screen.send("Page.screencastFrameAck", {"sessionId": event["sessionId"]})

    screen.on("Page.screencastFrame", keep)
    screen.send("Page.startScreencast", {"format": "jpeg", "quality": 90, "everyNthFrame": 2})
    waits = walk(tab)
    screen.send("Page.stopScreencast")
    tab.context.close()
    frames.append((time.time(), frames[-1][1]))  # nothing moves any more: the last one is looked at
    return shortened(frames, waits)


def composed(tab: Tab) -> tuple[float, float]:
    """From when to when an edit waited for its music."""
    tab.wait_for_timeout(600)
    began = time.time()
    while not tab.evaluate(HEARD) and time.time() - began < 60:
        tab.wait_for_timeout(50)
    return began, time.time()


def shortened(frames: Frames, waits: list[tuple[float, float]]) -> Frames:
    """The frames with each wait played so fast that it lasts a second at most."""

    def at(moment: float) -> float:
        saved = sum(
            max(0.0, 1 - MOST_WAIT / (end - start)) * max(0.0, min(moment, end) - start) for start, end in waits
        )
        return moment - saved

    return [(at(moment), picture) for moment, picture in frames]


def walk(tab: Tab) -> list[tuple[float, float]]:
    """From the landing to the finished video; the stretches of time in which somebody only waits."""
    waits: list[tuple[float, float]] = []
    tab.wait_for_timeout(3000)
    press(tab, ".showcase [data-hear=original]")
    tab.wait_for_timeout(1500)
    press(tab, ".showcase [data-hear=music]")
    tab.wait_for_timeout(1500)
    press(tab, ".showcase .btn.primary")
    tab.locator(".seg").first.wait_for()
    tab.wait_for_timeout(1200)
    press(tab, ".player .controls .btn")
    tab.wait_for_timeout(2500)
    press(tab, ".seg[data-key=s2]")
    tab.wait_for_timeout(600)
    press(tab, ".emotions [data-emotion=joy]")
    waits.append(composed(tab))
    drag(tab, ".handle[data-key=s3]", 60)
    waits.append(composed(tab))
    move(tab, ".whole select")
    tab.locator(".whole select").first.select_option("jazz")
    waits.append(composed(tab))
    press(tab, "[data-sheet=snapshots]")
    tab.wait_for_timeout(700)
    press(tab, "dialog.snapshots form .btn")
    tab.wait_for_timeout(1200)
    press(tab, "[data-sheet=export]")
    tab.wait_for_timeout(700)
    press(tab, "dialog.export [data-step=render]")
    began = time.time()
    tab.locator(".result video").wait_for(timeout=60_000)
    waits.append((began, time.time()))
    tab.wait_for_timeout(2000)
    return waits


def move(tab: Tab, where: str) -> tuple[float, float]:
    box = tab.locator(where).first.bounding_box()
    assert box, where
    place = box["x"] + box["width"] / 2, box["y"] + min(box["height"] / 2, 20)
    tab.mouse.move(*place, steps=18)
    return place


def press(tab: Tab, where: str) -> None:
    move(tab, where)
    tab.wait_for_timeout(250)
    tab.mouse.down()
    tab.mouse.up()


def drag(tab: Tab, where: str, by: float) -> None:
    x, y = move(tab, where)
    tab.mouse.down()
    tab.mouse.move(x + by, y, steps=20)
    tab.mouse.up()


def encode(frames: Frames, out: Path, quality: str) -> None:
    """WebM (VP9): each picture stands until the next one came."""
    start = frames[0][0]
    with av.open(str(out), "w") as container:
        options = {"crf": quality, "b:v": "0", "row-mt": "1", "cpu-used": "3"}
        stream = container.add_stream("libvpx-vp9", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = SIZE["width"], SIZE["height"], "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        last = -1
        for moment, data in frames:
            at = round((moment - start) * 1000)
            if at <= last:
                continue
            last = at
            image = Image.open(io.BytesIO(data)).convert("RGB").resize((SIZE["width"], SIZE["height"]))
            frame = av.VideoFrame.from_image(image)
            frame.pts, frame.time_base = at, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


if __name__ == "__main__":
    main()
