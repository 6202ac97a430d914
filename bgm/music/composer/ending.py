"""How a cue ends: with the chord that closes the piece, or with a breath into the boundary; and how a sting is made."""

from __future__ import annotations

from collections.abc import Iterator

from bgm.music.composer.form import tail_seconds
from bgm.music.composer.harmony import tonic_chord, voiced
from bgm.music.composer.instruments import in_range
from bgm.music.composer.keys import Key
from bgm.music.composer.rhythm import CRASH, KICK
from bgm.music.composer.sketch import Sketch
from bgm.music.score import Event, Note, Role

_RING = 0.62
"""Share of the tail in which the last notes are held; the rest belongs to the room."""


def final_chord(sketch: Sketch) -> list[Event]:
    """The tonic on the beat after the last, held by all who play, rolled a little."""
    beat, held = float(sketch.grid.beats), _RING * tail_seconds(sketch.seconds) / sketch.grid.seconds_per_beat
    low = round(55 - 10 * sketch.character.low)
    notes = voiced(sketch.chords[-1], (), low, low + 24)
    events = [event for role in (Role.PAD, Role.COMP) for event in _held(sketch, role, notes, beat, held)]
    events += _single(sketch, Role.BASS, 36 + (sketch.key.tonic - 36) % 12 - 12, beat, held)
    top = sketch.key.pitch(7 * round((sketch.character.register - sketch.key.tonic) / 12))
    events += _single(sketch, Role.LEAD, top, beat, held)
    if sketch.ensemble.drums and sketch.character.drums > 0.6:
        events += [Event(beat, held, CRASH, 0.7, Role.DRUMS), Event(beat, 0.2, KICK, 0.9, Role.DRUMS)]
    return events


def _held(sketch: Sketch, role: Role, notes: tuple[int, ...], beat: float, held: float) -> Iterator[Event]:
    program = sketch.ensemble.program(role)
    if program is None:
        return
    for i, note in enumerate(notes):
        late = 0.06 * i if role is Role.COMP else 0.0
        yield Event(beat + late, held - late, in_range(note, program), 0.75, role)


def _single(sketch: Sketch, role: Role, pitch: int, beat: float, held: float) -> list[Event]:
    program = sketch.ensemble.program(role)
    if program is None:
        return []
    return [Event(beat, held, in_range(pitch, program), 0.85, role)]


def sting(sketch: Sketch) -> list[Note]:
    """One chord of the mood, for cues too short for a bar, with a run up to it where there is time."""
    seconds, key = sketch.seconds, sketch.key
    velocity = round(40 + 70 * sketch.character.loudness)
    low = round(55 - 10 * sketch.character.low)
    chord = voiced(tonic_chord(key, (0, 4)), (), low, low + 24)
    run = 0.09 if seconds >= 0.8 else 0.0
    end = seconds * (_RING if sketch.ending else 1.0)
    notes = [Note(0.0, end, _playable(sketch, Role.PAD, pitch), round(0.7 * velocity), Role.PAD) for pitch in chord]
    notes += _run(sketch, key, run, velocity)
    for i, pitch in enumerate(chord):
        start = 3 * run + (0.015 * i if run else 0.0)
        notes.append(Note(start, max(start + 0.02, end), _playable(sketch, Role.COMP, pitch), velocity, Role.COMP))
    bass = _playable(sketch, Role.BASS, 24 + (key.tonic - 24) % 12)
    notes.append(Note(3 * run, max(3 * run + 0.02, end), bass, velocity, Role.BASS))
    playing = set(sketch.ensemble.programs)
    return sorted(
        (note for note in notes if note.role in playing), key=lambda note: (note.start, note.role, note.pitch)
    )


def _run(sketch: Sketch, key: Key, step: float, velocity: int) -> list[Note]:
    if not step:
        return []
    top = key.nearest_degree(sketch.character.register)
    pitches = [_playable(sketch, Role.LEAD, key.pitch(top + offset)) for offset in (-2, -1, 0, 2)]
    return [Note(i * step, i * step + 0.3, pitch, velocity, Role.LEAD) for i, pitch in enumerate(pitches)]


def _playable(sketch: Sketch, role: Role, pitch: int) -> int:
    program = sketch.ensemble.program(role)
    return pitch if program is None else in_range(pitch, program)
