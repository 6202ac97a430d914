"""When a file's picture and audio begin and end, and where its clock jumps: one pass over its packets.

When a recorder reconnects, or two recordings are joined, a stream's clock restarts in the middle. Such a file is read
as a sequence of *runs* with a continuous clock each; every run is shifted, all its streams by the same amount, to the
end of the one before. :func:`bgm.media.container.packets` does that for all readers.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from bgm.media.container import Turns, format_of, is_picture, packets

SCAN_SECONDS = 120.0
"""Time limit for reading a file to its end: 3 hours of a live Matroska recording take a few seconds."""
UNINDEXED = ("mpegts", "mpeg", "flv")
"""Streaming formats, where a jump ahead is a new clock; elsewhere a picture may just stand for a minute."""
MAX_RUNS = 1000
"""More jumps of the clock than this are damage, not joined recordings."""

_JUMP_SECONDS = 10.0
"""A clock that jumps ahead of every stream by more than this was reset: FFmpeg's own dts_delta_threshold."""
_BACK_SECONDS = 0.1
"""Decoding times never go back, except for recorder jitter, which is less than this."""


@dataclass(frozen=True, slots=True)
class Span:
    """First and last presentation time of a stream, in seconds of the container's clock, jumps removed."""

    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Extent:
    """The result of one pass: each stream's span, where its clock turns, and the end of everything with a timestamp."""

    spans: Mapping[int, Span]
    turns: Turns
    end: float


def scan(container: InputContainer, *, jumps: bool) -> Extent:
    """Read all packets from the current position to the end (or to damage). Raises TimeoutError.

    ``jumps``: detect jumps of the clock. An edit list has jumps of its own, which FFmpeg has resolved.
    """
    reading = _Reading(jumps=jumps, leaps=format_of(container) in UNINDEXED)
    give_up = time.monotonic() + SCAN_SECONDS
    try:
        for packet in packets(container):
            if time.monotonic() > give_up:
                raise TimeoutError
            reading.take(packet)
            if len(reading.runs) > MAX_RUNS:
                break
    except av.error.FFmpegError:
        pass  # what was read before the damage counts; the caller notices if it is too little
    return reading.extent()


def starts(container: InputContainer, most: int = 5000) -> dict[int, float]:
    """First presentation time (s) of each picture and audio stream, as far as ``most`` packets tell."""
    reading = _Reading(jumps=False, leaps=False)
    missing = {s.index for s in container.streams if is_heard_or_seen(s)}
    try:
        for count, packet in enumerate(packets(container)):
            reading.take(packet)
            run = reading.runs[0]
            # Pictures are reordered: the first packet of a stream need not be the first shown.
            missing -= {i for i, seen in run.seen.items() if seen > (_REORDERED if i in run.reordered else 0)}
            if not missing or count > most:
                break
    except av.error.FFmpegError:
        pass
    return {index: span[0] for index, span in reading.runs[0].spans.items()}


_REORDERED = 16
"""Pictures that may be shown before the first in decoding order (H.264's largest decoded picture buffer)."""


def is_heard_or_seen(stream: Stream) -> bool:
    return is_picture(stream) or isinstance(stream, AudioStream)


@dataclass(slots=True)
class _Run:
    """A stretch with a continuous clock. ``front`` is the latest time of any stream, ``spans`` by stream."""

    front: float
    spans: dict[int, tuple[float, float]] = field(default_factory=dict)
    seen: dict[int, int] = field(default_factory=dict)
    reordered: set[int] = field(default_factory=set)

    def add(self, packet: Packet[Any], start: float, end: float) -> None:
        index = packet.stream_index
        first, last = self.spans.get(index, (math.inf, -math.inf))
        self.spans[index] = min(first, start), max(last, end)
        self.seen[index] = self.seen.get(index, 0) + 1
        if isinstance(packet.stream, VideoStream):
            self.reordered.add(index)


@dataclass(slots=True)
class _Place:
    """Position in one stream: its run, its last packet (s), the packets so far, the samples to skip."""

    run: int = 0
    last: float = -math.inf
    end: float = -math.inf
    count: int = 0
    skip: int = 0
    length: float = 0.0


