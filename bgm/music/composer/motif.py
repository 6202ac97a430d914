"""The motif: the few notes that all segments of a piece share, and what each mood makes of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from bgm.music.composer.seeds import stream
from bgm.timeline import Emotion

_RHYTHMS = (
    (1.0, 0.5, 0.5, 2.0),
    (1.5, 0.5, 1.0, 1.0),
    (0.5, 0.5, 1.0, 2.0),
    (1.5, 0.5, 2.0),
    (0.5, 1.0, 0.5, 2.0),
    (1.0, 1.0, 2.0),
    (0.5, 0.5, 0.5, 0.5, 2.0),
    (2.0, 1.0, 1.0),
    (1.0, 1.5, 0.5, 1.0),
    (0.5, 1.5, 1.0, 1.0),
    (1.5, 1.5, 1.0),
    (0.75, 0.75, 0.5, 2.0),
)
"""Beats, one bar each."""
_CONTOURS = (
    (0, 1, 2, 4, 2),
    (0, 2, 1, 0, -1),
    (0, 4, 3, 2, 1),
    (0, -1, 0, 2, 4),
    (0, 2, 4, 3, 2),
    (0, 1, -1, 0, 2),
    (0, 3, 2, 3, 1),
    (0, -1, -2, 2, 1),
    (0, 1, 0, 4, 3),
    (0, 2, -1, 1, 0),
    (0, 5, 4, 2, 3),
    (0, 0, 1, 2, 4),
)
"""Scale steps from the first note: mostly steps, one leap, turned back after it."""


@dataclass(frozen=True, slots=True)
class Tone:
    """One note of a motif or of a theme: when it comes and how far it lies from the first, in scale steps."""

    beat: float
    length: float
    step: int
    colour: int = 0
    """Semitones by which it leaves the scale."""


Line = tuple[Tone, ...]


def motif_for(piece_seed: int) -> Line:
    """The motif of a piece, one bar long."""
    rng = stream(piece_seed, "motif")
    rhythm, contour = rng.choice(_RHYTHMS), rng.choice(_CONTOURS)
    return line(rhythm, contour)


def line(lengths: tuple[float, ...], steps: tuple[int, ...]) -> Line:
    """Tones one after another."""
    tones, beat = [], 0.0
    for length, step in zip(lengths, steps, strict=False):
        tones.append(Tone(beat, length, step))
        beat += length
    return tuple(tones)


def in_mood(tones: Line, emotion: Emotion, strength: float, rng: Random) -> Line:
    """The motif as a mood tells it; a weak mood leaves it nearly as it is."""
    if strength < 0.4:
        return tones
    return _TELLERS[emotion](tones, rng)


def inverted(tones: Line) -> Line:
    """Up becomes down."""
    return tuple(replace(tone, step=-tone.step) for tone in tones)


def moved(tones: Line, steps: int) -> Line:
    """The same contour from another step of the scale."""
    return tuple(replace(tone, step=tone.step + steps) for tone in tones)


def stretched(tones: Line, factor: float) -> Line:
    """Augmentation (factor over 1) or diminution."""
    return tuple(replace(tone, beat=tone.beat * factor, length=tone.length * factor) for tone in tones)


def head(tones: Line, count: int) -> Line:
    """Its first tones."""
    return tones[:count]


def ornamented(tones: Line, rng: Random) -> Line:
    """One of the long tones becomes a tone, its neighbour and the tone again."""
    chosen = rng.choice([tone for tone in tones if tone.length >= 1.0] or list(tones))
    result: list[Tone] = []
    for tone in tones:
        if tone is not chosen:
            result.append(tone)
            continue
        half = tone.length / 2
        turn = tone.step + rng.choice((-1, 1))
        result += [
            replace(tone, length=half),
            Tone(tone.beat + half, half / 2, turn),
            Tone(tone.beat + 1.5 * half, half / 2, tone.step),
        ]
    return tuple(result)


def _joyful(tones: Line, rng: Random) -> Line:
    return ornamented(tones, rng)


def _sad(tones: Line, rng: Random) -> Line:
    falling = tones if sum(tone.step for tone in tones) < 0 else inverted(tones)
    return stretched(head(falling, rng.choice((3, 4))), 2.0)


def _angry(tones: Line, rng: Random) -> Line:
    hammered: list[Tone] = []
    for tone in tones:
        beats = max(1, round(tone.length / 0.5))
        hammered += [Tone(tone.beat + 0.5 * i, 0.5, min(2, max(-2, tone.step))) for i in range(min(beats, 3))]
    return tuple(hammered)


def _fearful(tones: Line, rng: Random) -> Line:
    fragment = tuple(replace(tone, step=max(-1, min(1, tone.step))) for tone in head(tones, 3))
    return (*stretched(fragment[:-1], 2.0), replace(fragment[-1], beat=fragment[-1].beat * 2, length=3.0))


def _disgusted(tones: Line, rng: Random) -> Line:
    limping = []
    for tone in inverted(tones):
        colour = rng.choice((-1, 1)) if tone.length < 1.5 else 0
        late = 0.25 if tone.beat % 1 == 0 and tone.beat > 0 else 0.0
        limping.append(Tone(tone.beat + late, max(0.25, tone.length - late), tone.step, colour))
    return tuple(limping)


def _surprised(tones: Line, rng: Random) -> Line:
    wide = [replace(tone, step=2 * tone.step if abs(tone.step) < 4 else tone.step) for tone in tones]
    quick = stretched(tuple(wide), 0.5)
    top = wide[-1].step + 7 if wide[-1].step < 4 else wide[-1].step - 7
    return (*quick[:-1], replace(quick[-1], length=0.5), Tone(2.5, 0.5, top))


def _plain(tones: Line, rng: Random) -> Line:
    return tones


_TELLERS = {
    Emotion.ANGER: _angry,
    Emotion.DISGUST: _disgusted,
    Emotion.FEAR: _fearful,
    Emotion.JOY: _joyful,
    Emotion.NEUTRAL: _plain,
    Emotion.SADNESS: _sad,
    Emotion.SURPRISE: _surprised,
}
