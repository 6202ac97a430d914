"""What a media file contains, found without decoding it; and one clear sentence if it can't be used."""

from __future__ import annotations

import math
import os
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from bgm.errors import BadInput
from bgm.media.container import MAX_PIXELS, MAX_STREAMS, Turns, format_of, is_picture, open_input, tick
from bgm.media.extent import UNINDEXED, Extent, pictures_hidden, scan, starts
from bgm.media.headers import is_fragmented
from bgm.timeline import MAX_SECONDS

_S = TypeVar("_S", bound=Stream)

MIN_RATE, MAX_RATE = 1_000, 1_000_000
"""Supported sample rates: the cost of resampling grows with the distance from ours."""
TEXT_SUBTITLES = frozenset({"mov_text", "subrip", "srt", "webvtt", "ass", "ssa", "text"})
"""Codec names, as PyAV gives them, of text subtitles; the others are images."""

_NO_TITLE = re.compile(r"handler|^(?:iso|core) media|^mono$|^stereo$|^\W*$", re.IGNORECASE)
"""What cameras and programs write as an mp4 track name without naming anything."""
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
class VideoTrack:
    """The picture. ``width`` and ``height`` are as coded, before any rotation; ``fps`` is the average, 0 if unknown.

    ``timecode`` is that of its first frame (``10:00:00:00``; a ``;`` for drop-frame), if the file has one.
    """

    index: int
    codec: str
    width: int
    height: int
    fps: float
    timecode: str | None = None
    start: float = 0.0
    """When it is first shown, on the timeline (s): after 0 if the audio comes first."""
    hides_ends: bool = False
    """Whether an edit list hides pictures at the start or end that are in the file."""


@dataclass(frozen=True, slots=True)
class AudioTrack:
    """The audio. ``start`` is where it begins on the timeline (s)."""

    index: int
    codec: str
    channels: int
    rate: int
    start: float
    language: str | None
    title: str = ""


@dataclass(frozen=True, slots=True)
class SubtitleTrack:
    """A subtitle track; ``is_text`` is False for images (Blu-ray, DVD). ``language`` is ISO 639-2 as written.

    ``forced``: only for viewers who understand the speech (signs, words in another language).
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
    """A usable media file.

    The timeline lasts from the first presentation time to the last: ``origin`` is the container's time (s) of timeline
    0, ``duration`` its length (s). ``turns`` corrects jumps of the file's clock.
    """

    path: Path
    container: str
    """FFmpeg's name of the format, such as ``mov,mp4,m4a,3gp,3g2,mj2``."""
    duration: float
    origin: float
    video: VideoTrack | None
    audio: AudioTrack | None
    """The selected audio track: the default one, until another is chosen."""
    subtitles: tuple[SubtitleTrack, ...]
    sounds: tuple[AudioTrack, ...] = ()
    """All decodable audio tracks, in file order."""
    turns: Turns = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    """Sentences about the file itself: what can't be used as it is."""

    @property
    def has_video(self) -> bool:
        """Whether there is a moving picture: cover art doesn't count."""
        return self.video is not None

    @property
    def text_subtitles(self) -> tuple[SubtitleTrack, ...]:
        return tuple(track for track in self.subtitles if track.is_text)


def probe(path: Path) -> MediaInfo:
    """Inspect ``path``. Raises BadInput, one sentence that names the file and the problem."""
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


def is_rate(samples_a_second: int) -> bool:
    """Whether audio at this rate can be resampled."""
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
    # 1. Reject files that can't be processed whole: too many tracks, an index that points beyond the file's end. A
    #    fragmented file still has what precedes a truncation.
    if len(container.streams) >= MAX_STREAMS:
        raise _bad(path, f"has too many tracks: fewer than {MAX_STREAMS} can be handled")
    fragmented = format_of(container) == "mov" and is_fragmented(path)
    is_cut_off = any(_end_of_data(stream) > size for stream in container.streams)
    if is_cut_off and not fragmented:
        raise _bad(path, "is incomplete: it was cut off before its end")
    # 2. The decodable tracks: no cover art, no codec without a decoder, no audio that can't be resampled.
    pictures = [s for s in container.streams.video if is_picture(s)]
    sounds = [s for s in container.streams.audio if s.codec_context and is_rate(s.rate) and s.channels]
    empty = [] if fragmented else [s for s in pictures if _is_empty(container, s)]
    pictures = [s for s in pictures if s not in empty]
    if not pictures and not sounds:
        raise _bad(path, "has neither a picture nor a sound that can be decoded")
    picture, sound = _default(pictures), _default(sounds)
    hides_ends = _hides_ends(path, pictures)

    # 3. Start of each and end of all, by the packets' timestamps.
    def at(stream: Stream) -> float:
        return measured.starts.get(stream.index, 0.0)

    measured = _measure(path, container, [*pictures, *sounds], fragmented=fragmented)
    measured = replace(measured, is_cut_off=measured.is_cut_off or is_cut_off)
    return MediaInfo(
        path=path,
        container=container.format.name,
        duration=measured.duration,
        origin=measured.origin,
        video=replace(_video(path, picture), start=at(picture), hides_ends=hides_ends) if picture is not None else None,
        audio=_audio(sound, at(sound)) if sound is not None else None,
        subtitles=tuple(_subtitle(s) for s in container.streams.subtitles),
        sounds=tuple(_audio(s, at(s)) for s in sounds),
        turns=measured.turns,
        notes=(*_notes(measured), *(f"The picture track {s.index} holds no picture: it was left out." for s in empty)),
    )


