"""What a media file contains, found without decoding it; and one clear sentence if it can't be used.

``python -m bgm.media.probe FILE`` scans an untrusted file in a process that may crash (:func:`vet`).
"""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

import bgm
from bgm.errors import BadInput
from bgm.media.container import MAX_PIXELS, MAX_STREAMS, Turns, bad, format_of, is_picture, open_input
from bgm.media.extent import Measured, measure, pictures_hidden
from bgm.media.headers import is_fragmented

_S = TypeVar("_S", bound=Stream)

MIN_RATE, MAX_RATE = 1_000, 1_000_000
"""Supported sample rates: the cost of resampling grows with the distance from ours."""
TEXT_SUBTITLES = frozenset({"mov_text", "subrip", "srt", "webvtt", "ass", "ssa", "text"})
"""Codec names, as PyAV gives them, of text subtitles; the others are images."""

_NO_TITLE = re.compile(r"handler|^(?:iso|core) media|^mono$|^stereo$|^\W*$", re.IGNORECASE)
"""What cameras and programs write as an mp4 track name without naming anything."""


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
        raise bad(path, "takes too long to read") from error
    except av.error.InvalidDataError as error:
        raise bad(path, "is damaged, incomplete, or not a video or sound file") from error
    except av.error.FFmpegError as error:
        raise bad(path, "is not a video or sound file that can be read") from error


def is_rate(samples_a_second: int) -> bool:
    """Whether audio at this rate can be resampled."""
    return MIN_RATE <= samples_a_second <= MAX_RATE


def _check_file(path: Path) -> int:
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise bad(path, "is a folder, not a video or sound file")
        if not stat.S_ISREG(status.st_mode):
            raise bad(path, "is not a regular file")
        with path.open("rb") as file:
            empty = not file.read(1)
    except FileNotFoundError as error:
        raise bad(path, "does not exist") from error
    except (OSError, ValueError) as error:
        why = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        raise bad(path, f"can't be read: {why}") from error
    if empty:
        raise bad(path, "is empty (0 bytes)")
    return status.st_size


def _inspect(path: Path, container: InputContainer, size: int) -> MediaInfo:
    # 1. Reject files that can't be processed whole: too many tracks, an index that points beyond the file's end. A
    #    fragmented file still has what precedes a truncation.
    if len(container.streams) >= MAX_STREAMS:
        raise bad(path, f"has too many tracks: fewer than {MAX_STREAMS} can be handled")
    fragmented = format_of(container) == "mov" and is_fragmented(path)
    is_cut_off = any(_end_of_data(stream) > size for stream in container.streams)
    if is_cut_off and not fragmented:
        raise bad(path, "is incomplete: it was cut off before its end")
    # 2. The decodable tracks: no cover art, no codec without a decoder, no audio that can't be resampled.
    pictures = [s for s in container.streams.video if is_picture(s)]
    sounds = [s for s in container.streams.audio if s.codec_context and is_rate(s.rate) and s.channels]
    empty = [] if fragmented else [s for s in pictures if _is_empty(container, s)]
    pictures = [s for s in pictures if s not in empty]
    if not pictures and not sounds:
        raise bad(path, "has neither a picture nor a sound that can be decoded")
    picture, sound = _default(pictures), _default(sounds)
    hides_ends = _hides_ends(path, pictures)

    # 3. Start of each and end of all, by the packets' timestamps.
    def at(stream: Stream) -> float:
        return measured.starts.get(stream.index, 0.0)

    measured = measure(path, container, [*pictures, *sounds], fragmented=fragmented)
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
        raise bad(path, "has a picture in a format that is unknown or damaged")
    if width * height > MAX_PIXELS:
        raise bad(path, f"has a picture of {width} × {height} points, more than can be handled")
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


def _hides_ends(path: Path, pictures: list[VideoStream]) -> bool:
    """Whether an edit list hides pictures at the start or end, which stay in the file because others depend on them.

    Raises BadInput if it hides some in the middle: a copy would show them again.
    """
    # By the index alone, which is in the header: no packet is read unless pictures are hidden in the middle.
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
            raise bad(path, "has pictures cut out of its middle by an edit list that still holds them: export it anew")
    return bool(hiding)


def _notes(measured: Measured) -> tuple[str, ...]:
    out = []
    turns = max((len(row) for row in measured.turns.values()), default=0)
    if turns:
        times = "once" if turns == 1 else f"{turns} times"
        out.append(f"The file's clock starts again or jumps {times}: its parts were put one after the other.")
    if measured.is_cut_off:
        out.append(f"The recording was cut off: what is whole of it was used, {measured.duration:.1f} s.")
    return tuple(out)


CPU_SECONDS = 20
"""Opening an hour of video takes a tenth of a second; reading 3 h of a recording without an index takes a few
seconds."""
BYTES_A_CPU_SECOND = 200_000_000
"""A file that is read whole, such as a broadcast checked for clock jumps, takes time in proportion to its size (half of
this)."""
WALL_SECONDS = 120.0
MEMORY_BYTES = 4 << 30
"""Of address space; a probe of 8K video takes half a gigabyte."""


def vet(path: Path, cpu_seconds: int = CPU_SECONDS) -> None:
    """Raise BadInput if scanning ``path`` crashes, takes too long or takes too much memory.

    Says nothing about files that are merely damaged, or not media: see :func:`bgm.media.probe.probe`.
    """
    size = path.stat().st_size if path.is_file() else 0
    # The child gets time for what it may honestly need, and no more.
    allowed = cpu_seconds + size // BYTES_A_CPU_SECOND
    command = [sys.executable, "-m", __name__, str(path.absolute()), str(allowed)]
    root = Path(bgm.__file__).parent.parent
    try:
        done = subprocess.run(
            command, cwd=root, stdin=subprocess.DEVNULL, capture_output=True, timeout=WALL_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise BadInput(f"{path.name} takes too long to read") from error
    if done.returncode:
        raise BadInput(f"{path.name} can't be read safely: it takes too much time or memory, or is badly damaged")


def main(path: str, cpu_seconds: str) -> None:
    """Scan the file as the studio will. Exits with 0 also if the file is rejected."""
    _limit(int(cpu_seconds))
    try:
        probe(Path(path))
    except BadInput:
        return


def _limit(cpu_seconds: int) -> None:
    """Limit the rest of the process; Windows has no such limits."""
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main(*sys.argv[1:])
