"""Open media files through PyAV (FFmpeg's libraries, in process): which formats may come in, how files are written."""

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

from bgm.progress import Progress

MAX_STREAMS = 64
MAX_PIXELS = 1 << 26
"""Of one picture: eight times 4K, twice 8K 360° video (8192 × 4096). More is a broken or hostile file."""
OPEN_SECONDS, READ_SECONDS = 30.0, 60.0
"""How long opening, or one read, may take before the file is given up."""

READABLE = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,asf,mxf,ogg,wav,w64,aiff,caf,mp3,aac,flac,ac3,amr,au,wv"
)
"""FFmpeg's demuxers that may open a file: no playlists (they name other files and hosts), no pictures, no text."""

Turns = Mapping[int, tuple[tuple[int, float], ...]]
"""By stream: from the packet of this number on (counted from the file's start), so many seconds are added to its times.
So a clock that starts again in the middle of the file, or jumps, goes on."""

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
        if (
            isinstance(stream, VideoStream) and stream.codec_context
        ):  # its decoder knows nothing of the container's options
            stream.codec_context.options = {**stream.codec_context.options, "max_pixels": str(MAX_PIXELS)}
    return container


def packets(container: InputContainer, *streams: Stream, turns: Turns | None = None) -> Iterator[Packet[Any]]:
    """The packets of the streams given, or of all, on one clock that goes on (``turns``: see there).

    A stream that first shows in the middle of the file (MPEG-TS, FLV) isn't one of them; PyAV, which doesn't know it
    either, stumbles over it when it ends the streams, after all packets were read.
    """
    try:
        seen: Counter[int] = Counter()
        in_pieces = format_of(container) == "mov"
        for packet in container.demux(*streams):
            if packet.is_corrupt and in_pieces:
                continue  # the last of a file that was cut off
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
    """Is it a picture that moves, not cover art?"""
    return isinstance(stream, VideoStream) and not stream.disposition & Disposition.attached_pic


def format_of(container: InputContainer) -> str:
    """The first of FFmpeg's names of the container's format."""
    return container.format.name.split(",")[0]


class _WholeWrites(io.FileIO):
    """A raw file whose write never stops half way: what doesn't fit on the disk is an OSError."""

    def write(self, data: Any, /) -> int:
        rest = memoryview(data).cast("B")
        size = len(rest)
        while rest:
            rest = rest[super().write(rest) :]
        return size


@contextmanager
def open_output(path: Path, form: str, options: Mapping[str, str] | None = None) -> Iterator[OutputContainer]:
    """Open a file for writing in FFmpeg's muxer ``form``. After an exception no trailer is written.

    The container goes through a Python file: errors of the disk arrive as the OSError they are, and closing that file
    first keeps a stopped job from rewriting gigabytes for an index that nobody will read. flush_packets=0 hands it a
    megabyte at a time instead of every packet.
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
    """The unit of a stream's times, in seconds."""
    return stream.time_base or Fraction(1, av.time_base)


def discard_all_but(container: InputContainer, *indexes: int) -> None:
    """Let the demuxer skip every other stream: for mp4 that saves reading the picture to hear the sound."""
    for stream in container.streams:
        if stream.index not in indexes:
            stream.discard = Discard.all


def paced(progress: Progress, seconds: float = 0.2) -> Progress:
    """Pass on at most one call per ``seconds`` (and the last, 1.0): a loop may then report every packet."""
    last = -seconds

    def inner(fraction: float, note: str = "") -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= seconds or fraction >= 1:
            last = now
            progress(fraction, note)

    return inner
