"""How fast the page is: server start, first paint, the cost of a drag and of a zoom, with 300 segments.

python -m benchmarks.page          prints a Markdown table

Start and first paint stand beside the smallest page that Gradio can serve: a video and a button. One frame of 60 Hz,
16.7 ms, is what a drag or a turn of the wheel may take.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.peers import Options, package
from benchmarks.table import Row, not_run, show
from bgm import studio
from bgm.environment import Environment
from bgm.settings import Settings
from bgm.timeline import EMOTIONS, Segment, Timeline, Utterance
from bgm.ui.workspace import Workspace

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "assets" / "sample.mp4"
PORT = 7897
HOME = f"http://127.0.0.1:{PORT}/"
STARTS = 3
FRAME_MS = 1000 / 60
OURS = (str(ROOT / "app.py"),)
SMALLEST = """
import gradio
with gradio.Blocks() as page:
    gradio.Video()
    gradio.Button("go", elem_classes="go")
page.launch(quiet=True)
"""
GRADIO = ("-c", SMALLEST)

# A frame comes every 16.7 ms whatever we do; what counts is the time that our own work takes of it: the event's
# handler, all that is done in the next animation frame, also what an earlier event left for it, and the layout that
# follows.
COST = """async (act) => {
  window.frameOf ??= window.requestAnimationFrame.bind(window);
  let spent = 0;
  const timed = (work) => {
    const begun = performance.now();
    const result = work();
    spent += performance.now() - begun;
    return result;
  };
  window.spend = timed;
  window.requestAnimationFrame = (work) => window.frameOf((at) => window.spend(() => work(at)));
  timed(act);
  return new Promise((done) => window.frameOf(() => {
    timed(() => document.querySelector('.strip').getBoundingClientRect());
    done(spent);
  }));
}"""
DRAG = """async () => {
  const cost = COST;
  const { follow, segments } = await import(new URL('studio/static/store.js', location.href));
  const middle = segments()[Math.floor(segments().length / 2)];
  follow((middle.start + middle.end) / 2); // between blocks as narrow as these only the selected one shows its handles
  const handle = document.querySelector(`.handle[data-key="${middle.id}"]`);
  handle.scrollIntoView({ block: 'center', inline: 'center' });
  handle.setPointerCapture = () => {}; // no real pointer is pressed
  const box = handle.getBoundingClientRect();
  const start = box.left + box.width / 2;
  const at = (type, x) => handle.dispatchEvent(new PointerEvent(type, {
    bubbles: true, cancelable: true, pointerId: 1, clientX: x, clientY: box.top + 20, button: 0,
  }));
  const costs = [];
  at('pointerdown', start);
  for (let i = 1; i <= 60; i += 1) costs.push(await cost(() => at('pointermove', start + 4 * Math.sin(i / 3))));
  at('pointercancel', start);
  return costs;
}""".replace("COST", COST)
ZOOM = """async () => {
  const cost = COST;
  const area = document.querySelector('.scroller');
  const box = area.getBoundingClientRect();
  const turn = (deltaY) => area.dispatchEvent(new WheelEvent('wheel', { ctrlKey: true,
    deltaY, clientX: box.left + box.width / 2, bubbles: true, cancelable: true,
  }));
  const costs = [];
  for (let i = 0; i < 40; i += 1) costs.push(await cost(() => turn(i < 20 ? -60 : 60)));
  return costs;
}""".replace("COST", COST)

GESTURES = 5  # of each kind, one after the other, the first of them before anything was compiled
REST_S = 2.0
MINUTES = 90
# The project as one of MINUTES, each segment with the waveform of a take to be drawn.
STRETCH = """async (seconds) => {
  const { setView, store } = await import(new URL('studio/static/store.js', location.href));
  const scale = seconds / store.view.duration;
  const stretched = (all) => all.map((one) => ({ ...one, start: one.start * scale, end: one.end * scale }));
  const peaks = `data:application/json,${JSON.stringify([...Array(240).keys()].map((i) => 0.5 + 0.4 * Math.sin(i)))}`;
  const segments = stretched(store.view.segments).map((s) => (
    { ...s, silent: false, chosen: 'k', takes: [{ id: 'k', engine: 'embedded', seed: 1, url: null, peaks }] }));
  setView({ ...store.view, duration: seconds, segments, utterances: stretched(store.view.utterances) });
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
}"""


@contextmanager
def server(data: Path, command: tuple[str, ...] = OURS) -> Iterator[float]:
    """The app (or another) in a process of its own; yields the seconds until it answered."""
    env = {**os.environ, "BGM_DATA": str(data), "GRADIO_SERVER_PORT": str(PORT), "GRADIO_ANALYTICS_ENABLED": "False"}
    begun = time.monotonic()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([sys.executable, *command], env=env, **quiet)
    try:
        while not answers():
            if process.poll() is not None:
                raise RuntimeError("the app ended before it answered")
            time.sleep(0.05)
        yield time.monotonic() - begun
    finally:
        process.terminate()
        process.wait(10)


def answers() -> bool:
    try:
        urllib.request.urlopen(HOME, timeout=2).close()
    except (urllib.error.URLError, OSError):
        return False
    return True


def long_project(workspace: Workspace, count: int) -> str:
    """A project with ``count`` segments and as many utterances, on the sample; silent, so that nothing is composed."""
    with workspace.new() as (project_id, folder):
        (folder / "source").mkdir()
        video = folder / "source" / SAMPLE.name
        shutil.copy(SAMPLE, video)
        project = studio.open_video(video, folder, Settings(offline=True))
        length = project.duration / count
        edges = [i * length for i in range(count)] + [project.duration]
        segments, lines = [], []
        for i in range(count):
            emotion = EMOTIONS[i % 7]
            segments.append(Segment(f"s{i + 1}", edges[i], edges[i + 1], emotion, confidence=0.5, silent=True))
            scores = {e: 0.7 if e == emotion else 0.05 for e in EMOTIONS}
            lines.append(Utterance(edges[i], edges[i + 1], f"line {i}", f"line {i}", scores))
        timeline = Timeline(project.duration, tuple(segments))
        replace(project, utterances=tuple(lines), timeline=timeline, language="en").save()
    return project_id


def first_paint(browser: Browser, button: str = ".ways .btn") -> tuple[float, float]:
    """Seconds to the first contentful paint and until the first ``button`` is there, with an empty cache."""
    tab = browser.new_page(viewport={"width": 1400, "height": 1000})
    begun = time.monotonic()
    tab.goto(HOME)
    tab.locator(button).first.wait_for()
    ready = time.monotonic() - begun
    paint = tab.evaluate("() => performance.getEntriesByName('first-contentful-paint')[0].startTime / 1000")
    tab.close()
    return float(paint), ready


def opened(browser: Browser, project_id: str) -> tuple[Page, float]:
    """The page with a project, and the seconds from the click until its timeline was drawn."""
    tab = browser.new_page(viewport={"width": 1400, "height": 1300})
    recent = f'[{{"id":"{project_id}","title":"long","duration":57}}]'
    tab.add_init_script(f"localStorage.setItem('bgm-recent', '{recent}')")
    tab.goto(HOME)
    button = tab.locator(".recent .btn").first
    button.wait_for()
    begun = time.monotonic()
    button.click()
    tab.locator(".seg").first.wait_for()
    return tab, time.monotonic() - begun


def edit_time(tab: Page) -> float:
    """Seconds from a key press until Python's answer is drawn."""
    tab.locator(".seg").first.focus()
    tab.keyboard.press("Enter")
    begun = time.monotonic()
    tab.keyboard.press("6")
    tab.get_by_role("button", name="Undo", disabled=False).wait_for()
    return time.monotonic() - begun


