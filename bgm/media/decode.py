"""The sound of a file as one FLAC, placed by presentation time: sample 0 is timeline 0, and it lasts as long."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream as AvAudioStream
from av.container import InputContainer

from bgm.files import beside
from bgm.media.audio import BLOCK_FRAMES, SAMPLE_RATE, Audio, AudioWriter, frames_of, writer
from bgm.media.container import Turns, discard_all_but, open_input, paced, packets, tick
from bgm.media.probe import MediaInfo, is_rate
from bgm.progress import Progress, silent

_JITTER_SECONDS = 0.04
"""Times may wander by this much before sound is moved: below what an eye notices (ITU-R BT.1359), above the jitter of
milliseconds in Matroska and of browsers' recorders. Corrections accumulate nothing: times are absolute."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """``path`` is a FLAC of 48 kHz, 24 bit, ``channels`` 1 or 2. ``notes`` are sentences for the user's log."""

    path: Path
    channels: int
    notes: tuple[str, ...] = ()


def decode(info: MediaInfo, target: Path, progress: Progress = silent) -> Decoded | None:
    """Write the sound of ``info`` to ``target`` (.flac), exactly ``frames_of(info.duration)`` long.

    Silence fills what the source leaves out: before its start, in gaps, where it is damaged, after its end. None, and
    no file, where there is no sound. More than two channels are mixed down to stereo, with no clipping.
    """
    if info.audio is None:
        return None
    channels = min(2, info.audio.channels)
    total = frames_of(info.duration)
    report = paced(progress)
    with beside(target) as part, open_input(info.path) as source, writer(part, channels) as out:
        placer = _Placer(out, channels, total)
        stream = cast(AvAudioStream, source.streams[info.audio.index])
        decoder = _Decoder(
            source, stream, info.turns, lambda: report(placer.written / max(1, total), "decoding the sound")
        )
        for frame in decoder.frames():
            placer.place(frame, decoder.seconds(frame, info.origin), exact=decoder.broken)
            decoder.broken = False
            if placer.written >= total:
                break
        placer.finish()
    progress(1.0, "decoding the sound")
    return Decoded(target, channels, decoder.notes())


class _Decoder:
    """Frames of one stream; what can't be decoded is left out and counted."""

    def __init__(
        self, container: InputContainer, stream: AvAudioStream, turns: Turns, on_packet: Callable[[], None]
    ) -> None:
        """``on_packet`` is called for damaged packets too: a file that holds nothing else can still be stopped."""
        self._container = container
        self._stream = stream
        self._turns = turns
        self._on_packet = on_packet
        self._damaged = 0
        self._cut_short = False
        self.broken = True
        """The next frame doesn't follow the one before it: place it exactly."""

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
        """When a frame is heard, on the timeline."""
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
    """Resamples frames and writes each where its time puts it, with silence or a cut where they don't join."""

    def __init__(self, out: AudioWriter, channels: int, total: int) -> None:
        self._out = out
        self._channels = channels
        self._total = total
        self._resampler: AudioResampler | None = None
        self._kind: tuple[object, ...] = ()
        self._due = 0.0
        """The frame of the timeline on which the next sound falls if it follows without a gap."""
        self._skip = 0
        self.written = 0

    def place(self, frame: AudioFrame, seconds: float | None, *, exact: bool) -> None:
        """``exact``: trust the time even where it differs by less than jitter."""
        at = self._due if seconds is None else seconds * SAMPLE_RATE
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        limit = 1.0 if exact else _JITTER_SECONDS * SAMPLE_RATE
        if self._resampler is None or kind != self._kind or abs(at - self._due) > limit:
            self._restart(round(at))
            self._kind = kind
        self._due += frame.samples * SAMPLE_RATE / frame.sample_rate
        frame.pts = None
        self._resample(frame)

    def finish(self) -> None:
        """Write what the resampler holds and silence up to the end."""
        self._resample(None)
        self._silence(self._total)

    def _restart(self, at: int) -> None:
        self._resample(None)
        self._silence(min(at, self._total))
        self._skip = max(0, self.written - at)
        self._due = float(at)
        # Integer samples make FFmpeg scale its downmix so that it can't clip.
        self._resampler = AudioResampler("s32", "mono" if self._channels == 1 else "stereo", SAMPLE_RATE)

    def _resample(self, frame: AudioFrame | None) -> None:
        if self._resampler is None:
            return
        for out in self._resampler.resample(frame):
            if out is not None:
                samples = out.to_ndarray().reshape(-1, self._channels)
                self._write(samples.astype(np.float32) / np.float32(1 << 31))

    def _write(self, block: Audio) -> None:
        skipped = min(self._skip, len(block))
        self._skip -= skipped
        block = block[skipped : skipped + self._total - self.written]
        if len(block):
            self._out.write(block)
            self.written += len(block)

    def _silence(self, until: int) -> None:
        while (gap := min(until - self.written, BLOCK_FRAMES)) > 0:
            self._out.write(np.zeros((gap, self._channels), np.float32))
            self.written += gap
