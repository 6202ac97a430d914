"""The input and output of a music engine (bgm.engines.Composer): cues, scores and the instruments that play them.

A score is plain values: what the composer hands to the synthesiser, and what tests and features read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from bgm.timeline import Emotion, Style


@dataclass(frozen=True, slots=True)
class Piece:
    """What all cues of a video share, so that they form one score: it determines key, motif and related tempi."""

    seed: int
    duration: float
    style: Style = Style.ACOUSTIC
    """The style of the whole; a segment may have its own."""


@dataclass(frozen=True, slots=True)
class Cue:
    """The brief for one take of one segment. Everything above ``before`` decides the take's id; the rest is context.

    The same deciding fields must give the same audio, whatever the context: an edit to one segment never makes the
    takes of its neighbours stale.
    """

    piece: Piece
    frames: int
    """Length in samples at 48 kHz."""
    emotion: Emotion
    confidence: float
    """0..1: a weakly angry segment is not a fully angry one."""
    prompt: str
    """The creator's own words for this segment; empty for the emotion's default."""
    seed: int
    opening: bool
    """The video starts with this segment."""
    ending: bool
    """The video ends with this segment: the piece must end."""
    speech: tuple[tuple[float, float], ...] = ()
    """Speech, seconds from the cue's start: the music is a bed there and may come forward elsewhere."""
    hits: tuple[float, ...] = ()
    """Picture cuts to land on where the music allows, seconds from the cue's start."""
    start: float = 0.0
    """Where the cue starts in the video, seconds: the energy builds to one climax over the whole."""
    style: Style | None = None
    """Style of this segment; None: that of the piece."""
    whole: str = ""
    """The creator's words for the whole video; the segment's override them."""
    before: Emotion | None = None
    after: Emotion | None = None
    before_take: Path | None = None
    after_take: Path | None = None
    """Neighbours' emotions and chosen takes (48 kHz FLAC), for engines that join to them."""


@dataclass(frozen=True, slots=True)
class Made:
    """The take of cue ``index`` is complete; ``notes`` are sentences for the user's log on how it was made."""

    index: int
    notes: tuple[str, ...] = ()


class Role(StrEnum):
    """The function of a part in the piece."""

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
    """A note on the beat grid, before humanising."""

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
    """One instrument on one MIDI channel: General MIDI program and its place in the mix (MIDI values 0..127)."""

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
    """LU above (or below) the loudness that all takes share: this cue's place on the video's energy curve."""

    curve: tuple[tuple[float, float | None], ...] = ()
    """Start of each section, seconds, and its loudness in LU above zero energy; None if that is left open."""


@dataclass(frozen=True, slots=True)
class Instrument:
    """A program of General MIDI level 1, counted from 0, with the range in which it sounds natural."""

    name: str
    low: int
    high: int
    volume: int
    """MIDI channel volume that balances it against the others (from its K-weighted loudness in two soundfonts)."""


