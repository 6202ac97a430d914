"""The accompaniment: pads, chords, broken chords, bass and drums, section by section; the chord that closes the piece;
and a sting, one chord for a very short cue.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from bgm.digest import stream
from bgm.music.composer.form import COMMON, Section
from bgm.music.composer.harmony import Chord, voiced
from bgm.music.composer.melody import Voice, countermelody, theme
from bgm.music.composer.moods import FULLY_FELT
from bgm.music.composer.patterns import (
    ACCENTS,
    ARP,
    BASS,
    COMP,
    FILLS,
    GROOVES,
    KICK,
    ORCHESTRA,
    ROLLS,
    SNARE,
    SOFT_FILLS,
    Groove,
)
from bgm.music.composer.sketch import Band, Sketch
from bgm.music.composer.styles import ENTERS
from bgm.music.score import DISTORTED, GENERAL_MIDI, Event, Role, fitted

_LOWEST_ROOT = 30
_LEAST_DRUMS = 0.15
Voicings = dict[Chord, tuple[int, ...]]


def arrange(sketch: Sketch) -> list[Event]:
    """All events up to the boundary or the final chord."""
    events: list[Event] = []
    voice = Voice(sketch)
    for section in sketch.sections:
        events += theme(voice, section)
        events += _section(sketch, section)
    return [event for event in events if event.beat < sketch.grid.beats]


def roles(sketch: Sketch, section: Section) -> frozenset[Role]:
    """The roles that play in a section: energy adds layers, in an order of each style's own."""
    # A busy mood brings its players in earlier, a sparse one later.
    energy = sketch.energy(section) + 0.4 * (sketch.character.density - 0.4)
    enters = {**ENTERS, **sketch.card.enters}
    playing = {role for role, at in enters.items() if energy >= at or role in sketch.direction.wanted}
    # Somebody has to play the harmony: if nobody does at this energy, the chords enter early.
    if not playing & {Role.PAD, Role.COMP} & set(sketch.ensemble.programs):
        playing |= {Role.COMP, Role.ARP}
    if not _has_drums(sketch):
        playing.discard(Role.DRUMS)
    return frozenset(playing)


def _has_drums(sketch: Sketch) -> bool:
    asked = Role.DRUMS in sketch.direction.wanted
    return sketch.ensemble.drums and (asked or sketch.character.drums >= _LEAST_DRUMS)


def _section(sketch: Sketch, section: Section) -> Iterator[Event]:
    playing = roles(sketch, section)
    end = min(sketch.bar * section.end, sketch.grid.beats)
    chords = [chord for chord in sketch.chords if sketch.bar * section.first <= chord.beat < end]
    if Role.COUNTER in playing:
        yield from countermelody(sketch, section)
    if Role.PAD in playing:
        yield from _pad(sketch, chords)
    if Role.COMP in playing:
        yield from _comp(sketch, section, chords)
    if Role.ARP in playing:
        yield from _arp(sketch, section, chords)
    if Role.BASS in playing:
        yield from _bass(sketch, section, chords)
    if Role.BOOM in playing:
        yield from _boom(sketch, section)
    if Role.DRUMS in playing:
        yield from _drums(sketch, section)


def choose(sketch: Sketch, section: Section, role: Role, what: str) -> str:
    """A role's pattern in a section: of its patterns, from calm to busy, the one that suits the mood's density."""
    names = _patterns(sketch, role)
    # The mood decides more than the section, so that a cue keeps its character; a little chance keeps two cues apart.
    busy = 0.75 * sketch.character.density + 0.25 * sketch.energy(section)
    place = busy * len(names) + sketch.chance(what, section.number).uniform(-0.4, 0.4)
    return names[min(len(names) - 1, max(0, int(place)))]


def _patterns(sketch: Sketch, role: Role) -> tuple[str, ...]:
    """The mood's own patterns if it has any and is clearly felt, else the style's."""
    moods = sketch.grid.meter is COMMON and sketch.strength >= FULLY_FELT and role not in sketch.card.keeps
    own = sketch.mood.motion.get(role, ()) if moods else ()
    return own or sketch.card.pattern(sketch.grid.meter).of(role)


def band(wanted: Band, program: int) -> Band:
    """The part of a band that an instrument can play, at least an octave."""
    instrument = GENERAL_MIDI[program]
    low = max(wanted[0], instrument.low)
    high = max(min(wanted[1], instrument.high), low + 12)
    return (low, high)


def _voicings(chords: Sequence[Chord], where: Band) -> Voicings:
    result: Voicings = {}
    previous: tuple[int, ...] = ()
    for chord in chords:
        result[chord] = previous = voiced(chord.pcs, previous, *where)
    return result


