"""What may happen to a file on its way: bits flip, pieces are lost, doubled or swapped, lengths lie."""

from __future__ import annotations

import copy
import io
import json
import zipfile
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any

Mutation = Callable[[bytearray, Random, bytes], None]
"""Changes the first in place; the last is another file of the same kind, to splice from."""

_HEADER = 512
_LENGTHS = (
    0,
    1,
    0x7F,
    0xFF,
    0x7FFF,
    0xFFFF,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
    0x7FFFFFFFFFFFFFFF,
    0xFFFFFFFFFFFFFFFF,
)
_NUMBERS = (b"0", b"-1", b"99999999999999999999", b"1e999", b"NaN", b"null", b"[]", b'""', b"\xff")


def mutate(data: bytes, rng: Random, other: bytes) -> bytes:
    """One to four mutations of ``data``; the same ``rng`` gives the same bytes. Most JSON stays well formed."""
    if data[:1] == b"{" and rng.random() < 0.7:
        return _other_value(data, rng)
    if data[:2] == b"PK" and rng.random() < 0.7:
        return _other_member(data, rng)
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        if out:
            rng.choice(MUTATIONS)(out, rng, other)
    return bytes(out)


def _flip(data: bytearray, rng: Random, other: bytes) -> None:
    for _ in range(rng.choice((1, 2, 8, 64))):
        data[_place(data, rng)] ^= 1 << rng.randrange(8)


def _overwrite(data: bytearray, rng: Random, other: bytes) -> None:
    at = _place(data, rng)
    data[at : at + rng.choice((1, 4, 16))] = rng.randbytes(rng.choice((1, 4, 16)))


def _truncate(data: bytearray, rng: Random, other: bytes) -> None:
    del data[_place(data, rng) :]


def _remove(data: bytearray, rng: Random, other: bytes) -> None:
    at = _place(data, rng)
    del data[at : at + rng.choice((1, 7, 100, 5000))]


def _zero(data: bytearray, rng: Random, other: bytes) -> None:
    at = _place(data, rng)
    size = min(rng.choice((4, 64, 4096)), len(data) - at)
    data[at : at + size] = bytes([rng.choice((0, 0, 0xFF))]) * size


def _repeat(data: bytearray, rng: Random, other: bytes) -> None:
    at = _place(data, rng)
    piece = bytes(data[at : at + rng.choice((4, 200, 5000))])
    data[at:at] = piece * rng.choice((1, 2, 50))


def _splice(data: bytearray, rng: Random, other: bytes) -> None:
    at, start = _place(data, rng), rng.randrange(max(1, len(other)))
    piece = other[start : start + rng.choice((16, 500, 20_000))]
    data[at : at + rng.choice((0, len(piece)))] = piece


def _length_field(data: bytearray, rng: Random, other: bytes) -> None:
    """Put a number from the edges of its type where a length, count or offset may stand."""
    size = rng.choice((1, 2, 4, 8))
    value = (rng.choice(_LENGTHS) & ((1 << 8 * size) - 1)).to_bytes(size, rng.choice(("big", "little")))
    at = _place(data, rng)
    data[at : at + size] = value


def _number(data: bytearray, rng: Random, other: bytes) -> None:
    """Put another value where a number stands in a text."""
    digits = [i for i, byte in enumerate(data[:50_000]) if 0x30 <= byte <= 0x39]
    at = rng.choice(digits) if digits else _place(data, rng)
    end = at
    while end < len(data) and data[end] in b"0123456789.eE":
        end += 1
    data[at:end] = rng.choice(_NUMBERS)


def _other_value(data: bytes, rng: Random) -> bytes:
    """JSON with one to three of its values, anywhere, exchanged for another, left out or given twice."""
    document = json.loads(data)
    for _ in range(rng.choice((1, 1, 3))):
        holder, key = rng.choice(list(_places(document)) or [(document, None)])
        change = rng.random()
        if key is None:
            break
        if change < 0.15:
            del holder[key]
        elif change < 0.3 and isinstance(holder, list):
            holder.insert(key, holder[key])
        elif change < 0.4 and isinstance(holder, dict):
            holder[rng.choice(_TEXTS)] = holder.pop(key)
        else:
            holder[key] = copy.deepcopy(rng.choice(_VALUES))
    return json.dumps(document, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")


def _other_member(data: bytes, rng: Random) -> bytes:
    """A zip whose check sums are right, with a member mutated, gone, given twice or under another name."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    i, change = rng.randrange(len(members)), rng.random()
    name, content = members[i]
    if change < 0.6:
        members[i] = name, mutate(content, rng, rng.choice(members)[1])
    elif change < 0.7:
        del members[i]
    elif change < 0.9:
        members[i] = rng.choice(_MEMBERS), content
    else:
        members.append((rng.choice(("takes/x.flac", "source/b.mp4", "stems/../x", name)), content))
    out = io.BytesIO()
    method = rng.choice(_METHODS)
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members:
            undated = zipfile.ZipInfo(name.encode("utf-8", "replace").decode())  # else the same seed makes other files
            archive.writestr(undated, content, method)
    return out.getvalue()


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every value in a document, as what holds it and the key there."""
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], dict | list):
            yield from _places(value[key])


def _nested(depth: int) -> list[Any]:
    out: list[Any] = []
    for _ in range(depth):
        out = [out]
    return out


_TEXTS = (
    "",
    "../../etc/passwd",
    "/etc/passwd",
    "takes/../../x",
    "a\nb\0c",
    "x" * 300,
    "\ud800",
    "\u202e",
    "NaN",
    "media/audio.flac",
    "riffusion:/srv/model",
    "embedded:x",
    "nobody",
)
_MEMBERS = (*filter(None, _TEXTS), "takes/" + "n" * 250, "takes/" + "\ud55c" * 90, "exports/x", "PROJECT.JSON")
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
_VALUES: tuple[Any, ...] = (
    *_TEXTS,
    *(0, -1, 1, 0.5, 1e-300, 1e300, float("inf"), float("-inf"), float("nan"), 1 << 31, 1 << 64, 10**400),
    *(None, True, False, [], {}, [[]], {"a": 1}),
    _nested(300),
    list(range(5000)),
)


def _place(data: bytearray, rng: Random) -> int:
    """Half of all in the header, a tenth at the end (where indexes stand), the rest anywhere."""
    where = rng.random()
    if where < 0.5:
        return rng.randrange(min(len(data), _HEADER))
    if where < 0.6:
        return len(data) - 1 - rng.randrange(min(len(data), _HEADER))
    return rng.randrange(len(data))


MUTATIONS: Sequence[Mutation] = (
    _flip,
    _overwrite,
    _truncate,
    _remove,
    _zero,
    _repeat,
    _splice,
    _length_field,
    _length_field,
    _number,
)
