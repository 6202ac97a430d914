"""Sound to picture and back for one part of a strand, and the files that the takes become."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np

from bgm.files import beside
from bgm.media.audio import SAMPLE_RATE, Audio, AudioWriter, writer
from bgm.media.signal import falling, rising
from bgm.music.mastering import gain_for, softened
from bgm.music.riffusion.inverse import GUIDED_ITERATIONS, Guide, PhaseSearch, wave_blocks
from bgm.music.riffusion.spectrogram import Pixels, mel_blocks, mel_from_pixels, pixels_from_mel
from bgm.music.riffusion.strands import JOIN, PARAMS, Part
from bgm.progress import Progress

LEVELLING = SAMPLE_RATE
ENDING = 2 * SAMPLE_RATE
"""The last cue of the video fades over its last 2 s (at most a quarter of it)."""


@dataclass(frozen=True, slots=True)
class Picture:
    """(512, frames) pixels and the mel amplitude that is black in them."""

    pixels: Pixels
    maximum: float


def to_picture(sound: Audio, progress: Progress) -> Picture:
    """The riffusion picture of padded stereo sound, 8 pixels per column."""
    mels = []
    for mel in mel_blocks([sound.mean(axis=1, keepdims=True)], PARAMS):
        mels.append(mel[0])
        progress(sum(m.shape[1] for m in mels) / PARAMS.frames(len(sound)), "drawing the spectrogram")
    mel = np.concatenate(mels, axis=1)[:, : len(sound) // PARAMS.hop]
    maximum = float(mel.max())
    return Picture(pixels_from_mel(mel, maximum, PARAMS), maximum)


def to_sound(painted: Picture, sound: Audio, part: Part, device: str, progress: Progress) -> Audio:
    """The body of the part (frames, 2) as painted; ``sound`` lends its phase, stereo field and highs.

    Where the part has held neighbours, its first and last sample go on from theirs; else it has the takes' usual level.
    """

    def mel(first: int, last: int) -> Audio:
        return mel_from_pixels(painted.pixels[None, :, first:last], painted.maximum, PARAMS)

    frames = painted.pixels.shape[1]
    guide = Guide(lambda start, stop: _mirrored(sound, start, stop), part.held_frames)
    blocks: list[Audio] = []
    for block in wave_blocks(mel, frames, PARAMS, guide, PhaseSearch(GUIDED_ITERATIONS, device=device)):
        blocks.append(block)
        progress(sum(map(len, blocks)) / len(sound), "playing the spectrogram")
    wave = np.concatenate(blocks)
    body = _joined(wave, sound, part)[part.lead : part.end]
    return softened(body * _gain(gain_for([body]), len(body), part)[:, None])


def faded_out(body: Audio, cue_frames: int) -> Audio:
    """The end of the last cue: a raised cosine down to silence."""
    length = min(ENDING, cue_frames // 4, len(body))
    curve = falling(np.arange(1, length + 1) / length)
    body[len(body) - length :] *= curve[:, None].astype(np.float32)
    return body


class Recorder:
    """Cuts one stream of sound into the files of one take; a file appears when it is whole."""

    def __init__(self, pieces: Sequence[tuple[int, Path, int]]) -> None:
        """``pieces``: the cue's index, its target and its length in frames, in order."""
        self._pieces = iter(pieces)
        self._open = ExitStack()
        self._file: AudioWriter | None = None
        self._index = 0
        self._left = 0

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.__exit__(kind, error, trace)

    def write(self, sound: Audio) -> Iterator[int]:
        """Append; yield the index of every cue whose file is now whole."""
        while len(sound):
            file = self._file or self._next()
            count = min(len(sound), self._left)
            file.write(sound[:count])
            sound = sound[count:]
            self._left -= count
            if not self._left:
                self._file = None
                self._open.close()
                yield self._index

    def _next(self) -> AudioWriter:
        self._index, target, self._left = next(self._pieces)
        self._file = self._open.enter_context(writer(self._open.enter_context(beside(target))))
        return self._file


def _joined(wave: Audio, sound: Audio, part: Part) -> Audio:
    """What the wave lacks just outside its body is mirrored into the body and faded away."""
    fade = falling(np.arange(JOIN) / JOIN).astype(np.float32)[:, None]
    if part.lead:
        lacking = (sound[part.lead - JOIN : part.lead] - wave[part.lead - JOIN : part.lead])[::-1]
        length = min(JOIN, part.end - part.lead)
        wave[part.lead : part.lead + length] += (lacking * fade)[:length]
    if part.trail_held and part.trail >= JOIN:
        lacking = (sound[part.end : part.end + JOIN] - wave[part.end : part.end + JOIN])[::-1]
        wave[part.end - JOIN : part.end] += lacking * fade[::-1]
    return wave


def _gain(settled: float, length: int, part: Part) -> Audio:
    """(length,): the gain that brings the take to the level of all takes, reached within a second from a neighbour."""
    gain = np.full(length, settled, np.float32)
    ramp = min(LEVELLING, length // 2)
    towards = 1 + (settled - 1) * rising(np.arange(ramp) / max(1, ramp))
    if part.lead:
        gain[:ramp] = towards
    if part.trail and part.trail_held:
        gain[length - ramp :] = towards[::-1]
    return gain


def _mirrored(sound: Audio, start: int, stop: int) -> Audio:
    """Samples ``start`` to ``stop``; outside the sound its mirror image."""
    last = len(sound) - 1
    index = np.abs(np.arange(start, stop))
    return sound[last - np.abs(last - index)]
