"""How each mood is played: progressions, chord colours, patterns. From calm to busy; the character chooses between."""

from __future__ import annotations

from dataclasses import dataclass

from bgm.music.composer.harmony import (
    CLUSTER,
    FIFTH,
    NINTH,
    SEVENTH,
    SUSPENDED,
    TRIAD,
    TRITONE,
    Colour,
    Progression,
)
from bgm.music.composer.seeds import stream
from bgm.timeline import Emotion, Style


@dataclass(frozen=True, slots=True)
class Card:
    """The vocabulary of a mood. Patterns name entries of ``rhythm`` and run from calm to busy."""

    progressions: tuple[Progression, ...]
    contrast: tuple[Progression, ...]
    cadence: tuple[int, int]
    """The two degrees before the final tonic."""
    leading: bool
    """The dominant has a major third, as in harmonic minor."""
    colours: tuple[Colour, ...]
    rough: tuple[Colour, ...]
    """Chords for dissonance."""
    comp: tuple[str, ...]
    bass: tuple[str, ...]
    arp: tuple[str, ...]
    groove: tuple[str, ...]


STYLES: dict[Emotion, Card] = {
    Emotion.JOY: Card(
        progressions=((0, 4, 5, 3), (0, 3, 0, 4), (0, 5, 3, 4), (0, 3, 1, 4), (0, 2, 3, 4)),
        contrast=((3, 4, 0, 5), (5, 3, 0, 4), (1, 4, 2, 5), (3, 0, 3, 4)),
        cadence=(3, 4),
        leading=False,
        colours=(TRIAD, TRIAD, NINTH),
        rough=(SUSPENDED,),
        comp=("push", "strum", "offbeat", "skip"),
        bass=("two", "bounce", "walk"),
        arp=("up eighths", "wave eighths", "sparkle"),
        groove=("light", "pop", "pop claps", "shuffle"),
    ),
    Emotion.SURPRISE: Card(
        progressions=((0, 1, 0, 1), (0, 1, 4, 1), (0, 2, 1, 0), (0, 4, 1, 5), (0, 1, 5, 1)),
        contrast=((4, 1, 0, 1), (5, 1, 2, 1), (1, 4, 1, 0)),
        cadence=(1, 4),
        leading=False,
        colours=(TRIAD, TRIAD, NINTH),
        rough=(SEVENTH, TRITONE),
        comp=("stabs", "stabs late", "skip"),
        bass=("stabs", "leaps", "bounce"),
        arp=("sparkle", "run", "wave eighths"),
        groove=("breaks", "breaks toms", "pop claps"),
    ),
    Emotion.NEUTRAL: Card(
        progressions=((0, 3, 0, 3), (0, 6, 3, 0), (0, 2, 3, 0), (0, 4, 3, 3), (0, 1, 3, 0)),
        contrast=((3, 0, 6, 3), (2, 3, 0, 0), (5, 3, 4, 0)),
        cadence=(3, 6),
        leading=False,
        colours=(SEVENTH, SUSPENDED, NINTH),
        rough=(NINTH,),
        comp=("long", "soft push", "push"),
        bass=("whole", "two", "dotted"),
        arp=("slow", "broken"),
        groove=("brush", "light"),
    ),
    Emotion.SADNESS: Card(
        progressions=((0, 3, 0, 4), (0, 5, 3, 4), (0, 4, 0, 3), (0, 3, 5, 4), (0, 0, 3, 0), (0, 5, 0, 4), (0, 6, 5, 4)),
        contrast=((3, 0, 5, 4), (5, 3, 0, 4), (3, 4, 0, 5)),
        cadence=(3, 4),
        leading=True,
        colours=(TRIAD, TRIAD, NINTH),
        rough=(SEVENTH,),
        comp=("rolled", "sighs", "soft push"),
        bass=("whole", "dotted", "two"),
        arp=("broken", "slow", "up eighths"),
        groove=(),
    ),
    Emotion.FEAR: Card(
        progressions=((0, 0, 1, 0), (0, 5, 0, 4), (0, 1, 0, 4), (0, 0, 5, 1), (0, 3, 1, 0)),
        contrast=((3, 3, 1, 4), (5, 1, 4, 4), (1, 0, 1, 4)),
        cadence=(1, 4),
        leading=True,
        colours=(TRIAD,),
        rough=(CLUSTER, TRITONE),
        comp=("tremolo", "ticks"),
        bass=("pedal", "throb"),
        arp=("ticking", "clock", "ticking"),
        groove=("heart", "heart", "stalk"),
    ),
    Emotion.DISGUST: Card(
        progressions=((0, 1, 0, 4), (0, 4, 0, 1), (0, 5, 4, 1), (0, 1, 4, 0), (0, 3, 1, 4)),
        contrast=((4, 1, 5, 0), (1, 4, 1, 4), (5, 4, 1, 1)),
        cadence=(1, 4),
        leading=False,
        colours=(TRIAD, TRITONE),
        rough=(CLUSTER, TRITONE),
        comp=("limp", "late", "limp"),
        bass=("limp", "oompah", "creep"),
        arp=("creep", "hobble"),
        groove=("limp", "stumble"),
    ),
    Emotion.ANGER: Card(
        progressions=((0, 0, 1, 0), (0, 0, 0, 1), (0, 1, 0, 6), (0, 0, 6, 0), (0, 0, 3, 1)),
        contrast=((3, 0, 1, 0), (6, 0, 1, 0), (3, 1, 0, 0)),
        cadence=(6, 1),
        leading=False,
        colours=(TRIAD, FIFTH),
        rough=(CLUSTER, TRITONE),
        comp=("gallop", "eighths", "chops"),
        bass=("eighths", "gallop", "eighths turn"),
        arp=("saw", "saw turn"),
        groove=("march", "rock", "double"),
    ),
}

_FITTING: dict[Emotion, tuple[Style, ...]] = {
    Emotion.JOY: (Style.ACOUSTIC, Style.CORPORATE, Style.QUIRKY, Style.JAZZ, Style.ELECTRONIC),
    Emotion.SURPRISE: (Style.QUIRKY, Style.ORCHESTRAL, Style.ELECTRONIC, Style.CORPORATE, Style.JAZZ),
    Emotion.NEUTRAL: (Style.LOFI, Style.CORPORATE, Style.ACOUSTIC, Style.JAZZ, Style.AMBIENT, Style.CINEMATIC_PIANO),
    Emotion.SADNESS: (Style.CINEMATIC_PIANO, Style.AMBIENT, Style.ACOUSTIC, Style.LOFI, Style.ORCHESTRAL),
    Emotion.FEAR: (Style.TRAILER, Style.AMBIENT, Style.ORCHESTRAL, Style.ELECTRONIC),
    Emotion.DISGUST: (Style.QUIRKY, Style.ORCHESTRAL, Style.ELECTRONIC, Style.TRAILER),
    Emotion.ANGER: (Style.TRAILER, Style.ELECTRONIC, Style.ORCHESTRAL),
}
"""Styles that suit a video in which an emotion dominates."""


def auto_style(piece_seed: int, dominating: Emotion) -> Style:
    """The style of a piece for a video in which ``dominating`` is felt most."""
    return stream(piece_seed, "style").choice(_FITTING[dominating])
