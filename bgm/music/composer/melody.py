"""The theme: phrases built from the motif, stated, varied, answered and closed."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from bgm.music.composer.form import BAR, Kind, Section
from bgm.music.composer.instruments import GENERAL_MIDI, in_range
from bgm.music.composer.motif import Line, Tone, head, in_mood, inverted, moved, ornamented
from bgm.music.composer.sketch import Sketch
from bgm.music.score import Event, Role

Cell = tuple[float, Line]
"""A start in beats from the section's first, and the tones counted from there."""

PHRASE = 4
"""Bars of a phrase."""
_UNRESOLVED = 0.35
"""From this dissonance on, strong tones of the melody may stay outside the chord."""


def theme(sketch: Sketch, section: Section) -> list[Event]:
    """The melody of one section (events on the cue's grid); an intro and an interlude only hint at it."""
    rng = sketch.chance("theme", section.number)
    cells: list[Cell] = []
    for phrase in range(-(-section.bars // PHRASE)):
        bars = min(PHRASE, section.bars - PHRASE * phrase)
        for start, tones in _phrase(sketch, section, phrase, bars, rng):
            cells.append((PHRASE * BAR * phrase + start, tones))
    role = _voice(section)
    return [event for cell in cells for event in _sung(sketch, section, cell, role)]


def answer(sketch: Sketch, beat: float, beats: float) -> list[Event]:
    """A short call of the motif from ``beat`` on, for a gap in the speech that is ``beats`` long."""
    tones = tuple(tone for tone in _told(sketch) if tone.beat + min(tone.length, 0.5) <= beats)
    return _sung(sketch, sketch.section_at(beat), (beat, tones), Role.LEAD, offset=0.0)


def _voice(section: Section) -> Role:
    """The theme wanders: another instrument takes it in the contrast and in every second cycle's return."""
    hinted = section.kind in (Kind.INTRO, Kind.INTERLUDE)
    wandering = section.kind is Kind.CONTRAST or (section.kind is Kind.RETURN and section.cycle % 2 == 1)
    return Role.COUNTER if hinted or wandering else Role.LEAD


def _told(sketch: Sketch) -> Line:
    """The piece's motif in this cue's mood; always told the same way within a cue, so that it is recognised."""
    return in_mood(sketch.plan.motif, sketch.emotion, sketch.strength, sketch.chance("telling"))


def _phrase(sketch: Sketch, section: Section, number: int, bars: int, rng: Random) -> list[Cell]:
    """Motif, answer, motif again, close; a long motif leaves out the middle, a calm mood takes a breath there."""
    tones = _told(sketch)
    if section.kind in (Kind.INTRO, Kind.INTERLUDE):
        hint = head(tones, 3)
        return [(BAR * (bars - 1), hint)] if number % 2 == 1 or section.bars <= PHRASE else []
    tones = _developed(tones, section, rng)
    span = -(-int(max(tone.beat + tone.length for tone in tones)) // BAR)
    breathes = rng.random() > sketch.character.density + 0.25
    response = moved(tones, rng.choice((-1, 1, 2)))
    again = tones if number % 2 == 0 else moved(tones, 2)
    middle = (head(response, 3), ()) if breathes else (response, again)
    cells: list[Cell] = [(0.0, tones)]
    cells += [(BAR * bar, line) for bar, line in zip((1, 2), middle, strict=True) if span == 1 and bar < bars - 1]
    if bars > span:
        cells.append((BAR * (bars - 1), _close(number, rng)))
    return cells


def _developed(tones: Line, section: Section, rng: Random) -> Line:
    if section.kind is Kind.CONTRAST:
        return moved(rng.choice((inverted(tones), _backwards(tones))), 2)
    if section.kind is Kind.VARIATION:
        return rng.choice((ornamented(tones, rng), moved(tones, 2), _syncopated(tones)))
    if section.kind is Kind.RETURN:
        return ornamented(tones, rng) if rng.random() < 0.5 else tones
    return tones


def _backwards(tones: Line) -> Line:
    """The contour from its end; the rhythm stays."""
    steps = [tone.step for tone in reversed(tones)]
    return tuple(replace(tone, step=step - steps[0]) for tone, step in zip(tones, steps, strict=True))


def _syncopated(tones: Line) -> Line:
    """Tones after the first come half a beat early."""
    pushed = [replace(tone, beat=tone.beat - 0.5) if tone.beat >= 1 else tone for tone in tones]
    return tuple(pushed)


def _close(number: int, rng: Random) -> Line:
    """The end of a phrase: open after the first, at rest after the second."""
    target = rng.choice((1, 4)) if number % 2 == 0 else rng.choice((0, 2))
    lead = rng.choice((-1, 1))
    runs = (Tone(0.0, 0.5, target + 2 * lead), Tone(0.5, 0.5, target + lead), Tone(1.0, 2.5, target))
    steps = (Tone(0.0, 1.0, target + lead), Tone(1.0, 2.5, target))
    return rng.choice((runs, steps, (Tone(0.0, 3.0, target),)))


def _sung(sketch: Sketch, section: Section, cell: Cell, role: Role, offset: float | None = None) -> list[Event]:
    """Give the tones of a cell their pitches; the first belongs to the chord, and so do the strong ones of calm moods.

    ``offset`` is set for a cell that stands for itself, on beats of the cue and not of the section.
    """
    start, tones = cell
    program = sketch.ensemble.program(role)
    if program is None or not tones:
        return []
    first = BAR * section.first if offset is None else offset
    register = _comfortable(sketch.character.register - (7 if role is Role.COUNTER else 0), program)
    anchor = _chord_degree(sketch, first + start, sketch.key.nearest_degree(register))
    events: list[Event] = []
    before, step = anchor - tones[0].step, 0
    for tone in tones:
        beat = first + start + tone.beat
        if beat >= sketch.grid.beats or (offset is None and beat >= BAR * section.end):
            break
        degree = anchor + tone.step
        strong = tone.beat % 2 == 0 or tone.length >= 1.5
        if strong and (tone is tones[0] or sketch.character.dissonance < _UNRESOLVED):
            degree = _chord_degree(sketch, beat, degree, from_=before, way=tone.step - step)
        before, step = degree, tone.step
        pitch = in_range(sketch.key.pitch(degree) + tone.colour, program)
        length = min(tone.length, sketch.grid.beats - beat) * sketch.character.legato
        events.append(Event(beat, length, pitch, 1.0 if tone.beat == 0 else 0.9, role))
    return events


def _comfortable(pitch: float, program: int) -> float:
    """The pitch, moved into the middle of an instrument's range so that a phrase round it needs no octave jumps."""
    instrument = GENERAL_MIDI[program]
    return min(max(pitch, instrument.low + 7), instrument.high - 10)


def _chord_degree(sketch: Sketch, beat: float, degree: int, from_: int = 0, way: int = 0) -> int:
    """The degree nearest to ``degree`` whose tone is in the chord, if possible on the side of ``from_`` that ``way``
    points to, so that the contour of the motif is kept.
    """
    pcs = sketch.chord_at(beat).pcs
    near = [d for d in range(degree - 4, degree + 5) if sketch.key.pitch_class(d) in pcs]
    return min(
        near, key=lambda d: ((d - from_) * way < 0 or (way != 0 and d == from_), abs(d - degree), d), default=degree
    )


def countermelody(sketch: Sketch, section: Section) -> list[Event]:
    """Long guide tones against the theme, moving by the smallest step from chord to chord."""
    program = sketch.ensemble.program(Role.COUNTER)
    if program is None:
        return []
    pitch = in_range(round(sketch.character.register) - 9, program)
    events = []
    for bar in range(section.first, section.end):
        beat = BAR * bar + 2.0
        if beat >= sketch.grid.beats:
            break
        pcs = sketch.chord_at(beat).pcs[1:]
        pitch = in_range(
            min(range(pitch - 5, pitch + 6), key=lambda p: (p % 12 not in pcs, abs(p - pitch), p)), program
        )
        events.append(Event(beat, min(2.9, sketch.grid.beats - beat), pitch, 0.7, Role.COUNTER))
    return events
