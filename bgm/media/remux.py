"""Replace the audio of a video: the picture is copied packet by packet, only the audio is encoded.

Each copied stream is moved to the timeline, and what the source hides stays hidden (:class:`Copy`)."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeAlias

import av
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Disposition, Stream
from av.subtitles.stream import SubtitleStream
from av.video.stream import VideoStream

from bgm.errors import BadInput
from bgm.files import beside
from bgm.media import audio
from bgm.media.audio import frames_of
from bgm.media.container import is_picture, open_input, open_output, paced, packets, shown, tick
from bgm.media.decode import Cue, decoded_order, plain_text, read_srt
from bgm.media.encode import (
    add_encoder,
    add_text_track,
    chapters_on_timeline,
    encoded,
    kept_tags,
    seconds_of,
    text_packet,
)
from bgm.media.forms import (
    VIDEO_BIT_RATE,
    VideoForm,
    Written,
    add_copy,
    compared,
    container_for,
    fits,
    is_rewritten,
)
from bgm.media.headers import end_tracks_at, shape_points, switch_off
from bgm.media.probe import MediaInfo
from bgm.progress import Progress, silent

_AnyPacket: TypeAlias = "Packet[Any]"
_NOTE = "writing the video"


@dataclass(frozen=True, slots=True)
class RemuxOptions:
    """``keep_original``: add the source's audio as a second track that isn't played by default.

    ``subtitles``: an .srt to add as a text track; ``language`` is that track's (ISO 639, two or three letters).
    """

    keep_original: bool = False
    subtitles: Path | None = None
    language: str | None = None


def remux(
    info: MediaInfo,
    master: Path | None,
    out: Path,
    options: RemuxOptions | None = None,
    progress: Progress = silent,
) -> Written:
    """Write ``out``: the picture of ``info`` with ``master`` (48 kHz FLAC; None: its own audio, copied) as its audio.

    Rotation, aspect ratio, timestamps, tags, chapters, subtitles, data and attachments are kept if the container can
    hold them; the returned notes name what it can't. Raises BadInput if ``out``'s suffix can't hold the picture and
    OSError if the disk can't hold the file; ``out`` then stays as it was.
    """
    options = options or RemuxOptions()
    form = container_for(info, out, keep_original=options.keep_original or master is None)
    try:
        with (
            beside(out) as part,
            open_input(info.path) as source,
            open_output(part, form.muxer, _muxer_options(form, source)) as target,
        ):
            job = _Job(info, form, source, target)
            job.add_tracks(master, options)
            job.run(paced(progress))
            target.close()
            job.finish(part)
            written = compared(info, part, job.notes)
    except (av.error.InvalidDataError, av.error.ArgumentError) as error:
        raise BadInput(f"{shown(info.path)} is damaged: not all of it can be copied into {out.suffix}") from error
    progress(1.0, _NOTE)
    return written


class _Job:
    """One remux in progress: where each packet goes, and what is added to the source's packets."""

    def __init__(self, info: MediaInfo, form: VideoForm, source: InputContainer, target: OutputContainer) -> None:
        self._info = info
        self._form = form
        self._source = source
        self._target = target
        self._copies: dict[int, Copy] = {}
        self._texts: dict[int, SubtitleStream] = {}
        self._added: list[Iterator[tuple[float, _AnyPacket]]] = []
        self._transcript: int | None = None
        self.notes: list[str] = []

    def add_tracks(self, master: Path | None, options: RemuxOptions) -> None:
        """Add picture, new audio, original audio, the rest of the source, transcript, in this order."""
        pictures = [s for s in self._source.streams.video if is_picture(s)]
        for picture in pictures:
            self._copy(picture)
        if master is not None:
            self._add_master(master, named=options.keep_original)
        self._add_sounds(is_copy=master is None, keep=options.keep_original)
        for stream in self._source.streams:
            if stream.type != "audio" and stream not in pictures and not is_rewritten(stream):
                self._add_other(stream)
        if options.subtitles is not None:
            self._add_transcript(options.subtitles, options.language)
        self._target.metadata.update(kept_tags(self._source.metadata))
        self._target.set_chapters(chapters_on_timeline(self._info, self._source))

    def run(self, report: Progress) -> None:
        """Copy and encode interleaved, in time order."""
        self._target.start_encoding()
        # The encoder is a generator: a packet is made when its time has come, so nothing piles up.
        added = heapq.merge(*self._added, key=lambda pair: pair[0])
        waiting = next(added, None)
        for time, packet in self._source_packets():
            while waiting is not None and waiting[0] <= time:
                self._target.mux(waiting[1])
                waiting = next(added, None)
            self._target.mux(packet)
            report(min(0.99, max(0.0, time / self._info.duration)), _NOTE)
        while waiting is not None:
            self._target.mux(waiting[1])
            report(min(0.99, max(0.0, waiting[0] / self._info.duration)), _NOTE)
            waiting = next(added, None)

    def finish(self, part: Path) -> None:
        """Patch what FFmpeg can't be told: the end of pictures, disabled tracks (mp4, mov), the pixel aspect ratio
        (Matroska)."""
        ends = {copy.number: copy.end for copy in self._copies.values() if copy.end is not None}
        if ends and self._form.edit_lists:
            end_tracks_at(part, ends)
        if self._transcript is not None and self._form.edit_lists:
            switch_off(part, self._transcript)
        shapes = {copy.number: shape for i, shape in _shapes(self._source).items() if (copy := self._copies.get(i))}
        if shapes and self._form.muxer in ("matroska", "webm"):
            shape_points(part, shapes, is_webm=self._form.muxer == "webm")

    def _copy(self, stream: Stream) -> Stream:
        copy = add_copy(self._target, self._form, self._source, stream)
        if stream.type != "attachment":
            self._copies[stream.index] = Copy(copy, stream, self._info, self._form)
        return copy

    def _add_master(self, master: Path, *, named: bool) -> None:
        stream = add_encoder(self._target, self._form.audio_codec, audio.channels(master), VIDEO_BIT_RATE)
        stream.disposition = Disposition.default
        if self._info.audio and self._info.audio.language:
            stream.metadata["language"] = self._info.audio.language
        if named:
            stream.metadata["title"] = "With music"
        total = frames_of(self._info.duration)
        # If the container can't hide the encoder's priming, that packet is dropped: the audio stays in sync and only
        # its first 21 ms fade in.
        first = -math.inf if self._form.trims_priming else 0.0
        timed = ((seconds_of(packet), packet) for packet in encoded(stream, master, total))
        self._added.append(pair for pair in timed if pair[0] >= first)

    def _add_sounds(self, *, is_copy: bool, keep: bool) -> None:
        """The source's audio tracks, all or none; it is unknown whether undecodable ones fit."""
        sounds = [self._source.streams[track.index] for track in self._info.sounds]
        for stream in sounds if is_copy or keep else ():
            copy = self._copy(stream)
            if not is_copy:
                copy.disposition = stream.disposition & ~Disposition.default
                copy.metadata.setdefault(
                    "title", "Original" if len(sounds) == 1 else f"Original {sounds.index(stream) + 1}"
                )
        if len(sounds) > 1 and not (is_copy or keep):
            self.notes.append(
                f"The new sound takes the place of {len(sounds)} sound tracks: keeping the original keeps them."
            )
        if (more := len(self._source.streams.audio) - len(sounds)) > 0:
            self.notes.append(f"Sound tracks that can't be decoded were left out ({more}).")

    def _add_other(self, stream: Stream) -> None:
        """Cover art, attachments and subtitles: unchanged, or subtitles as text, or not at all."""
        pictures = [s for s in self._source.streams.video if is_picture(s)]
        codec = self._form.subtitle_codec
        if stream.type == "video" and self._form.muxer == "matroska":
            self._attach_cover(stream)
        elif fits(self._form, self._source, *pictures, stream):
            self._copy(stream)
        elif codec and any(track.index == stream.index for track in self._info.text_subtitles):
            text = add_text_track(self._target, codec, stream.language)
            text.metadata.update(stream.metadata)
            text.disposition = stream.disposition
            self._texts[stream.index] = text
            if stream.codec_context.name in ("ass", "ssa"):
                self.notes.append(f"The subtitle track {stream.index} was rewritten as plain text, without its styles.")

    def _attach_cover(self, stream: Stream) -> None:
        """Matroska stores cover art as an attachment; its own demuxer shows that as a video track."""
        kind = stream.codec_context.name if stream.codec_context else ""
        name, mime = ("cover.jpg", "image/jpeg") if kind == "mjpeg" else (f"cover.{kind}", f"image/{kind}")
        with open_input(self._info.path) as source:
            picture = bytes(next(source.demux(source.streams[stream.index])))
        self._target.add_attachment(stream.metadata.get("filename", name), mime, picture)

    def _add_transcript(self, subtitles: Path, language: str | None) -> None:
        codec = self._form.subtitle_codec
        if codec is None:
            self.notes.append("This kind of file can't hold subtitles: the transcript was not added.")
            return
        stream = add_text_track(self._target, codec, language)
        stream.disposition = Disposition(0)
        self._transcript = stream.index
        self._added.append(_transcript(stream, subtitles, self._info.duration))

    def _source_packets(self) -> Iterator[tuple[float, _AnyPacket]]:
        """The packets to write; what a stream holds back is flushed at its end."""
        streams = [self._source.streams[index] for index in (*self._copies, *self._texts)]
        for packet in packets(self._source, *streams, turns=self._info.turns):
            index = packet.stream.index  # stream_index of the empty packets that end a stream is always 0
            if index in self._texts:
                yield from self._as_text(self._texts[index], packet)
            elif packet.size and index in self._copies:
                yield from self._copies[index].take(packet)
        for copy in self._copies.values():
            yield from copy.flush()

    def _as_text(self, stream: SubtitleStream, packet: _AnyPacket) -> Iterator[tuple[float, _AnyPacket]]:
        text = plain_text(packet)
        if text and packet.pts is not None:
            start = float(packet.pts * packet.time_base) - self._info.origin
            end = start + float((packet.duration or 0) * packet.time_base)
            if end > 0 and not packet.is_discard:
                yield max(0.0, start), text_packet(stream, Cue(max(0.0, start), end, text))


