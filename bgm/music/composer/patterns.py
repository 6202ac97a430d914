"""One-bar patterns, in quarters, for chords, broken chords, basses and drums.

Names starting with ``3`` are in 3/4, with ``6`` in 6/8, the others in 4/4.
"""

from __future__ import annotations

from dataclasses import dataclass

from bgm.music.score import Role

Strike = tuple[float, float, float]
"""Beat, length in beats, accent 0..1."""

COMP: dict[str, tuple[Strike, ...]] = {
    "long": ((0, 3.9, 0.8),),
    "rolled": ((0, 1.9, 0.8), (2, 1.9, 0.65)),
    "sighs": ((0, 1.9, 0.8), (1, 0.9, 0.5), (3, 0.9, 0.6)),
    "soft push": ((0, 2.4, 0.8), (2.5, 1.4, 0.65)),
    "lazy": ((0, 1.3, 0.8), (1.75, 0.7, 0.6), (3.5, 0.4, 0.55)),
    "lazy two": ((0, 0.9, 0.75), (1.5, 0.9, 0.6), (2.75, 1.1, 0.65)),
    "push": ((0, 1.4, 0.85), (1.5, 0.4, 0.6), (2.5, 1.2, 0.75)),
    "strum": ((0, 0.9, 0.9), (1, 0.4, 0.65), (1.5, 0.9, 0.75), (2.5, 0.4, 0.6), (3, 0.4, 0.75), (3.5, 0.4, 0.6)),
    "folk": ((0, 0.5, 0.6), (1, 0.4, 0.85), (1.5, 0.3, 0.5), (2, 0.5, 0.6), (3, 0.4, 0.85), (3.5, 0.3, 0.55)),
    "offbeat": ((0.5, 0.4, 0.75), (1.5, 0.4, 0.8), (2.5, 0.4, 0.75), (3.5, 0.4, 0.8)),
    "skip": ((0, 0.3, 0.9), (0.75, 0.25, 0.6), (1.5, 0.4, 0.8), (2.75, 0.25, 0.65), (3.5, 0.4, 0.75)),
    "charleston": ((0, 0.6, 0.8), (1.5, 0.3, 0.75)),
    "two and four": ((1, 0.35, 0.7), (2.5, 0.3, 0.55), (3, 0.35, 0.75)),
    "shell": ((0.5, 0.3, 0.65), (2, 0.8, 0.75), (3.5, 0.4, 0.7)),
    "stabs": ((0, 0.3, 1.0), (1.5, 0.25, 0.8), (2.75, 0.25, 0.85)),
    "stabs late": ((0.75, 0.25, 0.9), (1.5, 0.25, 0.75), (3.25, 0.25, 0.95)),
    "four": ((0, 0.7, 0.85), (1, 0.7, 0.65), (2, 0.7, 0.75), (3, 0.7, 0.65)),
    "ticks": ((0, 0.3, 0.8), (1, 0.3, 0.5), (2, 0.3, 0.65), (3, 0.3, 0.5)),
    "oom": ((0.5, 0.3, 0.7), (1.5, 0.3, 0.65), (2.5, 0.3, 0.7), (3.5, 0.3, 0.65)),
    "limp": ((0, 0.4, 0.85), (1.25, 0.25, 0.6), (2, 0.4, 0.7), (3.25, 0.25, 0.6)),
    "ostinato": tuple((i / 2, 0.35, 0.9 if i in (0, 3, 6) else 0.6) for i in range(8)),
    "gallop": tuple((beat + at, 0.24, 0.95 - at / 3) for beat in range(4) for at in (0.0, 0.5, 0.75)),
    "eighths": tuple((i / 2, 0.42, 0.95 if i % 4 == 0 else 0.78) for i in range(8)),
    "pump": ((0.5, 0.45, 0.85), (1.5, 0.45, 0.85), (2.5, 0.45, 0.85), (3.25, 0.2, 0.7), (3.5, 0.45, 0.85)),
    "trance": tuple((i / 4, 0.2, 0.9 if i % 3 == 0 else 0.6) for i in (0, 2, 3, 5, 6, 8, 10, 11, 13, 14)),
    "3 long": ((0, 2.9, 0.8),),
    "3 waltz": ((1, 0.7, 0.7), (2, 0.6, 0.65)),
    "3 soft": ((0, 1.9, 0.75), (2, 0.9, 0.55)),
    "3 lift": ((0, 0.4, 0.6), (1, 0.4, 0.8), (1.5, 0.3, 0.55), (2, 0.4, 0.75), (2.5, 0.3, 0.5)),
    "3 drive": tuple((i / 2, 0.38, 0.9 if i % 6 == 0 else 0.68) for i in range(6)),
    "6 long": ((0, 2.9, 0.8),),
    "6 rock": ((0, 1.4, 0.8), (1.5, 1.4, 0.65)),
    "6 lilt": ((0, 0.9, 0.8), (1, 0.4, 0.5), (1.5, 0.9, 0.7), (2.5, 0.4, 0.55)),
    "6 strum": tuple((i / 2, 0.42, (0.9, 0.5, 0.65)[i % 3]) for i in range(6)),
}

