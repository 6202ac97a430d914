"""What a media file holds, found without decoding it; and one clear sentence when it can't be used."""

from __future__ import annotations

import math
import os
import stat
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from bgm.errors import BadInput
from bgm.media.container import MAX_PIXELS, MAX_STREAMS, open_input, packets, tick
from bgm.timeline import MAX_SECONDS

_S = TypeVar("_S", bound=Stream)

SCAN_SECONDS = 120.0
"""How long reading a file to its end may take: 3 hours of an endless recording in Matroska take a few."""
MIN_RATE, MAX_RATE = 1_000, 1_000_000
"""Samples a second that sound may have: what it takes to resample it grows with how far it is from ours."""
TEXT_SUBTITLES = frozenset({"mov_text", "subrip", "srt", "webvtt", "ass", "ssa", "text"})
"""Codec names, as PyAV gives them, of subtitles that are text; the others are pictures."""

_TAIL_SECONDS = 5.0
_DECLARED_SLACK = 0.1
"""A declared length this near to the packets' end (s) is the better one: it knows encoder padding and last frames."""
_MISSING_SECONDS = 1.0
"""More than this missing from what the header promises (s) is a file cut off."""
_PROMISING = ("mov", "matroska", "avi", "wav", "flac")
"""Formats whose header states the length; elsewhere FFmpeg may have guessed it from the bit rate."""

_GUESSING = ("aac", "ac3", "amr")
"""Formats without any header: a declared length can only be a guess."""


@dataclass(frozen=True, slots=True)
class VideoTrack:
    """The picture. ``width`` and ``height`` are as coded, before any rotation; ``fps`` is the average, 0 if unknown.

    ``timecode`` is the name of its first frame (``10:00:00:00``; a ``;`` for drop-frame), if the file gives one.
    """

    index: int
    codec: str
    width: int
    height: int
    fps: float
    timecode: str | None = None


@dataclass(frozen=True, slots=True)
class AudioTrack:
    """The sound. ``start`` is where it begins on the timeline (s; negative: before the picture)."""

    index: int
    codec: str
    channels: int
    rate: int
    start: float
    language: str | None


@dataclass(frozen=True, slots=True)
class SubtitleTrack:
    """A subtitle track; ``is_text`` is False for pictures (Blu-ray, DVD). ``language`` is ISO 639-2 as written.

    ``forced``: only what is to be shown to those who understand the speech (signs, words of another language).
    """

    index: int
    codec: str
    language: str | None
    is_text: bool
    title: str = ""
    default: bool = False
    forced: bool = False


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """A file that can be worked on.

    ``origin`` is the container's time (s) that is 0 on our timeline: where the picture starts, or the sound in a file
    without picture. ``duration`` (s) is that of the picture, or of the sound.
    """

    path: Path
    container: str
    """FFmpeg's name of the format, such as ``mov,mp4,m4a,3gp,3g2,mj2``."""
    duration: float
    origin: float
    video: VideoTrack | None
    audio: AudioTrack | None
    subtitles: tuple[SubtitleTrack, ...]
    has_chapters: bool
    notes: tuple[str, ...] = ()
    """Sentences about the file itself: what of it can't be used as it is."""

    @property
    def has_video(self) -> bool:
        """A picture that moves: cover art doesn't count."""
        return self.video is not None

    @property
    def text_subtitles(self) -> tuple[SubtitleTrack, ...]:
        return tuple(track for track in self.subtitles if track.is_text)


def probe(path: Path) -> MediaInfo:
    """Look into ``path``. Raises BadInput, one sentence that names the file and the trouble."""
    size = _check_file(path)
    try:
        with open_input(path) as container:
            return _inspect(path, container, size)
    except (av.error.ExitError, TimeoutError) as error:
        raise _bad(path, "takes too long to read") from error
    except av.error.InvalidDataError as error:
        raise _bad(path, "is damaged, incomplete, or not a video or sound file") from error
    except av.error.FFmpegError as error:
        raise _bad(path, "is not a video or sound file that can be read") from error


