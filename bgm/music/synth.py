"""Play a score with FluidSynth (through pyfluidsynth), in blocks of float32: one stereo bus per layer of the band.

Two things that most soundfonts lack are added here: a note struck harder is also brighter (section 8.4.2 of the
SoundFont 2.01 specification closes the filter for soft notes; FluidSynth leaves that out), and keyboards played with
the pedal ring on from chord to chord.
"""

from __future__ import annotations

import contextlib
import ctypes.util
import io
import os
import sys
import threading
from collections.abc import Iterator
from enum import IntEnum
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from bgm.errors import BadInput, EngineUnavailable
from bgm.media.audio import SAMPLE_RATE
from bgm.music.score import Role, Score


class Bus(IntEnum):
    """A layer of the band; FluidSynth mixes channel n into bus n modulo the number of buses."""

    FOUNDATION = 0
    """Bass and drums."""
    BED = 1
    """Chords, and the room's reverb."""
    MELODY = 2


Buses = npt.NDArray[np.float32]
"""(buses, left and right, frames)."""

_GAIN = 0.3
_VOICES = 40
"""Polyphony; the oldest voice is stolen. A voice takes 0.0004 of real time. Compared with 400 voices, what is lost is
at least 20 dB below the rest, or 12 dB where fast string notes overlap."""
DRUM_BANK, _STANDARD_KIT = 128, 0
_CHANNELS = {
    Role.BASS: 0,
    Role.COMP: 1,
    Role.LEAD: 2,
    Role.BOOM: 3,
    Role.ARP: 4,
    Role.COUNTER: 5,
    Role.PAD: 7,
    Role.DRUMS: 9,
}
"""General MIDI puts drums on the tenth channel; the channel modulo three is the role's bus."""
_VOLUME, _PAN, _SUSTAIN, _REVERB, _CHORUS = 7, 10, 64, 91, 93
_PEDAL_LIFTED = 0.06
"""Seconds that the pedal is up when the harmony changes: it damps the old chord after the new one is struck."""
_VELOCITY, _NEGATIVE, _FILTER_CUTOFF, _OVERWRITE = 2, 1, 8, 0
_SOFTEST_CENTS = -3_600.0
"""How far the softest note's filter is closed: 1.5 times the specified value, to be audible with dull samples too."""


_making = threading.Lock()


