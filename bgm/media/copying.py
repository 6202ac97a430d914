"""Copy one stream from file to file, packet by packet: moved to the timeline, hidden parts kept hidden."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any, TypeAlias

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from bgm.media.container import is_picture, open_input, packets, tick
from bgm.media.forms import VideoForm
from bgm.media.probe import MediaInfo

_AnyPacket: TypeAlias = "Packet[Any]"
_MAX_UNDATED = 64
"""Packets without a decoding time at the start of a Matroska file: the largest reordering of pictures, with a
margin."""
_LEAD_IN_SECONDS = 0.1
"""Audio that a decoder needs before the first audible sample (Opus asks for 80 ms, AAC for a packet)."""


class Copy:
    """The packets of one stream, moved to the timeline, with missing timestamps filled in.

    A picture hidden by an edit list is copied if later ones depend on it and the container can hide it too; hidden
    pictures after the last visible one are dropped. Hidden audio is dropped except for the decoder's lead-in. The last
    picture is extended to the end of the timeline.
    """

    def __init__(self, target: Stream, source: Stream, info: MediaInfo, form: VideoForm) -> None:
        self._target = target
        self._tick: Fraction = tick(source)
        self._shift = round(info.origin / self._tick)
        self._duration = info.duration
        self._is_picture = is_picture(source)
        same_family = form.muxer in info.container.split(",")
        hidden = form.edit_lists or (same_family and form.trims_priming)
        self._first = -math.inf if self._is_picture else -_LEAD_IN_SECONDS if hidden else 0.0
        self._times = _picture_times(info, source, form) if self._is_picture else ()
        self._hides = info.video is not None and info.video.hides_ends
        self._last_dts: int | None = None
        self._undated: list[_AnyPacket] = []
        self._held: list[_AnyPacket] = []
        self._count = 0
        self._seen_end = -math.inf
        self.number = target.index
        self.end: float | None = None
        """End of the picture (s), if its packets alone don't determine it."""

    def take(self, packet: _AnyPacket) -> Iterator[tuple[float, _AnyPacket]]:
        """The packets that are ready: none while decoding times are missing."""
        if packet.dts is None and self._last_dts is None and len(self._undated) < _MAX_UNDATED:
            self._undated.append(packet)
            return
        yield from self._date(packet.dts)
        yield from self._send(packet)

    def flush(self) -> Iterator[tuple[float, _AnyPacket]]:
        """What is still pending at the end of the file."""
        yield from self._date(None)
        held, self._held = self._held[:1], []
        for packet in held:
            frame = (packet.duration or 0) * self._tick or Fraction(1, 25)
            if self._duration - self._seen_end > frame:
                packet.duration = max(1, round(self._duration / self._tick) - (packet.pts or 0))
                self.end = self._duration
            elif self._hides:
                self.end = self._seen_end
            yield self._dated(packet)

    def _date(self, next_dts: int | None) -> Iterator[tuple[float, _AnyPacket]]:
        """Count back from the first known decoding time (Matroska stores only presentation times)."""
        waiting, self._undated = self._undated, []
        for position, packet in enumerate(waiting):
            if next_dts is not None:
                packet.dts = next_dts - (len(waiting) - position) * max(1, packet.duration or 1)
            yield from self._send(packet)

    def _send(self, packet: _AnyPacket) -> Iterator[tuple[float, _AnyPacket]]:
        # 1. A decoding time, if there is none, follows the one before; decoding times must increase.
        dts = packet.dts if packet.dts is not None else packet.pts
        if dts is None:
            dts = 0 if self._last_dts is None else self._last_dts + max(1, packet.duration or 1)
        if self._last_dts is not None and dts <= self._last_dts:
            dts = self._last_dts + 1
        self._last_dts = dts
        # 2. The presentation time, worked out for files that lack it, is never before the decoding time.
        pts = dts if packet.pts is None else packet.pts
        if self._count < len(self._times):
            pts = self._times[self._count]
        self._count += 1
        pts = max(dts, pts)
        # 3. Both are moved to the timeline.
        packet.dts, packet.pts = dts - self._shift, pts - self._shift
        packet.stream = self._target
        start = float((pts - self._shift) * self._tick)
        yield from self._pictures(packet, start) if self._is_picture else self._others(packet, start)

    def _others(self, packet: _AnyPacket, start: float) -> Iterator[tuple[float, _AnyPacket]]:
        is_over = packet.is_discard and math.isfinite(self._seen_end)
        if start < self._first or is_over:
            return
        if not packet.is_discard:
            self._seen_end = start
        yield self._dated(packet)

    def _pictures(self, packet: _AnyPacket, start: float) -> Iterator[tuple[float, _AnyPacket]]:
        """Hold back the last visible picture and the hidden ones after it."""
        if packet.is_discard and self._held:
            self._held.append(packet)
            return
        ready = [*self._held, packet] if packet.is_discard else self._held
        if not packet.is_discard:
            self._held = [packet]
            self._seen_end = max(self._seen_end, start + float((packet.duration or 0) * self._tick))
        yield from map(self._dated, ready)

    def _dated(self, packet: _AnyPacket) -> tuple[float, _AnyPacket]:
        return float((packet.dts or 0) * self._tick), packet


def _picture_times(info: MediaInfo, stream: Stream, form: VideoForm) -> Sequence[int]:
    """Presentation times of the pictures in file order, if the file itself lacks them: H.264 and later in AVI.

    AVI has only decoding times, and only a decoder knows the presentation order, so all pictures are decoded. Empty if
    not needed.
    """
    if form.muxer == "avi" or not info.container.startswith("avi") or not isinstance(stream, VideoStream):
        return ()
    if stream.codec_context is None or not stream.codec_context.has_b_frames or stream.codec_context.name == "mpeg4":
        return ()
    with open_input(info.path) as again:
        stamps, shown = _decoded_order(again, stream.index)
    times, order = sorted(stamps), {number: place for place, number in enumerate(shown)}
    last, ranks = -1, []
    for number in range(len(stamps)):
        last = order.get(number, last)  # one that can't be decoded is never shown: any place will do
        ranks.append(max(0, last))
    delay = max((number - rank for number, rank in enumerate(ranks)), default=0)
    step = max(1, round(1 / (stream.average_rate or 25) / tick(stream)))
    return [times[rank] + delay * step for rank in ranks]


def _decoded_order(container: InputContainer, index: int) -> tuple[list[int], list[int]]:
    """(decoding times in file order, packet numbers in presentation order)."""
    stream = container.streams[index]
    stamps: list[int] = []
    shown: list[int] = []
    for packet in packets(container, stream):
        if packet.size:
            stamps.append(packet.dts if packet.dts is not None else (stamps[-1] + 1 if stamps else 0))
            packet.pts = len(stamps) - 1
        try:
            shown += [frame.pts for frame in packet.decode() if isinstance(frame, VideoFrame) and frame.pts is not None]
        except av.error.FFmpegError:
            continue  # a damaged picture
    return stamps, shown