def shown(path: Path) -> str:
    """A path as one line of a message."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(path))


def is_picture(stream: Stream) -> bool:
    """Is it a picture that moves, not cover art?"""
    return isinstance(stream, VideoStream) and not stream.disposition & Disposition.attached_pic


def is_rate(samples_a_second: int) -> bool:
    """Can sound at this rate be resampled?"""
    return MIN_RATE <= samples_a_second <= MAX_RATE


def _bad(path: Path, trouble: str) -> BadInput:
    return BadInput(f"{shown(path)} {trouble}")


def _check_file(path: Path) -> int:
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise _bad(path, "is a folder, not a video or sound file")
        if not stat.S_ISREG(status.st_mode):
            raise _bad(path, "is not a regular file")
        with path.open("rb") as file:
            empty = not file.read(1)
    except FileNotFoundError as error:
        raise _bad(path, "does not exist") from error
    except (OSError, ValueError) as error:
        why = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        raise _bad(path, f"can't be read: {why}") from error
    if empty:
        raise _bad(path, "is empty (0 bytes)")
    return status.st_size


def _inspect(path: Path, container: InputContainer, size: int) -> MediaInfo:
    if len(container.streams) >= MAX_STREAMS:
        raise _bad(path, f"has too many tracks: fewer than {MAX_STREAMS} can be handled")
    if any(_end_of_data(stream) > size for stream in container.streams):
        raise _bad(path, "is incomplete: it was cut off before its end")
    pictures = [s for s in container.streams.video if is_picture(s)]
    sounds = [s for s in container.streams.audio if s.codec_context and is_rate(s.rate) and s.channels]
    main: VideoStream | AudioStream | None = _default(pictures) or _default(sounds)
    if main is None:
        raise _bad(path, "has neither a picture nor a sound that can be decoded")
    subtitles = tuple(_subtitle(s) for s in container.streams.subtitles)
    has_chapters = bool(container.chapters())
    video = _video(path, main) if isinstance(main, VideoStream) else None
    start, duration = _extent(path, container, main)
    sound = _default(sounds)
    audio = _audio(sound, start) if sound is not None else None
    return MediaInfo(path, container.format.name, duration, start, video, audio, subtitles, has_chapters)


def _end_of_data(stream: Stream) -> int:
    """Where in the file the last packet ends, as far as the index knows."""
    entries = stream.index_entries
    return entries[-1].pos + entries[-1].size if len(entries) else 0


def _default(streams: Sequence[_S]) -> _S | None:
    return next((s for s in streams if s.disposition & Disposition.default), streams[0] if streams else None)


def _video(path: Path, stream: VideoStream) -> VideoTrack:
    context = stream.codec_context
    width, height = (context.width, context.height) if context else (0, 0)
    if not context or width <= 0 or height <= 0:
        raise _bad(path, "has a picture in a format that is unknown or damaged")
    if width * height > MAX_PIXELS:
        raise _bad(path, f"has a picture of {width} × {height} points, more than can be handled")
    return VideoTrack(stream.index, context.name, width, height, float(stream.average_rate or 0), _timecode(stream))


def _timecode(stream: VideoStream) -> str | None:
    """Of the track, or of the file (MXF); Matroska's keys are in capitals."""
    said = (*stream.metadata.items(), *stream.container.metadata.items())
    return next((value for key, value in said if key.lower() == "timecode"), None)


def _audio(stream: AudioStream, origin: float) -> AudioTrack:
    start = float((stream.start_time or 0) * tick(stream)) - origin
    name = stream.codec_context.name
    return AudioTrack(stream.index, name, stream.channels, stream.rate, start, stream.language)


def _subtitle(stream: Stream) -> SubtitleTrack:
    name = stream.codec_context.name if stream.codec_context else ""
    title, flags = stream.metadata.get("title", ""), stream.disposition
    forced = bool(flags & Disposition.forced) or "forced" in title.lower()
    default = bool(flags & Disposition.default)
    return SubtitleTrack(stream.index, name, stream.language, name in TEXT_SUBTITLES, title, default, forced)


