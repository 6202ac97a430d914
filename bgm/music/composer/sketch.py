"""What is decided before the first note is written: key, tempo, form, harmony and players of one cue."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random

from bgm.media.audio import SAMPLE_RATE
from bgm.music.composer.ensembles import Ensemble, ensemble_for
from bgm.music.composer.form import BAR, Grid, Kind, Section, grid, sections
from bgm.music.composer.harmony import TRIAD, Chord, chord, pivot_chord, progression, tonic_chord
from bgm.music.composer.keys import Key, key_for
from bgm.music.composer.moods import Character, character, strength
from bgm.music.composer.plan import Plan, plan_for
from bgm.music.composer.seeds import stream
from bgm.music.composer.styles import STYLES, Card
from bgm.music.composer.sync import aligned, landmarks
from bgm.music.cue import Cue
from bgm.music.steering import wishes
from bgm.timeline import Emotion

_DOMINANT = 4
"""Degree."""


@dataclass(frozen=True, slots=True)
class Sketch:
    """The decisions for one cue; every part of the arrangement reads them and none changes them."""

    names: tuple[object, ...]
    """Root of all chance in this cue."""
    plan: Plan
    emotion: Emotion
    strength: float
    character: Character
    style: Card
    key: Key
    ensemble: Ensemble
    grid: Grid
    sections: tuple[Section, ...]
    chords: tuple[Chord, ...]
    seconds: float
    ending: bool

    def chance(self, *names: object) -> Random:
        """The stream of chance for one decision in this cue."""
        return stream(*self.names, *names)

    def chord_at(self, beat: float) -> Chord:
        """The chord that sounds at a beat."""
        starts = bisect_right(self.chords, beat, key=lambda item: item.beat)
        return self.chords[max(0, starts - 1)]

    def section_at(self, beat: float) -> Section:
        """The section in which a beat lies."""
        index = bisect_right(self.sections, beat / BAR, key=lambda item: item.first)
        return self.sections[max(0, index - 1)]


def sketch(cue: Cue) -> Sketch:
    """Take all decisions for a cue from its deciding fields."""
    names = (cue.piece.seed, cue.seed, cue.emotion.value)
    wanted = wishes(cue.prompt)
    emotion = wanted.feeling(cue.emotion)
    felt = strength(cue.confidence)
    plan, key = plan_for(cue.piece.seed), key_for(cue.piece.seed, emotion, felt)
    mood = _placed(wanted.applied(character(emotion, cue.confidence)), stream(*names, "place"))
    seconds = cue.frames / SAMPLE_RATE
    beats = grid(seconds, plan.pulse * mood.pulse, ending=cue.ending, hits=cue.hits)
    form = sections(beats.bars, stream(*names, "form"), opening=cue.opening)
    style = STYLES[emotion] if felt >= 0.3 else STYLES[Emotion.NEUTRAL]
    players = wanted.cast(ensemble_for(emotion, plan.palette, felt, stream(*names, "players")))
    bare = Sketch(
        names=names,
        plan=plan,
        emotion=emotion,
        strength=felt,
        character=mood,
        style=style,
        key=key,
        ensemble=players,
        grid=beats,
        sections=aligned(form, beats, landmarks(cue, seconds)),
        chords=(),
        seconds=seconds,
        ending=cue.ending,
    )
    return replace(bare, chords=_chords(bare))


def _placed(mood: Character, rng: Random) -> Character:
    """No two takes of a mood lie at quite the same height."""
    register = mood.register + rng.choice((-5, -3, 0, 2, 4))
    return replace(mood, register=register, low=min(1.0, max(0.0, mood.low + rng.uniform(-0.25, 0.25))))


def _chords(bare: Sketch) -> tuple[Chord, ...]:
    """The chords of all sections, and the close in place of the last ones."""
    result = [chord for section in bare.sections for chord in _section_chords(bare, section)]
    close = _cadence(bare) if bare.ending else _turn(bare)
    if not close:
        return tuple(result)
    start = close[0].beat
    kept = [replace(chord, length=min(chord.length, start - chord.beat)) for chord in result if chord.beat < start]
    return (*kept, *close)


def _section_chords(bare: Sketch, section: Section) -> Iterator[Chord]:
    """One chord a bar; within a cycle the theme always comes with the same progression, so that a return is heard."""
    pool = bare.style.contrast if section.kind is Kind.CONTRAST else bare.style.progressions
    colours = bare.chance("colours", section.number)
    roots = progression(pool, section.bars, bare.chance("harmony", section.cycle, section.kind is Kind.CONTRAST))
    for bar, root in enumerate(roots, section.first):
        rough = bar > 0 and colours.random() < bare.character.dissonance
        colour = colours.choice(bare.style.rough if rough else bare.style.colours)
        span = (BAR * bar, min(BAR, bare.grid.beats - BAR * bar))
        yield chord(bare.key, root, colour if bar else TRIAD, span, leading=bare.style.leading and root == _DOMINANT)


def _turn(bare: Sketch) -> list[Chord]:
    """The last two beats lead into whatever comes: the dominant that all moods share."""
    if bare.grid.beats < BAR:
        return []
    return [pivot_chord(bare.key, (bare.grid.beats - 2, 2))]


def _cadence(bare: Sketch) -> list[Chord]:
    """The close of the piece: two chords that lead home, and the tonic that rings."""
    (before, last), end = bare.style.cadence, bare.grid.beats
    close = [tonic_chord(bare.key, (end, 2 * BAR))]
    if end >= 2:
        span = min(BAR, end / 2)
        close.insert(0, chord(bare.key, last, TRIAD, (end - span, span), leading=bare.style.leading))
    if end >= 3 * BAR:
        close.insert(0, chord(bare.key, before, TRIAD, (end - 2 * BAR, BAR)))
    return close
