"""A server in this process and a real Chromium. One project is analyzed and scored once; each test gets a copy."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, BrowserContext
from playwright.sync_api import Page as Tab

from bgm import project as projects
from bgm import studio
from bgm.environment import Environment
from bgm.progress import unheard
from bgm.settings import Settings
from bgm.ui import media, steps
from bgm.ui.jobs import Job, Queue
from bgm.ui.page import Page, build

SETTINGS = Settings(
    min_segment=2.0, separator="original", transcriber="subtitles", classifier="minilm", music="embedded", offline=True
)
LINES = (
    (0.5, 4.6, "I am so happy today, this is wonderful and I love it!"),
    (5.2, 9.4, "I miss her so much, I cried the whole night, it is so sad."),
    (10.1, 14.3, "How dare you, I am furious, I hate this!"),
    (15.0, 18.9, "I am so scared, somebody is in the dark house."),
)
SECONDS = 20


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def clip(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 s of the sample with four lines of subtitles of our own beside it."""
    from imageio_ffmpeg import get_ffmpeg_exe

    out = tmp_path_factory.mktemp("clip") / "holiday clip.mp4"
    cut = [get_ffmpeg_exe(), "-v", "error", "-i", str(sample), "-t", str(SECONDS), "-c", "copy", str(out)]
    subprocess.run(cut, check=True)
    blocks = (f"{i}\n{_stamp(a)} --> {_stamp(b)}\n{text}\n" for i, (a, b, text) in enumerate(LINES, 1))
    out.with_suffix(".srt").write_text("\n".join(blocks), encoding="utf-8")
    return out


def _stamp(seconds: float) -> str:
    return f"00:00:{int(seconds):02d},{round(seconds % 1 * 1000):03d}"


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory, sample: Path) -> Iterator[Page]:
    """The page, launched."""
    environment = Environment(data=tmp_path_factory.mktemp("data"), max_minutes=2, max_mb=50)
    page = build(environment, SETTINGS, sample)
    page.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
    yield page
    page.blocks.close(verbose=False)


@pytest.fixture(scope="session")
def made(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project folder, analyzed, with its music and its mix: nothing is left to be made."""
    folder = tmp_path_factory.mktemp("made") / "project"
    (folder / "source").mkdir(parents=True)
    for suffix in (".mp4", ".srt"):
        shutil.copy(clip.with_suffix(suffix), folder / "source" / f"clip{suffix}")
    project = studio.open_video(folder / "source" / "clip.mp4", folder, SETTINGS)
    project = steps.preview(studio.analyze(project), steps.StepOptions(), unheard)
    assert [s.emotion for s in project.segments] == ["joy", "sadness", "anger", "fear"]
    for number in (0, 1):  # once for all the tests, not once in each
        media.make_sheet(project, media.FILM_STEPS.index(1.0), number)
    return folder


@pytest.fixture
def project(page: Page, made: Path) -> Iterator[str]:
    """The id of a project of its own on the server, whose work ends with the test."""
    with page.service.workspace.new() as (project_id, folder):
        shutil.copytree(made, folder, dirs_exist_ok=True)
    yield project_id
    page.service.jobs.stop(project_id)
    job = page.service.jobs.of(project_id)
    assert job is None or job.finished.wait(60)


@pytest.fixture(scope="session")
def visitor(chromium: Browser, page: Page) -> Iterator[BrowserContext]:
    """One for all tests: in a new one a browser compiles all scripts anew, 0.8 s for each test.

    It leaves before the page is closed, which would wait 5 s for its streams.
    """
    visitor = chromium.new_context(locale="en-US", viewport={"width": 1400, "height": 1300}, accept_downloads=True)
    visitor.set_default_timeout(60_000)
    yield visitor
    visitor.close()


@pytest.fixture
def context(visitor: BrowserContext, page: Page) -> Iterator[BrowserContext]:
    """A visitor who was never here before."""
    yield visitor
    blank = visitor.new_page()  # before the others are closed: a browser without a page takes time to come back
    for tab in visitor.pages:
        if tab is not blank:
            tab.close()
    blank.goto(f"{page.blocks.local_url}studio/static/boot.js")  # of the page's origin, and runs nothing
    blank.evaluate("() => { localStorage.clear(); sessionStorage.clear(); }")
    blank.close()
    visitor.clear_cookies()
    visitor.unroute_all()


@pytest.fixture
def open_tab(page: Page) -> Callable[..., Tab]:
    """Open the page in a context; with a project id, through the list of recent projects."""

    def opened(context: BrowserContext, project_id: str | None = None, *, tap: bool = False) -> Tab:
        tab = context.new_page()
        tab.errors = []  # type: ignore[attr-defined]
        tab.on("pageerror", lambda error: tab.errors.append(str(error)))  # type: ignore[attr-defined]
        if project_id:
            recent = json.dumps([{"id": project_id, "title": "clip", "duration": SECONDS}])
            tab.add_init_script(f"localStorage.getItem('bgm-recent') || localStorage.setItem('bgm-recent', '{recent}')")
        tab.goto(page.blocks.local_url)
        if project_id:
            recent_one = tab.locator(".recent .btn").first
            recent_one.tap() if tap else recent_one.click()
            tab.locator(".seg").first.wait_for()
            tab.wait_for_function("() => document.querySelector('.player video').readyState > 0")
        else:
            tab.locator(".ways .btn").first.wait_for()
        return tab

    return opened


@pytest.fixture
def tab(context: BrowserContext, open_tab: Callable[..., Tab], project: str) -> Iterator[Tab]:
    """The page with a project of its own; no script may have failed on it by the end."""
    tab = open_tab(context, project)
    yield tab
    assert tab.errors == []  # type: ignore[attr-defined]


@pytest.fixture
def others(page: Page) -> Iterator[Callable[[Queue], threading.Event]]:
    """Fill a queue with the work of others, which goes on until the event is set, at the latest to the test's end."""
    release, environment = threading.Event(), page.service.workspace.environment
    jobs: list[Job] = []

    def fill(queue: Queue) -> threading.Event:
        for _ in range(environment.workers if queue == "studio" else environment.music_workers):
            jobs.append(page.service.jobs.submit(uuid4().hex, "render", queue, lambda listen: release.wait(300)))
        return release

    yield fill
    release.set()
    assert all(job.finished.wait(60) for job in jobs)


@pytest.fixture
def truth(page: Page) -> Callable[[str], projects.Project]:
    """What Python has on disk."""
    return page.service.workspace.load
