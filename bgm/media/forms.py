"""Output formats: one entry per suffix, which streams of a source fit in, and what a written file kept and lost."""

from __future__ import annotations

import io
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
from av.container import InputContainer, OutputContainer
from av.stream import Stream
from av.video.stream import VideoStream

from bgm.errors import BadInput
from bgm.media.container import is_picture, open_input, shown
from bgm.media.headers import header_of
from bgm.media.probe import MediaInfo


@dataclass(frozen=True, slots=True)
class VideoForm:
    """How to write a video with a given suffix."""

    muxer: str
    audio_codec: str
    subtitle_codec: str | None
    """Codec to convert text subtitles to if they can't be copied; None: it holds none."""
    trims_priming: bool = True
    """Whether it can mark an encoder's priming samples as hidden."""
    edit_lists: bool = False
    """Whether it can hide any stretch at the start, of picture or audio."""
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AudioForm:
    """How to write an audio file with a given suffix. ``bit_rate`` (bit/s, stereo) None: lossless."""

    muxer: str
    codec: str
    bit_rate: int | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    cover: Literal["stream", "tag"] | None = "stream"
    """How it holds cover pictures: as FFmpeg's attached pictures, as Xiph's METADATA_BLOCK_PICTURE, or not at all."""


VIDEO_BIT_RATE = 256_000
"""Of the new audio of a video, bit/s in stereo; mono takes half."""

_MP4_OPTIONS = {"movflags": "+faststart", "movie_timescale": "48000"}
"""Index first. Edit lists are in the movie's time scale: FFmpeg's default shifts late audio by up to 1 ms."""
_SAME_BYTES = {"fflags": "+bitexact"}
"""Matroska and Ogg use random stream ids unless told otherwise: the same work must give the same file."""
VIDEO_FORMS: Mapping[str, VideoForm] = {
    ".mp4": VideoForm("mp4", "aac", "mov_text", edit_lists=True, options=_MP4_OPTIONS),
    ".m4v": VideoForm("mp4", "aac", "mov_text", edit_lists=True, options=_MP4_OPTIONS),
    ".mov": VideoForm("mov", "aac", "mov_text", edit_lists=True, options=_MP4_OPTIONS),
    ".mkv": VideoForm("matroska", "aac", "subrip", options=_SAME_BYTES),
    ".webm": VideoForm("webm", "libopus", "webvtt", options=_SAME_BYTES),
    ".avi": VideoForm("avi", "aac", None, trims_priming=False),
}
_M4A = AudioForm("mp4", "aac", 256_000, {**_MP4_OPTIONS, "brand": "M4A "})
"""FFmpeg's muxer of that name (ipod) writes the same, but is said to hold no cover."""
AUDIO_FORMS: Mapping[str, AudioForm] = {
    ".mp3": AudioForm("mp3", "libmp3lame", 256_000),
    ".wav": AudioForm("wav", "pcm_s24le", options={"rf64": "auto"}, cover=None),
    ".m4a": _M4A,
    ".m4b": _M4A,
    ".flac": AudioForm("flac", "flac"),
    ".ogg": AudioForm("ogg", "libopus", 192_000, _SAME_BYTES, cover="tag"),
    ".opus": AudioForm("opus", "libopus", 192_000, _SAME_BYTES, cover="tag"),
}


def suggest_suffix(info: MediaInfo) -> str:
    """The suffix to write: the source's own if it can hold the result, else .mp4, else .mkv; for audio .wav."""
    own = info.path.suffix.lower()
    if info.video is None:
        return own if own in AUDIO_FORMS else ".wav"
    with open_input(info.path) as source:
        # The source's own suffix first, then what plays everywhere, then what holds everything.
        candidates = [own, ".mp4", ".mkv"] if own in VIDEO_FORMS else [".mp4", ".mkv"]
        if own == ".mov" and records_of(info.path):  # FFmpeg's muxer of that name drops them
            candidates = [".mp4", own, ".mkv"]
        if info.video.hides_ends:
            candidates = [suffix for suffix in candidates if VIDEO_FORMS[suffix].edit_lists]
        return next((suffix for suffix in candidates if _holds_picture(source, VIDEO_FORMS[suffix])), ".mkv")


