"""``compose(cue)``: the whole score of a cue, from its deciding fields alone (see ``bgm.music.score``).

The arrangement makes room for the voice, and its events become a performance: swing, accents, phrasing, and small
human deviations.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from random import Random

from bgm.music.composer.accompaniment import CHORDAL, arrange, band, fade_seconds, final_chord
from bgm.music.composer.form import GAP_SECONDS, STING_SECONDS
from bgm.music.composer.harmony import tonic_chord, voiced
from bgm.music.composer.melody import answer
from bgm.music.composer.patterns import BACKBEAT, CYMBALS
from bgm.music.composer.sketch import Sketch, sketch
from bgm.music.score import GENERAL_MIDI, PEDALLED, Control, Cue, Event, Note, Part, Role, Score, fitted

_PLACE = {
    Role.LEAD: (92, 60, 46),
    Role.COUNTER: (84, 84, 56),
    Role.COMP: (94, 44, 36),
    Role.ARP: (82, 92, 48),
    Role.PAD: (82, 70, 62),
    Role.BASS: (94, 64, 10),
    Role.BOOM: (92, 58, 50),
    Role.DRUMS: (104, 64, 22),
}
"""Volume, pan (64 is the middle) and reverb of each role."""
_EXPRESSION = 11
"""MIDI controller."""
_HIT_TOLERANCE = 0.06
"""Seconds by which a cut may miss an eighth of the music and still count as being on it."""
_HIT_DISTANCE = 3.0
"""Accents on cuts are at least this far apart, seconds."""
_USUAL_ENERGY, _LU_OF_ENERGY = 0.6, 10.5
"""The energy at which all takes share a loudness, and the LU between no and full energy."""


def compose(cue: Cue) -> Score:
    """Compose a cue of any length: under two seconds a sting, else sections of whole bars that fill it exactly.

    Neighbours (``before``, ``after``) are not looked at, so an edit to one segment never changes another's music.
    """
    plan = sketch(cue)
    notes = sting(plan) if plan.seconds < STING_SECONDS else _piece(cue, plan)
    playing = {note.role for note in notes}
    return Score(
        seconds=plan.seconds,
        tempo=plan.grid.tempo,
        beats=plan.grid.beats,
        meter=plan.grid.meter.name,
        tonic=plan.key.tonic,
        mode=plan.key.mode,
        room=plan.character.room,
        fade=fade_seconds(plan) if cue.ending else 0.0,
        parts=_parts(plan, playing),
        notes=tuple(notes),
        controls=tuple(_swells(plan, playing)),
        kit=plan.card.kit,
        changes=tuple(plan.grid.seconds(chord.beat) for chord in plan.chords),
        # The mix brings placements to one bed under speech; where nobody speaks this is what remains of the arc.
        level=_LU_OF_ENERGY * (_mean_energy(plan) - _USUAL_ENERGY),
        curve=() if cue.speech else tuple(_curve(plan)),
    )


def _curve(plan: Sketch) -> Iterator[tuple[float, float | None]]:
    """The loudness follows the energy where nobody speaks; a bed stays where the mix puts it."""
    for section in plan.sections:
        wanted = None if section.hints else _LU_OF_ENERGY * plan.energy(section)
        yield plan.grid.seconds(plan.bar * section.first), wanted
    if plan.ending:
        yield plan.grid.seconds(plan.grid.beats), None


def _mean_energy(plan: Sketch) -> float:
    bars = [section.bars for section in plan.sections]
    return math.fsum(n * energy for n, energy in zip(bars, plan.energies, strict=True)) / max(1, sum(bars))


def _piece(cue: Cue, plan: Sketch) -> list[Note]:
    events = make_room(arrange(plan), plan, cue.speech)
    if cue.ending:
        events += final_chord(plan)
    notes = perform(events, plan)
    accents = _hits(plan, cue.hits)
    return sorted([*notes, *accents], key=lambda note: (note.start, note.role, note.pitch)) if accents else notes


def _parts(plan: Sketch, playing: set[Role]) -> tuple[Part, ...]:
    parts = []
    for role in Role:
        program = plan.ensemble.program(role)
        if role not in playing or (program is None and role is not Role.DRUMS):
            continue
        volume, pan, reverb = _PLACE[role]
        # In soundfonts each instrument has its own level; the table balances them.
        balance = GENERAL_MIDI[program].volume / 100 if program is not None else 1.0
        wet = round(reverb * (0.6 + 0.8 * plan.character.room))
        pedal = program in PEDALLED and role is not Role.LEAD
        parts.append(Part(role, program or 0, min(127, round(volume * balance)), pan, min(127, wet), pedal=pedal))
    return tuple(parts)


def _swells(plan: Sketch, playing: set[Role]) -> Iterator[Control]:
    """Sustained parts swell in waves of two bars, deeper for a dissonant and distant mood."""
    depth = 10 + 50 * plan.character.room * plan.character.dissonance
    for role in sorted(playing & {Role.PAD, Role.COMP}):
        # Twice a beat: MIDI's expression moves in steps, and coarser ones would be heard on held notes.
        for half in range(math.ceil(2 * plan.grid.beats) + 1):
            wave = 0.5 - 0.5 * math.cos(math.pi * half / (2 * plan.bar))
            yield Control(plan.grid.seconds(half / 2), role, _EXPRESSION, round(118 - depth * (1 - wave)))


def _hits(plan: Sketch, hits: Sequence[float]) -> list[Note]:
    """Accents on picture cuts that fall on an eighth of the music, placed on the cut itself."""
    notes: list[Note] = []
    program = plan.ensemble.program(Role.BOOM)
    last = 0.0
    for hit in sorted(hits):
        # A cut further off the grid gets no accent: off the beat it would sound like a mistake.
        eighth = plan.grid.seconds(round(2 * plan.grid.beat(hit)) / 2)
        if abs(eighth - hit) > _HIT_TOLERANCE or hit - last < _HIT_DISTANCE or hit > plan.seconds - 1:
            continue
        last = hit
        velocity = round(50 + 60 * plan.character.loudness)
        if program is not None:
            low = fitted(plan.key.deep_tonic, program)
            notes.append(Note(hit, hit + 1.0, low, velocity, Role.BOOM))
        if plan.ensemble.drums and plan.character.drums > 0.3:
            notes.append(Note(hit, hit + 1.0, plan.card.crash, round(0.6 * velocity), Role.DRUMS))
    return notes


_SPREAD = 0.006
"""Standard deviation of a note's time, seconds; never more than three of them."""
_LAG = {Role.BASS: 0.003, Role.LEAD: 0.006, Role.COUNTER: 0.006, Role.PAD: -0.01}
"""Seconds by which a role plays behind the beat (or, like slow strings, ahead of it); the style adds its own."""
SHORTEST = 0.085
"""Seconds; no instrument speaks in less."""
_FLOOR = 0.30
"""The velocity at loudness 0, as a share of 127: even a soft note is struck."""
_QUIETEST, _GROWTH = 0.66, 0.5
"""The velocity at no energy, and what full energy adds to it: with the layers that enter it makes 4 to 6 LU."""