BassTone = tuple[float, float, str, float]
"""Beat, length, tone, accent. Tones: r root, o its octave, t third, f fifth, a a step to the next chord's root,
c a semitone above, p the key's tonic as a pedal."""

BASS: dict[str, tuple[BassTone, ...]] = {
    "whole": ((0, 3.9, "r", 0.8),),
    "two": ((0, 1.9, "r", 0.85), (2, 1.5, "f", 0.7), (3.5, 0.5, "a", 0.6)),
    "dotted": ((0, 1.4, "r", 0.85), (1.5, 0.5, "r", 0.65), (2, 1.9, "f", 0.75)),
    "lazy": ((0, 1.6, "r", 0.9), (1.75, 0.25, "r", 0.55), (2.5, 0.9, "f", 0.7), (3.5, 0.5, "a", 0.6)),
    "bounce": ((0, 0.9, "r", 0.9), (1.5, 0.4, "r", 0.7), (2, 0.9, "f", 0.8), (3, 0.5, "o", 0.75), (3.5, 0.4, "a", 0.7)),
    "walk": ((0, 0.95, "r", 0.9), (1, 0.95, "t", 0.75), (2, 0.95, "f", 0.8), (3, 0.95, "a", 0.75)),
    "walk down": ((0, 0.95, "r", 0.9), (1, 0.95, "o", 0.72), (2, 0.95, "f", 0.8), (3, 0.95, "a", 0.75)),
    "half": ((0, 1.9, "r", 0.85), (2, 1.9, "f", 0.75)),
    "stabs": ((0, 0.4, "r", 0.95), (1.5, 0.3, "r", 0.75), (2.75, 0.3, "f", 0.8)),
    "leaps": ((0, 0.4, "r", 0.95), (0.75, 0.3, "o", 0.75), (2, 0.4, "f", 0.85), (3.5, 0.4, "a", 0.8)),
    "pedal": ((0, 3.95, "p", 0.75),),
    "throb": ((0, 0.45, "p", 0.85), (0.5, 0.4, "p", 0.6), (2, 0.45, "p", 0.75), (2.5, 0.4, "p", 0.55)),
    "limp": ((0, 0.5, "r", 0.9), (1.25, 0.25, "c", 0.6), (2, 0.5, "f", 0.75), (3.25, 0.5, "a", 0.6)),
    "oompah": ((0, 0.6, "r", 0.9), (2, 0.6, "f", 0.8), (3.5, 0.4, "a", 0.6)),
    "eighths": tuple((i / 2, 0.42, "r", 0.95 if i % 4 == 0 else 0.8) for i in range(8)),
    "eighths turn": (*((i / 2, 0.42, "r", 0.85) for i in range(6)), (3, 0.42, "f", 0.9), (3.5, 0.42, "a", 0.85)),
    "gallop": tuple((beat + at, 0.24, "r", 0.95 - at / 3) for beat in range(4) for at in (0.0, 0.5, 0.75)),
    "offbeat": tuple((beat + 0.5, 0.42, "o" if beat % 2 else "r", 0.85) for beat in range(4)),
    "rolling": tuple((i / 4, 0.2, "r", 0.6 if i % 2 else 0.85) for i in (0, 2, 3, 6, 7, 10, 11, 14, 15)),
    "3 whole": ((0, 2.9, "r", 0.8),),
    "3 waltz": ((0, 0.9, "r", 0.9),),
    "3 turn": ((0, 1.9, "r", 0.85), (2, 0.9, "a", 0.65)),
    "3 walk": ((0, 0.95, "r", 0.9), (1, 0.95, "t", 0.7), (2, 0.95, "a", 0.75)),
    "6 whole": ((0, 2.9, "r", 0.8),),
    "6 rock": ((0, 1.4, "r", 0.9), (1.5, 1.4, "f", 0.75)),
    "6 lilt": ((0, 0.9, "r", 0.9), (1, 0.4, "r", 0.55), (1.5, 0.9, "f", 0.75), (2.5, 0.4, "a", 0.6)),
}