def _whole(notes: tuple[int, ...]) -> tuple[int, ...]:
    return notes


_Thinned = Callable[[tuple[int, ...]], tuple[int, ...]]
_THINNED: tuple[tuple[_Thinned, _Thinned], ...] = (
    (_whole, _whole),
    (_whole, lambda notes: notes[-2:]),
    (_whole, lambda notes: notes[1:] if len(notes) > 2 else notes),
    (lambda notes: notes[-2:], _whole),
    (lambda notes: notes[:2], _whole),
    (lambda notes: (notes[0], notes[-1]), _whole),
    (lambda notes: notes[1:] if len(notes) > 2 else notes, _whole),
)
"""Which of a chord's notes a piece's held chords have, and which its struck ones; one of the two has all."""


def thinned(sketch: Sketch, role: Role, notes: tuple[int, ...]) -> tuple[int, ...]:
    """The notes of a chord that the pad, or whoever strikes the chords, plays."""
    held, struck = stream(sketch.names[0], "thinned").choice(_THINNED)
    return held(notes) if role is Role.PAD else struck(notes)


def _pad(sketch: Sketch, chords: Sequence[Chord]) -> Iterator[Event]:
    program = sketch.ensemble.program(Role.PAD)
    if program is None:
        return
    # Common tones are tied over a change of chord, as string players would: a pad that is struck again pulses.
    sounding: dict[int, Event] = {}
    for chord, whole in _voicings(chords, band(sketch.bands.pad, program)).items():
        notes = thinned(sketch, Role.PAD, whole)
        yield from (event for pitch, event in sounding.items() if pitch not in notes)
        sounding = {pitch: _held(sounding.get(pitch), pitch, chord) for pitch in notes}
    yield from sounding.values()


def _held(before: Event | None, pitch: int, chord: Chord) -> Event:
    """A pad's note in a chord; one that already sounds is held, not struck again."""
    if before is None:
        return Event(chord.beat, chord.length, pitch, 0.66, Role.PAD)
    return replace(before, length=chord.end - before.beat)


def _comp(sketch: Sketch, section: Section, chords: Sequence[Chord]) -> Iterator[Event]:
    program = sketch.ensemble.program(Role.COMP)
    if program is None:
        return
    where = band(sketch.bands.chords, program)
    voicings = {chord: thinned(sketch, Role.COMP, notes) for chord, notes in _voicings(chords, where).items()}
    # Two patterns, the second for every fourth bar: it turns the phrase round.
    main, other = (choose(sketch, section, Role.COMP, what) for what in ("comp", "comp turn"))
    rng = sketch.chance("strikes", section.number)
    for bar in range(section.first, section.end):
        name = other if (bar - section.first) % 4 == 3 else main
        for beat, length, accent in _struck(sketch, bar, name, chords):
            # One in sixteen of the weak strikes is left out: a pattern that never varies is heard as a loop.
            if beat % 1 and rng.random() < 0.06:
                continue
            chord = sketch.chord_at(beat)
            notes = _power(chord, where[0]) if program in DISTORTED else voicings.get(chord, ())
            for i, note in enumerate(notes):
                late = 0.11 * i if name == "rolled" else 0.0
                held = min(length, chord.end - beat) - late
                yield Event(beat + late, held, fitted(note, program), 0.78 * accent, Role.COMP)


def _struck(sketch: Sketch, bar: int, name: str, chords: Sequence[Chord]) -> list[tuple[float, float, float]]:
    """The strikes of a bar; a chord that enters where the pattern has none is struck too."""
    start = sketch.bar * bar
    strikes = [(start + beat, length, accent) for beat, length, accent in COMP[name]]
    for chord in chords:
        inside = start < chord.beat < start + sketch.bar
        if inside and all(not -0.26 < beat - chord.beat < 0.51 for beat, _, _ in strikes):
            strikes.append((chord.beat, min(0.9, chord.length), 0.7))
    return sorted(strike for strike in strikes if strike[0] < sketch.grid.beats)


def _power(chord: Chord, low: int) -> tuple[int, ...]:
    """Root, fifth and octave: through a distorted amplifier anything else turns to noise."""
    root = low + (chord.pcs[0] - low) % 12
    return (root, root + 7, root + 12)