def _is_empty(container: InputContainer, picture: VideoStream) -> bool:
    """Whether a track's index says that it has no picture, as in a damaged file; without an index it is unknown."""
    return format_of(container) == "mov" and not picture.frames and not picture.index_entries


def _end_of_data(stream: Stream) -> int:
    """Offset of the end of the last packet, as far as the index knows."""
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


def _audio(stream: AudioStream, start: float) -> AudioTrack:
    name = stream.codec_context.name
    title = stream.metadata.get("title") or stream.metadata.get("handler_name", "")
    title = "" if _NO_TITLE.search(title) else title
    return AudioTrack(stream.index, name, stream.channels, stream.rate, start, stream.language, title)


def _subtitle(stream: Stream) -> SubtitleTrack:
    name = stream.codec_context.name if stream.codec_context else ""
    title, flags = stream.metadata.get("title", ""), stream.disposition
    forced = bool(flags & Disposition.forced) or "forced" in title.lower()
    default = bool(flags & Disposition.default)
    return SubtitleTrack(stream.index, name, stream.language, name in TEXT_SUBTITLES, title, default, forced)


def _measure(path: Path, container: InputContainer, streams: list[Stream], *, fragmented: bool) -> _Measured:
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
        raise _bad(path, "holds no picture and no sound that has a time")
    is_cut_off = _promised(container, streams) - found.end > _MISSING_SECONDS
    if is_cut_off and not fragmented:
        raise _bad(path, "is incomplete: it was cut off before its end")
    # 4. The timeline lasts from the first start to the last end. Across a jump of the clock declared durations mean
    #    nothing: the packets' timestamps are used.
    start = min(first[index] for index in wanted)
    ends = (_settled(container, s, first[index], found.spans[index].end) for index, s in wanted.items())
    duration = (max(span.end for span in found.spans.values()) if found.turns else max(ends)) - start
    if not (math.isfinite(duration) and duration > 0):
        raise _bad(path, "has no duration")
    if duration > MAX_SECONDS:
        raise _bad(path, f"claims to last {duration / 3600:.0f} hours; {MAX_SECONDS / 3600:.0f} are the most")
    return _Measured(start, duration, {i: at - start for i, at in first.items()}, found.turns, is_cut_off)


@dataclass(frozen=True, slots=True)
class _Measured:
    """``starts`` are on the timeline, by stream."""

    origin: float
    duration: float
    starts: Mapping[int, float]
    turns: Turns
    is_cut_off: bool


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


def _hides_ends(path: Path, pictures: list[VideoStream]) -> bool:
    """Whether an edit list hides pictures at the start or end, which stay in the file because others depend on them.

    Raises BadInput if it hides some in the middle: a copy would show them again.
    """
    hidden = {s.index: [entry.is_discard for entry in s.index_entries] for s in pictures}
    hiding = [s for s in pictures if any(hidden[s.index])]
    for stream in hiding:
        flags = hidden[stream.index]
        if False in flags and not any(flags[flags.index(False) : len(flags) - flags[::-1].index(False)]):
            continue  # all before the first or after the last shown: no need to read the file for their times
        with open_input(path) as again:
            found = list(pictures_hidden(again, stream.index))
        seen = [time for time, is_hidden in found if not is_hidden]
        if seen and any(is_hidden and min(seen) <= time <= max(seen) for time, is_hidden in found):
            raise _bad(path, "has pictures cut out of its middle by an edit list that still holds them: export it anew")
    return bool(hiding)


def _notes(measured: _Measured) -> tuple[str, ...]:
    out = []
    turns = max((len(row) for row in measured.turns.values()), default=0)
    if turns:
        times = "once" if turns == 1 else f"{turns} times"
        out.append(f"The file's clock starts again or jumps {times}: its parts were put one after the other.")
    if measured.is_cut_off:
        out.append(f"The recording was cut off: what is whole of it was used, {measured.duration:.1f} s.")
    return tuple(out)