def _extent(path: Path, container: InputContainer, stream: VideoStream | AudioStream) -> tuple[float, float]:
    """(origin, duration) in seconds of the picture or sound."""
    ends = _ends_near_tail(container, stream)
    if ends is None or _promised(container, stream) - ends.anything > _MISSING_SECONDS:
        with open_input(path) as again:
            ends = _scan(again, stream.index)
    if ends is None:
        raise _bad(path, "holds no picture and no sound that has a time")
    if _promised(container, stream) - ends.anything > _MISSING_SECONDS:
        raise _bad(path, "is incomplete: it was cut off before its end")
    start = ends.first if stream.start_time is None else float(stream.start_time * tick(stream))
    duration = _settled(_form(container), stream, ends.main - start)
    if not (math.isfinite(duration) and duration > 0):
        raise _bad(path, "has no duration")
    if duration > MAX_SECONDS:
        raise _bad(path, f"claims to last {duration / 3600:.0f} hours; {MAX_SECONDS / 3600:.0f} are the most")
    return start, duration


def _settled(form: str, stream: VideoStream | AudioStream, measured: float) -> float:
    """The declared duration where the packets bear it out, else what they say.

    Padding that a decoder drops, or pictures that come late in a reordered stream, are known to only one of the two
    numbers: the smaller is right.
    """
    declared = float(stream.duration * tick(stream)) if stream.duration else measured
    if form in _GUESSING or abs(declared - measured) > _DECLARED_SLACK:
        return measured
    return min(declared, measured)


@dataclass(frozen=True, slots=True)
class _Ends:
    """Seconds of the container: the main stream's first packet and end, and the end of all streams."""

    first: float
    main: float
    anything: float


def _form(container: InputContainer) -> str:
    return container.format.name.split(",")[0]


def _promised(container: InputContainer, stream: VideoStream | AudioStream) -> float:
    """The end (s, container's time) that the header promises, at least; 0 where it promises nothing.

    Some formats count from their first packet and some, Matroska among them, from 0: the earlier of the two is taken.
    """
    form = _form(container)
    if form not in _PROMISING or not container.duration:
        return 0.0
    by_frames = float(stream.frames * tick(stream)) if form == "avi" else 0.0
    return max(container.duration / av.time_base, by_frames)


def _ends_near_tail(container: InputContainer, stream: VideoStream | AudioStream) -> _Ends | None:
    """Read only the end of a long video. Sound alone is small, and seeking in it is often a guess: None."""
    if not isinstance(stream, VideoStream) or stream.start_time is None or not container.duration:
        return None
    near = ((container.start_time or 0) + container.duration) / av.time_base - _TAIL_SECONDS
    try:
        container.seek(int(near / tick(stream)), stream=stream)
    except av.error.FFmpegError:
        return None
    return _scan(container, stream.index)


def _scan(container: InputContainer, index: int) -> _Ends | None:
    """Read packets to the end (or to where the file is damaged beyond reading on). Raises TimeoutError."""
    first, main, anything = math.inf, -math.inf, -math.inf
    give_up = time.monotonic() + SCAN_SECONDS
    try:
        for packet in packets(container):
            if time.monotonic() > give_up:
                raise TimeoutError
            if packet.pts is None or packet.stream.type not in ("video", "audio", "subtitle"):
                continue
            start, end = _span(packet)
            anything = max(anything, end)
            if packet.stream_index == index and not packet.is_discard:
                first, main = min(first, start), max(main, end)
    except av.error.FFmpegError:
        pass  # what was read before the damage counts; too little of it is noticed by the caller
    return _Ends(first, main, anything) if math.isfinite(main) else None


def _span(packet: Packet[Stream]) -> tuple[float, float]:
    start = float((packet.pts or 0) * packet.time_base)
    length = float((packet.duration or 0) * packet.time_base)
    if not length and isinstance(packet.stream, VideoStream) and packet.stream.average_rate:
        length = 1 / float(packet.stream.average_rate)
    return start, start + length