class Synth:
    """A fresh synthesiser for each score, so that nothing of an earlier piece (reverb, dither) remains."""

    def __init__(self, font: Path) -> None:
        self._fluid = library()
        # One stereo output for each bus: mastering equalises them apart.
        count = len(Bus)
        buses = {"synth.audio-channels": count, "synth.audio-groups": count, "synth.chorus.active": 0}
        settings = {"synth.dynamic-sample-loading": 1, "synth.polyphony": _VOICES, **buses}
        # The first one in a process computes FluidSynth's tables; a second one beside it would not wait for them.
        with _making:
            self._synth = self._fluid.Synth(gain=_GAIN, samplerate=float(SAMPLE_RATE), channels=16, **settings)
        addresses = ctypes.POINTER(ctypes.c_void_p)
        effects = (("effect_buffers", ctypes.c_int, 1), ("effects", addresses, 1))
        dry = (("dry_buffers", ctypes.c_int, 1), ("dry", addresses, 1))
        arguments = (("synth", ctypes.c_void_p, 1), ("frames", ctypes.c_int, 1), *effects, *dry)
        self._process: Any = self._fluid.cfunc("fluid_synth_process", ctypes.c_int, *arguments)
        self._brighten_with_velocity()
        self._font = self._synth.sfload(str(font))
        if self._font < 0:
            self.close()
            raise BadInput(f"{font} is not a soundfont that FluidSynth can read")

    def _brighten_with_velocity(self) -> None:
        fluid = self._fluid
        arguments = (("synth", ctypes.c_void_p, 1), ("mod", ctypes.c_void_p, 1), ("mode", ctypes.c_int, 1))
        add = fluid.cfunc("fluid_synth_add_default_mod", ctypes.c_int, *arguments)
        if add is None:  # FluidSynth 1
            return
        modulator = fluid.new_fluid_mod()
        fluid.fluid_mod_set_source1(modulator, _VELOCITY, _NEGATIVE)  # linear, from the loudest down
        fluid.fluid_mod_set_source2(modulator, 0, 0)
        fluid.fluid_mod_set_dest(modulator, _FILTER_CUTOFF)
        fluid.fluid_mod_set_amount(modulator, _SOFTEST_CENTS)
        add(self._synth.synth, modulator, _OVERWRITE)
        fluid.delete_fluid_mod(modulator)

    def close(self) -> None:
        """Free it."""
        self._synth.delete()

    def set_up(self, score: Score) -> None:
        """Set each part's channel, program and place in the mix."""
        self._synth.set_reverb(0.3 + 0.6 * score.room, 0.35, 0.9, 0.4 + 0.5 * score.room)
        for part in score.parts:
            channel = _CHANNELS[part.role]
            if part.role is Role.DRUMS:
                self._take_kit(channel, score.kit)
            else:
                self._synth.program_select(channel, self._font, 0, part.program)
            values = {_VOLUME: part.volume, _PAN: part.pan, _REVERB: part.reverb, _CHORUS: part.chorus}
            for number, value in values.items():
                self._synth.cc(channel, number, value)

    def _take_kit(self, channel: int, kit: int) -> None:
        # Selecting a preset that the font lacks fails, and the channel would go on with the one before.
        for program in (kit, _STANDARD_KIT):
            if self._synth.program_select(channel, self._font, DRUM_BANK, program) == 0:
                return
        raise BadInput("the soundfont has no drums")

    def send(self, kind: int, role: Role, first: int, second: int) -> None:
        """Play one event of ``events``."""
        channel = _CHANNELS[role]
        if kind == NOTE_ON:
            self._synth.noteon(channel, first, second)
        elif kind == NOTE_OFF:
            self._synth.noteoff(channel, first)
        else:
            self._synth.cc(channel, first, second)

    def fill(self, buses: Buses, start: int, stop: int) -> None:
        """Render the next frames into silent buses, from their frame ``start`` to ``stop``."""
        size, count = 4 * buses.shape[-1], 2 * len(Bus)
        addresses = range(buses.ctypes.data + 4 * start, buses.ctypes.data + count * size, size)
        # FluidSynth adds the reverb to the buffers it is given for effects: here the bed's own.
        dry = (ctypes.c_void_p * count)(*addresses)
        room = (ctypes.c_void_p * 2)(*addresses[2 * Bus.BED : 2 * Bus.BED + 2])
        self._process(self._synth.synth, stop - start, 2, room, count, dry)


NOTE_OFF, CONTROL, NOTE_ON = range(3)
TimedEvent = tuple[int, int, Role, int, int]
"""Frame, kind, role, key or controller, value. In this order at one frame: a repeated note ends before it starts."""


def events(score: Score) -> list[TimedEvent]:
    """All events of a score, in order of frames."""
    result: list[TimedEvent] = []
    for note in score.notes:
        start, end = round(note.start * SAMPLE_RATE), round(note.end * SAMPLE_RATE)
        result.append((start, NOTE_ON, note.role, note.pitch, note.velocity))
        result.append((max(end, start + 1), NOTE_OFF, note.role, note.pitch, 0))
    for control in score.controls:
        result.append((round(control.time * SAMPLE_RATE), CONTROL, control.role, control.number, control.value))
    for role in (part.role for part in score.parts if part.pedal):
        for time in score.changes:
            pressed = round((time + _PEDAL_LIFTED) * SAMPLE_RATE)
            result += [(round(time * SAMPLE_RATE), CONTROL, role, _SUSTAIN, 0), (pressed, CONTROL, role, _SUSTAIN, 127)]
    # A stable sort: controls of one moment keep the order in which they were listed.
    result.sort(key=lambda event: event[:2])
    return result


