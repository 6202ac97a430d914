"""Named states of a project to return to, kept in its folder as ``snapshots.json``.

A snapshot is the content of project.json under a name. It refers to takes without copying any audio; the page deletes
takes only when nothing names them any more (:func:`prune`), so they are there when needed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

from bgm import project as projects
from bgm.errors import BadInput
from bgm.files import write_text
from bgm.project import Project
from bgm.timeline import Timeline

FILE = "snapshots.json"
MOST = 20
NAME_LENGTH = 60


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A saved state of a project: its name, and when it was saved (ISO 8601, UTC)."""

    name: str
    saved: str


def listed(folder: Path) -> tuple[Snapshot, ...]:
    """The snapshots of the project in ``folder``, oldest first. Raises BadInput if the file is damaged."""
    return tuple(Snapshot(one["name"], one["saved"]) for one in _read(folder))


def save(project: Project, name: str, now: datetime | None = None) -> tuple[Snapshot, ...]:
    """Save the project's current state as ``name``, replacing one of that name; returns all snapshots.

    Raises BadInput for an invalid name, for too many snapshots, and for a video that has not been analyzed yet.
    """
    called = " ".join(name.split())
    if not (called.isprintable() and 0 < len(called) <= NAME_LENGTH):
        raise BadInput(f"a snapshot has a name of 1 to {NAME_LENGTH} characters")
    if project.timeline is None:
        raise BadInput("this video was not analyzed yet")
    others = [one for one in _read(project.folder) if one["name"] != called]
    if len(others) >= MOST:
        raise BadInput(f"a project keeps up to {MOST} snapshots; delete one first")
    stamp = (now or datetime.now(UTC)).isoformat(timespec="seconds")
    _write(project.folder, [*others, {"name": called, "saved": stamp, "project": json.loads(projects.dumps(project))}])
    return listed(project.folder)


def get(project: Project, name: str) -> Project:
    """The project as it was when ``name`` was saved; changes nothing. Raises BadInput if there is no such snapshot."""
    found = next((one for one in _read(project.folder) if one["name"] == name), None)
    if found is None:
        raise BadInput("there is no such snapshot any more")
    # Through the strict reader, as a project file: snapshots.json may have been edited, or come from a stranger in an
    # archive.
    then = projects.loads(json.dumps(found["project"]), project.folder, project.settings)
    if then.timeline is None or then.duration != project.duration:
        raise BadInput("this snapshot is of another length than the video has now")
    return then


def remove(project: Project, name: str) -> tuple[Snapshot, ...]:
    """Delete a snapshot; returns the remaining ones."""
    _write(project.folder, [one for one in _read(project.folder) if one["name"] != name])
    return listed(project.folder)


def check(project: Project) -> None:
    """Validate snapshots from an untrusted source. Raises BadInput if they are not intact."""
    for snapshot in listed(project.folder):
        then = get(project, snapshot.name)
        missing = [take.file for s in then.segments for take in s.takes if not then.take_path(take).is_file()]
        if missing:
            raise BadInput(f"the snapshot lacks the take {missing[0]}")


def named_takes(project: Project, timelines: Iterable[Timeline] = ()) -> set[str] | None:
    """The files of the takes that can be chosen again: of the project, its snapshots, and ``timelines`` (undo's).

    None if the snapshots can't be read: then each may be needed.
    """
    try:
        kept = [get(project, one.name).segments for one in listed(project.folder)]
    except BadInput:
        return None
    segments = chain(project.segments, *kept, *(timeline.segments for timeline in timelines))
    return {take.file for segment in segments for take in segment.takes}


def prune(project: Project, timelines: Iterable[Timeline]) -> None:
    """Delete the takes that nothing names. Nobody may edit the project or make its takes meanwhile: a take is written
    before the project names it."""
    needed = named_takes(project, timelines)
    if needed is None:
        return
    for path in (project.folder / "takes").glob("*.flac"):
        if f"takes/{path.name}" not in needed:
            path.unlink(missing_ok=True)


def _write(folder: Path, kept: list[Mapping[str, Any]]) -> None:
    write_text(folder / FILE, json.dumps(kept, ensure_ascii=False, indent=1))


def _read(folder: Path) -> tuple[Mapping[str, Any], ...]:
    file = folder / FILE
    try:
        state = file.stat()
    except FileNotFoundError:
        return ()
    # The page lists the snapshots with every view, several times a second during a step: the file is parsed once per
    # version.
    return _read_once(file, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=64)
def _read_once(file: Path, changed: int, size: int) -> tuple[Mapping[str, Any], ...]:
    damaged = BadInput(f"{FILE} is damaged; delete it to go on without snapshots")
    # As the project itself is bounded: nothing larger was written by save().
    if size > MOST * projects.MAX_BYTES:
        raise damaged
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise damaged from error
    if not (isinstance(found, list) and len(found) <= MOST and all(map(_is_whole, found))):
        raise damaged
    return tuple(found)


def _is_whole(one: object) -> bool:
    if not (isinstance(one, dict) and set(one) == {"name", "saved", "project"}):
        return False
    return all(isinstance(one[said], str) and len(one[said]) <= NAME_LENGTH for said in ("name", "saved"))