def perform(events: Iterable[Event], sketch: Sketch) -> list[Note]:
    """Notes in seconds, sorted, none outside the cue."""
    rng = sketch.chance("hands")
    notes = [note for event in events if (note := _played(event, sketch, rng)) is not None]
    return sorted(notes, key=lambda note: (note.start, note.role, note.pitch))


def _played(event: Event, sketch: Sketch, rng: Random) -> Note | None:
    grid, timing = sketch.grid, sketch.card.timing
    # Cut off at three deviations: beyond them lie a few notes in a thousand, and they would be plainly wrong.
    wobble = max(-3.0, min(3.0, rng.gauss(0.0, 1.0)))
    late = _LAG.get(event.role, 0.0) + timing.get(event.role, 0.0)
    if event.role is Role.DRUMS:
        late += timing.get(event.pitch, 0.0)
    start = grid.seconds(_swung(event.beat, sketch)) + _SPREAD * wobble + late
    start = max(0.0, start)
    end = min(sketch.seconds, start + max(SHORTEST, event.length * grid.seconds_per_beat))
    if end - start < min(SHORTEST, 0.5 * sketch.seconds) - 1e-9:
        return None
    return Note(start, end, event.pitch, _velocity(event, sketch, rng), event.role)


def _swung(beat: float, sketch: Sketch) -> float:
    """The beat with swing: the second half of each unit starts at ``swing``."""
    swing, unit = sketch.swing, sketch.card.swung
    whole = math.floor(beat / unit)
    # Swing stretches the first half of each unit and squeezes the second, so notes between are moved in proportion.
    part = beat / unit - whole
    moved = part * 2 * swing if part < 0.5 else swing + (part - 0.5) * 2 * (1 - swing)
    return (whole + moved) * unit


def _velocity(event: Event, sketch: Sketch, rng: Random) -> int:
    section = sketch.section_at(event.beat)
    loudness = _FLOOR + (1 - _FLOOR) * sketch.character.loudness
    level = event.velocity * loudness * (_QUIETEST + _GROWTH * sketch.energy(section))
    level *= _accent(event.beat, sketch) * _arch(event.beat, sketch)
    for role, lean in sketch.direction.balance:
        level *= 1 + 0.25 * lean if role is event.role else 1.0
    return max(8, min(127, round(127 * level + rng.gauss(0.0, 3.0))))


def _accent(beat: float, sketch: Sketch) -> float:
    """The first beat of a bar is the heaviest, the other strong ones the next."""
    place = beat % sketch.bar
    if place == 0:
        return 1.06
    return 1.0 if place in sketch.grid.meter.strong or place % 1 == 0 else 0.94


def _arch(beat: float, sketch: Sketch) -> float:
    """Phrases of four bars swell towards their middle and recede."""
    return 0.95 + 0.1 * math.sin(math.pi * (beat / (4 * sketch.bar) % 1))


Spans = tuple[tuple[float, float], ...]