def container_for(info: MediaInfo, out: Path, *, keep_original: bool = False) -> VideoForm:
    """The format of ``out``. Raises BadInput if its suffix is unknown or can't hold the source's streams."""
    suffix = out.suffix.lower()
    if suffix not in VIDEO_FORMS:
        raise BadInput(f"{shown(out)}: a video is written as {', '.join(VIDEO_FORMS)}, not as {suffix or 'no suffix'}")
    form = VIDEO_FORMS[suffix]
    with open_input(info.path) as source:
        if info.video and info.video.hides_ends and not form.edit_lists:
            hiding = " or ".join(name for name, held in VIDEO_FORMS.items() if held.edit_lists)
            raise BadInput(f"{shown(out)}: {suffix} would show what was cut off this video's ends; use {hiding}")
        if not _holds_picture(source, form):
            codec = info.video.codec if info.video else "no picture"
            raise BadInput(f"{shown(out)}: {suffix} can't hold this picture ({codec}); use {suggest_suffix(info)}")
        unfit = (track for track in info.sounds if not fits(form, source, source.streams[track.index]))
        if keep_original and (track := next(unfit, None)):
            raise BadInput(f"{shown(out)}: {suffix} can't hold the original sound ({track.codec}); use .mkv")
    return form


def check_output(info: MediaInfo, out: Path, overwrite: bool = False, *, keep_original: bool = False) -> None:
    """Reject, before any work, a target that could not be written. Raises BadInput, one sentence that names it."""
    known = VIDEO_FORMS if info.has_video else AUDIO_FORMS
    if out.is_dir():
        raise BadInput(f"{shown(out)} is a folder; name a file")
    if out.suffix.lower() not in known:
        what = "a video" if info.has_video else "sound"
        raise BadInput(f"{shown(out)}: {what} is written as {', '.join(known)}")
    if not out.parent.is_dir():
        raise BadInput(f"{shown(out)}: its folder does not exist")
    if out.exists() and out.samefile(info.path):
        raise BadInput(f"{shown(out)} is the input itself; name another file")
    if out.exists() and not overwrite:
        raise BadInput(f"{shown(out)} exists already; choose another name or use --overwrite")
    if not os.access(out.parent, os.W_OK | os.X_OK):
        raise BadInput(f"{shown(out)}: its folder can't be written to")
    if info.has_video:
        container_for(info, out, keep_original=keep_original)


def fits(form: VideoForm, source: InputContainer, *streams: Stream) -> bool:
    """Whether the muxer accepts these streams unchanged. Tried, not guessed: a header is written into memory."""
    try:
        with av.open(io.BytesIO(), "w", format=form.muxer) as target:
            for stream in streams:
                add_copy(target, form, source, stream)
            target.start_encoding()
    except (av.error.FFmpegError, ValueError):
        return False
    return True


def add_copy(target: OutputContainer, form: VideoForm, source: InputContainer, stream: Stream) -> Stream:
    """Add a stream for unchanged packets of ``stream``, with its tags, dispositions and side data."""
    copy = target.add_stream_from_template(stream, opaque=True)
    copy.metadata.update(stream.metadata)
    copy.disposition = stream.disposition
    if isinstance(stream, VideoStream) and stream.sample_aspect_ratio and isinstance(copy, VideoStream):
        copy.codec_context.sample_aspect_ratio = (
            stream.sample_aspect_ratio
        )  # the container's value overrides the codec's
    tag = _codec_tag(form, source, stream)
    if tag and copy.codec_context is not None:
        copy.codec_context.codec_tag = tag
    return copy


def _codec_tag(form: VideoForm, source: InputContainer, stream: Stream) -> str | None:
    """Within a family of containers the tag stays. HEVC from elsewhere gets hvc1: Apple's players reject hev1."""
    context = stream.codec_context
    if context is None:
        return None
    if form.muxer in source.format.name.split(","):
        tag: str = context.codec_tag
        return tag if tag.isprintable() else None
    return "hvc1" if context.name == "hevc" and form.muxer in ("mp4", "mov") else None


def _holds_picture(source: InputContainer, form: VideoForm) -> bool:
    if form.muxer == "avi" and source.format.name != "avi":
        return False  # AVI has no presentation times: reordered pictures would be misplaced
    return fits(form, source, *(s for s in source.streams.video if is_picture(s)))


_SHORTER_SECONDS = 0.1
"""Less than this missing at the end is rounding by an encoder or a container."""


@dataclass(frozen=True, slots=True)
class Written:
    """Sentences about a finished file: what was lost or changed from its source, and what was kept."""

    notes: tuple[str, ...]
    kept: tuple[str, ...]


