"""What a media file holds, found without decoding it; and one clear sentence when it can't be used."""

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
from bgm.media.boxes import is_fragmented
from bgm.media.container import MAX_PIXELS, MAX_STREAMS, Turns, format_of, is_picture, open_input, tick
from bgm.media.extent import UNINDEXED, Extent, pictures_hidden, scan, starts
from bgm.timeline import MAX_SECONDS

_S = TypeVar("_S", bound=Stream)

MIN_RATE, MAX_RATE = 1_000, 1_000_000
"""Samples a second that sound may have: what it takes to resample it grows with how far it is from ours."""
TEXT_SUBTITLES = frozenset({"mov_text", "subrip", "srt", "webvtt", "ass", "ssa", "text"})
"""Codec names, as PyAV gives them, of subtitles that are text; the others are pictures."""

_NO_TITLE = re.compile(r"handler|^(?:iso|core) media|^mono$|^stereo$|^\W*$", re.IGNORECASE)
"""What cameras and programs write where mp4 has a track's name, and is none."""
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
    start: float = 0.0
    """When it is first seen, on the timeline (s): after 0 where the sound comes first."""
    hides_ends: bool = False
    """Does an edit list keep pictures at the start or end, which are in the file, from being seen?"""


@dataclass(frozen=True, slots=True)
class AudioTrack:
    """The sound. ``start`` is where it begins on the timeline (s)."""

    index: int
    codec: str
    channels: int
    rate: int
    start: float
    language: str | None
    title: str = ""


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

    The timeline lasts from the first that is seen or heard to the last: ``origin`` is the container's time (s) that is
    0 on it, ``duration`` its length (s). Where the file's clock jumps, ``turns`` puts it right.
    """

    path: Path
    container: str
    """FFmpeg's name of the format, such as ``mov,mp4,m4a,3gp,3g2,mj2``."""
    duration: float
    origin: float
    video: VideoTrack | None
    audio: AudioTrack | None
    """The sound that is used: of several, the one that plays by default, until another is chosen."""
    subtitles: tuple[SubtitleTrack, ...]
    sounds: tuple[AudioTrack, ...] = ()
    """All sound tracks that can be decoded, in the order of the file."""
    turns: Turns = field(default_factory=dict)
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
    # 1. Refuse what can't be worked on whole: too many tracks, an index that points beyond the file's end. A file that
    #    was written piece by piece has what came before the cut.
    if len(container.streams) >= MAX_STREAMS:
        raise _bad(path, f"has too many tracks: fewer than {MAX_STREAMS} can be handled")
    fragmented = format_of(container) == "mov" and is_fragmented(path)
    is_cut_off = any(_end_of_data(stream) > size for stream in container.streams)
    if is_cut_off and not fragmented:
        raise _bad(path, "is incomplete: it was cut off before its end")
    # 2. The tracks that can be decoded: no cover art, no codec without a decoder, no sound that can't be resampled.
    pictures = [s for s in container.streams.video if is_picture(s)]
    sounds = [s for s in container.streams.audio if s.codec_context and is_rate(s.rate) and s.channels]
    empty = [] if fragmented else [s for s in pictures if _is_empty(container, s)]
    pictures = [s for s in pictures if s not in empty]
    if not pictures and not sounds:
        raise _bad(path, "has neither a picture nor a sound that can be decoded")
    picture, sound = _default(pictures), _default(sounds)
    hides_ends = _hides_ends(path, pictures)

    # 3. Where each begins and all end, by the packets' times.
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
    """A track that an index says to hold no picture, as a damaged file's; what has no index isn't known yet."""
    return format_of(container) == "mov" and not picture.frames and not picture.index_entries


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
    """From the first that is seen or heard to the last."""
    # 1. The beginning from the first packets; the end from the last seconds where the file can be entered there.
    first = starts(container)
    found = None if fragmented else _near_tail(container, streams)
    # 2. All packets where it can't, or where the end is earlier than the header promises: the clock may jump.
    if found is None or _promised(container, streams) - found.end > _MISSING_SECONDS:
        with open_input(path) as again:
            found = scan(again, jumps=fragmented or format_of(again) != "mov")
        first = {index: span.start for index, span in found.spans.items()}
    # 3. A file that ends too early even so was cut off.
    wanted = {s.index: s for s in streams if s.index in found.spans and s.index in first}
    if not wanted or not math.isfinite(found.end):
        raise _bad(path, "holds no picture and no sound that has a time")
    is_cut_off = _promised(container, streams) - found.end > _MISSING_SECONDS
    if is_cut_off and not fragmented:
        raise _bad(path, "is incomplete: it was cut off before its end")
    # 4. The timeline lasts from the first that begins to the last that ends. Across a jump of the clock declared
    #    lengths mean nothing: the packets' times are taken as they are.
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
    """A stream's end: the declared one where the packets bear it out, else what they say.

    Padding that a decoder drops, or pictures that come late in a reordered stream, are known to only one of the two
    numbers: the smaller is right.
    """
    measured = end - start
    declared = float(stream.duration * tick(stream)) if stream.duration else measured
    if format_of(container) in _GUESSING or abs(declared - measured) > _DECLARED_SLACK:
        return end
    return start + min(declared, measured)


def _promised(container: InputContainer, streams: list[Stream]) -> float:
    """The end (s, container's time) that the header promises, at least; 0 where it promises nothing.

    Some formats count from their first packet and some, Matroska among them, from 0: the earlier of the two is taken.
    """
    form = format_of(container)
    if form not in _PROMISING or not container.duration:
        return 0.0
    by_frames = max((float(s.frames * tick(s)) for s in streams), default=0.0) if form == "avi" else 0.0
    return max(container.duration / av.time_base, by_frames)


def _near_tail(container: InputContainer, streams: list[Stream]) -> Extent | None:
    """Read only the end of a long video. None where that says too little.

    Sound alone is small, and seeking in it is often a guess; what has no index may hold a clock that jumps.
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
    """Does an edit list hide pictures at the start or end? They stay in the file, as others are coded from them.

    Raises BadInput where it hides some in the middle: copied, those would be seen again.
    """
    hidden = {s.index: [entry.is_discard for entry in s.index_entries] for s in pictures}
    hiding = [s for s in pictures if any(hidden[s.index])]
    for stream in hiding:
        flags = hidden[stream.index]
        if False in flags and not any(flags[flags.index(False) : len(flags) - flags[::-1].index(False)]):
            continue  # all before the first or after the last that is seen: no need to read the file for their times
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