_BEFORE, _AFTER = 0.15, 0.10
"""Seconds by which the music steps back before the voice and waits after it."""
_CEILING = 69
"""A4, 440 Hz."""
_LONG_GAP_BEATS = 8
"""In a gap of this length the theme itself is heard; in a shorter one a call of the motif."""
_SUNG = (Role.LEAD, Role.COUNTER)
_FALL = {Role.COMP: 0.86, Role.ARP: 0.8, Role.PAD: 0.92, Role.BASS: 0.92, Role.BOOM: 0.75, Role.DRUMS: 0.82}
"""Factor of the velocity under speech,"""
_SOFTER = 0.6
"""and an additional one for the back beat."""


def make_room(events: Sequence[Event], sketch: Sketch, speech: Spans) -> list[Event]:
    """The events with a bed where the voice speaks and answers of the motif in its pauses."""
    spoken = covered(speech)
    if not spoken:
        return list(events)
    gaps = _gaps(spoken, sketch)
    # 1. Who accompanies steps back under speech. 2. The melody is heard in its gaps alone: itself in long ones, a call
    #    of its motif in short ones, 3. and it is over when the voice returns.
    kept = [event for event in events if event.role not in _SUNG]
    sung = sorted((event for event in events if event.role in _SUNG), key=lambda event: event.beat)
    beats = [event.beat for event in sung]
    result = [lowered for event in kept if (lowered := _under(event, sketch, spoken)) is not None]
    for start, end in gaps:
        if end - start >= _LONG_GAP_BEATS:
            result += sung[bisect_left(beats, start) : bisect_left(beats, end - 0.5)]
        else:
            result += answer(sketch, start, end - start)
    return _ended_by_speech(result, gaps)


def covered(speech: Spans) -> list[tuple[float, float]]:
    """Speech with its margins, in seconds; spans closer than a gap are joined."""
    result: list[tuple[float, float]] = []
    for start, end in sorted(speech):
        # Shorter pauses are breaths: music couldn't enter and leave in them.
        if result and start - result[-1][1] < GAP_SECONDS + _BEFORE:
            result[-1] = (result[-1][0], max(result[-1][1], end + _AFTER))
        else:
            result.append((start - _BEFORE, end + _AFTER))
    return result


def _gaps(spoken: Sequence[tuple[float, float]], sketch: Sketch) -> list[tuple[float, float]]:
    """The pauses in beats, each starting on a beat."""
    edges = [0.0, *(time for span in spoken for time in span), sketch.seconds]
    gaps = []
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        # From the first whole beat in the pause: an answer that starts off the beat sounds late.
        first, last = -(-sketch.grid.beat(max(0.0, start)) // 1), min(sketch.grid.beat(end), sketch.grid.beats)
        if end - start >= GAP_SECONDS - _BEFORE - _AFTER and last - first >= 1:
            gaps.append((first, last))
    return gaps


def _under(event: Event, sketch: Sketch, spoken: Sequence[tuple[float, float]]) -> Event | None:
    """An accompanying event as it is under speech; None if it would be in the voice's way."""
    if not _inside(sketch.grid.seconds(event.beat), spoken):
        return event
    silent = (*sketch.card.silent_under_speech, *sketch.direction.without_under_speech)
    velocity = event.velocity * _FALL[event.role]
    if event.role in silent:
        return None
    if event.role is Role.DRUMS:
        if event.pitch in silent or (event.pitch in CYMBALS and event.velocity >= 0.55):
            return None
        return replace(event, velocity=velocity * (_SOFTER if event.pitch in BACKBEAT else 1.0))
    # By whole octaves: harmony and voice leading stay as they were.
    above = max(0, -(-(_highest(event, sketch) - _CEILING) // 12))
    return replace(event, pitch=event.pitch - 12 * above, velocity=velocity)


def _highest(event: Event, sketch: Sketch) -> int:
    """The pitch that decides by how many octaves a note is moved: that of its whole band, so that lines stay intact."""
    if event.role is Role.ARP:
        return max(event.pitch, sketch.bands.arp[1])
    return event.pitch


def _inside(time: float, spans: Sequence[tuple[float, float]]) -> bool:
    following = bisect_right(spans, time, key=lambda span: span[0])
    return following > 0 and time < spans[following - 1][1]


def _ended_by_speech(events: Iterable[Event], gaps: Sequence[tuple[float, float]]) -> list[Event]:
    """End melody notes that began in a gap when the voice returns."""
    result = []
    for event in events:
        length = event.length
        if event.role in _SUNG:
            gap = gaps[bisect_right(gaps, event.beat, key=lambda span: span[0]) - 1]
            length = min(length, gap[1] - event.beat)
        if length > 0.05:
            result.append(replace(event, length=length))
    return result


def sting(sketch: Sketch) -> list[Note]:
    """One chord in the mood for cues shorter than a bar, with a run up to it if there is time."""
    seconds, key = sketch.seconds, sketch.key
    velocity = round(40 + 70 * sketch.character.loudness)
    run = 0.09 if seconds >= 0.8 else 0.0
    # The chord is struck at the end of the run; the pad enters at once.
    struck = 3 * run
    notes = []
    for role in CHORDAL:
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