@dataclass(frozen=True, slots=True)
class Figure:
    """A broken chord: a note every ``step`` beats; ``order`` numbers the chord's notes upwards. None is a rest."""

    step: float
    order: tuple[int | None, ...]
    length: float


ARP: dict[str, Figure] = {
    "slow": Figure(1.0, (0, 1, 2, 1), 1.4),
    "drops": Figure(1.0, (2, None, 1, None, 0, None, None, 1), 1.8),
    "broken": Figure(0.5, (0, 1, 2, 1, 3, 2, 1, 2), 1.2),
    "picking": Figure(0.5, (0, 2, 1, 3, 0, 3, 1, 2), 0.9),
    "up eighths": Figure(0.5, (0, 1, 2, 3, 1, 2, 3, 2), 0.9),
    "wave eighths": Figure(0.5, (0, 2, 1, 3, 2, 3, 1, 2), 0.6),
    "sparkle": Figure(0.5, (3, None, 2, 3, None, 1, 2, None), 0.5),
    "run": Figure(0.25, (0, 1, 2, 3, None, None, 2, None, 3, 2, 1, 0, None, None, None, None), 0.25),
    "ticking": Figure(0.5, (0, 0, 1, 0, 0, 0, 1, 0), 0.3),
    "clock": Figure(0.5, (0, 2, 0, 1, 0, 3, 0, 1), 0.3),
    "creep": Figure(0.5, (0, None, 1, 1, None, 2, None, 1), 0.4),
    "saw": Figure(0.25, (0, 0, 1, 0, 0, 1, 0, 0, 2, 0, 0, 1, 0, 0, 1, 0), 0.22),
    "sequence": Figure(0.25, (0, 2, 1, 3, 0, 2, 3, 1, 0, 2, 1, 3, 2, 3, 1, 2), 0.2),
    "syncopes": Figure(0.25, (0, None, None, 2, None, None, 1, None, None, 3, None, None, 2, None, 1, None), 0.4),
    "3 broken": Figure(0.5, (0, 1, 2, 3, 2, 1), 1.0),
    "3 drops": Figure(1.0, (2, 1, 0, None, 1, 2), 1.2),
    "3 music box": Figure(0.5, (0, 2, 1, 3, 1, 2), 0.5),
    "6 broken": Figure(0.5, (0, 1, 2, 3, 2, 1), 1.0),
    "6 wave": Figure(0.5, (0, 2, 3, 1, 2, 3), 0.6),
}