class _Reading:
    """Sorts packets into runs, in file order."""

    def __init__(self, *, jumps: bool, leaps: bool) -> None:
        self._jumps = jumps
        self._leaps = leaps
        self._places: dict[int, _Place] = {}
        self._turns: dict[int, list[tuple[int, int]]] = {}
        self._end = -math.inf
        self.runs = [_Run(-math.inf)]

    def take(self, packet: Packet[Any]) -> None:
        stream = packet.stream
        if not packet.size or stream.type not in ("video", "audio", "subtitle"):
            return
        place = self._places.setdefault(packet.stream_index, _Place(run=len(self.runs) - 1))
        stamp = packet.dts if packet.dts is not None else packet.pts
        if self._jumps and stamp is not None and (packet.dts is not None or stream.type != "video"):
            self._follow(packet, place, float(stamp * packet.time_base))
        place.count += 1
        if packet.pts is None:
            return
        start, end = _heard(packet, place)
        if not packet.is_discard and end > start and stream.type != "subtitle":
            self.runs[place.run].add(packet, start, end)
        if len(self.runs) == 1:
            self._end = max(self._end, end)

    def _follow(self, packet: Packet[Any], place: _Place, at: float) -> None:
        """Find the run of a packet; open one where the clock jumps."""
        run = self._run_at(place, at, is_sparse=packet.stream.type == "subtitle")
        if run != place.run or (place.count == 0 and run):
            place.run = run
            self._turns.setdefault(packet.stream_index, []).append((place.count, run))
        place.last = at
        place.end = at + float((packet.duration or 0) * packet.time_base)
        if packet.stream.type != "subtitle":
            self.runs[run].front = max(self.runs[run].front, place.end)

    def _run_at(self, place: _Place, at: float, *, is_sparse: bool) -> int:
        # 1. A stream that continues where it was stays there, whatever the others do.
        newest = len(self.runs) - 1
        if abs(at - place.end) <= _BACK_SECONDS:
            return place.run
        # 2. Otherwise it belongs to the run, its own or a later one, whose front is nearest: when one stream has
        #    jumped, the others may still be before the jump. Subtitles are too sparse to open a run.
        nearest = min(range(place.run, newest + 1), key=lambda run: abs(at - self.runs[run].front))
        if is_sparse:
            return nearest
        # 3. Unless the clock itself jumped: decoding times never go back, and seldom jump ahead of all streams.
        went_back = nearest == place.run and at < place.last - _BACK_SECONDS
        leapt = (
            self._leaps and math.isfinite(self.runs[nearest].front) and at > self.runs[nearest].front + _JUMP_SECONDS
        )
        if not (went_back or leapt):
            return nearest
        # 4. Another stream may already have opened the run after this jump.
        if went_back and nearest != newest:
            return newest
        self.runs.append(_Run(at))
        return newest + 1

    def extent(self) -> Extent:
        """Join the runs, each shifted to the end of the one before."""
        # 1. The shift of each run; one without picture or audio is shifted like the one before it.
        shifts = [0.0]
        for before, run in zip(self.runs, self.runs[1:], strict=False):
            known = before.spans and run.spans
            end = max((end for _, end in before.spans.values()), default=0.0) + shifts[-1]
            start = min((start for start, _ in run.spans.values()), default=0.0)
            shifts.append(end - start if known else shifts[-1])
        # 2. Each stream lasts from its first to its last packet over all shifted runs.
        spans: dict[int, Span] = {}
        for run, shift in zip(self.runs, shifts, strict=True):
            for index, (start, end) in run.spans.items():
                old = spans.get(index, Span(math.inf, -math.inf))
                spans[index] = Span(min(old.start, start + shift), max(old.end, end + shift))
        # 3. For later readers of the packets: from its nth packet on, a stream's times are shifted by this much.
        turns = {
            index: tuple((count, shifts[run]) for count, run in found) for index, found in sorted(self._turns.items())
        }
        last = max((span.end for span in spans.values()), default=-math.inf)
        return Extent(spans, turns, max(last, self._end))


def _heard(packet: Packet[Any], place: _Place) -> tuple[float, float]:
    """Start and end (s) of what a packet presents, without the samples that its decoder will drop.

    FFmpeg marks an encoder's priming and padding with 10 bytes of side data: samples to drop at the start and at the
    end, little-endian (AV_PKT_DATA_SKIP_SAMPLES). The first may reach into the following packets.
    """
    start = float((packet.pts or 0) * packet.time_base)
    length = float((packet.duration or 0) * packet.time_base)
    stream = packet.stream
    if isinstance(stream, VideoStream):
        if not length and stream.average_rate:
            length = 1 / float(stream.average_rate)
        return start, start + length
    if not isinstance(stream, AudioStream) or stream.codec_context is None or not stream.rate:  # no decoder: no rate
        return start, start + length
    padding = 0
    if packet.has_sidedata("skip_samples"):
        marked = bytes(packet.get_sidedata("skip_samples"))
        place.skip = int.from_bytes(marked[:4], "little") or place.skip
        padding = int.from_bytes(marked[4:8], "little")
    skipped = min(place.skip, round(length * stream.rate))
    place.skip -= skipped
    heard = start + skipped / stream.rate
    if skipped:  # times in whole milliseconds, as in Matroska, are too coarse
        heard = float(math.floor(heard / packet.time_base + 0.501) * packet.time_base)
    whole, place.length = max(length, place.length), length
    return heard, start + max(0.0, min(length, whole - padding / stream.rate))  # Ogg has shortened its last packet


def pictures_hidden(container: InputContainer, index: int) -> Iterator[tuple[float, bool]]:
    """(time, hidden?) of each picture in file order: what an edit list cuts stays in the file."""
    for packet in packets(container, container.streams[index]):
        if packet.size and packet.pts is not None:
            yield float(packet.pts * packet.time_base), packet.is_discard