def compared(info: MediaInfo, written: Path, notes: list[str] | None = None) -> Written:
    """Compare the file just written with its source. ``notes`` are those from writing it."""
    with open_input(info.path) as source, open_input(written) as target:
        before, after = _things(source), _things(target)
        lost = [_lost(name, before[name], after[name]) for name in before if after[name] < before[name]]
        lost += _lost_shapes(source, target) + _lost_records(info.path, written)
        kept = [_counted(name, min(before[name], after[name])) for name in before if after[name]]
        missing = info.duration - (target.duration or 0) / av.time_base  # by the header: no packet is read again
    if missing > _SHORTER_SECONDS:
        lost.append(f"The finished file is {missing:.2f} s shorter than the source.")
    return Written((*(notes or ()), *lost), tuple(_kept(info, kept)))


def records_of(path: Path) -> set[str]:
    """The records about the picture in a file's header: ``360°``, ``Dolby Vision``."""
    header = header_of(path)
    return {name for name, mark in _RECORDS.items() if mark.search(header)}


def is_rewritten(stream: Stream) -> bool:
    """Whether a muxer rewrites this track: a timecode (from the tag of that name) or the chapter titles.

    QuickTime stores the titles in a disabled text track with one sample per chapter; FFmpeg exposes them both as
    chapters and as data.
    """
    if stream.type != "data":
        return False
    chapters = len(stream.container.chapters()) if isinstance(stream.container, InputContainer) else 0
    is_titles = stream.codec_context is None and not stream.disposition and 0 < chapters == stream.frames
    return is_titles or "timecode" in stream.metadata


_RECORDS = {
    "360°": re.compile(rb"sv3d|GSpherical|\x76\x70[\x80-\xff]\x76\x71|\x76\x70\x01.{7}\x76\x71", re.DOTALL),
    "Dolby Vision": re.compile(rb"dvcC|dvvC|dvwC"),
}
"""Their signatures in the header: boxes (an older one in XML), or in Matroska the elements Projection and
ProjectionType, and the boxes' names."""
_NAMES = {
    "cover": ("cover picture", "cover pictures"),
    "subtitle": ("subtitle track", "subtitle tracks"),
    "data": ("data track", "data tracks"),
    "attachment": ("attached file", "attached files"),
    "chapter": ("chapter", "chapters"),
    "timecode": ("timecode", "timecodes"),
}


def _things(container: InputContainer) -> Counter[str]:
    """The number of each kind (_NAMES) beside picture and audio."""
    found: Counter[str] = Counter(kind for stream in container.streams if (kind := _kind(stream)))
    found["chapter"] = len(container.chapters())
    tags = (container.metadata, *(stream.metadata for stream in container.streams))
    found["timecode"] = int(any("timecode" in {key.lower() for key in own} for own in tags))
    return found


def _kind(stream: Stream) -> str | None:
    if isinstance(stream, VideoStream):
        return None if is_picture(stream) else "cover"
    if stream.type == "audio" or is_rewritten(stream):
        return None
    return stream.type if stream.type in _NAMES else "data"


def _counted(name: str, number: int) -> str:
    return f"{number} {_NAMES[name][number != 1]}"


def _lost(name: str, before: int, after: int) -> str:
    left = "was" if before - after == 1 else "were"
    return f"This kind of file can't hold what the source has: {_counted(name, before - after)} {left} left out."


def _lost_shapes(source: InputContainer, target: InputContainer) -> list[str]:
    """Pictures that lost their non-square pixels, or gained some."""
    pairs = zip(filter(is_picture, source.streams.video), filter(is_picture, target.streams.video), strict=False)
    return [
        f"This kind of file can't hold the picture's aspect ratio: its points are {was.numerator}:{was.denominator}."
        for a, b in pairs
        if (was := a.sample_aspect_ratio or Fraction(1)) != (b.sample_aspect_ratio or Fraction(1))
    ]


def _lost_records(source: Path, target: Path) -> list[str]:
    """Records dropped by FFmpeg's muxer of .mov: .mp4 holds both."""
    lost = sorted(records_of(source) - records_of(target))
    return [f"This kind of file can't hold the picture's {name} record; .mp4 can." for name in lost]


def _kept(info: MediaInfo, counted: list[str]) -> Iterator[str]:
    if info.video is not None:
        video = info.video
        yield f"The picture, copied without encoding: {video.codec}, {video.width} × {video.height}."
    if counted:
        yield f"From the source: {', '.join(counted)}."