GENERAL_MIDI: dict[int, Instrument] = {
    0: Instrument("piano", 28, 100, 116),
    4: Instrument("electric piano", 36, 92, 97),
    8: Instrument("celesta", 60, 100, 112),
    9: Instrument("glockenspiel", 72, 103, 116),
    10: Instrument("music box", 60, 96, 108),
    11: Instrument("vibraphone", 53, 89, 107),
    12: Instrument("marimba", 45, 91, 112),
    13: Instrument("xylophone", 65, 101, 116),
    14: Instrument("tubular bells", 60, 77, 97),
    24: Instrument("nylon guitar", 40, 84, 100),
    25: Instrument("steel guitar", 40, 84, 113),
    26: Instrument("jazz guitar", 40, 84, 101),
    27: Instrument("clean guitar", 40, 84, 111),
    28: Instrument("muted guitar", 40, 80, 116),
    29: Instrument("overdriven guitar", 40, 80, 92),
    30: Instrument("distortion guitar", 40, 80, 84),
    32: Instrument("acoustic bass", 28, 60, 109),
    33: Instrument("fingered bass", 28, 60, 99),
    34: Instrument("picked bass", 28, 60, 104),
    35: Instrument("fretless bass", 28, 60, 99),
    38: Instrument("synth bass", 24, 60, 108),
    39: Instrument("synth bass 2", 24, 60, 93),
    40: Instrument("violin", 55, 96, 87),
    41: Instrument("viola", 48, 84, 89),
    42: Instrument("cello", 36, 76, 91),
    43: Instrument("contrabass", 28, 58, 98),
    44: Instrument("tremolo strings", 40, 88, 95),
    45: Instrument("pizzicato strings", 36, 88, 98),
    46: Instrument("harp", 31, 100, 100),
    47: Instrument("timpani", 38, 57, 116),
    48: Instrument("strings", 36, 91, 89),
    49: Instrument("slow strings", 36, 88, 98),
    50: Instrument("synth strings", 36, 88, 93),
    52: Instrument("choir", 48, 79, 104),
    53: Instrument("voice oohs", 48, 79, 102),
    56: Instrument("trumpet", 54, 82, 98),
    57: Instrument("trombone", 40, 70, 95),
    58: Instrument("tuba", 28, 53, 109),
    59: Instrument("muted trumpet", 54, 82, 106),
    60: Instrument("french horn", 41, 74, 87),
    61: Instrument("brass section", 40, 79, 109),
    68: Instrument("oboe", 58, 88, 83),
    69: Instrument("english horn", 52, 79, 98),
    70: Instrument("bassoon", 34, 70, 93),
    71: Instrument("clarinet", 50, 88, 87),
    73: Instrument("flute", 60, 94, 85),
    75: Instrument("pan flute", 60, 90, 90),
    79: Instrument("ocarina", 60, 88, 80),
    80: Instrument("square lead", 48, 90, 81),
    81: Instrument("saw lead", 40, 88, 82),
    88: Instrument("new age pad", 40, 88, 92),
    89: Instrument("warm pad", 36, 84, 108),
    91: Instrument("choir pad", 40, 84, 94),
    92: Instrument("bowed pad", 40, 84, 96),
    93: Instrument("metallic pad", 36, 84, 93),
    95: Instrument("sweep pad", 36, 84, 94),
    98: Instrument("crystal", 55, 96, 105),
    99: Instrument("atmosphere", 40, 88, 93),
    107: Instrument("koto", 48, 84, 113),
    108: Instrument("kalimba", 55, 88, 113),
    116: Instrument("taiko", 36, 60, 110),
    117: Instrument("melodic tom", 40, 64, 116),
}

DISTORTED = (29, 30)
"""Guitars that only play fifths."""


PEDALLED = (0, 4, 11, 46)
"""Keyboards, vibraphone and harp: played with a pedal, or ringing as if they were."""


def fitted(pitch: int, program: int) -> int:
    """The pitch, moved by octaves into the instrument's range (bands are chosen so that this is rarely needed)."""
    instrument = GENERAL_MIDI[program]
    while pitch > instrument.high:
        pitch -= 12
    while pitch < instrument.low:
        pitch += 12
    return pitch


@dataclass(frozen=True, slots=True)
class Ensemble:
    """A General MIDI program for each role that plays; the mood decides whether the drum kit is used."""

    programs: dict[Role, int]
    drums: bool = True

    def program(self, role: Role) -> int | None:
        """The program of a role; None if it doesn't play."""
        return self.programs.get(role)

    def without(self, *roles: Role) -> Ensemble:
        """The ensemble with some roles silent."""
        kept = {role: program for role, program in self.programs.items() if role not in roles}
        return replace(self, programs=kept, drums=self.drums and Role.DRUMS not in roles)

    def having(self, role: Role, program: int) -> Ensemble:
        """The ensemble with another instrument in a role."""
        return replace(self, programs=self.programs | {role: program})
