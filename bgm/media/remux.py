"""Replace the audio of a video: the picture is copied packet by packet, only the audio is encoded."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeAlias

import av
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Disposition, Stream
from av.subtitles.stream import SubtitleStream

from bgm.errors import BadInput
from bgm.files import beside
from bgm.media import audio
from bgm.media.audio import frames_of
from bgm.media.container import is_picture, open_input, open_output, paced, packets
from bgm.media.copying import Copy
from bgm.media.encode import add_encoder, chapters_on_timeline, encode_audio, encoded, kept_tags, seconds_of
from bgm.media.forms import (
    VIDEO_BIT_RATE,
    VideoForm,
    Written,
    add_copy,
    check_output,
    compared,
    container_for,
    fits,
    is_rewritten,
)
from bgm.media.headers import end_tracks_at, shape_points, switch_off
from bgm.media.probe import MediaInfo, shown
from bgm.media.subtitle_track import Cue, add_text_track, plain_text, read_srt, text_packet
from bgm.progress import Progress, silent

__all__ = ["RemuxOptions", "check_output", "encode_audio", "remux"]

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
