"""The addresses under ``studio/``: the page's scripts and styles, and the files of a project for whoever knows its id.

What the page draws of a video and its sounds is made when it is first asked for: peaks, a poster, and the pictures
under the timeline's ruler, sheet by sheet, in a thread of their own.
"""

from __future__ import annotations

import logging
import queue
import shutil
import threading
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from bgm.errors import BgmError
from bgm.export import EXPORTS
from bgm.files import beside
from bgm.project import Project
from bgm.speech import words
from bgm.takes import Activity
from bgm.ui import archive
from bgm.ui.sample import Sample, poster
from bgm.ui.steps import RESULTS, Records
from bgm.ui.view import PREFIX, has_picture, without_folders
from bgm.ui.workspace import Workspace

log = logging.getLogger("bgm")
STATIC = Path(__file__).with_name("static")
VOICE_BUCKETS, TAKE_BUCKETS = 4000, 240
POSTER_WIDTH = 960
FILM_FOLDER = "film"
FILM_CELLS = 16
"""Pictures in one sheet."""
FILM_STEPS = tuple(0.5 * 2 ** (k // 2) * (1.5 if k % 2 else 1) for k in range(27))
"""Seconds from one picture to the next, 0.5 to 4096: a sheet is named by the place of its step in this list."""
_FILM_HEIGHT = 64
"""Pixels of a picture: twice as many as it is shown with, for sharp screens."""
_EXACT_BELOW_SECONDS = 8.0
"""Pictures that lie farther apart are key frames, which need no others to be decoded."""
_MOST_SHEETS_WAITING = 64
_CACHED = {"Cache-Control": "private, max-age=86400"}
_HEADERS = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox"}
"""A user's file must never be run as a page of ours, whatever its name says."""

Finder = Callable[[Project], Path | None]


def routes(workspace: Workspace, sample: Sample) -> list[BaseRoute]:
    """For the ``routes`` of the application."""
    pages = _Pages(workspace)
    return [
        # The order decides: "static" and "sample" would otherwise be taken for projects, and a route with one name for
        # all files comes last.
        Mount(f"/{PREFIX}/static", _OwnFiles(directory=STATIC)),
        Route(f"/{PREFIX}/sample/{{name}}", partial(_sample_file, sample)),
        Route(f"/{PREFIX}/{{project}}/take/{{take}}", pages.take),
        Route(f"/{PREFIX}/{{project}}/peaks/{{name}}", pages.peaks),
        Route(f"/{PREFIX}/{{project}}/export/{{kind}}", pages.export),
        Route(f"/{PREFIX}/{{project}}/project", pages.archive),
        Route(f"/{PREFIX}/{{project}}/poster", pages.poster),
        Route(f"/{PREFIX}/{{project}}/edges", pages.edges),
        Route(f"/{PREFIX}/{{project}}/film/{{step:int}}/{{number:int}}", pages.film),
        Route(f"/{PREFIX}/{{project}}/{{name}}", pages.file),
    ]


class _OwnFiles(StaticFiles):
    """Our scripts and styles: a browser asks each time whether they changed, so that an update is seen at once."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "no-cache"
        return response


class _Pages:
    """One method for each kind of file. Names come from the browser: each is looked up, none becomes a path."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._films = Films()

    def file(self, request: Request) -> Response:
        finder = _FILES.get(request.path_params["name"])
        return self._serve(request, finder or _nothing)

    def take(self, request: Request) -> Response:
        wanted = request.path_params["take"]
        return self._serve(request, lambda project: _take_file(project, wanted))

    def peaks(self, request: Request) -> Response:
        name = request.path_params["name"]
        buckets = VOICE_BUCKETS if name in _FILES else TAKE_BUCKETS
        project = self._project(request)
        path = (_FILES.get(name) or (lambda p: _take_file(p, name)))(project) if project else None
        if path is None or not path.is_file():
            return _missing()
        return JSONResponse(_peaks(path, path.stat().st_mtime_ns, buckets), headers=_HEADERS | _CACHED)

    def poster(self, request: Request) -> Response:
        project = self._project(request, is_use=False)  # the list of projects shows it too
        # The time of the last change is in the key of the cache: a video that was replaced gets a poster of its own.
        picture = _poster(project.video_path, project.video_path.stat().st_mtime_ns) if project else None
        return Response(picture, media_type="image/jpeg", headers=_HEADERS | _CACHED) if picture else _missing()

    def film(self, request: Request) -> Response:
        """A sheet of pictures for the timeline; 202 while it is being made, so that no request waits for it."""
        project = self._project(request)
        if project is None or not has_picture(project.video_path):
            return _missing()
        sheet = self._films.sheet(project, request.path_params["step"], request.path_params["number"])
        if sheet is None:
            return _missing()
        if not sheet.is_file():
            return Response(status_code=202, headers={"Cache-Control": "no-store"})
        return FileResponse(sheet, headers=_HEADERS | _CACHED)

    def edges(self, request: Request) -> Response:
        """What a boundary snaps to besides lines: word boundaries and picture cuts, in seconds."""
        project = self._project(request)
        if project is None:
            return _missing()
        try:
            heard, cuts = words.load(project.words), Activity.load(project.activity).cuts
        except BgmError:  # damaged: the next analysis tells; a boundary snaps to less
            heard, cuts = (), ()
        times = sorted({time for word in heard for time in (word.start, word.end)})
        return JSONResponse({"word": times, "cut": cuts}, headers=_HEADERS | _CACHED)

    def export(self, request: Request) -> Response:
        kind = request.path_params["kind"]
        if kind not in EXPORTS:
            return _missing()
        return self._made(request, lambda project: archive.exported(project, kind))

    def archive(self, request: Request) -> Response:
        return self._made(request, archive.pack)

    def _made(self, request: Request, make: Finder) -> Response:
        project = self._project(request)
        if project is None:
            return _missing()
        try:
            path = make(project)
        except BgmError as error:
            return PlainTextResponse(without_folders(str(error)), status_code=409)
        if path is None:
            return _missing()
        # After the last byte, or when the browser leaves.
        done = BackgroundTask(shutil.rmtree, path.parent, ignore_errors=True)
        headers = _HEADERS | {"Cache-Control": "no-store"}
        return FileResponse(path, filename=path.name, headers=headers, background=done)

    def _serve(self, request: Request, find: Finder) -> Response:
        project = self._project(request)
        path = find(project) if project else None
        if project is None or path is None or not path.is_file():
            return _missing()
        name = _download_name(project, path) if "download" in request.query_params else None
        # An address with a version is of one content for ever; without it a browser asks each time.
        cached = _CACHED if "v" in request.query_params else {"Cache-Control": "private, no-cache"}
        return FileResponse(path, filename=name, headers=_HEADERS | cached)

    def _project(self, request: Request, *, is_use: bool = True) -> Project | None:
        try:
            return self._workspace.load(request.path_params["project"], is_use=is_use)
        except BgmError:
            return None


def _sample_file(sample: Sample, request: Request) -> Response:
    name = request.path_params["name"]
    if name == "poster" and sample.video.is_file():
        return Response(poster(sample.video), media_type="image/jpeg", headers=_HEADERS | _CACHED)
    path = sample.file(name)
    return FileResponse(path, headers=_HEADERS | _CACHED) if path and path.is_file() else _missing()


def _nothing(project: Project) -> Path | None:
    return None


def _take_file(project: Project, take_id: str) -> Path | None:
    takes = (take for segment in project.segments for take in segment.takes)
    return next((project.take_path(take) for take in takes if take.id == take_id), None)


def _result(project: Project) -> Path | None:
    result = Records.load(project.folder).result
    return result.path(project) if result else None


def _download_name(project: Project, path: Path) -> str:
    own = path.parent.name == RESULTS or path == project.video_path
    return path.name if own else f"{Path(project.video).stem} {path.name}"


def _missing() -> Response:
    return PlainTextResponse("there is nothing here", status_code=404)


@lru_cache(maxsize=512)
def _peaks(path: Path, changed: int, buckets: int) -> list[float]:
    from bgm.media.audio import peaks

    return [round(peak, 3) for peak in peaks(path, buckets)]


@lru_cache(maxsize=256)
def _poster(video: Path, changed: int) -> bytes | None:
    """A still from the start of the video; None where it has no picture."""
    from bgm.media.picture import thumbnail
    from bgm.media.probe import probe

    try:
        info = probe(video)
        return thumbnail(info, min(1.0, info.duration / 2), POSTER_WIDTH)
    except BgmError:
        return None


_FILES: dict[str, Finder] = {
    "video": lambda project: project.video_path,
    "audio": lambda project: project.audio,
    "voice": lambda project: project.voice,
    "bgm": lambda project: project.bgm,
    "master": lambda project: project.master,
    "result": _result,
}


class Films:
    """Makes sheets, the latest request first: that is what somebody is looking at now."""

    def __init__(self) -> None:
        # Last in, first out: whoever scrolls through an hour waits for what is in sight, not for what was passed.
        self._wanted: queue.LifoQueue[tuple[Project, int, int]] = queue.LifoQueue()
        self._states: dict[Path, bool] = {}
        """True while it is being made or waiting; False if it failed."""
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def sheet(self, project: Project, step: int, number: int) -> Path | None:
        """The file of a sheet; if it doesn't exist yet, making it is begun. None if there can be none."""
        path = film_sheet(project, step, number)
        if not 0 <= step < len(FILM_STEPS) or number * FILM_CELLS * FILM_STEPS[step] >= project.duration:
            return None
        with self._lock:
            if path.is_file():
                return path
            if path not in self._states and self._wanted.qsize() < _MOST_SHEETS_WAITING:
                self._states[path] = True
                self._wanted.put((project, step, number))
                self._begin()
            return path if self._states.get(path, True) else None

    def _begin(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="bgm-film", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        # A daemon: it is waiting for work most of the time, and must not keep the process alive.
        while True:
            project, step, number = self._wanted.get()
            path = film_sheet(project, step, number)
            try:
                make_sheet(project, step, number)
                self._states.pop(path)
            except (BgmError, OSError) as error:  # it is damaged, its project is gone, the disk is full
                log.info("no pictures for the timeline: %s", error)
                self._states[path] = False
            except Exception:  # a library's own: of this sheet, and the thread is needed for all others
                log.exception("no pictures for the timeline")
                self._states[path] = False


def film_sheet(project: Project, step: int, number: int) -> Path:
    """Where a sheet is kept."""
    return project.folder / FILM_FOLDER / f"{step}-{number}.jpg"


def make_sheet(project: Project, step: int, number: int) -> None:
    """Make one sheet. Raises BadInput where the video has no picture."""
    from bgm.media.picture import filmstrip
    from bgm.media.probe import probe

    seconds = FILM_STEPS[step]
    # Each picture is of the middle of its cell, so that a cut is seen where it lies.
    middles = [(number * FILM_CELLS + cell + 0.5) * seconds for cell in range(FILM_CELLS)]
    times = [min(time, project.duration) for time in middles if time - seconds / 2 < project.duration]
    exact = seconds < _EXACT_BELOW_SECONDS
    strip = filmstrip(probe(project.video_path), times, _FILM_HEIGHT, cells=FILM_CELLS, exact=exact)
    path = film_sheet(project, step, number)
    path.parent.mkdir(exist_ok=True)
    with beside(path) as part:
        part.write_bytes(strip)
