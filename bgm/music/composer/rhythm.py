"""Patterns of one bar, in beats: how chords are struck, broken chords run, basses walk and drums groove."""

from __future__ import annotations

from dataclasses import dataclass

Strike = tuple[float, float, float]
"""Beat, length in beats, accent 0..1."""

COMP: dict[str, tuple[Strike, ...]] = {
    "long": ((0, 3.9, 0.8),),
    "rolled": ((0, 1.9, 0.8), (2, 1.9, 0.65)),
    "sighs": ((0, 1.9, 0.8), (1, 0.9, 0.5), (3, 0.9, 0.6)),
    "soft push": ((0, 2.4, 0.8), (2.5, 1.4, 0.65)),
    "push": ((0, 1.4, 0.85), (1.5, 0.4, 0.6), (2.5, 1.2, 0.75)),
    "strum": ((0, 0.9, 0.9), (1, 0.4, 0.65), (1.5, 0.9, 0.75), (2.5, 0.4, 0.6), (3, 0.4, 0.75), (3.5, 0.4, 0.6)),
    "offbeat": ((0.5, 0.4, 0.75), (1.5, 0.4, 0.8), (2.5, 0.4, 0.75), (3.5, 0.4, 0.8)),
    "skip": ((0, 0.3, 0.9), (0.75, 0.25, 0.6), (1.5, 0.4, 0.8), (2.75, 0.25, 0.65), (3.5, 0.4, 0.75)),
    "stabs": ((0, 0.3, 1.0), (1.5, 0.25, 0.8), (2.75, 0.25, 0.85)),
    "stabs late": ((0.75, 0.25, 0.9), (1.5, 0.25, 0.75), (3.25, 0.25, 0.95)),
    "tremolo": ((0, 4.0, 0.7),),
    "ticks": ((0, 0.3, 0.8), (1, 0.3, 0.5), (2, 0.3, 0.65), (3, 0.3, 0.5)),
    "limp": ((0, 0.4, 0.85), (1.75, 0.25, 0.6), (2, 0.4, 0.7), (3.75, 0.25, 0.6)),
    "late": ((0.5, 0.3, 0.8), (1.75, 0.25, 0.6), (3, 0.4, 0.75)),
    "gallop": tuple((beat + at, 0.25, 0.95 - at / 3) for beat in range(4) for at in (0.0, 0.5, 0.75)),
    "eighths": tuple((i / 2, 0.42, 0.95 if i % 4 == 0 else 0.78) for i in range(8)),
    "chops": ((0, 0.4, 1.0), (0.5, 0.3, 0.75), (1.5, 0.4, 0.9), (2, 0.3, 0.8), (2.5, 0.3, 0.75), (3.5, 0.4, 0.9)),
}

BassTone = tuple[float, float, str, float]
"""Beat, length, tone, accent. Tones: r root, o its octave, t third, f fifth, a a step to the next chord's root,
c a semitone above, p the key's tonic as a pedal."""

BASS: dict[str, tuple[BassTone, ...]] = {
    "whole": ((0, 3.9, "r", 0.8),),
    "two": ((0, 1.9, "r", 0.85), (2, 1.5, "f", 0.7), (3.5, 0.5, "a", 0.6)),
    "dotted": ((0, 1.4, "r", 0.85), (1.5, 0.5, "r", 0.65), (2, 1.9, "f", 0.75)),
    "bounce": ((0, 0.9, "r", 0.9), (1.5, 0.4, "r", 0.7), (2, 0.9, "f", 0.8), (3, 0.5, "o", 0.75), (3.5, 0.4, "a", 0.7)),
    "walk": ((0, 0.95, "r", 0.9), (1, 0.95, "t", 0.75), (2, 0.95, "f", 0.8), (3, 0.95, "a", 0.75)),
    "stabs": ((0, 0.4, "r", 0.95), (1.5, 0.3, "r", 0.75), (2.75, 0.3, "f", 0.8)),
    "leaps": ((0, 0.4, "r", 0.95), (0.75, 0.3, "o", 0.75), (2, 0.4, "f", 0.85), (3.5, 0.4, "a", 0.8)),
    "pedal": ((0, 4.0, "p", 0.75),),
    "throb": ((0, 0.9, "p", 0.85), (0.5, 0.4, "p", 0.6), (2, 0.9, "p", 0.75), (2.5, 0.4, "p", 0.55)),
    "limp": ((0, 0.5, "r", 0.9), (1.75, 0.25, "c", 0.6), (2, 0.5, "f", 0.75), (3.75, 0.25, "a", 0.6)),
    "oompah": ((0, 0.6, "r", 0.9), (1, 0.4, "f", 0.65), (2, 0.6, "t", 0.8), (3, 0.4, "c", 0.65)),
    "creep": ((0, 0.9, "r", 0.85), (1, 0.9, "c", 0.65), (2, 0.9, "r", 0.75), (3, 0.9, "a", 0.7)),
    "eighths": tuple((i / 2, 0.42, "r", 0.95 if i % 4 == 0 else 0.8) for i in range(8)),
    "eighths turn": (*((i / 2, 0.42, "r", 0.85) for i in range(6)), (3, 0.42, "c", 0.9), (3.5, 0.42, "a", 0.85)),
    "gallop": tuple((beat + at, 0.24, "r", 0.95 - at / 3) for beat in range(4) for at in (0.0, 0.5, 0.75)),
}


