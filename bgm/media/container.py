"""Open media files through PyAV (FFmpeg's libraries, in process): accepted formats, reading, writing."""

from __future__ import annotations

import io
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Discard, Disposition, Stream
from av.video.stream import VideoStream

from bgm.errors import BadInput
from bgm.progress import Progress
from bgm.settings import MOST_TRACKS

MAX_STREAMS = MOST_TRACKS
"""FFmpeg stops there, so that a file with as many may have more."""
MAX_PIXELS = 1 << 26
"""Of one picture: eight times 4K, twice 8K 360° video (8192 × 4096). More is a broken or hostile file."""
OPEN_SECONDS, READ_SECONDS = 30.0, 60.0
"""Time limits for opening a file and for one read."""

READABLE = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,asf,mxf,ogg,wav,w64,aiff,caf,mp3,aac,flac,ac3,amr,au,wv"
)
"""FFmpeg's demuxers that may open a file: no playlists (they name other files and hosts), no images, no text."""

Turns = Mapping[int, tuple[tuple[int, float], ...]]
"""By stream: from this packet number on (counted from the file's start), this many seconds are added to its timestamps,
so that a clock that restarts or jumps becomes continuous."""

_INPUT_OPTIONS = {
    "format_whitelist": READABLE,
    "protocol_whitelist": "file",
    "max_streams": str(MAX_STREAMS),
    "max_pixels": str(MAX_PIXELS),
}


def open_input(path: Path) -> InputContainer:
    """Open a file for reading; raises av.error.FFmpegError. Tags that aren't UTF-8 keep their bytes."""
    container = av.open(
        str(path.absolute()),
        options=_INPUT_OPTIONS,
        metadata_errors="surrogateescape",
        timeout=(OPEN_SECONDS, READ_SECONDS),
    )
    for stream in container.streams:
        if isinstance(stream, VideoStream) and stream.codec_context:  # its decoder doesn't know the container's options
            stream.codec_context.options = {**stream.codec_context.options, "max_pixels": str(MAX_PIXELS)}
    return container


def packets(container: InputContainer, *streams: Stream, turns: Turns | None = None) -> Iterator[Packet[Any]]:
    """The packets of the given streams, or of all, on a continuous clock (see ``Turns``).

    Excludes streams that first appear in the middle of the file (MPEG-TS, FLV). PyAV doesn't know those either, and
    fails on them when it flushes the streams, after all packets have been read.
    """
    try:
        seen: Counter[int] = Counter()
        # In an mp4 a corrupt packet is one that was cut off; in MPEG-TS it may still be decoded.
        in_pieces = format_of(container) == "mov"
        for packet in container.demux(*streams):
            if packet.is_corrupt and in_pieces:
                continue  # the last packet of a truncated file
            if turns and packet.size and (row := turns.get(packet.stream_index)):
                _move(packet, row, seen[packet.stream_index])
                seen[packet.stream_index] += 1
            yield packet
    except IndexError:
        return


def _move(packet: Packet[Any], row: tuple[tuple[int, float], ...], number: int) -> None:
    turn = bisect_right(row, number, key=lambda turn: turn[0])
    shift = round(row[turn - 1][1] / packet.time_base) if turn else 0
    packet.pts = None if packet.pts is None else packet.pts + shift
    packet.dts = None if packet.dts is None else packet.dts + shift


def is_picture(stream: Stream) -> bool:
    """Whether it is a moving picture, not cover art."""
    return isinstance(stream, VideoStream) and not stream.disposition & Disposition.attached_pic


def format_of(container: InputContainer) -> str:
    """The first of FFmpeg's names of the container's format."""
    return container.format.name.split(",")[0]


class _WholeWrites(io.FileIO):
    """A raw file without partial writes: a full disk raises OSError."""

    def write(self, data: Any, /) -> int:
        rest = memoryview(data).cast("B")
        size = len(rest)
        while rest:
            rest = rest[super().write(rest) :]
        return size


@contextmanager
def open_output(path: Path, form: str, options: Mapping[str, str] | None = None) -> Iterator[OutputContainer]:
    """Open a file for writing in FFmpeg's muxer ``form``. After an exception no trailer is written.

    The container writes through a Python file, so disk errors arrive as OSError, and closing that file first keeps a
    cancelled job from rewriting gigabytes for an index that is not needed. flush_packets=0 passes on a megabyte at a
    time instead of every packet.
    """
    with _WholeWrites(path, "w") as file:
        container = av.open(
            file,
            "w",
            format=form,
            options={"flush_packets": "0", **(options or {})},
            metadata_errors="surrogateescape",
            buffer_size=1 << 20,
        )
        try:
            yield container
        except BaseException:
            file.close()
            container.close()
            raise
        container.close()


def tick(stream: Stream) -> Fraction:
    """The time base of a stream, in seconds."""
    return stream.time_base or Fraction(1, av.time_base)


def discard_all_but(container: InputContainer, *indexes: int) -> None:
    """Let the demuxer skip all other streams: for mp4 this avoids reading the picture to decode the audio."""
    for stream in container.streams:
        if stream.index not in indexes:
            stream.discard = Discard.all


def paced(progress: Progress, seconds: float = 0.2) -> Progress:
    """Pass on at most one call per ``seconds`` (and the last, 1.0), so that a loop may report every packet."""
    last = -seconds

    def inner(fraction: float, note: str = "") -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= seconds or fraction >= 1:
            last = now
            progress(fraction, note)

    return inner


def shown(path: Path) -> str:
    """A path as one line of a message."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(path))


def bad(path: Path, trouble: str) -> BadInput:
    """A file that can't be used, and why."""
    return BadInput(f"{shown(path)} {trouble}")