def _transcript(stream: SubtitleStream, subtitles: Path, duration: float) -> Iterator[tuple[float, _AnyPacket]]:
    for cue in read_srt(subtitles):
        if 0 <= cue.start < duration and cue.end > cue.start:
            yield cue.start, text_packet(stream, cue)


def _shapes(source: InputContainer) -> dict[int, Fraction]:
    """Pixel aspect ratio of each picture whose pixels aren't square."""
    found = {s.index: s.sample_aspect_ratio for s in source.streams.video if is_picture(s)}
    return {index: Fraction(shape) for index, shape in found.items() if shape and shape != 1}


def _muxer_options(form: VideoForm, source: InputContainer) -> dict[str, str]:
    """Phones write keys such as com.apple.quicktime.make: the mp4 muxer keeps those only when told to."""
    options = {**form.options, "strict": "unofficial"}  # 360° video and Dolby Vision are not part of the standards
    if form.muxer in ("matroska", "webm") and _shapes(source):
        options["write_crc32"] = "0"
    if "movflags" in options and any("." in key for key in source.metadata):
        options["movflags"] += "+use_metadata_tags"
    return options


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
        stamps, presented = decoded_order(again, stream.index)
    # The times are those of the file in order of showing; a decoder tells which packet is shown when.
    times, order = sorted(stamps), {number: place for place, number in enumerate(presented)}
    last, ranks = -1, []
    for number in range(len(stamps)):
        last = order.get(number, last)  # one that can't be decoded is never shown: any place will do
        ranks.append(max(0, last))
    # A picture can't be shown before it is decoded: all are late by as much as the most reordered one.
    delay = max((number - rank for number, rank in enumerate(ranks)), default=0)
    step = max(1, round(1 / (stream.average_rate or 25) / tick(stream)))
    return [times[rank] + delay * step for rank in ranks]
