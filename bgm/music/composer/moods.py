"""The seven emotions in music: one card each, with all that the composer, the grammar and the prompts know of it.

How an emotion's valence and arousal (benchmarks/circumplex.py has the coordinates) turn into mode, tempo, density,
register, loudness and articulation follows the findings collected by A. Gabrielsson and E. Lindström in "Handbook of
Music and Emotion" (2010). The style says who plays which patterns; the mood changes mode, tempo, density, tension and
motion inside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from bgm.digest import stream
from bgm.music.composer.harmony import DIMINISHED, FIFTH, SEVENTH, SUSPENDED, Colour, Progression
from bgm.music.composer.motif import Teller, angry, disgusted, fearful, ornamented, plain, sad, surprised
from bgm.music.score import Role
from bgm.timeline import Emotion, Style


@dataclass(frozen=True, slots=True)
class Character:
    """The musical character of a mood; everything but the mode is a number, so that moods can be blended."""

    pulse: float
    """Ideal tempo as a multiple of the piece's; the nearest of RATIOS that fits is played."""
    density: float
    """How busy the accompaniment and the melody are, 0..1."""
    register: float
    """MIDI pitch around which the melody lies."""
    loudness: float
    """How hard the notes are struck, 0..1."""
    dissonance: float
    """How likely a chord is a tense one, 0..1."""
    legato: float
    """The share of its written length that a note sounds."""
    drums: float
    """Weight of the percussion, 0..1; none below 0.15."""
    low: float
    """How far bass and chords are below the middle register, 0..1."""
    room: float
    """Size of the reverb's room, 0..1."""


@dataclass(frozen=True, slots=True)
class Names:
    """Words that ask for a mood, as in :mod:`bgm.music.vocabulary`, and what else some of them imply."""

    english: str
    korean: str
    density: float = 0.0
    loudness: float = 0.0


@dataclass(frozen=True, slots=True)
class Mood:
    """An emotion in music; anything that it leaves open is the style's."""

    full: Character
    """The character at full strength; a weaker one is interpolated between it and neutral."""
    modes: tuple[str, str]
    """Modes at weak and full strength, by their names in :mod:`bgm.music.composer.harmony`."""
    styles: tuple[Style, ...]
    """Styles that suit a video in which the emotion dominates."""
    mood: str
    """For the diffusion model: the mood in words, and typical instruments."""
    players: str
    names: tuple[Names, ...]
    dark: bool = False
    """Of low valence."""
    tell: Teller = plain
    """How the piece's motif is varied."""
    motion: Mapping[Role, tuple[str, ...]] = field(default_factory=dict)
    """Patterns of its own in 4/4, for every style: names of :mod:`bgm.music.composer.patterns`, from calm to busy."""
    progressions: tuple[Progression, ...] = ()
    """Its own in every style."""
    rough: tuple[Colour, ...] = ()
    """Chords for tension."""
    closes: tuple[tuple[int, int], ...] = ()
    """The two degrees before the final tonic."""
    leading: bool = False
    """Its dominant has a major third, as in harmonic minor."""