@contextmanager
def rest(tab: Page) -> Iterator[None]:
    """What is done in it, and all that the page then asks for (film, mix), until nothing came for REST_S."""
    asked = [time.monotonic()]

    def note(_request: object) -> None:
        asked[0] = time.monotonic()

    tab.on("request", note)
    yield
    while time.monotonic() - asked[0] < REST_S:
        tab.wait_for_timeout(100)
    tab.remove_listener("request", note)


def rows(_options: Options, count: int = 300) -> Iterator[Row]:
    """Start and first paint beside Gradio's smallest page, then the timeline against one frame."""
    chromium = shutil.which("chromium")
    if chromium is None:
        yield not_run("the page: start, first paint, drag", package("gradio"), "no program named chromium here")
        return
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as play:
        data = Path(folder)
        project_id = long_project(Workspace(Environment(data=data)), count)
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield from _beside_gradio(data, browser)
        with server(data):
            yield from _timeline(browser, project_id, count)
        browser.close()


def _beside_gradio(data: Path, browser: Browser) -> Iterator[Row]:
    """Both servers started in turn, their page opened with an empty cache each time."""
    ours: list[tuple[float, ...]] = []
    theirs: list[tuple[float, ...]] = []
    for _ in range(STARTS):
        for command, button, times in ((OURS, ".ways .btn", ours), (GRADIO, ".go", theirs)):
            with server(data, command) as started:
                times.append((started, *first_paint(browser, button)))
    peer = f"{package('gradio')}'s smallest page"
    whats = ("server start until it answers", "first contentful paint", "first button there")
    for what, mine, other in zip(whats, zip(*ours, strict=True), zip(*theirs, strict=True), strict=True):
        yield Row(f"page: {what}", "s", statistics.median(mine), peer, statistics.median(other), STARTS)


def _timeline(browser: Browser, project_id: str, count: int) -> Iterator[Row]:
    """What moving and zooming cost with many segments."""
    tab, shown = opened(browser, project_id)
    yield Row(f"page, {count} segments: from click to timeline", "s", shown, "none", None)
    with rest(tab):
        edited = edit_time(tab)
    yield Row(f"page, {count} segments: an edit, to Python and back", "ms", edited * 1000, "none", None)
    with rest(tab):
        tab.evaluate(STRETCH, MINUTES * 60)
    for what, gesture in (("one move of a drag", DRAG), ("one step of the wheel", ZOOM)):
        costs = []
        for _ in range(GESTURES):
            with rest(tab):
                costs += tab.evaluate(gesture)
            assert tab.locator(".inner").get_attribute("data-duration") == str(MINUTES * 60), "the page was loaded anew"
        name, runs = f"page, {count} segments in {MINUTES} minutes: {what}", len(costs)
        yield Row(f"{name}, median", "ms", statistics.median(costs), "one frame", FRAME_MS, runs)
        yield Row(f"{name}, 95th percentile", "ms", statistics.quantiles(costs, n=20)[-1], "one frame", FRAME_MS, runs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--segments", type=int, default=300)
    show(rows(Options(), parser.parse_args().segments))


if __name__ == "__main__":
    main()
