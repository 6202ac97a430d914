"""Boxes of the ISO base media file format (ISO/IEC 14496-12): the few that FFmpeg doesn't expose."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_HEAD_BYTES, _MOST_BYTES = 1 << 16, 1 << 26
_HOLDING = (b"moov", b"trak", b"edts", b"mdia")


@dataclass(frozen=True, slots=True)
class Box:
    """``start`` is the offset of the box, ``body`` of its content, ``end`` of the first byte after it."""

    kind: bytes
    start: int
    body: int
    end: int


def is_fragmented(path: Path) -> bool:
    """Whether it was written in fragments (moof boxes), so that what precedes a crash can be read."""
    with path.open("rb") as file:
        return any(box.kind == b"moof" for box in _boxes(file, 0, path.stat().st_size))


def header_of(path: Path) -> bytes:
    """The track headers of an mp4 or mov (moov), or the first bytes of another file."""
    with path.open("rb") as file:
        moov = next((box for box in _boxes(file, 0, path.stat().st_size) if box.kind == b"moov"), None)
        file.seek(moov.start if moov else 0)
        return file.read(min(moov.end - moov.start, _MOST_BYTES) if moov else _HEAD_BYTES)


def end_tracks_at(path: Path, seconds: dict[int, float]) -> None:
    """Set the end (s) of tracks (by their number in the file, from 0) of an mp4 or mov in their edit lists.

    FFmpeg's muxer ends a track with its last packet in any order, even one that only exists to decode others. The
    durations in elst, tkhd and mvhd are in the movie's time scale (14496-12, 8.2.2, 8.3.2, 8.6.6). The file's layout
    doesn't change.
    """
    with path.open("r+b") as file:
        found = list(_all(file, 0, path.stat().st_size))
        movie = next(box for box in found if box.kind == b"mvhd")
        scale = _number(file, movie.body + (20 if _version(file, movie) == 1 else 12), ">I")
        tracks = [box for box in found if box.kind == b"trak"]
        for number, end in seconds.items():
            _end_track_at(file, [b for b in found if tracks[number].start < b.start < tracks[number].end], end * scale)
        lengths = [_number(file, *_length_at(file, box)) for box in found if box.kind == b"tkhd"]
        _write(file, *_length_at(file, movie), max(lengths))


def switch_off(path: Path, number: int) -> None:
    """Disable a track (by its number in the file, from 0) of an mp4 or mov, so that it is not shown by default.

    FFmpeg's muxer enables the first track of each kind, whatever its disposition (track_enabled, the lowest bit of
    tkhd's flags: 14496-12, 8.3.2).
    """
    with path.open("r+b") as file:
        headers = [box for box in _all(file, 0, path.stat().st_size) if box.kind == b"tkhd"]
        place = headers[number].body + 3
        _write(file, place, ">B", _number(file, place, ">B") & ~1)


def _end_track_at(file: BinaryIO, inside: list[Box], end: float) -> None:
    """Shorten the last edit of a track so that its edits end at ``end`` (in the movie's time scale)."""
    header = next(box for box in inside if box.kind == b"tkhd")
    edits = next((box for box in inside if box.kind == b"elst"), None)
    if edits is None:
        return
    wide = _version(file, edits) == 1
    size, form = (20, ">Q") if wide else (12, ">I")
    count = _number(file, edits.body + 4, ">I")
    places = [edits.body + 8 + size * n for n in range(count)]
    lengths = [_number(file, place, form) for place in places]
    last = max(1, round(end) - sum(lengths[:-1]))
    _write(file, places[-1], form, last)
    _write(file, *_length_at(file, header), sum(lengths[:-1]) + last)


def _length_at(file: BinaryIO, box: Box) -> tuple[int, str]:
    """Offset and format of the duration in mvhd and tkhd: version 1 has wider numbers than version 0."""
    wide = _version(file, box) == 1
    place = (24 if wide else 16) if box.kind == b"mvhd" else (28 if wide else 20)
    return box.body + place, ">Q" if wide else ">I"


def _write(file: BinaryIO, place: int, form: str, value: int) -> None:
    file.seek(place)
    file.write(struct.pack(form, value))


def _version(file: BinaryIO, box: Box) -> int:
    return _number(file, box.body, ">B")


def _number(file: BinaryIO, place: int, form: str) -> int:
    file.seek(place)
    value: int = struct.unpack(form, file.read(struct.calcsize(form)))[0]
    return value


def _all(file: BinaryIO, start: int, end: int) -> Iterator[Box]:
    """The relevant boxes of a well-formed file, containers before their contents."""
    for box in _boxes(file, start, end):
        yield box
        if box.kind in _HOLDING:
            yield from _all(file, box.body, box.end)


def _boxes(file: BinaryIO, start: int, end: int) -> Iterator[Box]:
    """One level of boxes; stops at bytes that are not a valid box."""
    while start + 8 <= end:
        file.seek(start)
        header = file.read(16)
        size, kind = struct.unpack(">I4s", header[:8])
        body = start + 8
        if size == 1 and len(header) == 16:
            size, body = struct.unpack(">Q", header[8:])[0], start + 16
        stop = end if size == 0 else start + size
        if stop < body:
            return
        yield Box(kind, start, body, stop)
        start = stop
