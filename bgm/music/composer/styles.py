"""The ten styles, one card each: how the music is played, whatever its mood (:mod:`bgm.music.composer.moods`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bgm.music.composer.form import COMMON, COMPOUND, WALTZ, Meter
from bgm.music.composer.harmony import (
    FIFTH,
    NINTH,
    OPEN,
    SEVENTH,
    SEVENTH_NINTH,
    SIXTH,
    SUSPENDED,
    TRIAD,
    Colour,
    Progression,
)
from bgm.music.composer.patterns import (
    CLOSED_HAT,
    CRASH,
    CYMBAL,
    IN_SIX,
    IN_THREE,
    ORCHESTRA,
    RIDE,
    SHAKER,
    SNARE,
    Patterns,
)
from bgm.music.score import Role
from bgm.timeline import Style

Timing = Mapping[Role | int, float]
"""Seconds by which roles, or drums by their key, play late (negative: early)."""

EVEN = (1.0, 1.0, 1.0, 1.0)
BROAD = (2.0, 2.0)
FIRST = (2.0, 1.0, 1.0)
LAST = (1.0, 1.0, 2.0)
HURRIED = (1.0, 1.0, 1.0, 0.5, 0.5)
DOTTED = (1.5, 0.5, 1.0, 1.0)
PUSHED = (1.0, 0.5, 0.5, 2.0)
STILL = (4.0,)
"""Rhythms of harmony: bars that each chord of a four-bar phrase lasts."""


@dataclass(frozen=True, slots=True)
class Card:
    """A style. A mood's own choices (its mode, its tense chords) take precedence within it."""

    meters: tuple[Meter, ...]
    """One is drawn for the piece."""
    tempo: tuple[int, int]
    """Range of the piece's tempo, in quarters per minute."""
    limits: tuple[int, int]
    """No mood is played slower or faster."""
    kit: int
    """Program of the drums, see ``Score.kit``."""
    drums: float
    """Weight of the drums: 0 never any; under 1 the mood must ask for more before they play."""
    players: Mapping[Role, tuple[int, ...]]
    """General MIDI programs, one of each role's is drawn for the piece."""
    patterns: Patterns
    harmony: tuple[tuple[float, ...], ...]
    colours: tuple[Colour, ...]
    bright: tuple[Progression, ...]
    dark: tuple[Progression, ...]
    enters: Mapping[Role, float] = field(default_factory=dict)
    """The energy (0..1) from which a role plays, if it differs from ENTERS."""
    dark_leads: tuple[int, ...] = ()
    """Who takes the melody in a mood of low valence."""
    in_three: Patterns = IN_THREE
    in_six: Patterns = IN_SIX
    keeps: tuple[Role, ...] = ()
    """Roles whose patterns no mood changes (``Mood.motion``)."""
    swing: tuple[float, float] = (0.5, 0.5)
    """Where the second half of a ``swung`` note falls: 0.5 is straight, 0.66 a shuffle; drawn for the piece."""
    swung: float = 1.0
    """What is swung: the eighths of a beat of 1, or the sixteenths of 0.5."""
    timing: Timing = field(default_factory=dict)
    busy: float = 0.0
    """Added to the mood's density."""
    rests: float = 0.0
    """Added to the probability that the melody rests."""
    legato: float = 1.0
    room: float = 0.0
    """Added to the mood's room."""
    silent_under_speech: tuple[Role | int, ...] = ()
    """Roles, and drums by their key, that rest while somebody speaks; lead and counter always do."""

    @property
    def crash(self) -> int:
        """The key of the kit's crash cymbal."""
        return CYMBAL if self.kit == ORCHESTRA else CRASH

    def pattern(self, meter: Meter) -> Patterns:
        """The patterns for a meter."""
        return {COMMON: self.patterns, WALTZ: self.in_three, COMPOUND: self.in_six}[meter]


ENTERS: Mapping[Role, float] = {
    Role.PAD: 0.0,
    Role.COMP: 0.22,
    Role.BASS: 0.28,
    Role.LEAD: 0.0,
    Role.DRUMS: 0.34,
    Role.ARP: 0.52,
    Role.COUNTER: 0.66,
    Role.BOOM: 0.85,
}
_L, _C, _K, _A, _P, _B, _D, _X = (
    Role.LEAD,
    Role.COUNTER,
    Role.COMP,
    Role.ARP,
    Role.PAD,
    Role.BASS,
    Role.DRUMS,
    Role.BOOM,
)