@dataclass(frozen=True, slots=True)
class Figure:
    """A broken chord: a note every ``step`` beats; ``order`` numbers the chord's notes upwards, octave after octave.

    None is a rest. ``colour`` is added, in semitones, to the last note of the order.
    """

    step: float
    order: tuple[int | None, ...]
    length: float
    colour: int = 0


ARP: dict[str, Figure] = {
    "slow": Figure(1.0, (0, 1, 2, 1), 1.4),
    "broken": Figure(0.5, (0, 1, 2, 3, 4, 3, 2, 1), 1.2),
    "up eighths": Figure(0.5, (0, 1, 2, 3, 1, 2, 3, 4), 0.9),
    "wave eighths": Figure(0.5, (0, 2, 1, 3, 2, 4, 3, 1), 0.6),
    "sparkle": Figure(0.5, (4, None, 2, 3, None, 4, 1, None), 0.5),
    "run": Figure(0.25, (0, 1, 2, 3, 4, 5, 4, 3, None, None, None, None, 5, 4, 3, 2), 0.25),
    "ticking": Figure(0.5, (0, 0, 1, 0, 0, 0, 1, 0), 0.3),
    "clock": Figure(0.5, (0, 2, 0, 1, 0, 2, 0, 1), 0.3, colour=1),
    "creep": Figure(0.5, (0, None, 1, 1, None, 2, None, 1), 0.4, colour=1),
    "hobble": Figure(0.75, (0, 2, 1, 0, 1), 0.4, colour=-1),
    "saw": Figure(0.25, (0, 0, 1, 0, 0, 1, 0, 0, 2, 0, 0, 1, 0, 0, 1, 0), 0.22),
    "saw turn": Figure(0.25, (0, 0, 0, 0, 1, 1, 0, 0, 2, 2, 1, 1, 0, 0, 0, 1), 0.22, colour=1),
}

KICK, RIM, SNARE, CLAP, CLOSED_HAT, OPEN_HAT = 36, 37, 38, 39, 42, 46
FLOOR_TOM, LOW_TOM, MID_TOM, HIGH_TOM = 41, 45, 47, 50
CRASH, RIDE, TAMBOURINE, COWBELL, SHAKER, WOOD_HIGH, WOOD_LOW, TRIANGLE = 49, 51, 54, 56, 70, 76, 77, 81
"""General MIDI percussion keys."""

Groove = dict[int, str]
"""Sixteen steps for each drum: x accent, o stroke, - ghost stroke, . rest."""

