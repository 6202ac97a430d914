"""Decode a file's audio to one FLAC, aligned by presentation time: sample 0 is timeline 0, and it has the same
duration; and its text subtitles to plain cues."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream as AvAudioStream
from av.container import InputContainer
from av.packet import Packet
from av.subtitles.subtitle import AssSubtitle
from av.video.frame import VideoFrame

from bgm.files import beside, scratch
from bgm.media.audio import BLOCK_FRAMES, SAMPLE_RATE, Audio, AudioWriter, frames_of, writer
from bgm.media.audio import blocks as sound_blocks
from bgm.media.container import Turns, discard_all_but, open_input, paced, packets, tick
from bgm.media.probe import AudioTrack, MediaInfo, SubtitleTrack, is_rate
from bgm.progress import Progress, each, part, silent

_NOTE = "decoding the sound"
_OVERSHOOT = 1.12
"""Lossy codecs and resampling overshoot full scale by up to 1 dB: every player clips such peaks inaudibly."""
_MOST_OVER = 100.0
"""More than 40 dB over full scale is damage: it is clipped, instead of turning everything else down to nothing."""
_JITTER_SECONDS = 0.04
"""Tolerated timestamp jitter: below what an eye notices (ITU-R BT.1359), above Matroska's millisecond rounding and the
jitter of browser recorders. Errors don't accumulate: timestamps are absolute."""

_TOLD_SECONDS = 0.1
"""A smaller loss between pieces of audio is no more than encoder padding."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """``path`` is a FLAC of 48 kHz, 24 bit, ``channels`` 1 or 2. ``notes`` are sentences for the user's log."""

    path: Path
    channels: int
    notes: tuple[str, ...] = ()
    peak: float = 0.0
    """The highest sample of the source, full scale being 1."""


def decode(info: MediaInfo, target: Path, progress: Progress = silent) -> Decoded | None:
    """Write the audio of ``info`` to ``target`` (.flac), exactly ``frames_of(info.duration)`` long.

    Silence fills what the source lacks: before its start, in gaps, in damaged parts, after its end. Without audio it
    returns None and writes no file. More than two channels are mixed down to stereo. Nothing is clipped: if samples
    exceed full scale, as floating point may, the whole is attenuated.
    """
    if info.audio is None:
        return None
    decoded = _decoded(info, info.audio, target, 1.0, part(progress, 0.0, 0.99))
    # Only what was decoded tells its peak, so an overshooting file (a rare one) is decoded twice.
    over = min(decoded.peak, _MOST_OVER)
    if over > _OVERSHOOT:
        decoded = _decoded(info, info.audio, target, 1 / over, part(progress, 0.99, 0.99))
        decoded = replace(decoded, notes=(*decoded.notes, _turned_down(over)))
    progress(1.0, _NOTE)
    return decoded


def decode_mix(infos: Sequence[MediaInfo], target: Path, progress: Progress = silent) -> Decoded:
    """Decode and sum the audio of ``infos`` (one file, each with another audio track selected)."""
    with ExitStack() as stack:
        parts, found = [], []
        for info, own in each(progress, infos):
            parts.append(stack.enter_context(scratch(target)))
            found.append(decode(info, parts[-1], own))
        heard = [decoded for decoded in found if decoded]
        width = max(decoded.channels for decoded in heard)
        peak = max((float(np.abs(block).max(initial=0.0)) for block in _added(parts, width)), default=0.0)
        with beside(target) as whole, writer(whole, width) as out:
            for block in _added(parts, width):
                out.write(block / max(1.0, peak))
    notes = tuple(note for decoded in heard for note in decoded.notes)
    return Decoded(target, width, (*notes, _turned_down(peak)) if peak > 1 else notes, peak)


def _added(parts: Sequence[Path], width: int) -> Iterator[Audio]:
    for blocks in zip(*(sound_blocks(path) for path in parts), strict=True):
        yield np.sum([np.broadcast_to(block, (len(block), width)) for block in blocks], axis=0)


