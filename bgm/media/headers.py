"""What FFmpeg neither exposes nor writes in a file's header: boxes of the ISO base media file format (mp4, mov; ISO/IEC
14496-12), and the pixel aspect ratio in Matroska and WebM (RFC 9559)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

_HEAD_BYTES, _MOST_BYTES = 1 << 16, 1 << 26
_HOLDING = (b"moov", b"trak", b"edts", b"mdia")


@dataclass(frozen=True, slots=True)
class Box:
    """A box, or a Matroska element: the offsets of its start, of its content, and of the first byte after it."""

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
        # 1. The movie's clock: in version 1 of mvhd the two dates before it are of eight bytes each.
        movie = next(box for box in found if box.kind == b"mvhd")
        scale = _number(file, movie.body + (20 if _version(file, movie) == 1 else 12), ">I")
        tracks = [box for box in found if box.kind == b"trak"]
        # 2. Each track's last edit and its duration,
        for number, end in seconds.items():
            _end_track_at(file, [b for b in found if tracks[number].start < b.start < tracks[number].end], end * scale)
        # 3. and the longest of all tracks is the movie's.
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
    # Version 1 has durations of eight bytes; an entry is duration, media time and rate (14496-12, 8.6.6).
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
        # A size of 1: the real one follows in eight bytes; 0: to the end of the file
        if size == 1 and len(header) == 16:
            size, body = struct.unpack(">Q", header[8:])[0], start + 16
        stop = end if size == 0 else start + size
        if stop < body:
            return
        yield Box(kind, start, body, stop)
        start = stop


_SEGMENT, _SEEK_HEAD, _VOID, _TRACKS = b"\x18\x53\x80\x67", b"\x11\x4d\x9b\x74", b"\xec", b"\x16\x54\xae\x6b"
_TRACK, _VIDEO, _SEEK, _SEEK_POSITION = b"\xae", b"\xe0", b"\x4d\xbb", b"\x53\xac"
_DISPLAY_WIDTH, _DISPLAY_HEIGHT, _DISPLAY_UNIT = b"\x54\xb0", b"\x54\xba", b"\x54\xb2"
_PIXEL_WIDTH, _PIXEL_HEIGHT = b"\xb0", b"\xba"
_ASPECT_RATIO = 3
"""DisplayUnit: width and height are only a ratio. Not part of WebM."""
_MATROSKA_HEAD_BYTES = 1 << 20


def shape_points(path: Path, shapes: Mapping[int, Fraction], *, is_webm: bool) -> bool:
    """Set the pixel aspect ratio of tracks (by their number in the file, from 0). False: there is no room.

    FFmpeg leaves a Void element after the index of the file (SeekHead). What the tracks grow by is taken from it, so
    that nothing after them moves; the file must be written without checksums.
    """
    with path.open("r+b") as file:
        # 1. Find, before the first picture: the SeekHead, the Void after it, the tracks.
        head = file.read(_MATROSKA_HEAD_BYTES)
        segment = next(e for e in _elements(head, 0, len(head)) if e.kind == _SEGMENT)
        found: dict[bytes, Box] = {}
        for element in _elements(head, segment.body, len(head)):
            found.setdefault(element.kind, element)  # the first Void is the one after the SeekHead
            if element.kind == _TRACKS:
                break
        tracks, void, index = found.get(_TRACKS), found.get(_VOID), found.get(_SEEK_HEAD)
        if tracks is None or void is None or index is None or not index.end <= void.start < tracks.start:
            return False
        # 2. Rebuild the tracks, and check that the Void has room for what they grow by. A Void of nine bytes or more
        #    can be written with a size of eight bytes, whatever is left.
        body = _rebuilt(head, tracks, lambda n: n in shapes, lambda n, e: _shaped(head, e, shapes[n], is_webm=is_webm))
        written = _element(_TRACKS, body)
        growth = len(written) - (tracks.end - tracks.start)
        left = void.end - void.start - growth
        if left < 9 or tracks.end > len(head):
            return False
        # 3. Write a shorter Void, move what lies between it and the tracks forward, and write the tracks, which end
        #    where they ended.
        file.seek(void.start)
        file.write(_VOID + (left - 9 | 1 << 56).to_bytes(8, "big") + bytes(left - 9) + head[void.end : tracks.start])
        file.write(written)
        # 4. Update the SeekHead's positions of what has moved (relative to the segment's data).
        for place in _positions(head, index):
            at = segment.body + int.from_bytes(head[place.body : place.end], "big")
            if void.end <= at <= tracks.start:
                file.seek(place.body)
                file.write((at - growth - segment.body).to_bytes(place.end - place.body, "big"))
    return True


def _positions(data: bytes, index: Box) -> Iterator[Box]:
    for seek in _elements(data, index.body, index.end):
        if seek.kind == _SEEK:
            yield from (e for e in _elements(data, seek.body, seek.end) if e.kind == _SEEK_POSITION)


def _rebuilt(data: bytes, tracks: Box, is_wanted: Callable[[int], bool], shaped: Callable[[int, Box], bytes]) -> bytes:
    """The data of Tracks with some of its entries rebuilt."""
    out, number = b"", 0
    for entry in _elements(data, tracks.body, tracks.end):
        if entry.kind != _TRACK:
            out += data[entry.start : entry.end]
            continue
        inside = _elements(data, entry.body, entry.end)
        parts = (shaped(number, e) if e.kind == _VIDEO and is_wanted(number) else data[e.start : e.end] for e in inside)
        out += _element(_TRACK, b"".join(parts))
        number += 1
    return out


def _shaped(data: bytes, video: Box, shape: Fraction, *, is_webm: bool) -> bytes:
    """The element Video with the display size added."""
    parts = list(_elements(data, video.body, video.end))
    values = {e.kind: int.from_bytes(data[e.body : e.end], "big") for e in parts if e.end - e.body <= 8}
    width, height = values[_PIXEL_WIDTH] * shape, values[_PIXEL_HEIGHT]
    # WebM knows only pixels; Matroska can say the ratio itself where no whole number of pixels has it.
    said: dict[bytes, int] = {_DISPLAY_WIDTH: round(width), _DISPLAY_HEIGHT: height}
    if width.denominator != 1 and not is_webm:
        ratio = width / height
        said = {_DISPLAY_WIDTH: ratio.numerator, _DISPLAY_HEIGHT: ratio.denominator, _DISPLAY_UNIT: _ASPECT_RATIO}
    old = (data[e.start : e.end] for e in parts if e.kind not in (_DISPLAY_WIDTH, _DISPLAY_HEIGHT, _DISPLAY_UNIT))
    return _element(_VIDEO, b"".join(old) + b"".join(_element(i, n.to_bytes(4, "big")) for i, n in said.items()))


def _element(identity: bytes, body: bytes) -> bytes:
    size = len(body)
    # The size of an element is written with its own length in front: n - 1 zero bits, a one, 7n bits of value. All ones
    # mean an unknown size and are left out (RFC 8794, sections 4 and 6).
    length = next(n for n in range(1, 9) if size < (1 << 7 * n) - 1)
    return identity + (size | 1 << 7 * length).to_bytes(length, "big") + body


def _elements(data: bytes, start: int, end: int) -> Iterator[Box]:
    """One level of elements; the last may reach beyond the data."""
    while start < end and data[start]:
        body = start + _length(data[start])
        if body >= end or not data[body]:
            return
        width = _length(data[body])
        size = int.from_bytes(data[body : body + width], "big") & ((1 << 7 * width) - 1)
        yield (found := Box(data[start:body], start, body + width, body + width + size))
        start = found.end


def _length(first: int) -> int:
    """The length in bytes of a variable-length number, from its first byte (not 0)."""
    return 9 - first.bit_length()
