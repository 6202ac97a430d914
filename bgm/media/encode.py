"""What is encoded anew: a master (48 kHz FLAC), as the audio of a video or as a file of its own, and text subtitles."""

from __future__ import annotations

import base64
import io
import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
from av.audio.format import AudioFormat
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Disposition
from av.subtitles.stream import SubtitleStream
from av.video.stream import VideoStream

from bgm.files import beside
from bgm.media import audio
from bgm.media.audio import SAMPLE_RATE, Audio, frames_of
from bgm.media.container import open_input, open_output, paced, tick
from bgm.media.decode import Cue
from bgm.media.forms import AUDIO_FORMS, AudioForm, Written, compared
from bgm.media.probe import MediaInfo
from bgm.progress import Progress, silent

_BLOCK_FRAMES = SAMPLE_RATE // 2
_OPTIONS = {"aac": {"aac_coder": "fast"}}
"""FFmpeg's faster coder takes a third of the time and, at our bit rates, preserves more below 8 kHz (36 against 31 dB
of signal to error over a whole mix at 192 kbit/s) and less above."""
_PRIMING_SECONDS = 0.05
_OWN_TAGS = frozenset({"encoder", "major_brand", "minor_version", "compatible_brands"})
"""Tags that describe the old file, not the work in it."""


def encode_audio(master: Path, out: Path, like: MediaInfo, progress: Progress = silent) -> Written:
    """Write ``master`` as an audio file in the format of ``out``'s suffix, as long as ``like`` and with its tags.

    Cover, chapters and tags of ``like`` are kept; the returned notes list what the format can't hold.
    """
    form = AUDIO_FORMS[out.suffix.lower()]
    total = frames_of(like.duration)
    report = paced(progress)
    with beside(out) as part, open_input(like.path) as source, open_output(part, form.muxer, form.options) as target:
        target.metadata.update(_tags_of(source))
        target.set_chapters(chapters_on_timeline(like, source))
        stream = add_encoder(target, form.codec, audio.channels(master), form.bit_rate)
        covers = _add_covers(form, source, target)
        target.start_encoding()
        for packet in covers:
            target.mux(packet)
        for packet in encoded(stream, master, total):
            target.mux(packet)
            report(seconds_of(packet) / like.duration, "writing the sound")
        # The trailer counts too: what was kept is read from a whole file.
        target.close()
        written = compared(like, part)
    progress(1.0, "writing the sound")
    return written


def add_encoder(target: OutputContainer, codec: str, channels: int, bit_rate: int | None) -> AudioStream:
    """Add an encoder's stream at 48 kHz; ``bit_rate`` (bit/s) is for stereo, mono takes half."""
    layout = "mono" if channels == 1 else "stereo"
    options = _OPTIONS.get(codec, {})
    stream = cast(AudioStream, target.add_stream(codec, rate=SAMPLE_RATE, layout=layout, options=options))
    if codec == "flac":
        stream.format = AudioFormat("s32")  # 24 bit; the default is 16
    if bit_rate:
        stream.bit_rate = bit_rate * channels // 2
    return stream


def encoded(stream: AudioStream, master: Path, total: int) -> Iterator[Packet[AudioStream]]:
    """Packets of the first ``total`` frames of ``master``; the first may lie before 0 (the encoder's priming)."""
    position = 0
    for block in audio.blocks(master, _BLOCK_FRAMES, stop=total):
        yield from stream.encode(_frame(block, position))
        position += len(block)
    yield from stream.encode(None)


def seconds_of(packet: Packet[AudioStream]) -> float:
    """Start time of a packet."""
    return float((packet.pts or 0) * packet.time_base)


def kept_tags(tags: dict[str, str]) -> dict[str, str]:
    """The tags of a source that are kept in what is made from it."""
    return {key: value for key, value in tags.items() if key.lower() not in _OWN_TAGS}


def chapters_on_timeline(info: MediaInfo, source: InputContainer) -> list[Any]:
    """The source's chapters, moved to the timeline; an encoder's priming does not move them."""
    out = []
    for chapter in source.chapters():
        shift = round(info.origin / (chapter["time_base"] or Fraction(1))) if abs(info.origin) > _PRIMING_SECONDS else 0
        out.append({**chapter, "start": max(0, chapter["start"] - shift), "end": max(0, chapter["end"] - shift)})
    return out


def _tags_of(source: InputContainer) -> dict[str, str]:
    own = source.streams.audio[0].metadata if source.streams.audio else {}  # Ogg keeps its tags on the stream
    return kept_tags({**own, **source.metadata})


def _add_covers(form: AudioForm, source: InputContainer, target: OutputContainer) -> list[Packet[Any]]:
    """Add the source's cover pictures; returns their packets, to be written before any audio."""
    found = []
    for cover in (s for s in source.streams.video if s.disposition & Disposition.attached_pic):
        if form.cover is None or cover.codec_context is None:
            continue
        source.seek(0)  # each cover is read once, at the start
        packet = next((p for p in source.demux(cover) if p.size), None)
        if packet is None or (form.cover == "stream" and not _takes_cover(form, cover, bytes(packet))):
            continue
        if form.cover == "tag":
            target.metadata["METADATA_BLOCK_PICTURE"] = _picture_block(cover, bytes(packet))
            break  # a tag of one name is written once
        packet.stream = _add_cover(target, cover)
        found.append(packet)
    return found


def _add_cover(target: OutputContainer, cover: VideoStream) -> VideoStream:
    copy = target.add_stream_from_template(cover, opaque=True)
    copy.disposition = cover.disposition
    copy.metadata.update(cover.metadata)
    return copy


def _takes_cover(form: AudioForm, cover: VideoStream, picture: bytes) -> bool:
    """Whether the muxer accepts this picture. Tried, not guessed: a damaged one would cost the whole file."""
    try:
        with av.open(io.BytesIO(), "w", format=form.muxer) as target:
            add_encoder(target, form.codec, 1, form.bit_rate)
            packet: Packet[Any] = Packet(picture)
            packet.stream = _add_cover(target, cover)
            packet.time_base, packet.pts, packet.dts = Fraction(1, 90_000), 0, 0
            target.start_encoding()
            target.mux(packet)
    except (av.error.FFmpegError, ValueError):
        return False
    return True


def _picture_block(cover: VideoStream, picture: bytes) -> str:
    """A picture as text: FLAC's METADATA_BLOCK_PICTURE (RFC 9639, section 8.8), which Ogg takes in base64."""
    kind = {"mjpeg": b"image/jpeg"}.get(cover.codec_context.name, f"image/{cover.codec_context.name}".encode())
    size = struct.pack(">4I", cover.codec_context.width, cover.codec_context.height, 24, 0)
    head = struct.pack(">2I", 3, len(kind)) + kind + struct.pack(">I", 0) + size
    return base64.b64encode(head + struct.pack(">I", len(picture)) + picture).decode()


def _frame(block: Audio, position: int) -> AudioFrame:
    layout = "mono" if block.shape[1] == 1 else "stereo"
    frame = AudioFrame.from_ndarray(np.ascontiguousarray(block).reshape(1, -1), format="flt", layout=layout)
    frame.sample_rate = SAMPLE_RATE
    frame.pts = position
    return frame


_ASS_HEADER = b"""[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, BackColour, Bold, Italic, Alignment
Style: Default,Arial,16,&Hffffff,&H0,0,0,2

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""
"""The default style that FFmpeg's subtitle encoders require (Sub Station Alpha v4+)."""


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
