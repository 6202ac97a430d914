"""``/healthz``: whether this process can take another video. Open to all, as who asks is most often a machine."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryFile

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bgm import __version__
from bgm.files import DISK_FULL
from bgm.ui.jobs import Jobs

FREE_BYTES = 100 * 2**20
"""With less room than this not even a short video's project fits."""


def route(jobs: Jobs, folder: Path) -> Route:
    """``folder`` is where the projects are. 200, or 503 whose ``status`` says why: ending, stuck, full, unwritable."""

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