def played(score: Score, frames: int, font: Path, block_frames: int) -> Iterator[Buses]:
    """The synthesiser's raw output for a score: ``frames`` frames, in blocks of at most ``block_frames``."""
    synth = Synth(font)
    try:
        synth.set_up(score)
        timeline = events(score)
        following = 0
        for start in range(0, frames, block_frames):
            block = np.zeros((len(Bus), 2, min(block_frames, frames - start)), np.float32)
            following = _fill(synth, block, start, timeline, following)
            yield block
    finally:
        _put_away(synth, font)


_resting: list[Synth] = []
"""The last one that played an .sf3."""
_open = threading.Lock()


def _put_away(synth: Synth, font: Path) -> None:
    """Close a synthesiser; one with an .sf3 only after the next one has played.

    FluidSynth shares samples among open synthesisers, so the Ogg Vorbis samples of an .sf3 are decoded for the first
    take only: 0.02 instead of 0.46 s for the others.
    """
    if font.suffix != ".sf3":
        synth.close()
        return
    # The one before is closed after the new one is kept, so there is always one that holds the samples.
    with _open:
        before, _resting[:] = tuple(_resting), [synth]
    for old in before:
        old.close()


def _fill(synth: Synth, block: Buses, start: int, timeline: list[TimedEvent], following: int) -> int:
    """Render one block, playing its events at their frames; returns the index of the first event after it."""
    done, length = 0, block.shape[-1]
    while following < len(timeline) and timeline[following][0] < start + length:
        frame, kind, role, first, second = timeline[following]
        if frame - start > done:
            synth.fill(block, done, frame - start)
            done = frame - start
        synth.send(kind, role, first, second)
        following += 1
    if done < length:
        synth.fill(block, done, length)
    return following


# FluidSynth's library. That of the pygame-ce wheel comes first because its version is pinned with ours: the same score
# then gives the same samples on every machine. A system's own library is used where the wheel carries none.

_LOG_LEVELS = 5
_import_lock = threading.Lock()


def find_library() -> str | None:
    """Path or name of libfluidsynth, or None."""
    for folder in package_folders("pygame"):
        places = (folder, folder / ".dylibs", folder.parent / "pygame_ce.libs", folder.parent / "pygame_ce.dylibs")
        for place in places:
            found = sorted(path for path in place.glob("*fluidsynth*") if path.suffix in (".so", ".dylib", ".dll"))
            found += sorted(place.glob("*fluidsynth*.so.*"))
            if found:
                return str(found[0])
    return ctypes.util.find_library("fluidsynth") or ctypes.util.find_library("libfluidsynth-3")


def package_folders(name: str) -> list[Path]:
    """Where a package is installed, without importing it."""
    spec = find_spec(name)
    return [Path(folder) for folder in spec.submodule_search_locations or ()] if spec else []


def library() -> ModuleType:
    """pyfluidsynth, bound to the library that we found. Raises EngineUnavailable when there is none."""
    with _import_lock:
        if "fluidsynth" in sys.modules:
            return sys.modules["fluidsynth"]
        path = find_library()
        if path is None:
            raise EngineUnavailable("no FluidSynth library was found; install pygame-ce or your system's fluidsynth")
        return _import_bound_to(path)


def _import_bound_to(path: str) -> ModuleType:
    """pyfluidsynth calls ``find_library`` while it is imported; there is no other way to give it a path."""
    if sys.platform == "win32":
        os.add_dll_directory(str(Path(path).parent))
    original = ctypes.util.find_library
    # Patched for the time of one import, under a lock; put back whatever happens.
    ctypes.util.find_library = lambda name: path
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # where CI is set it would tell where it found the library
            import fluidsynth
    except OSError as error:
        raise EngineUnavailable(f"the FluidSynth library {path} can't be loaded: {error}") from error
    finally:
        ctypes.util.find_library = original
    _silence(fluidsynth)
    return fluidsynth


def _silence(fluid: Any) -> None:
    """Keep FluidSynth from writing to stderr; errors are raised as exceptions."""
    arguments = (("level", ctypes.c_int, 1), ("function", ctypes.c_void_p, 1), ("data", ctypes.c_void_p, 1))
    set_log_function = fluid.cfunc("fluid_set_log_function", ctypes.c_void_p, *arguments)
    for level in range(_LOG_LEVELS):
        set_log_function(level, None, None)
