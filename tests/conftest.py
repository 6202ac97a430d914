"""Fixtures that all rooms share. Real speech and video are read from Gradio's own package, never copied in."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fake_hub import empty_cache, fake_hub, no_network

__all__ = ["empty_cache", "fake_hub", "no_network"]

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as bgm.__main__ does, before torch and NumPy are loaded
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

LONG_ROOMS = ("browser", "faults", "ui")
NEVER_SKIPPED_IN_CI = ("browser", "checkpoint")

ROOT = Path(__file__).resolve().parents[1]
JFK_WORDS = (
    "and so my fellow americans ask not what your country can do for you ask what you can do for your country".split()
)


def _gradio_asset(kind: str, name: str) -> Path:
    spec = importlib.util.find_spec("gradio")
    if spec is None or spec.origin is None:
        pytest.skip("gradio is not installed")
    path = Path(spec.origin).parent / "media_assets" / kind / name
    if not path.is_file():
        pytest.skip(f"gradio's package has no media_assets/{kind}/{name}")
    return path


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """One for all tests: a second Playwright in the same process refuses to start."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=60_000)  # a busy machine is no failure

    path = shutil.which("chromium")
    if path is None:
        pytest.skip("there is no chromium on this machine")
    with sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The data that lies beside a developer's checkout."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("../shared/data is not there")
    return folder


@pytest.fixture(scope="session")
def jfk(shared_data: Path) -> Path:
    """11 s of real speech whose words are JFK_WORDS."""
    return shared_data / "jfk.flac"


@pytest.fixture(scope="session")
def world_mp4() -> Path:
    return _gradio_asset("videos", "world.mp4")


@pytest.fixture(scope="session")
def a_mp4() -> Path:
    return _gradio_asset("videos", "a.mp4")


@pytest.fixture(scope="session")
def b_avi() -> Path:
    return _gradio_asset("videos", "b.avi")


@pytest.fixture(scope="session")
def muted_mp4() -> Path:
    return _gradio_asset("videos", "muted_b.mp4")


@pytest.fixture(scope="session")
def cate_mp3() -> Path:
    return _gradio_asset("audio", "cate_blanch.mp3")


@pytest.fixture(scope="session")
def sample() -> Path:
    """The bundled sample video, with its subtitles beside it."""
    return ROOT / "assets" / "sample.mp4"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long begins first (and ``--no-loadscope-reorder`` leaves it so): the processes end together."""
    items.sort(key=lambda item: item.path.parent.name not in LONG_ROOMS)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """In CI a browser or checkpoint test that can't run is a failure: its prerequisite should have been installed."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    must_run = any(item.get_closest_marker(name) for name in NEVER_SKIPPED_IN_CI)
    if report.skipped and must_run and os.environ.get("CI") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {report.longrepr}"
