"""The units of a batch: which videos, their names, where results go, and how each ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

from bgm.batch import storage
from bgm.errors import BadInput

MORE_SUFFIXES = (".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".wmv", ".flv", ".3gp", ".ogv")
"""Suffixes that count as video in a folder, beside those that we write. A list may name any file, audio too."""
PROJECTS = "projects"
"""Subfolder of the results: one project per video, which the page and the shell open like any other."""
Status = Literal["made", "already there", "failed", "stopped"]


@dataclass(frozen=True, slots=True)
class Unit:
    """One video. Paths that every node sees, or fsspec addresses (``s3://…``)."""

    name: str
    video: str
    out: str
    """The result; if its container can't hold the streams, the suffix of one that can is appended."""
    project: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a unit ended, for the table and, field by field, for JSON. ``why``: one sentence about a failure."""

    name: str
    status: Status
    seconds: float = 0.0
    lufs: float | None = None
    out: str = ""
    why: str = ""
    where: str = ""
    stages: Mapping[str, float] = field(default_factory=dict)
    """Seconds per stage that ran."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The units in the order given, and notes on renamed and repeated videos."""

    units: tuple[Unit, ...]
    notes: tuple[str, ...]


def plan(source: str, out: str) -> Plan:
    """The videos of a folder, of a text file that lists one per line, or the single video named.

    Raises BadInput if there is none, and if the output folder lies inside the input folder.
    """
    out = out if storage.is_address(out) else str(Path(out).resolve())
    videos, notes = _without_repeats(_videos(source, out))
    if not videos:
        raise BadInput(f"there are no videos in {source}")
    names, renamed = _names(videos)
    units = tuple(
        Unit(name, video, storage.join(out, name), storage.join(out, PROJECTS, f"{name}.bgm"))
        for name, video in zip(names, videos, strict=True)
    )
    return Plan(units, (*notes, *renamed))


def is_video(name: str) -> bool:
    """Whether a file of this name in a folder counts as a video."""
    from bgm.media.forms import VIDEO_FORMS

    hidden = PurePosixPath(name).name.startswith(".")
    return not hidden and PurePosixPath(name).suffix.lower() in (*VIDEO_FORMS, *MORE_SUFFIXES)


def _videos(source: str, out: str) -> list[str]:
    if not storage.is_address(source):
        source = str(Path(source).resolve())
    if storage.is_folder(source):
        if f"{out}/".startswith(f"{source.rstrip('/')}/"):
            raise BadInput(f"the results would lie among the videos: name a folder outside {source} with --out")
        return [file for file in storage.files(source) if is_video(file)]
    if is_video(source):
        return [source]
    return list(_listed(source))


def _listed(source: str) -> Iterator[str]:
    """Paths are relative to the list's folder; empty lines and lines that start with # are skipped."""
    try:
        text = storage.read(source).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{source} is neither a folder nor a list: it is not text in UTF-8") from error
    folder = storage.parent(source)
    for line in text.splitlines():
        entry = storage.plain(line.strip())
        if entry and not entry.startswith("#"):
            yield entry if storage.is_address(entry) else storage.join(folder, entry)


def _without_repeats(videos: Sequence[str]) -> tuple[list[str], list[str]]:
    once = list(dict.fromkeys(videos))
    repeated = [video for video in once if videos.count(video) > 1]
    return once, [f"{video} is listed more than once and made once" for video in repeated]


def _names(videos: Sequence[str]) -> tuple[list[str], list[str]]:
    """The file's own name for the first video that has it, with a digest added for the others: appending to a list
    never renames a result.
    """
    from bgm.digest import digest

    taken: set[str] = set()
    names, notes = [], []
    for video in videos:
        path = PurePosixPath(video)
        name = path.name
        if name.lower() in taken:
            name = f"{path.stem}-{digest(video)[:6]}{path.suffix}"
            notes.append(f"another video is called {path.name}: the result of {video} is called {name}")
        taken.add(name.lower())
        names.append(name)
    return names, notes
