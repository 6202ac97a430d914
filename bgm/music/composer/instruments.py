"""General MIDI instruments: names, playable ranges and balance."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bgm.music.score import Role


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
"""Guitars that play fifths only."""


PEDALLED = (0, 4, 11, 46)
"""Keys, vibraphone and harp: they are played with a pedal, or ring as if they were."""


def fitted(pitch: int, program: int) -> int:
    """The pitch, moved by octaves until the instrument can play it well (bands are chosen so that few need it)."""
    instrument = GENERAL_MIDI[program]
    while pitch > instrument.high:
        pitch -= 12
    while pitch < instrument.low:
        pitch += 12
    return pitch


@dataclass(frozen=True, slots=True)
class Ensemble:
    """One General MIDI program for each role that plays; the kit is always there, the mood decides if it is used."""

    programs: dict[Role, int]
    drums: bool = True

    def program(self, role: Role) -> int | None:
        """The program of a role, None where it doesn't play."""
        return self.programs.get(role)

    def without(self, *roles: Role) -> Ensemble:
        """The ensemble with some roles silent."""
        kept = {role: program for role, program in self.programs.items() if role not in roles}
        return replace(self, programs=kept, drums=self.drums and Role.DRUMS not in roles)

    def having(self, role: Role, program: int) -> Ensemble:
        """The ensemble with another instrument in a role."""
        return replace(self, programs=self.programs | {role: program})