def _arp(sketch: Sketch, section: Section, chords: Sequence[Chord]) -> Iterator[Event]:
    program = sketch.ensemble.program(Role.ARP)
    if program is None:
        return
    figure = ARP[choose(sketch, section, Role.ARP, "arp")]
    rng = sketch.chance("arp notes", section.number)
    low, high = band(sketch.bands.arp, program)
    # Always below the melody, or the two blend into one line.
    high = min(high, sketch.bands.lead[0] - 1)
    # All chord tones in the band, ascending; a figure consists of indices into this ladder, so it fits any chord.
    ladders = {c: [p for p in range(low, high + 1) if p % 12 in c.pcs] for c in chords}
    for bar in range(section.first, section.end):
        for i in range(int(sketch.bar / figure.step)):
            beat = sketch.bar * bar + i * figure.step
            index = figure.order[i % len(figure.order)]
            ladder = ladders.get(sketch.chord_at(beat), [])
            # Rests of the figure, and occasionally another one, but not on strong beats.
            if index is None or not ladder or (i % 4 and rng.random() < 0.06):
                continue
            accent = 0.74 if i * figure.step % 1 == 0 else 0.62
            yield Event(beat, figure.length, ladder[min(index, len(ladder) - 1)], accent, Role.ARP)


def _bass(sketch: Sketch, section: Section, chords: Sequence[Chord]) -> Iterator[Event]:
    """A line around the roots, each near the previous one, within the range of the instrument."""
    program = sketch.ensemble.program(Role.BASS)
    if program is None:
        return
    floor = max(_LOWEST_ROOT, GENERAL_MIDI[program].low)
    ceiling = GENERAL_MIDI[program].high
    roots = _roots(chords, floor)
    main, other = (choose(sketch, section, Role.BASS, what) for what in ("bass", "bass turn"))
    for bar in range(section.first, section.end):
        for beat, length, tone, accent in _bass_bar(sketch, bar, other if bar % 4 == 3 else main, chords):
            chord = sketch.chord_at(beat)
            root = roots.get(chord)
            if root is None:
                continue
            # Approach tones lead into the next root: it has to be known before this bar is played.
            following = sketch.chord_at(chord.end)
            pitch = _bass_pitch(sketch, chord, root, roots.get(following, root), tone)
            held = min(length, chord.end - beat)
            yield Event(beat, held, root if pitch > ceiling else pitch, 0.9 * accent, Role.BASS)


def _roots(chords: Sequence[Chord], floor: int) -> dict[Chord, int]:
    result: dict[Chord, int] = {}
    last = floor + 5
    for chord in chords:
        low = floor + (chord.pcs[0] - floor) % 12
        # The octave nearest to the last root, within a ninth of the floor: a bass that keeps leaping distracts.
        last = low + 12 if low + 12 <= floor + 13 and abs(low + 12 - last) < abs(low - last) else low
        result[chord] = last
    return result


def _bass_bar(sketch: Sketch, bar: int, name: str, chords: Sequence[Chord]) -> list[tuple[float, float, str, float]]:
    start = sketch.bar * bar
    tones = [(start + beat, length, tone, accent) for beat, length, tone, accent in BASS[name]]
    for chord in chords:
        if start < chord.beat < start + sketch.bar:
            # Drop pattern notes right after the change, which the root of the new chord replaces.
            tones = [t for t in tones if not (chord.beat - 0.01 < t[0] < chord.beat + 0.51)]
            tones.append((chord.beat, 0.9, "r", 0.85))
    return sorted(tone for tone in tones if tone[0] < sketch.grid.beats)


def _bass_pitch(sketch: Sketch, chord: Chord, root: int, following: int, tone: str) -> int:
    if tone == "p":
        # A pedal is held through foreign chords, but at most a fifth above the root: any higher, and it is no bass.
        low = min(root, _LOWEST_ROOT + 6)
        return low + (sketch.key.tonic - low) % 12 if (sketch.key.tonic - low) % 12 < 7 else root
    if tone == "a":
        return following - 1 if following > root else following + 2 if following < root else root
    fifth = next((pc for pc in chord.pcs[1:] if (pc - chord.pcs[0]) % 12 in (6, 7)), chord.pcs[0] + 7) - chord.pcs[0]
    steps = {"r": 0, "o": 12, "t": (chord.pcs[1] - chord.pcs[0]) % 12, "f": fifth % 12, "c": 1}
    return root + steps[tone]


def _boom(sketch: Sketch, section: Section) -> Iterator[Event]:
    """The deep drum on the first beat of every second bar."""
    program = sketch.ensemble.program(Role.BOOM)
    if program is None or sketch.character.drums < _LEAST_DRUMS:
        return
    pitch = fitted(sketch.key.deep_tonic, program)
    for bar in range(section.first, section.end, 2):
        yield Event(sketch.bar * bar, 1.5, pitch, 0.8, Role.BOOM)


