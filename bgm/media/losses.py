"""Compares a written file with its source, reading both: the notes say what was kept and what was lost."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Stream
from av.video.stream import VideoStream

from bgm.media.container import is_picture, open_input
from bgm.media.headers import header_of
from bgm.media.probe import MediaInfo

_SHORTER_SECONDS = 0.1
"""Less than this missing at the end is rounding by an encoder or a container."""


@dataclass(frozen=True, slots=True)
class Written:
    """Sentences about a finished file: what was lost or changed from its source, and what was kept."""

    notes: tuple[str, ...]
    kept: tuple[str, ...]


def compared(info: MediaInfo, written: Path, notes: list[str] | None = None) -> Written:
    """Compare the file just written with its source. ``notes`` are those from writing it."""
    with open_input(info.path) as source, open_input(written) as target:
        before, after = _things(source), _things(target)
        lost = [_lost(name, before[name], after[name]) for name in before if after[name] < before[name]]
        lost += _lost_shapes(source, target) + _lost_records(info.path, written)
        kept = [_counted(name, min(before[name], after[name])) for name in before if after[name]]
        missing = info.duration - _seconds(target)
    if missing > _SHORTER_SECONDS:
        lost.append(f"The finished file is {missing:.2f} s shorter than the source.")
    return Written((*(notes or ()), *lost), tuple(_kept(info, kept)))


def records_of(path: Path) -> set[str]:
    """The records about the picture in a file's header: ``360°``, ``Dolby Vision``."""
    header = header_of(path)
    return {name for name, mark in _RECORDS.items() if mark.search(header)}


def is_rewritten(stream: Stream) -> bool:
    """Whether a muxer rewrites this track: a timecode (from the tag of that name) or the chapter titles.

    QuickTime stores the titles in a disabled text track with one sample per chapter; FFmpeg exposes them both as
    chapters and as data.
    """
    if stream.type != "data":
        return False
    chapters = len(stream.container.chapters()) if isinstance(stream.container, InputContainer) else 0
    is_titles = stream.codec_context is None and not stream.disposition and 0 < chapters == stream.frames
    return is_titles or "timecode" in stream.metadata


_RECORDS = {
    "360°": re.compile(rb"sv3d|GSpherical|\x76\x70[\x80-\xff]\x76\x71|\x76\x70\x01.{7}\x76\x71", re.DOTALL),
    "Dolby Vision": re.compile(rb"dvcC|dvvC|dvwC"),
}
"""Their signatures in the header: boxes (an older one in XML), or in Matroska the elements Projection and
ProjectionType, and the boxes' names."""
_NAMES = {
    "cover": ("cover picture", "cover pictures"),
    "subtitle": ("subtitle track", "subtitle tracks"),
    "data": ("data track", "data tracks"),
    "attachment": ("attached file", "attached files"),
    "chapter": ("chapter", "chapters"),
    "timecode": ("timecode", "timecodes"),
}


def _things(container: InputContainer) -> Counter[str]:
    """The number of each kind (_NAMES) beside picture and audio."""
    found: Counter[str] = Counter(kind for stream in container.streams if (kind := _kind(stream)))
    found["chapter"] = len(container.chapters())
    tagged = any("timecode" in {key.lower() for key in tags} for tags in _tags(container))
    found["timecode"] = int(tagged)
    return found


def _tags(container: InputContainer) -> Iterator[dict[str, str]]:
    yield container.metadata
    yield from (stream.metadata for stream in container.streams)


def _kind(stream: Stream) -> str | None:
    if isinstance(stream, VideoStream):
        return None if is_picture(stream) else "cover"
    if stream.type == "audio" or is_rewritten(stream):
        return None
    return stream.type if stream.type in _NAMES else "data"


def _counted(name: str, number: int) -> str:
    return f"{number} {_NAMES[name][number != 1]}"


def _lost(name: str, before: int, after: int) -> str:
    left = "was" if before - after == 1 else "were"
    return f"This kind of file can't hold what the source has: {_counted(name, before - after)} {left} left out."


def _lost_shapes(source: InputContainer, target: InputContainer) -> list[str]:
    """Pictures that lost their non-square pixels, or gained some."""
    pairs = zip(filter(is_picture, source.streams.video), filter(is_picture, target.streams.video), strict=False)
    return [
        f"This kind of file can't hold the picture's aspect ratio: its points are {was.numerator}:{was.denominator}."
        for a, b in pairs
        if (was := a.sample_aspect_ratio or Fraction(1)) != (b.sample_aspect_ratio or Fraction(1))
    ]


def _lost_records(source: Path, target: Path) -> list[str]:
    """Records dropped by FFmpeg's muxer of .mov: .mp4 holds both."""
    lost = sorted(records_of(source) - records_of(target))
    return [f"This kind of file can't hold the picture's {name} record; .mp4 can." for name in lost]


def _seconds(container: InputContainer) -> float:
    return (container.duration or 0) / av.time_base


def _kept(info: MediaInfo, counted: list[str]) -> Iterator[str]:
    if info.video is not None:
        video = info.video
        yield f"The picture, copied without encoding: {video.codec}, {video.width} × {video.height}."
    if counted:
        yield f"From the source: {', '.join(counted)}."