def _turned_down(over: float) -> str:
    by = 20 * math.log10(over)
    return f"The sound goes {by:.1f} dB over full scale: it was turned down by as much, so that nothing is cut off."


def _decoded(info: MediaInfo, track: AudioTrack, target: Path, gain: float, progress: Progress) -> Decoded:
    channels = min(2, track.channels)
    total = frames_of(info.duration)
    report = paced(progress)
    with beside(target) as whole, open_input(info.path) as source, writer(whole, channels) as out:
        placer = _Placer(out, channels, total, gain)
        stream = cast(AvAudioStream, source.streams[track.index])
        decoder = _Decoder(source, stream, info.turns, lambda: report(placer.written / max(1, total), _NOTE))
        for frame in decoder.frames():
            placer.place(frame, decoder.seconds(frame, info.origin), exact=decoder.broken)
            decoder.broken = False
        placer.finish()
    return Decoded(target, channels, (*decoder.notes(), *placer.notes()), placer.peak)


class _Decoder:
    """Frames of one stream; what can't be decoded is skipped and counted."""

    def __init__(
        self, container: InputContainer, stream: AvAudioStream, turns: Turns, on_packet: Callable[[], None]
    ) -> None:
        """``on_packet`` is also called for damaged packets, so that a file with nothing else can still be cancelled."""
        self._container = container
        self._stream = stream
        self._turns = turns
        self._on_packet = on_packet
        self._damaged = 0
        self._cut_short = False
        self.broken = True
        """The next frame doesn't follow the previous one: place it exactly."""

    def frames(self) -> Iterator[AudioFrame]:
        discard_all_but(self._container, self._stream.index)
        try:
            for packet in packets(self._container, self._stream, turns=self._turns):
                self._on_packet()
                try:
                    yield from (frame for frame in self._stream.decode(packet) if is_rate(frame.sample_rate))
                except av.error.EOFError:
                    return
                except av.error.FFmpegError:
                    self._damaged += 1
                    self.broken = True
        except av.error.FFmpegError:
            self._cut_short = True

    def seconds(self, frame: AudioFrame, origin: float) -> float | None:
        """Presentation time of a frame on the timeline."""
        if frame.pts is None:
            return None
        return float(frame.pts * (frame.time_base or tick(self._stream))) - origin

    def notes(self) -> tuple[str, ...]:
        out = []
        if self._damaged:
            out.append(f"{self._damaged} damaged pieces of the sound were replaced by silence.")
        if self._cut_short:
            out.append("The file is damaged: the sound after the damage is silence.")
        return tuple(out)


