"""The pixel aspect ratio in Matroska and WebM (RFC 9559), which PyAV can't pass to FFmpeg's muxer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

_SEGMENT, _SEEK_HEAD, _VOID, _TRACKS = b"\x18\x53\x80\x67", b"\x11\x4d\x9b\x74", b"\xec", b"\x16\x54\xae\x6b"
_TRACK, _VIDEO, _SEEK, _SEEK_POSITION = b"\xae", b"\xe0", b"\x4d\xbb", b"\x53\xac"
_DISPLAY_WIDTH, _DISPLAY_HEIGHT, _DISPLAY_UNIT = b"\x54\xb0", b"\x54\xba", b"\x54\xb2"
_PIXEL_WIDTH, _PIXEL_HEIGHT = b"\xb0", b"\xba"
_ASPECT_RATIO = 3
"""DisplayUnit: width and height are only a ratio. Not part of WebM."""
_HEAD_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class _Element:
    """``start`` is the offset of the element's ID, ``body`` of its data, ``end`` of the first byte after it."""

    identity: bytes
    start: int
    body: int
    end: int


def shape_points(path: Path, shapes: Mapping[int, Fraction], *, is_webm: bool) -> bool:
    """Set the pixel aspect ratio of tracks (by their number in the file, from 0). False: there is no room.

    FFmpeg leaves a Void element after the index of the file (SeekHead). What the tracks grow by is taken from it, so
    that nothing after them moves; the file must be written without checksums.
    """
    with path.open("r+b") as file:
        # 1. Find, before the first picture: the SeekHead, the Void after it, the tracks.
        head = file.read(_HEAD_BYTES)
        segment = next(e for e in _elements(head, 0, len(head)) if e.identity == _SEGMENT)
        found: dict[bytes, _Element] = {}
        for element in _elements(head, segment.body, len(head)):
            found.setdefault(element.identity, element)
            if element.identity == _TRACKS:
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


def _positions(data: bytes, index: _Element) -> Iterator[_Element]:
    for seek in _elements(data, index.body, index.end):
        if seek.identity == _SEEK:
            yield from (e for e in _elements(data, seek.body, seek.end) if e.identity == _SEEK_POSITION)


def _rebuilt(
    data: bytes, tracks: _Element, is_wanted: Callable[[int], bool], shaped: Callable[[int, _Element], bytes]
) -> bytes:
    """The data of Tracks with some of its entries rebuilt."""
    out, number = b"", 0
    for entry in _elements(data, tracks.body, tracks.end):
        if entry.identity != _TRACK:
            out += data[entry.start : entry.end]
            continue
        inside = _elements(data, entry.body, entry.end)
        parts = (
            shaped(number, e) if e.identity == _VIDEO and is_wanted(number) else data[e.start : e.end] for e in inside
        )
        out += _element(_TRACK, b"".join(parts))
        number += 1
    return out


def _shaped(data: bytes, video: _Element, shape: Fraction, *, is_webm: bool) -> bytes:
    """The element Video with the display size added."""
    parts = list(_elements(data, video.body, video.end))
    values = {e.identity: int.from_bytes(data[e.body : e.end], "big") for e in parts if e.end - e.body <= 8}
    width, height = values[_PIXEL_WIDTH] * shape, values[_PIXEL_HEIGHT]
    said: dict[bytes, int] = {_DISPLAY_WIDTH: round(width), _DISPLAY_HEIGHT: height}
    if width.denominator != 1 and not is_webm:
        ratio = width / height
        said = {_DISPLAY_WIDTH: ratio.numerator, _DISPLAY_HEIGHT: ratio.denominator, _DISPLAY_UNIT: _ASPECT_RATIO}
    old = (data[e.start : e.end] for e in parts if e.identity not in (_DISPLAY_WIDTH, _DISPLAY_HEIGHT, _DISPLAY_UNIT))
    return _element(_VIDEO, b"".join(old) + b"".join(_element(i, n.to_bytes(4, "big")) for i, n in said.items()))


def _element(identity: bytes, body: bytes) -> bytes:
    size = len(body)
    length = next(n for n in range(1, 9) if size < (1 << 7 * n) - 1)
    return identity + (size | 1 << 7 * length).to_bytes(length, "big") + body


def _elements(data: bytes, start: int, end: int) -> Iterator[_Element]:
    """One level of elements; the last may reach beyond the data."""
    while start < end and data[start]:
        body = start + _length(data[start])
        if body >= end or not data[body]:
            return
        width = _length(data[body])
        size = int.from_bytes(data[body : body + width], "big") & ((1 << 7 * width) - 1)
        yield (found := _Element(data[start:body], start, body + width, body + width + size))
        start = found.end


def _length(first: int) -> int:
    """The length in bytes of a variable-length number, from its first byte (not 0)."""
    return 9 - first.bit_length()
