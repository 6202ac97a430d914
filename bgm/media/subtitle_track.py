"""Text subtitles in media files: read as plain cues, and written as packets of the target's codec."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
from av.container import OutputContainer
from av.packet import Packet
from av.subtitles.stream import SubtitleStream
from av.subtitles.subtitle import AssSubtitle

from bgm.media.container import discard_all_but, open_input, paced, packets, tick
from bgm.media.probe import MediaInfo, SubtitleTrack
from bgm.progress import Progress, silent

_ASS_HEADER = b"""[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, BackColour, Bold, Italic, Alignment
Style: Default,Arial,16,&Hffffff,&H0,0,0,2

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""
"""The default style that FFmpeg's subtitle encoders require (Sub Station Alpha v4+)."""
_OVERRIDES = re.compile(r"\{[^}]*\}")
_DRAWING = re.compile(r"\\p[1-9]")


@dataclass(frozen=True, slots=True)
class Cue:
    """Seconds and plain text, lines separated by newlines."""

    start: float
    end: float
    text: str


def text_cues(
    info: MediaInfo, tracks: Collection[SubtitleTrack], progress: Progress = silent
) -> Iterator[tuple[SubtitleTrack, Cue]]:
    """The cues of ``tracks`` (text, of ``info``) in file order, times from timeline 0.

    Cues that are empty, outside [0, duration) or undecodable are skipped.
    """
    if not tracks:
        return
    report, by_index = paced(progress), {track.index: track for track in tracks}
    with open_input(info.path) as container:
        discard_all_but(container, *by_index)
        for packet in packets(container, *(container.streams[index] for index in by_index), turns=info.turns):
            text = plain_text(packet)
            if not text:
                continue
            cue = _cue(packet, info.origin, text)
            report(min(1.0, max(0.0, cue.start / info.duration)), "reading the subtitles")
            if 0 <= cue.start < cue.end and cue.start < info.duration:
                yield by_index[packet.stream.index], replace(cue, end=min(cue.end, info.duration))


def plain_text(packet: Packet[Any]) -> str:
    """The text of one subtitle packet without markup; empty for an empty or undecodable one."""
    if not packet.size:
        return ""
    try:
        shapes = packet.decode()
    except (av.error.FFmpegError, UnicodeDecodeError):
        return ""
    return "\n".join(filter(None, (_plain(s.ass) for s in shapes if isinstance(s, AssSubtitle)))).strip()


def add_text_track(target: OutputContainer, codec: str, language: str | None) -> SubtitleStream:
    """Add a track for packets of :func:`text_packet`."""
    stream = cast(SubtitleStream, target.add_stream(codec))
    stream.codec_context.subtitle_header = _ASS_HEADER
    stream.codec_context.time_base = Fraction(1, 1000)
    if language:
        stream.metadata["language"] = _three_letters(language)
    return stream


def _three_letters(language: str) -> str:
    """ISO 639-2/T, the only codes that mp4 knows; a language without one is written as given."""
    import langcodes

    try:
        return langcodes.Language.get(language, normalize=False).to_alpha3()
    except (LookupError, ValueError):
        return language


def text_packet(stream: SubtitleStream, cue: Cue) -> Packet[Any]:
    """A cue in the codec of ``stream``: SubRip and WebVTT are plain text, mov_text is prefixed with its length."""
    text = cue.text.encode("utf-8", "replace")
    if stream.codec_context.name == "mov_text":
        text = len(text[:0xFFFF]).to_bytes(2, "big") + text[:0xFFFF]
    packet = Packet(text)
    packet.stream = stream
    packet.time_base = tick(stream)
    packet.pts = packet.dts = round(cue.start / packet.time_base)
    packet.duration = max(1, round((cue.end - cue.start) / packet.time_base))
    packet.is_keyframe = True
    return packet


def read_srt(path: Path) -> Iterator[Cue]:
    """The cues of an .srt file."""
    with av.open(str(path.absolute()), format="srt") as container:
        for packet in container.demux():
            text = plain_text(packet)
            if text:
                yield _cue(packet, 0.0, text)


def _cue(packet: Packet[Any], origin: float, text: str) -> Cue:
    start = float((packet.pts or 0) * packet.time_base) - origin
    return Cue(start, start + float((packet.duration or 0) * packet.time_base), text)


def _plain(line: bytes) -> str:
    """The last of the nine fields of an ASS event as FFmpeg gives it, without overrides and drawings."""
    text = line.decode("utf-8", "replace").split(",", 8)[-1]
    if _DRAWING.search(text):
        return ""
    text = _OVERRIDES.sub("", text)
    return re.sub(r"\\[Nn]", "\n", text).replace(r"\h", " ").strip()