class _Placer:
    """Resamples frames and writes each at its timestamp, inserting silence or cutting where they don't join."""

    def __init__(self, out: AudioWriter, channels: int, total: int, gain: float) -> None:
        self._out = out
        self._channels = channels
        self._total = total
        self._resampler: AudioResampler | None = None
        self._kind: tuple[object, ...] = ()
        self._due = 0.0
        """The timeline frame at which the next audio falls if it follows without a gap."""
        self._gain = gain
        self._downmix = 1.0
        self._early = 0
        """Frames still to come that lie before the timeline: encoder priming, or hidden by an edit list."""
        self._overlap = 0
        """Frames still to come that overlap what is already written."""
        self._lost = 0
        self.written = 0
        self.peak = 0.0
        """The highest sample so far, before the gain."""

    def place(self, frame: AudioFrame, seconds: float | None, *, exact: bool) -> None:
        """``exact``: trust the timestamp even if it differs by less than the jitter."""
        at = self._due if seconds is None else seconds * SAMPLE_RATE
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        limit = 1.0 if exact else _JITTER_SECONDS * SAMPLE_RATE
        # 1. A new format, or a jump of more than the jitter: finish what was begun, and start at the timestamp.
        if self._resampler is None or kind != self._kind or abs(at - self._due) > limit:
            self._restart(round(at))
            self._kind = kind
            self._downmix = _downmix(frame.layout.name, frame.layout.nb_channels, self._channels)
        # 2. Else the samples run on, for timestamps are rounded; each is held against the sum, so nothing drifts.
        self._due += frame.samples * SAMPLE_RATE / frame.sample_rate
        frame.pts = None  # its place is ours to mind, not the resampler's
        self._resample(frame)

    def finish(self) -> None:
        """Write what the resampler holds, then silence up to the end."""
        self._resample(None)
        self._silence(self._total)

    def notes(self) -> tuple[str, ...]:
        lost = self._lost / SAMPLE_RATE
        if lost < _TOLD_SECONDS:
            return ()
        return (f"By its times {lost:.1f} s of the sound lie over other sound or after the end: they were left out.",)

    def _restart(self, at: int) -> None:
        self._resample(None)
        self._silence(min(at, self._total))
        self._early = max(0, -at)
        self._overlap = max(0, self.written - max(0, at))
        self._due = float(at)
        self._resampler = AudioResampler("flt", _layout(self._channels), SAMPLE_RATE)

    def _resample(self, frame: AudioFrame | None) -> None:
        if self._resampler is None:
            return
        for out in self._resampler.resample(frame):
            if out is not None:
                samples = np.asarray(out.to_ndarray().reshape(-1, self._channels), np.float32)
                self._write(np.nan_to_num(samples * np.float32(self._downmix), posinf=0.0, neginf=0.0))

    def _write(self, block: Audio) -> None:
        # What lies before 0 or over what is written is cut here and not before resampling: the filter needs it.
        early = min(self._early, len(block))
        self._early -= early
        overlap = min(self._overlap, len(block) - early)
        self._overlap -= overlap
        kept = block[early + overlap :][: self._total - self.written]
        self._lost += len(block) - early - len(kept)
        if len(kept):
            self.peak = max(self.peak, float(np.abs(kept).max()))
            self._out.write(kept * np.float32(self._gain))
            self.written += len(kept)

    def _silence(self, until: int) -> None:
        while (gap := min(until - self.written, BLOCK_FRAMES)) > 0:
            self._out.write(np.zeros((gap, self._channels), np.float32))
            self.written += gap


def _layout(channels: int) -> str:
    return "mono" if channels == 1 else "stereo"


@lru_cache(maxsize=32)
def _downmix(layout: str, count: int, channels: int) -> float:
    """The gain that keeps FFmpeg's downmix of ``count`` channels from clipping: for integer samples it normalises its
    matrix like this (swresample's rematrix_maxval), for floating point it does not."""
    if count <= channels:
        return 1.0
    # An impulse on each channel in turn: the sums of what comes out are the rows of FFmpeg's matrix.
    each = AudioFrame.from_ndarray(np.eye(count, dtype=np.float32).reshape(1, -1), format="flt", layout=layout)
    each.sample_rate = SAMPLE_RATE
    resampler = AudioResampler("flt", _layout(channels), SAMPLE_RATE)
    rows = [out.to_ndarray().reshape(-1, channels) for out in (*resampler.resample(each), *resampler.resample(None))]
    return 1 / max(1.0, float(np.abs(np.concatenate(rows)).sum(axis=0).max()))


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


def decoded_order(container: InputContainer, index: int) -> tuple[list[int], list[int]]:
    """(decoding times in file order, packet numbers in presentation order)."""
    stream = container.streams[index]
    stamps: list[int] = []
    presented: list[int] = []
    for packet in packets(container, stream):
        if packet.size:
            stamps.append(packet.dts if packet.dts is not None else (stamps[-1] + 1 if stamps else 0))
            packet.pts = len(stamps) - 1
        try:
            presented += [
                frame.pts for frame in packet.decode() if isinstance(frame, VideoFrame) and frame.pts is not None
            ]
        except av.error.FFmpegError:
            continue  # a damaged picture
    return stamps, presented