ACCENTS = {"x": 1.0, "o": 0.72, "-": 0.42}
GROOVES: dict[str, tuple[Groove, ...]] = {
    "brush": (
        {KICK: "o.......o.......", RIM: "....-.......-...", SHAKER: "-.o.-.o.-.o.-.o."},
        {KICK: "o.....-.o.......", RIM: "....-.......-..-", SHAKER: "-.o.-.o.-.o.-.oo"},
    ),
    "light": (
        {KICK: "o.....o.o.......", RIM: "....o.......o...", CLOSED_HAT: "o.-.o.-.o.-.o.-."},
        {KICK: "o.....o...o.....", RIM: "....o.......o.-.", CLOSED_HAT: "o.-.o.-.o.-.o.--"},
    ),
    "pop": (
        {KICK: "x.....o.x.......", SNARE: "....x.......x...", CLOSED_HAT: "o.o.o.o.o.o.o.o."},
        {KICK: "x.....o.x.o.....", SNARE: "....x..-....x...", CLOSED_HAT: "o.o.o.o.o.o.o.--"},
    ),
    "pop claps": (
        {
            KICK: "x...o...x...o...",
            CLAP: "....x.......x...",
            TAMBOURINE: "..o...o...o...o.",
            CLOSED_HAT: "o-o-o-o-o-o-o-o-",
        },
        {
            KICK: "x...o..ox...o...",
            CLAP: "....x.......x..-",
            TAMBOURINE: "..o...o...o...o.",
            CLOSED_HAT: "o-o-o-o-o-o-o-oo",
        },
    ),
    "shuffle": (
        {KICK: "x.....o.x.....o.", SNARE: "....o.......x...", RIDE: "o...o.o.o...o.o."},
        {KICK: "x.....o.x...o...", SNARE: "....o..-....x..-", RIDE: "o...o.o.o...o.o."},
    ),
    "breaks": (
        {KICK: "x..o......x.....", SNARE: "....x..-.-..x...", TRIANGLE: "o.....o.....o..."},
        {KICK: "x.....x...o..o..", SNARE: "....x.......x.o.", WOOD_HIGH: "..o..o....o..o.."},
    ),
    "breaks toms": (
        {
            KICK: "x..o..x...x.....",
            SNARE: "....x.......x...",
            MID_TOM: "......o.......o.",
            TAMBOURINE: "o.o.o.o.o.o.o.o.",
        },
        {
            KICK: "x.....x...o.x...",
            SNARE: "....x.....-.x...",
            HIGH_TOM: "..o.......o.....",
            TAMBOURINE: "o.o.o.o.o.o.o.oo",
        },
    ),
    "heart": (
        {KICK: "x..o............", FLOOR_TOM: "........-..-...."},
        {KICK: "x..o....-..-....", SHAKER: "....-.......-..."},
    ),
    "stalk": (
        {KICK: "x..o....x..o....", FLOOR_TOM: "......-.......-.", SHAKER: "--------o-------"},
        {KICK: "x..o....x..o..o.", WOOD_LOW: "....o.......o...", SHAKER: "--------o-------"},
    ),
    "limp": (
        {KICK: "x......o........", WOOD_LOW: "....o......o....", COWBELL: "............-..."},
        {KICK: "x......o....o...", WOOD_LOW: "....o..........o", SHAKER: "o..-o..-o..-o..-"},
    ),
    "stumble": (
        {KICK: "x.....o....o....", WOOD_HIGH: "...o....o....o..", RIM: "....o.......o..."},
        {KICK: "x..o.......o....", WOOD_LOW: "...o....o......o", RIM: "....o......o...."},
    ),
    "march": (
        {KICK: "x...x...x...x...", SNARE: "..--x.--..--x.oo", FLOOR_TOM: "x.......x......."},
        {KICK: "x..xx...x..xx...", SNARE: "..--x.--x.--x.xx", FLOOR_TOM: "x.....x.x......."},
    ),
    "rock": (
        {KICK: "x..x..x.x.x.....", SNARE: "....x.......x...", CLOSED_HAT: "x.o.x.o.x.o.x.o."},
        {KICK: "x.x...x.x..x..x.", SNARE: "....x.......x..o", OPEN_HAT: "x...o...x...o..."},
    ),
    "double": (
        {KICK: "x.xxx.xxx.xxx.xx", SNARE: "....x.......x...", CLOSED_HAT: "x.o.x.o.x.o.x.o."},
        {KICK: "x.xxx.xxx.xxx.xx", SNARE: "....x..o....x.xx", CRASH: "o.......-......."},
    ),
}
FILLS: tuple[Groove, ...] = (
    {SNARE: "............o-xo", KICK: "x.......x......."},
    {SNARE: "........o-o-....", HIGH_TOM: "............xo..", LOW_TOM: "..............xo"},
    {HIGH_TOM: "........o.o.....", MID_TOM: "..........o.o...", FLOOR_TOM: "............o.xx"},
    {SNARE: "..........o...xx", FLOOR_TOM: "............x..."},
)
SOFT_FILLS: tuple[Groove, ...] = (
    {RIM: "............o.-o", SHAKER: "o.o.o.o.oooooooo"},
    {FLOOR_TOM: "............-.oo", SHAKER: "--------o---o-o-"},
    {WOOD_HIGH: "..........o.-.o.", WOOD_LOW: "............o..."},
)
