"""A score played by FluidSynth (through pyfluidsynth), in blocks of stereo float32."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bgm.errors import BadInput
from bgm.media.audio import SAMPLE_RATE, Audio
from bgm.music.score import Role, Score
from bgm.music.soundfont import library

_GAIN = 0.3
_VOICES = 96
"""At once; what rings longest ago gives way."""
_DRUM_CHANNEL, _DRUM_BANK = 9, 128
_CHANNELS = {role: channel for channel, role in enumerate(Role) if role is not Role.DRUMS} | {Role.DRUMS: _DRUM_CHANNEL}
_VOLUME, _PAN, _REVERB, _CHORUS = 7, 10, 91, 93


class Synth:
    """One fresh synthesiser for one score: nothing of an earlier piece (reverb, dither) is left in it."""

    def __init__(self, font: Path) -> None:
        fluid = library()
        arguments = (("synth", ctypes.c_void_p, 1), ("frames", ctypes.c_int, 1))
        sides = (("left", ctypes.c_void_p, 1), ("left_offset", ctypes.c_int, 1), ("left_step", ctypes.c_int, 1))
        others = (("right", ctypes.c_void_p, 1), ("right_offset", ctypes.c_int, 1), ("right_step", ctypes.c_int, 1))
        self._write_float: Any = fluid.cfunc("fluid_synth_write_float", ctypes.c_int, *arguments, *sides, *others)
        settings = {"synth.dynamic-sample-loading": 1, "synth.polyphony": _VOICES}
        self._synth = fluid.Synth(gain=_GAIN, samplerate=float(SAMPLE_RATE), channels=16, **settings)
        self._font = self._synth.sfload(str(font))
        if self._font < 0:
            self.close()
            raise BadInput(f"{font} is not a soundfont that FluidSynth can read")

    def close(self) -> None:
        """Free it."""
        self._synth.delete()

    def set_up(self, score: Score) -> None:
        """Give each part its channel, program and place."""
        self._synth.set_reverb(0.3 + 0.6 * score.room, 0.35, 0.9, 0.4 + 0.5 * score.room)
        for part in score.parts:
            channel = _CHANNELS[part.role]
            bank = _DRUM_BANK if part.role is Role.DRUMS else 0
            self._synth.program_select(channel, self._font, bank, part.program)
            values = {_VOLUME: part.volume, _PAN: part.pan, _REVERB: part.reverb, _CHORUS: part.chorus}
            for number, value in values.items():
                self._synth.cc(channel, number, value)

    def send(self, kind: int, role: Role, first: int, second: int) -> None:
        """Play one event of ``events``."""
        channel = _CHANNELS[role]
        if kind == NOTE_ON:
            self._synth.noteon(channel, first, second)
        elif kind == NOTE_OFF:
            self._synth.noteoff(channel, first)
        else:
            self._synth.cc(channel, first, second)

    def fill(self, block: Audio) -> None:
        """Render the next ``len(block)`` frames into a contiguous stereo block."""
        address = block.ctypes.data
        self._write_float(self._synth.synth, len(block), address, 0, 2, address, 1, 2)


NOTE_OFF, CONTROL, NOTE_ON = range(3)
TimedEvent = tuple[int, int, Role, int, int]
"""Frame, kind, role, key or controller, value. In this order at one frame: a repeated note ends before it starts."""


def events(score: Score) -> list[TimedEvent]:
    """All that happens in a score, in order of frames."""
    result: list[TimedEvent] = []
    for note in score.notes:
        start, end = round(note.start * SAMPLE_RATE), round(note.end * SAMPLE_RATE)
        result.append((start, NOTE_ON, note.role, note.pitch, note.velocity))
        result.append((max(end, start + 1), NOTE_OFF, note.role, note.pitch, 0))
    for control in score.controls:
        result.append((round(control.time * SAMPLE_RATE), CONTROL, control.role, control.number, control.value))
    result.sort(key=lambda event: event[:2])
    return result


def played(score: Score, frames: int, font: Path, block_frames: int) -> Iterator[Audio]:
    """The sound of a score as the synthesiser gives it: ``frames`` frames of stereo float32, in blocks."""
    synth = Synth(font)
    try:
        synth.set_up(score)
        timeline = events(score)
        following = 0
        for start in range(0, frames, block_frames):
            block = np.zeros((min(block_frames, frames - start), 2), np.float32)
            following = _fill(synth, block, start, timeline, following)
            yield block
    finally:
        synth.close()


def _fill(synth: Synth, block: Audio, start: int, timeline: list[TimedEvent], following: int) -> int:
    """Render one block, playing its events at their frames; gives the number of the first event after it."""
    done = 0
    while following < len(timeline) and timeline[following][0] < start + len(block):
        frame, kind, role, first, second = timeline[following]
        if frame - start > done:
            synth.fill(block[done : frame - start])
            done = frame - start
        synth.send(kind, role, first, second)
        following += 1
    if done < len(block):
        synth.fill(block[done:])
    return following
