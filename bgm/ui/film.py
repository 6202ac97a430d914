"""Pictures of a video in rows for the timeline, made by one thread aside and kept in the project's folder."""

from __future__ import annotations

import logging
import queue
import threading
from pathlib import Path

from bgm.errors import BgmError
from bgm.files import beside
from bgm.project import Project

log = logging.getLogger(__name__)
FOLDER = "film"
CELLS = 16
"""Pictures in one sheet."""
STEPS = tuple(0.5 * 2 ** (k // 2) * (1.5 if k % 2 else 1) for k in range(27))
"""Seconds from one picture to the next, 0.5 to 4096: a sheet is named by the place of its step in this list."""
_HEIGHT = 64
"""Pixels of a picture: twice as many as it is shown with, for sharp screens."""
_EXACT_BELOW_SECONDS = 8.0
"""Pictures that lie farther apart are key frames, which need no others to be decoded."""
_MOST_WAITING = 64


class Films:
    """Makes sheets, the latest that was asked for first: that is what somebody looks at now."""

    def __init__(self) -> None:
        self._wanted: queue.LifoQueue[tuple[Project, int, int]] = queue.LifoQueue()
        self._states: dict[Path, bool] = {}
        """True while it is made or waits for that; False where it failed."""
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def sheet(self, project: Project, step: int, number: int) -> Path | None:
        """The file of a sheet; one that does not exist yet is being made from now on. None where there is none."""
        path = place(project, step, number)
        if not 0 <= step < len(STEPS) or number * CELLS * STEPS[step] >= project.duration:
            return None
        with self._lock:
            if path.is_file():
                return path
            if path not in self._states and self._wanted.qsize() < _MOST_WAITING:
                self._states[path] = True
                self._wanted.put((project, step, number))
                self._begin()
            return path if self._states.get(path, True) else None

    def _begin(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="bgm-film", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        while True:
            project, step, number = self._wanted.get()
            path = place(project, step, number)
            try:
                make(project, step, number)
                self._states.pop(path)
            except (BgmError, OSError) as error:  # it is damaged, its project is gone, the disk is full
                log.info("no pictures for the timeline: %s", error)
                self._states[path] = False
            except Exception:  # a library's own: of this sheet, and the thread is needed for all others
                log.exception("no pictures for the timeline")
                self._states[path] = False


def place(project: Project, step: int, number: int) -> Path:
    """Where a sheet is kept."""
    return project.folder / FOLDER / f"{step}-{number}.jpg"


def make(project: Project, step: int, number: int) -> None:
    """Make one sheet. Raises BadInput where the video has no picture."""
    from bgm.media.picture import filmstrip
    from bgm.media.probe import probe

    seconds = STEPS[step]
    middles = [(number * CELLS + cell + 0.5) * seconds for cell in range(CELLS)]
    times = [min(time, project.duration) for time in middles if time - seconds / 2 < project.duration]
    exact = seconds < _EXACT_BELOW_SECONDS
    strip = filmstrip(probe(project.video_path), times, _HEIGHT, cells=CELLS, exact=exact)
    path = place(project, step, number)
    path.parent.mkdir(exist_ok=True)
    with beside(path) as part:
        part.write_bytes(strip)
