"""A composed piece as plain values: what the composer hands to the synthesiser, and what tests and features read."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a part does in the piece."""

    LEAD = "lead"
    COUNTER = "counter"
    COMP = "comp"
    ARP = "arp"
    PAD = "pad"
    BASS = "bass"
    BOOM = "boom"
    DRUMS = "drums"


@dataclass(frozen=True, slots=True)
class Event:
    """A note on the grid of beats, before it is played by a human hand."""

    beat: float
    length: float
    """Beats."""
    pitch: int
    """MIDI note number (for drums: General MIDI percussion key)."""
    velocity: float
    """0..1, before the accents of the bar and the arch of the phrase."""
    role: Role


@dataclass(frozen=True, slots=True)
class Note:
    """A note as it is played: seconds from the start of the cue, MIDI pitch, MIDI velocity 1..127."""

    start: float
    end: float
    pitch: int
    velocity: int
    role: Role


@dataclass(frozen=True, slots=True)
class Control:
    """A MIDI control change of one part."""

    time: float
    role: Role
    number: int
    value: int


@dataclass(frozen=True, slots=True)
class Part:
    """One instrument on one MIDI channel: General MIDI program and its place in the room (MIDI values 0..127)."""

    role: Role
    program: int
    volume: int
    pan: int
    reverb: int
    chorus: int = 0
    pedal: bool = False
    """Played with the sustain pedal: let it ring from chord to chord (``Score.changes``)."""


@dataclass(frozen=True, slots=True)
class Score:
    """A whole cue. Notes and controls are sorted by time; all notes end by ``seconds``."""

    seconds: float
    tempo: float
    """Quarters per minute as played, before any slowing into the final chord."""
    beats: float
    """Quarters up to the boundary, or up to the final chord when the cue ends the piece."""
    tonic: int
    """Pitch class, 0 = C."""
    mode: str
    room: float
    """Size of the reverb's room, 0..1."""
    fade: float
    """Seconds of fade at the end; 0 unless the cue ends the piece."""
    parts: tuple[Part, ...]
    notes: tuple[Note, ...]
    controls: tuple[Control, ...] = ()
    kit: int = 0
    """Program of the drums (Roland GS): 0 standard, 8 room, 16 power, 24 electronic, 25 TR-808, 32 jazz, 40 brush,
    48 orchestra. A font without it plays its standard kit."""
    changes: tuple[float, ...] = ()
    """When the harmony changes, seconds: a sustain pedal is lifted and pressed again there."""
    meter: str = "4/4"
    """4/4, 3/4 or 6/8."""
    level: float = 0.0
    """LU over (below) the loudness that all takes share: where this cue stands on the video's curve of energy."""

    curve: tuple[tuple[float, float | None], ...] = ()
    """Where sections start, seconds, and how many LU each is to lie over no energy, None where that is left open."""

    @property
    def bars(self) -> float:
        """How many bars that is."""
        return self.beats / (4 if self.meter == "4/4" else 3)

    @property
    def seconds_of_bar(self) -> float:
        """How long a bar lasts before any slowing."""
        return (4 if self.meter == "4/4" else 3) * 60 / self.tempo