CARDS: dict[Style, Card] = {
    Style.LOFI: Card(
        meters=(COMMON,),
        tempo=(70, 88),
        limits=(58, 132),
        kit=25,
        drums=1.1,
        players={_L: (11, 26, 4), _C: (73, 79), _K: (4,), _A: (108, 24), _P: (89,), _B: (33, 35), _X: (117,)},
        dark_leads=(26, 24),
        patterns=Patterns(
            ("long", "lazy", "lazy two", "soft push", "push"),
            ("whole", "lazy", "dotted"),
            ("drops", "slow", "picking"),
            ("dust", "boom bap", "boom bap busy"),
        ),
        harmony=(EVEN, FIRST, BROAD, DOTTED),
        colours=(SEVENTH, NINTH, SEVENTH_NINTH, SEVENTH),
        bright=((1, 4, 0, 5), (3, 2, 1, 0), (0, 5, 1, 4), (3, 4, 2, 5)),
        dark=((0, 3, 6, 2), (3, 6, 0, 0), (5, 3, 0, 6), (0, 5, 3, 4), (2, 5, 3, 0), (5, 2, 3, 6), (0, 2, 3, 6)),
        enters={_D: 0.2, _K: 0.0, _A: 0.7},
        swing=(0.56, 0.62),
        swung=0.5,
        timing={SNARE: 0.014, CLOSED_HAT: -0.004, _B: 0.008, _K: 0.012, _L: 0.016},
        busy=-0.1,
        rests=0.15,
    ),
    Style.ACOUSTIC: Card(
        meters=(COMMON, COMMON, COMPOUND),
        tempo=(88, 116),
        limits=(44, 174),
        kit=40,
        drums=0.9,
        players={_L: (73, 71, 24), _C: (40, 68), _K: (25, 24), _A: (24, 25), _P: (49,), _B: (32,), _X: (47,)},
        dark_leads=(40, 71),
        patterns=Patterns(
            ("rolled", "soft push", "folk", "strum"),
            ("half", "two", "bounce"),
            ("slow", "broken", "picking", "up eighths"),
            ("brush", "campfire", "stomp"),
        ),
        harmony=(EVEN, LAST, PUSHED, FIRST),
        colours=(TRIAD, TRIAD, OPEN, SUSPENDED),
        bright=((0, 4, 5, 3), (0, 3, 0, 4), (0, 3, 5, 4), (3, 0, 4, 0)),
        dark=((0, 5, 2, 6), (0, 6, 5, 6), (0, 3, 0, 4), (5, 6, 0, 0), (3, 0, 6, 2), (5, 3, 6, 0)),
        enters={_A: 0.25, _P: 0.6, _K: 0.3},
        timing={SHAKER: 0.006, _K: -0.004},
    ),
    Style.CORPORATE: Card(
        meters=(COMMON,),
        tempo=(100, 122),
        limits=(50, 184),
        kit=0,
        drums=1.0,
        players={_L: (0, 9, 27), _C: (48, 11), _K: (28, 0), _A: (12, 10, 28), _P: (48, 89), _B: (33,), _X: (117,)},
        dark_leads=(0,),
        patterns=Patterns(
            ("long", "four", "eighths"),
            ("whole", "dotted", "eighths"),
            ("slow", "up eighths", "wave eighths", "clock"),
            ("soft four", "pop", "pop claps"),
        ),
        harmony=(EVEN, EVEN, LAST, BROAD),
        colours=(TRIAD, OPEN, NINTH),
        bright=((0, 4, 5, 3), (5, 3, 0, 4), (3, 0, 4, 5), (0, 2, 3, 4), (0, 5, 3, 1), (3, 4, 5, 0), (5, 0, 3, 1)),
        dark=((0, 5, 2, 6), (5, 2, 6, 0), (0, 2, 5, 6), (3, 5, 0, 6)),
        enters={_K: 0.1, _A: 0.35, _D: 0.4},
        legato=0.9,
    ),
    Style.AMBIENT: Card(
        meters=(COMMON,),
        tempo=(60, 78),
        limits=(46, 120),
        kit=0,
        drums=0.0,
        players={_L: (98, 88, 79), _C: (91, 53), _K: (99, 88), _A: (98, 11, 46), _P: (95, 89), _B: (39,), _X: (116,)},
        dark_leads=(75, 92),
        patterns=Patterns(("long", "sighs"), ("whole", "pedal"), ("drops", "slow", "broken")),
        harmony=(STILL, BROAD, BROAD, (3.0, 1.0)),
        colours=(NINTH, OPEN, SUSPENDED, SIXTH),
        bright=((0, 3, 1, 3), (0, 1, 5, 1), (3, 0, 4, 0), (0, 5, 3, 0), (3, 5, 1, 0), (5, 1, 3, 4), (0, 2, 3, 1)),
        dark=(
            (0, 5, 2, 5),
            (0, 6, 2, 3),
            (0, 3, 5, 0),
            (5, 6, 0, 2),
            (0, 2, 5, 3),
            (3, 0, 6, 5),
            (5, 3, 2, 6),
            (2, 6, 3, 0),
        ),
        enters={_K: 0.3, _A: 0.4, _B: 0.2, _C: 0.7},
        busy=-0.3,
        rests=0.3,
        legato=1.15,
        room=0.35,
    ),
    Style.CINEMATIC_PIANO: Card(
        meters=(COMMON, COMPOUND, WALTZ),
        tempo=(66, 92),
        limits=(50, 138),
        kit=48,
        drums=0.45,
        players={_L: (0,), _C: (42, 40), _K: (0,), _A: (0,), _P: (48, 49), _B: (42, 43), _X: (47,)},
        patterns=Patterns(
            ("rolled", "sighs", "four", "eighths"),
            ("whole", "half"),
            ("slow", "broken", "up eighths", "wave eighths"),
            ("swell", "stage"),
        ),
        in_three=Patterns(("3 long", "3 soft", "3 lift"), ("3 whole", "3 turn"), ("3 broken",), ("3 stage",)),
        in_six=Patterns(("6 rock", "6 lilt"), ("6 whole", "6 rock"), ("6 broken", "6 wave"), ("6 stage",)),
        harmony=(EVEN, FIRST, BROAD, LAST),
        colours=(TRIAD, OPEN, NINTH, SUSPENDED),
        bright=((0, 4, 5, 3), (3, 0, 4, 5), (5, 3, 0, 4), (0, 2, 3, 3), (5, 2, 3, 0), (3, 5, 4, 1), (0, 5, 1, 3)),
        dark=(
            (0, 5, 2, 6),
            (0, 3, 5, 4),
            (5, 2, 6, 0),
            (0, 2, 5, 3),
            (5, 0, 3, 6),
            (3, 6, 0, 5),
            (2, 6, 0, 3),
            (0, 6, 3, 5),
        ),
        enters={_P: 0.45, _K: 0.0, _A: 0.25, _B: 0.4, _C: 0.75, _D: 0.7},
        rests=0.1,
        room=0.15,
    ),
    Style.TRAILER: Card(
        meters=(COMMON,),
        tempo=(84, 108),
        limits=(60, 168),
        kit=16,
        drums=1.1,
        players={_L: (48, 81), _C: (57, 60), _K: (44, 48), _A: (45, 48), _P: (52, 91), _B: (43, 38), _X: (116,)},
        dark_leads=(48, 56),
        patterns=Patterns(
            ("long", "ostinato", "gallop"),
            ("pedal", "throb", "eighths", "gallop"),
            ("ticking", "clock", "saw"),
            ("heart", "march of war", "war"),
        ),
        harmony=(BROAD, FIRST, STILL, EVEN),
        colours=(TRIAD, FIFTH, SUSPENDED),
        bright=((0, 5, 3, 4), (5, 3, 0, 4), (0, 6, 3, 0), (3, 4, 5, 5)),
        dark=((0, 5, 3, 4), (0, 0, 5, 6), (0, 2, 6, 5), (0, 6, 5, 4)),
        enters={_A: 0.2, _K: 0.4, _D: 0.4, _X: 0.6, _C: 0.6},
        legato=0.85,
        room=0.2,
        rests=0.1,
    ),
    Style.QUIRKY: Card(
        meters=(COMMON, COMMON, WALTZ),
        tempo=(104, 132),
        limits=(52, 200),
        kit=0,
        drums=0.9,
        players={_L: (71, 68, 73), _C: (12, 70), _K: (45,), _A: (12, 45), _P: (71, 49), _B: (70, 58), _X: (47,)},
        dark_leads=(71,),
        patterns=Patterns(
            ("ticks", "oom", "skip", "stabs late"),
            ("oompah", "stabs", "leaps"),
            ("creep", "sparkle", "run"),
            ("tiptoe", "blocks", "circus"),
        ),
        in_three=Patterns(("3 waltz", "3 lift"), ("3 waltz", "3 walk"), ("3 music box",), ("3 brush",)),
        harmony=(EVEN, HURRIED, DOTTED, FIRST),
        colours=(TRIAD, SIXTH, TRIAD),
        bright=((0, 0, 4, 0), (0, 1, 4, 0), (0, 3, 1, 4), (0, 5, 1, 4)),
        dark=((0, 4, 0, 4), (0, 5, 1, 4), (0, 1, 0, 4), (0, 6, 5, 4)),
        enters={_P: 0.8, _K: 0.0, _A: 0.3, _C: 0.6, _B: 0.0},
        legato=0.5,
        busy=0.05,
    ),
    Style.JAZZ: Card(
        meters=(COMMON, COMMON, COMMON, WALTZ),
        tempo=(104, 148),
        limits=(52, 224),
        kit=32,
        drums=1.2,
        players={_L: (59, 11, 26), _C: (71, 57), _K: (0, 26), _A: (11,), _P: (4, 48), _B: (32,), _X: (117,)},
        dark_leads=(59, 26),
        patterns=Patterns(
            ("rolled", "charleston", "shell", "two and four"),
            ("half", "walk", "walk down"),
            ("drops", "slow"),
            ("jazz brush", "jazz ride", "jazz drive"),
        ),
        in_three=Patterns(("3 soft", "3 waltz", "3 lift"), ("3 turn", "3 walk"), ("3 drops",), ("3 jazz",)),
        harmony=(EVEN, HURRIED, FIRST, PUSHED),
        colours=(SEVENTH, SEVENTH_NINTH, NINTH, SIXTH),
        bright=((1, 4, 0, 5), (0, 5, 1, 4), (2, 5, 1, 4), (0, 3, 2, 5)),
        dark=((1, 4, 0, 0), (0, 3, 6, 2), (5, 1, 4, 0), (0, 5, 1, 4)),
        enters={_P: 0.85, _K: 0.0, _B: 0.1, _D: 0.15, _A: 0.95},
        keeps=(_B,),
        swing=(0.6, 0.67),
        timing={RIDE: -0.004, _B: -0.003, _L: 0.02, _K: 0.006},
        busy=0.05,
        rests=0.1,
    ),
    Style.ELECTRONIC: Card(
        meters=(COMMON,),
        tempo=(108, 128),
        limits=(54, 192),
        kit=24,
        drums=1.1,
        players={_L: (81, 80), _C: (50, 99), _K: (50, 81), _A: (81, 80, 38), _P: (95, 89, 50), _B: (38,), _X: (116,)},
        dark_leads=(80, 81),
        patterns=Patterns(
            ("long", "pump", "trance"),
            ("whole", "offbeat", "rolling"),
            ("clock", "syncopes", "sequence"),
            ("pulse", "house", "club"),
        ),
        harmony=(EVEN, BROAD, LAST, BROAD),
        colours=(TRIAD, OPEN, SEVENTH, SUSPENDED),
        bright=((5, 3, 0, 4), (3, 4, 5, 5), (0, 4, 5, 3), (3, 0, 5, 4)),
        dark=((0, 5, 2, 6), (0, 0, 5, 6), (5, 6, 0, 0), (0, 3, 5, 6)),
        enters={_A: 0.2, _D: 0.3, _K: 0.45},
        busy=0.1,
        legato=0.85,
    ),
    Style.ORCHESTRAL: Card(
        meters=(COMMON, COMMON, WALTZ, COMPOUND),
        tempo=(80, 112),
        limits=(56, 168),
        kit=48,
        drums=0.7,
        players={_L: (73, 68, 40), _C: (60, 41), _K: (48, 45), _A: (46, 45), _P: (48, 49), _B: (43,), _X: (47,)},
        dark_leads=(40, 68),
        patterns=Patterns(
            ("long", "sighs", "ticks", "ostinato"),
            ("whole", "half", "dotted"),
            ("slow", "broken", "wave eighths"),
            ("swell", "stage", "parade"),
        ),
        in_three=Patterns(("3 long", "3 waltz", "3 lift"), ("3 whole", "3 turn"), ("3 broken",), ("3 stage",)),
        in_six=Patterns(("6 rock", "6 lilt"), ("6 whole", "6 rock"), ("6 broken",), ("6 stage",)),
        harmony=(EVEN, FIRST, HURRIED, LAST),
        colours=(TRIAD, TRIAD, SEVENTH),
        bright=((0, 3, 4, 0), (0, 5, 3, 4), (0, 1, 4, 0), (0, 4, 5, 3)),
        dark=((0, 3, 0, 4), (0, 5, 3, 4), (0, 3, 1, 4), (0, 6, 5, 4)),
        enters={_K: 0.3, _A: 0.55, _C: 0.55, _D: 0.6, _X: 0.8},
        room=0.2,
    ),
}

BRIGHT_CLOSES = ((3, 4), (1, 4), (5, 4), (5, 3), (2, 3), (1, 3))
DARK_CLOSES = ((3, 4), (5, 6), (5, 4), (3, 6), (5, 3), (2, 3), (6, 3), (2, 4))
"""How a piece may close, in a key with a major and with a minor third."""