MOODS: dict[Emotion, Mood] = {
    Emotion.ANGER: Mood(
        Character(8 / 5, 0.95, 70, 0.95, 0.45, 0.55, 1.00, 0.9, 0.30),
        modes=("aeolian", "phrygian"),
        styles=(Style.TRAILER, Style.ELECTRONIC, Style.ORCHESTRAL),
        mood="furious, aggressive",
        players="distorted electric guitar, pounding drums, low brass",
        names=(
            Names("angry|angrier|anger|furious|rage|aggressive|violent|fierce|brutal", "화난|분노|격렬|공격적|거친"),
        ),
        dark=True,
        tell=angry,
        motion={Role.BASS: ("eighths", "gallop"), Role.ARP: ("ticking", "saw")},
        progressions=(
            *((0, 0, 1, 0), (0, 1, 0, 6), (0, 6, 5, 1), (0, 3, 1, 6), (0, 5, 6, 1), (0, 2, 1, 5), (0, 6, 3, 1)),
            *((0, 1, 5, 6), (0, 3, 5, 1)),
        ),
        rough=(FIFTH, DIMINISHED),
        closes=((6, 1), (5, 1), (3, 1), (1, 6), (5, 6)),
    ),
    Emotion.DISGUST: Mood(
        Character(1.0, 0.52, 68, 0.64, 0.60, 0.50, 0.50, 0.8, 0.40),
        modes=("aeolian", "hungarian minor"),
        styles=(Style.QUIRKY, Style.ORCHESTRAL, Style.ELECTRONIC, Style.TRAILER),
        mood="queasy, sour, uneasy",
        players="detuned synth, bassoon, plucked low strings",
        names=(
            Names("disgusting|disgust|disgusted|grotesque|sneaky|queasy|gross|weird|sleazy", "역겨|기괴|혐오|이상한"),
        ),
        dark=True,
        tell=disgusted,
        motion={Role.COMP: ("limp",), Role.BASS: ("limp",), Role.ARP: ("creep",)},
        progressions=((0, 1, 0, 4), (0, 4, 0, 1), (0, 5, 4, 1), (0, 1, 4, 0), (0, 3, 1, 4), (0, 5, 3, 4), (0, 1, 5, 4)),
        rough=(DIMINISHED, SEVENTH),
        closes=((1, 4), (5, 4), (3, 4)),
    ),
    Emotion.FEAR: Mood(
        Character(4 / 3, 0.78, 80, 0.46, 0.50, 0.80, 0.45, 0.7, 0.85),
        modes=("aeolian", "harmonic minor"),
        styles=(Style.TRAILER, Style.AMBIENT, Style.ORCHESTRAL, Style.ELECTRONIC),
        mood="tense, eerie, suspenseful",
        players="tremolo strings, dark drone, distant bells",
        names=(
            Names(
                "scary|scarier|fear|fearful|frightening|creepy|spooky|horror|tense|suspense|suspenseful|eerie|"
                "sinister|ominous|thriller|anxious|haunting|mysterious|mystery|dramatic|nervous",
                "무서|무섭|공포|긴장|불안|으스스|스릴|미스터리|신비|섬뜩|오싹|극적",
            ),
        ),
        dark=True,
        tell=fearful,
        motion={Role.BASS: ("pedal", "throb"), Role.ARP: ("saw",)},
        progressions=(
            *((0, 5, 0, 4), (0, 1, 0, 4), (0, 0, 5, 1), (0, 3, 1, 0), (0, 5, 3, 1), (0, 2, 5, 4), (0, 1, 5, 3)),
            *((0, 6, 3, 4), (0, 3, 5, 4)),
        ),
        rough=(DIMINISHED, SUSPENDED),
        closes=((1, 4), (5, 4), (3, 4), (5, 3)),
        leading=True,
    ),
    Emotion.JOY: Mood(
        Character(6 / 5, 0.72, 77, 0.74, 0.00, 0.75, 0.75, 0.2, 0.40),
        modes=("mixolydian", "ionian"),
        styles=(Style.ACOUSTIC, Style.CORPORATE, Style.QUIRKY, Style.JAZZ, Style.ELECTRONIC),
        mood="happy, bright, uplifting",
        players="acoustic guitar, piano, hand claps, light drums",
        names=(
            Names(
                "happy|happier|joyful|joyous|joy|cheerful|cheery|merry|sunny|optimistic|positive|feel good|fun|"
                "carefree|lighthearted|happiness",
                "행복|즐거|기쁜|기쁨|신나|신난|경쾌|밝고 즐|명랑|유쾌|발랄",
            ),
            Names(
                "upbeat|uplifting|lively|bouncy|playful|festive|celebration|celebratory|party|triumphant|victorious",
                "흥겨|파티|축제|활발",
                density=0.5,
            ),
            Names(
                "hopeful|hope|inspiring|heartwarming|romantic|love|lovely|sweet|wholesome",
                "희망|로맨틱|사랑|달콤|감동",
                loudness=-0.5,
            ),
        ),
        tell=ornamented,
    ),
    Emotion.NEUTRAL: Mood(
        Character(1.0, 0.34, 73, 0.50, 0.00, 0.90, 0.45, 0.3, 0.45),
        modes=("dorian", "dorian"),
        styles=(Style.LOFI, Style.CORPORATE, Style.ACOUSTIC, Style.JAZZ, Style.AMBIENT, Style.CINEMATIC_PIANO),
        mood="calm, unobtrusive, warm",
        players="soft electric piano, mellow synth pad",
        names=(
            Names(
                "neutral|plain|unobtrusive|subtle|discreet|serious|documentary|informative|news",
                "담담|중립|무난|은은|진지|다큐",
            ),
        ),
    ),
    Emotion.SADNESS: Mood(
        Character(3 / 5, 0.18, 70, 0.34, 0.04, 1.00, 0.13, 0.5, 0.75),
        modes=("aeolian", "aeolian"),
        styles=(Style.CINEMATIC_PIANO, Style.AMBIENT, Style.ACOUSTIC, Style.LOFI, Style.ORCHESTRAL),
        mood="sad, tender, melancholic",
        players="solo piano, cello, quiet strings",
        names=(
            Names(
                "sad|sadder|sadness|melancholic|melancholy|sorrowful|sorrow|mournful|heartbroken|heartbreaking|"
                "tragic|depressing|gloomy|lonely|grief|crying|tearful|bittersweet|nostalgic|nostalgia|wistful|moving|"
                "emotional",
                "슬픈|슬프|슬픔|우울|애절|애잔|쓸쓸|외로|그리운|그리움|눈물|향수|감성",
            ),
        ),
        dark=True,
        tell=sad,
        motion={Role.COMP: ("long", "sighs"), Role.BASS: ("whole",), Role.ARP: ("drops", "slow")},
        rough=(SEVENTH,),
        leading=True,
    ),
    Emotion.SURPRISE: Mood(
        Character(3 / 2, 0.85, 83, 0.80, 0.25, 0.40, 0.70, 0.1, 0.55),
        modes=("mixolydian", "lydian"),
        styles=(Style.QUIRKY, Style.ORCHESTRAL, Style.ELECTRONIC, Style.CORPORATE, Style.JAZZ),
        mood="wondrous, playful, sparkling",
        players="glockenspiel, pizzicato strings",
        names=(
            Names(
                "surprise|surprising|surprised|wonder|wondrous|magical|magic|amazed|astonished|sparkling",
                "놀라|놀란|신기|마법|경이",
            ),
        ),
        tell=surprised,
        motion={Role.COMP: ("stabs", "stabs late"), Role.BASS: ("leaps",), Role.ARP: ("sparkle", "run")},
        progressions=((0, 1, 0, 1), (0, 1, 4, 1), (0, 2, 1, 0), (0, 4, 1, 5), (0, 1, 5, 1)),
        rough=(SEVENTH, SUSPENDED),
    ),
}
NEUTRAL = MOODS[Emotion.NEUTRAL].full
FELT, TOLD, FULLY_FELT = 0.3, 0.4, 0.6
"""Strengths from which on a mood has its own progressions, tells the motif, and has its full mode and motion."""
RATIOS = (0.5, 1.0, 1.5, 2.0)
"""The tempi within a piece, as multiples of its own, so that it keeps one pulse."""


def strength(confidence: float) -> float:
    """The strength of a mood, 0..1. Among seven emotions a probability of one half is already clear: 0.75."""
    # Squared: the first doubts cost little, as seven classes share the rest
    kept = 1.0 - min(1.0, max(0.0, confidence))
    return 1.0 - kept * kept


def character(emotion: Emotion, felt: float) -> Character:
    """The character of an emotion at a strength of 0..1: linear between neutral and the full mood."""
    full = MOODS[emotion].full
    return Character(
        *((1 - felt) * getattr(NEUTRAL, field.name) + felt * getattr(full, field.name) for field in fields(Character))
    )


def auto_style(piece_seed: int, dominating: Emotion) -> Style:
    """The style of a piece for a video in which ``dominating`` is felt most."""
    return stream(piece_seed, "style").choice(MOODS[dominating].styles)
