"""How the piece ends: with the chord that closes it; and how a sting, one chord for a very short cue, is made."""

from __future__ import annotations

from collections.abc import Iterator

from bgm.music.composer.accompaniment import band, roles, thinned
from bgm.music.composer.harmony import tonic_chord, voiced
from bgm.music.composer.instruments import fitted
from bgm.music.composer.patterns import KICK
from bgm.music.composer.sketch import Sketch
from bgm.music.score import Event, Note, Role

_FADE = 0.7
"""Share of the last chord's time over which it fades, once, to nothing."""
_CHORDAL = (Role.PAD, Role.COMP)


def fade_seconds(sketch: Sketch) -> float:
    """The fade at the end of the piece, the only one."""
    return _FADE * (sketch.seconds - sketch.grid.seconds(sketch.grid.beats))


def final_chord(sketch: Sketch) -> list[Event]:
    """The tonic on the beat after the last, held by all who play until the end, rolled a little."""
    beat = float(sketch.grid.beats)
    held = (sketch.seconds - sketch.grid.seconds(beat)) / sketch.grid.seconds_per_beat
    soft, big = sketch.direction.soft_ending is True, sketch.direction.soft_ending is False
    velocity = 0.7 if soft else 1.2 if big else 1.0
    events = [event for role in _CHORDAL for event in _chord(sketch, role, (beat, held), velocity)]
    events += _single(sketch, Role.BASS, sketch.key.deep_tonic, (beat, held), velocity)
    low, high = sketch.bands.lead
    top = next(pitch for pitch in range(low, high) if pitch % 12 == sketch.key.tonic)
    events += _single(sketch, Role.LEAD, top, (beat, held), velocity)
    has_drums = Role.DRUMS in roles(sketch, sketch.sections[-1]) and sketch.character.drums >= 0.3
    if soft or not (has_drums or big) or Role.DRUMS in sketch.direction.without:
        return events
    events += _single(sketch, Role.BOOM, sketch.key.deep_tonic, (beat, held), 1.0)
    struck = [Event(beat, held, sketch.card.crash, 0.7, Role.DRUMS), Event(beat, 0.3, KICK, 0.9, Role.DRUMS)]
    return events + [event for event in struck if event.pitch not in sketch.direction.without_keys]


def _chord(sketch: Sketch, role: Role, span: tuple[float, float], velocity: float) -> Iterator[Event]:
    program = sketch.ensemble.program(role)
    if program is None:
        return
    where = sketch.bands.pad if role is Role.PAD else sketch.bands.chords
    notes = voiced(sketch.chords[-1].pcs, (), *band(where, program))
    for i, note in enumerate(thinned(sketch, role, notes)):
        late = 0.06 * i if role is Role.COMP else 0.0
        yield Event(span[0] + late, span[1] - late, note, velocity, role)


def _single(sketch: Sketch, role: Role, pitch: int, span: tuple[float, float], velocity: float) -> list[Event]:
    program = sketch.ensemble.program(role)
    return [] if program is None else [Event(*span, fitted(pitch, program), velocity, role)]


def sting(sketch: Sketch) -> list[Note]:
    """One chord of the mood, for cues too short for a bar, with a run up to it where there is time."""
    seconds, key = sketch.seconds, sketch.key
    velocity = round(40 + 70 * sketch.character.loudness)
    run = 0.09 if seconds >= 0.8 else 0.0
    struck = 3 * run
    notes = []
    for role in _CHORDAL:
        program = sketch.ensemble.program(role)
        if program is None:
            continue
        start = 0.0 if role is Role.PAD else struck
        level = round(0.7 * velocity) if role is Role.PAD else velocity
        chord = voiced(tonic_chord(key, (0, 4)).pcs, (), *band(sketch.bands.chords, program))
        notes += [Note(start, seconds, pitch, level, role) for pitch in chord]
    notes += _run(sketch, run, velocity)
    program = sketch.ensemble.program(Role.BASS)
    if program is not None:
        notes.append(Note(struck, seconds, fitted(key.deep_tonic, program), velocity, Role.BASS))
    return sorted(notes, key=lambda note: (note.start, note.role, note.pitch))


def _run(sketch: Sketch, step: float, velocity: int) -> list[Note]:
    program = sketch.ensemble.program(Role.LEAD)
    if not step or program is None:
        return []
    top = sketch.key.nearest_degree(sketch.bands.lead[0] + 7)
    pitches = [fitted(sketch.key.pitch(top + offset), program) for offset in (-2, -1, 0, 2)]
    return [Note(i * step, i * step + 0.3, pitch, velocity, Role.LEAD) for i, pitch in enumerate(pitches)]
