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
from pathlib import Path
from typing import Any

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from bgm.media.container import Turns, bad, format_of, is_picture, open_input, packets, tick
from bgm.timeline import MAX_SECONDS

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
        # A stream that first appears now belongs to the newest run: its clock is the one that runs.
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
        # Of subtitles and discarded packets only those before any jump count for the end: later times mean little.
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
    skipped = min(place.skip, round(length * stream.rate))  # more than a packet where the priming is long
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


_TAIL_SECONDS = 5.0
_DECLARED_SLACK = 0.1
"""A declared duration this close to the packets' end (s) is more exact: it includes encoder padding and last frames."""
_MISSING_SECONDS = 1.0
"""If more than this is missing from the declared duration (s), the file is truncated."""
_PROMISING = ("mov", "matroska", "avi", "wav", "flac")
"""Formats whose header states the duration; elsewhere FFmpeg may have guessed it from the bit rate."""

_GUESSING = ("aac", "ac3", "amr")
"""Formats without any header: a declared duration can only be a guess."""


@dataclass(frozen=True, slots=True)
class Measured:
    """The timeline: ``origin`` is its 0 in the container's time (s); ``starts`` are on the timeline, by stream."""

    origin: float
    duration: float
    starts: Mapping[int, float]
    turns: Turns
    is_cut_off: bool


def measure(path: Path, container: InputContainer, streams: list[Stream], *, fragmented: bool) -> Measured:
    """Measure from the first presentation time to the last."""
    # 1. The start from the first packets; the end from the last seconds, if the file is seekable.
    first = starts(container)
    found = None if fragmented else _near_tail(container, streams)
    # 2. All packets if it isn't, or if the end is earlier than the header promises: the clock may jump.
    if found is None or _promised(container, streams) - found.end > _MISSING_SECONDS:
        with open_input(path) as again:
            found = scan(again, jumps=fragmented or format_of(again) != "mov")
        first = {index: span.start for index, span in found.spans.items()}
    # 3. A file that still ends too early is truncated.
    wanted = {s.index: s for s in streams if s.index in found.spans and s.index in first}
    if not wanted or not math.isfinite(found.end):
        raise bad(path, "holds no picture and no sound that has a time")
    is_cut_off = _promised(container, streams) - found.end > _MISSING_SECONDS
    if is_cut_off and not fragmented:
        raise bad(path, "is incomplete: it was cut off before its end")
    # 4. The timeline lasts from the first start to the last end. Across a jump of the clock declared durations mean
    #    nothing: the packets' timestamps are used.
    start = min(first[index] for index in wanted)
    ends = (_settled(container, s, first[index], found.spans[index].end) for index, s in wanted.items())
    duration = (max(span.end for span in found.spans.values()) if found.turns else max(ends)) - start
    if not (math.isfinite(duration) and duration > 0):
        raise bad(path, "has no duration")
    if duration > MAX_SECONDS:
        raise bad(path, f"claims to last {duration / 3600:.0f} hours; {MAX_SECONDS / 3600:.0f} are the most")
    return Measured(start, duration, {i: at - start for i, at in first.items()}, found.turns, is_cut_off)


def _settled(container: InputContainer, stream: Stream, start: float, end: float) -> float:
    """A stream's end: the declared one if the packets confirm it, else the packets'.

    Padding that a decoder drops, and late pictures in a reordered stream, affect only one of the two numbers: the
    smaller is right.
    """
    measured = end - start
    declared = float(stream.duration * tick(stream)) if stream.duration else measured
    if format_of(container) in _GUESSING or abs(declared - measured) > _DECLARED_SLACK:
        return end
    return start + min(declared, measured)


def _promised(container: InputContainer, streams: list[Stream]) -> float:
    """The end (s, container's time) that the header promises, at least; 0 if it promises nothing.

    Some formats count from their first packet and some, Matroska among them, from 0: the earlier of the two is used.
    """
    form = format_of(container)
    if form not in _PROMISING or not container.duration:
        return 0.0
    by_frames = max((float(s.frames * tick(s)) for s in streams), default=0.0) if form == "avi" else 0.0
    return max(container.duration / av.time_base, by_frames)


def _near_tail(container: InputContainer, streams: list[Stream]) -> Extent | None:
    """Read only the end of a long video. None if that is not conclusive.

    Audio alone is small, and seeking in it is often inexact; a file without an index may have a clock that jumps.
    """
    picture = next((s for s in streams if isinstance(s, VideoStream) and s.start_time is not None), None)
    if picture is None or not container.duration or format_of(container) in UNINDEXED:
        return None
    near = ((container.start_time or 0) + container.duration) / av.time_base - _TAIL_SECONDS
    try:
        container.seek(int(near / tick(picture)), stream=picture)
    except av.error.FFmpegError:
        return None
    found = scan(container, jumps=False)
    return found if found.spans else None