KICK, RIM, SNARE, CLAP, CLOSED_HAT, OPEN_HAT = 36, 37, 38, 39, 42, 46
FLOOR_TOM, LOW_TOM, MID_TOM, HIGH_TOM = 41, 45, 47, 50
CRASH, RIDE, TAMBOURINE, CYMBAL, SHAKER, WOOD_HIGH, WOOD_LOW, TRIANGLE = 49, 51, 54, 59, 70, 76, 77, 81
"""General MIDI percussion keys; CYMBAL is where an orchestra kit has its crash (and the drum kits a ride)."""
CYMBALS = (CRASH, CYMBAL)
ORCHESTRA = 48
"""The kit with timpani instead of toms, and its cymbals on other keys."""
BACKBEAT = (SNARE, CLAP)
"""Struck softer under speech."""

Groove = dict[int, str]
"""Sixteen steps (twelve in 3/4 and 6/8) for each drum: x accent, o stroke, - ghost stroke, . rest."""

ACCENTS = {"x": 1.0, "o": 0.72, "-": 0.42}
GROOVES: dict[str, tuple[Groove, Groove]] = {
    "dust": (
        {KICK: "x.........o.....", RIM: "....o.......o...", CLOSED_HAT: "o...-...o...-..."},
        {KICK: "x......-..o.....", RIM: "....o.......o..-", CLOSED_HAT: "o...-...o...-.-."},
    ),
    "boom bap": (
        {KICK: "x......o..x.....", SNARE: "....x.......x...", CLOSED_HAT: "o.-.o.-.o.-.o.-."},
        {KICK: "x......o..x..o..", SNARE: "....x..-....x...", CLOSED_HAT: "o.-.o.--o.-.o---"},
    ),
    "boom bap busy": (
        {KICK: "x.o....o..x....-", SNARE: "....x.......x..-", CLOSED_HAT: "o-o-o-o-o-o-o-o-"},
        {
            KICK: "x......o.ox..o..",
            SNARE: "....x..-.-..x...",
            CLOSED_HAT: "o-o-o-o-o-o-o-oo",
            OPEN_HAT: "..............o.",
        },
    ),
    "brush": (
        {KICK: "o.......o.......", RIM: "....-.......-...", SHAKER: "-.o.-.o.-.o.-.o."},
        {KICK: "o.....-.o.......", RIM: "....-.......-..-", SHAKER: "-.o.-.o.-.o.-.oo"},
    ),
    "campfire": (
        {KICK: "x.......x.......", TAMBOURINE: "....o.......o...", SHAKER: "o.-.o.-.o.-.o.-."},
        {KICK: "x.....o.x.......", TAMBOURINE: "....o.......o.-.", SHAKER: "o.-.o.-.o.-.o.--"},
    ),
    "stomp": (
        {
            KICK: "x.....o.x.o.....",
            CLAP: "....x.......x...",
            TAMBOURINE: "..o...o...o...o.",
            SHAKER: "o-o-o-o-o-o-o-o-",
        },
        {
            KICK: "x.....o.x.o...o.",
            CLAP: "....x.......x..-",
            TAMBOURINE: "..o...o...o...oo",
            SHAKER: "o-o-o-o-o-o-o-oo",
        },
    ),
    "soft four": (
        {KICK: "o...o...o...o...", CLOSED_HAT: "..-...-...-...-."},
        {KICK: "o...o...o...o...", CLOSED_HAT: "..-...-...-.-.-.", CLAP: "............-..."},
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
    "jazz brush": (
        {RIDE: "o...o...o...o...", SNARE: "-...o...-...o..."},
        {RIDE: "o...o.-.o...o.-.", SNARE: "-...o...-...o..."},
    ),
    "jazz ride": (
        {KICK: "-.......-.......", RIDE: "o...x.o.o...x.o.", CLOSED_HAT: "....o.......o..."},
        {KICK: "-.....o.-.......", RIDE: "o...x.o.o...x.o.", CLOSED_HAT: "....o.......o...", SNARE: "......-.......-."},
    ),
    "jazz drive": (
        {KICK: "o.....-.o.......", RIDE: "x...x.o.x...x.o.", CLOSED_HAT: "....x.......x...", SNARE: "......-...-....."},
        {KICK: "o.......-.....o.", RIDE: "x...x.o.x...x.o.", CLOSED_HAT: "....x.......x...", SNARE: "..-.......o...-."},
    ),
    "tiptoe": (
        {WOOD_LOW: "o.......o.......", WOOD_HIGH: "....-.......-...", TRIANGLE: "........-......."},
        {WOOD_LOW: "o.......o.....-.", WOOD_HIGH: "....-.......-...", TRIANGLE: "....-..........."},
    ),
    "blocks": (
        {
            KICK: "o.......o.......",
            WOOD_HIGH: "....o..-....o...",
            WOOD_LOW: "..-...o...-...o.",
            SHAKER: "-.-.-.-.-.-.-.-.",
        },
        {
            KICK: "o.....o.o.......",
            WOOD_HIGH: "....o.......o.oo",
            WOOD_LOW: "..-...o...-..-..",
            TRIANGLE: "o.......o.......",
        },
    ),
    "circus": (
        {
            KICK: "x...-...x...-...",
            SNARE: "..o...o...o...o-",
            WOOD_HIGH: "o..o..o...o..o..",
            TAMBOURINE: "....o.......o...",
        },
        {
            KICK: "x...-...x...-.o.",
            SNARE: "..o...o...o.o.oo",
            WOOD_LOW: "o..o..o...o..o..",
            TRIANGLE: "o.......o.......",
        },
    ),
    "pulse": (
        {KICK: "o...o...o...o...", SHAKER: "..-...-...-...-."},
        {KICK: "o...o...o...o...", SHAKER: "..-.-.-...-.-.-."},
    ),
    "house": (
        {
            KICK: "x...x...x...x...",
            CLAP: "....o.......o...",
            OPEN_HAT: "..o...o...o...o.",
            CLOSED_HAT: "o.-.o.-.o.-.o.-.",
        },
        {
            KICK: "x...x...x...x.o.",
            CLAP: "....o.......o..-",
            OPEN_HAT: "..o...o...o...o.",
            CLOSED_HAT: "o.--o.--o.--o.--",
        },
    ),
    "club": (
        {
            KICK: "x...x...x...x...",
            CLAP: "....x.......x...",
            OPEN_HAT: "..x...x...x...x.",
            CLOSED_HAT: "o-o-o-o-o-o-o-o-",
        },
        {
            KICK: "x...x...x...x..o",
            SNARE: "....x.......x.oo",
            OPEN_HAT: "..x...x...x...x.",
            CLOSED_HAT: "o-o-o-o-o-o-o-o-",
        },
    ),
    "heart": (
        {KICK: "x..o............", FLOOR_TOM: "........-..-...."},
        {KICK: "x..o....-..-....", FLOOR_TOM: "............-.-."},
    ),
    "march of war": (
        {KICK: "x.......x.......", FLOOR_TOM: "x..o..o.x..o..o.", LOW_TOM: "....-.......-.o."},
        {KICK: "x.....x.x.......", FLOOR_TOM: "x..o..o.x..o.oo.", LOW_TOM: "....-.......-.oo"},
    ),
    "war": (
        {KICK: "x..x..x.x..x..x.", FLOOR_TOM: "x.o.x.o.x.o.x.oo", SNARE: "....x.......x..."},
        {
            KICK: "x..x..x.x..x..x.",
            FLOOR_TOM: "x.o.x.o.x.oox.oo",
            SNARE: "....x.......x.xx",
            MID_TOM: "..........o...o.",
        },
    ),
    "swell": (
        {KICK: "o..............."},
        {KICK: "o.........-.....", TRIANGLE: "........-......."},
    ),
    "stage": (
        {KICK: "x.......o.......", SNARE: "............--oo", TRIANGLE: "....o..........."},
        {KICK: "x.......o.......", SNARE: "........--o---oo", TRIANGLE: "....o..........."},
    ),
    "parade": (
        {KICK: "x...o...x...o...", SNARE: "..--x.--..--x.oo", TAMBOURINE: "....o.......o..."},
        {KICK: "x..ox...x..ox...", SNARE: "..--x.--x.--x.xx", TAMBOURINE: "....o.......o..."},
    ),
    "3 brush": (
        {KICK: "o...........", RIM: "....-...-...", SHAKER: "-.o.-.o.-.o."},
        {KICK: "o.......-...", RIM: "....-...-..-", SHAKER: "-.o.-.o.-.oo"},
    ),
    "3 waltz": (
        {KICK: "x...........", SNARE: "....o...o...", CLOSED_HAT: "o.-.o.-.o.-."},
        {KICK: "x.........-.", SNARE: "....o...o.-.", CLOSED_HAT: "o.-.o.-.o.-."},
    ),
    "3 jazz": (
        {KICK: "o...........", RIDE: "o...x.o.x...", CLOSED_HAT: "....o...o..."},
        {KICK: "o.....-.....", RIDE: "o...x.o.x.o.", CLOSED_HAT: "....o...o..."},
    ),
    "3 stage": (
        {KICK: "x...........", SNARE: "....-.--o...", TRIANGLE: "........-..."},
        {KICK: "x.......o...", SNARE: "....-.--o.oo", TAMBOURINE: "....o...o..."},
    ),
    "6 brush": (
        {KICK: "o...........", RIM: "......-.....", SHAKER: "o.-.-.o.-.-."},
        {KICK: "o.........-.", RIM: "......-.....", SHAKER: "o.-.-.o.-.--"},
    ),
    "6 ballad": (
        {KICK: "x.........o.", SNARE: "......x.....", CLOSED_HAT: "o.-.-.o.-.-."},
        {KICK: "x...o.....o.", SNARE: "......x....-", CLOSED_HAT: "o.-.-.o.-.o."},
    ),
    "6 stage": (
        {KICK: "x.....o.....", SNARE: "......-.-.o.", TRIANGLE: "o..........."},
        {KICK: "x.....o.....", SNARE: "..-.--x.-.oo", TAMBOURINE: "......o....."},
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
    {RIM: "..........-.o.oo", SHAKER: "--------o---o-o-"},
    {WOOD_HIGH: "..........o.-.o.", WOOD_LOW: "............o..."},
)
ROLLS: tuple[Groove, ...] = (
    {SNARE: "........------oo", KICK: "o..............."},
    {SNARE: "........-.-.---o", TRIANGLE: "............o..."},
)
"""Fills of an orchestra, whose kit has timpani instead of toms."""


@dataclass(frozen=True, slots=True)
class Patterns:
    """Names of the patterns, each from calm to busy."""

    comp: tuple[str, ...]
    bass: tuple[str, ...]
    arp: tuple[str, ...]
    groove: tuple[str, ...] = ("brush",)

    def of(self, role: Role) -> tuple[str, ...]:
        """Those of one role."""
        return {Role.COMP: self.comp, Role.BASS: self.bass, Role.ARP: self.arp, Role.DRUMS: self.groove}[role]


IN_THREE = Patterns(
    ("3 long", "3 soft", "3 waltz", "3 lift", "3 drive"),
    ("3 whole", "3 turn", "3 waltz", "3 walk"),
    ("3 drops", "3 broken", "3 music box"),
    ("3 brush", "3 waltz"),
)
IN_SIX = Patterns(
    ("6 long", "6 rock", "6 lilt", "6 strum"),
    ("6 whole", "6 rock", "6 lilt"),
    ("6 broken", "6 wave"),
    ("6 brush", "6 ballad"),
)
"""For styles that have none of their own."""