def _drums(sketch: Sketch, section: Section) -> Iterator[Event]:
    groove = GROOVES[choose(sketch, section, Role.DRUMS, "groove")]
    loud = sketch.character.drums > 0.6
    for bar in range(section.first, section.end):
        last = bar == section.end - 1
        fill = _fill(sketch, section) if last else {}
        # A loud fill replaces the second half of the bar; a soft one is added to the groove.
        until = sketch.bar / 2 if fill and loud else float(sketch.bar)
        yield from _bar_of_drums(sketch, bar, groove[(bar - section.first) % 4 == 3], until)
        yield from _bar_of_drums(sketch, bar, fill, float(sketch.bar))
    if loud and sketch.energy(section) > 0.75 and section.first > 0:
        yield Event(sketch.bar * section.first, 1.0, sketch.card.crash, 0.6, Role.DRUMS)


def _fill(sketch: Sketch, section: Section) -> Groove:
    """The drum fill in the last bar of a section."""
    loud = sketch.character.drums > 0.6
    choices = ROLLS if sketch.card.kit == ORCHESTRA else FILLS if loud else SOFT_FILLS
    fill = sketch.chance("drums", section.number).choice(choices)
    if sketch.grid.meter is not COMMON:
        # Fills are written for 4/4: their last three quarters end on the same bar line.
        fill = {key: steps[4:] for key, steps in fill.items()}
    return fill


def _bar_of_drums(sketch: Sketch, bar: int, pattern: Groove, until: float) -> Iterator[Event]:
    weight = 0.6 + 0.25 * min(1.0, sketch.character.drums)
    for key, steps in pattern.items():
        if key in sketch.direction.without_keys:
            continue
        for step, mark in enumerate(steps):
            if mark in ACCENTS and step / 4 < until:
                softer = 0.8 if key == SNARE and sketch.character.drums < 0.4 else 1.0
                yield Event(sketch.bar * bar + step / 4, 0.25, key, softer * weight * ACCENTS[mark], Role.DRUMS)


_FADE = 0.7
"""Share of the last chord's duration over which it fades to silence."""
CHORDAL = (Role.PAD, Role.COMP)


def fade_seconds(sketch: Sketch) -> float:
    """Length of the fade at the end of the piece, the only one."""
    return _FADE * (sketch.seconds - sketch.grid.seconds(sketch.grid.beats))


def final_chord(sketch: Sketch) -> list[Event]:
    """The tonic on the beat after the last, slightly rolled, held by everyone to the end."""
    beat = float(sketch.grid.beats)
    held = (sketch.seconds - sketch.grid.seconds(beat)) / sketch.grid.seconds_per_beat
    soft, big = sketch.direction.soft_ending is True, sketch.direction.soft_ending is False
    velocity = 0.7 if soft else 1.2 if big else 1.0
    events = [event for role in CHORDAL for event in _struck_chord(sketch, role, (beat, held), velocity)]
    events += _single(sketch, Role.BASS, sketch.key.deep_tonic, (beat, held), velocity)
    low, high = sketch.bands.lead
    top = next(pitch for pitch in range(low, high) if pitch % 12 == sketch.key.tonic)
    events += _single(sketch, Role.LEAD, top, (beat, held), velocity)
    # Crash and kick on the last chord only after drums that were heard, or where a big ending is asked for.
    has_drums = Role.DRUMS in roles(sketch, sketch.sections[-1]) and sketch.character.drums >= 0.3
    if soft or not (has_drums or big) or Role.DRUMS in sketch.direction.without:
        return events
    events += _single(sketch, Role.BOOM, sketch.key.deep_tonic, (beat, held), 1.0)
    struck = [Event(beat, held, sketch.card.crash, 0.7, Role.DRUMS), Event(beat, 0.3, KICK, 0.9, Role.DRUMS)]
    return events + [event for event in struck if event.pitch not in sketch.direction.without_keys]


def _struck_chord(sketch: Sketch, role: Role, span: tuple[float, float], velocity: float) -> Iterator[Event]:
    program = sketch.ensemble.program(role)
    if program is None:
        return
    where = sketch.bands.pad if role is Role.PAD else sketch.bands.chords
    notes = voiced(sketch.chords[-1].pcs, (), *band(where, program))
    for i, note in enumerate(thinned(sketch, role, notes)):
        late = 0.06 * i if role is Role.COMP else 0.0  # rolled upwards, as hands do on a last chord
        yield Event(span[0] + late, span[1] - late, note, velocity, role)


def _single(sketch: Sketch, role: Role, pitch: int, span: tuple[float, float], velocity: float) -> list[Event]:
    program = sketch.ensemble.program(role)
    return [] if program is None else [Event(*span, fitted(pitch, program), velocity, role)]
