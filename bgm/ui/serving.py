"""The server as seen by who runs it: it tells whether it can take another video, and ends in time when asked to."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import threading
import time
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bgm import __version__
from bgm.files import DISK_FULL, drop_open_parts
from bgm.log import fields
from bgm.ui.jobs import Jobs

if TYPE_CHECKING:  # the page has the address of the health check
    from bgm.ui.page import Page

STOP_WITHIN_S = 6.0
"""Docker kills what has not ended ten seconds after it was asked to; a native call hears nothing until it returns."""
FREE_BYTES = 100 * 2**20
"""With less room than this not even a short video's project fits."""
log = logging.getLogger("bgm")


def serve(page: Page, **options: Any) -> None:
    """Launch the page and end the process when SIGTERM or Ctrl-C comes. In the main thread only."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        page.launch(prevent_thread_lock=True, **options)
        if page.service.workspace.environment.warm_up:
            prepare_when_visited(page)
        log.info("serving", extra=fields(version=__version__))
        while True:
            time.sleep(0.2)
    except KeyboardInterrupt:
        _end(page)


def prepare_when_visited(page: Page) -> threading.Thread:
    """Unpack the sample and load the engines in the background once somebody has the page open: a server that nobody
    visits costs nothing, and who has just come doesn't wait for it yet."""

    def work() -> None:
        page.visited.wait()
        page.sample.prepare(page.service.settings)

    thread = threading.Thread(target=work, name="bgm-prepare", daemon=True)
    thread.start()
    return thread


def _end(page: Page) -> None:
    """Stop the jobs, whose stages end their own children, and leave: who runs a stopped job again resumes it.

    Python's own way out would wait for the streams of open tabs (5 s) and then collect what torch left (3 s).
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)  # who asks twice doesn't want to wait
    log.info("ending")
    page.service.jobs.close()
    in_time = page.service.jobs.wait(STOP_WITHIN_S)
    drop_open_parts()
    log.info("ended" if in_time else "ended in the middle of a job that did not stop in time")
    logging.shutdown()
    os._exit(0)


def health(jobs: Jobs, folder: Path) -> Route:
    """``/healthz``: whether this process can take another video. Open to all, as who asks is most often a machine.

    ``folder`` is where the projects are. 200, or 503 whose ``status`` says why: ending, stuck, full, unwritable.
    """

    def answer(request: Request) -> Response:
        trouble = jobs.trouble() or disk_trouble(folder)
        counts = {"running": jobs.count("running"), "waiting": jobs.count("waiting")}
        document = {"status": trouble or "ok", "version": __version__, "jobs": counts}
        return JSONResponse(document, 503 if trouble else 200, {"Cache-Control": "no-store"})

    return Route("/healthz", answer)


def disk_trouble(folder: Path) -> str | None:
    """``unwritable`` or ``full``; found by writing, as permissions say nothing of a disk that is mounted read-only."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder) as file:
            file.write(b"0")
        return "full" if shutil.disk_usage(folder).free < FREE_BYTES else None
    except OSError as error:
        return "full" if error.errno in DISK_FULL else "unwritable"
