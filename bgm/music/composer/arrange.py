"""The accompaniment: pads, chords, broken chords, bass and drums, section by section."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from bgm.music.composer.form import BAR, Kind, Section
from bgm.music.composer.harmony import Chord, voiced
from bgm.music.composer.instruments import DISTORTED, in_range
from bgm.music.composer.melody import countermelody, theme
from bgm.music.composer.rhythm import ACCENTS, ARP, BASS, COMP, CRASH, FILLS, GROOVES, SOFT_FILLS, Groove
from bgm.music.composer.sketch import Sketch
from bgm.music.score import Event, Role


def arrange(sketch: Sketch) -> list[Event]:
    """All notes up to the boundary or up to the final chord."""
    events: list[Event] = []
    for section in sketch.sections:
        events += _section(sketch, section)
    return [event for event in events if event.beat < sketch.grid.beats]


def roles(sketch: Sketch, section: Section) -> frozenset[Role]:
    """Who plays in a section: the fuller the form and the mood, the more."""
    rng, mood = sketch.chance("roles", section.number), sketch.character
    playing = {Role.PAD, Role.BASS} if section.intensity > 0.4 else {Role.PAD}
    if section.kind not in (Kind.INTRO, Kind.INTERLUDE):
        playing |= {Role.LEAD, Role.COMP}
    if section.kind in (Kind.VARIATION, Kind.RETURN) and rng.random() < 0.75:
        playing.add(Role.COUNTER)
    if section.intensity < 0.5 or rng.random() < 0.55 + 0.45 * mood.density * section.intensity:
        playing.add(Role.ARP)
    if sketch.ensemble.drums and mood.drums * section.intensity > 0.18:
        playing.add(Role.DRUMS)
    return frozenset(playing)


def _section(sketch: Sketch, section: Section) -> Iterator[Event]:
    playing = roles(sketch, section)
    end = min(BAR * section.end, sketch.grid.beats)
    chords = [chord for chord in sketch.chords if BAR * section.first <= chord.beat < end]
    yield from theme(sketch, section)
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
    if Role.DRUMS in playing:
        yield from _drums(sketch, section)


def _choose(sketch: Sketch, section: Section, names: Sequence[str], what: str) -> str:
    """A pattern for a section: calm ones come first in ``names``, busy ones last."""
    busy = 0.5 * sketch.character.density + 0.5 * section.intensity
    place = busy * len(names) + sketch.chance(what, section.number).uniform(-0.8, 0.8)
    return names[min(len(names) - 1, max(0, int(place)))]


def _voicings(chords: Sequence[Chord], low: int, high: int) -> Iterator[tuple[Chord, tuple[int, ...]]]:
    previous: tuple[int, ...] = ()
    for chord in chords:
        previous = voiced(chord, previous, low, high)
        yield chord, previous


def _floor(sketch: Sketch) -> int:
    """The lowest note of the chords."""
    return round(55 - 10 * sketch.character.low)


def _pad(sketch: Sketch, chords: Sequence[Chord]) -> Iterator[Event]:
    program = sketch.ensemble.program(Role.PAD)
    if program is None:
        return
    low = _floor(sketch) - 2
    sounding: dict[int, Event] = {}
    for chord, notes in _voicings(chords, low, low + 21):
        pitches = {in_range(note, program) for note in notes}
        yield from (event for pitch, event in sounding.items() if pitch not in pitches)
        sounding = {pitch: _held(sounding.get(pitch), pitch, chord) for pitch in sorted(pitches)}
    yield from sounding.values()


def _held(before: Event | None, pitch: int, chord: Chord) -> Event:
    """A pad's note in a chord; one that already sounds is held on and not struck again."""
    if before is None:
        return Event(chord.beat, chord.length, pitch, 0.68, Role.PAD)
    return replace(before, length=chord.beat + chord.length - before.beat)


def _comp(sketch: Sketch, section: Section, chords: Sequence[Chord]) -> Iterator[Event]:
    program = sketch.ensemble.program(Role.COMP)
    if program is None:
        return
    name = _choose(sketch, section, sketch.style.comp, "comp")
    rng, low = sketch.chance("strikes", section.number), _floor(sketch)
    for chord, position in _voicings(chords, low, low + 18):
        notes = _power(chord, low) if program in DISTORTED else position
        for beat, length, accent in COMP[name]:
            if beat >= chord.length or (beat > 0 and rng.random() < 0.1):
                continue
            for i, note in enumerate(notes):
                late = 0.11 * i if name == "rolled" else 0.0
                held = min(length, chord.length - beat) - late
                pitch = in_range(note, program)
                yield Event(chord.beat + beat + late, held, pitch, 0.78 * accent, Role.COMP)


def _power(chord: Chord, low: int) -> tuple[int, ...]:
    """Root, fifth and octave: through a distorted amplifier anything else turns to noise."""
    root = low + (chord.pcs[0] - low) % 12
    return (root, root + 7, root + 12)


def _arp(sketch: Sketch, section: Section, chords: Sequence[Chord]) -> Iterator[Event]:
    program = sketch.ensemble.program(Role.ARP)
    if program is None:
        return
    figure = ARP[_choose(sketch, section, sketch.style.arp, "arp")]
    rng, low = sketch.chance("arp notes", section.number), _floor(sketch) + 9
    turn = rng.randrange(len(figure.order))
    for chord, notes in _voicings(chords, low, low + 22):
        ladder = [*notes, *(note + 12 for note in notes)]
        for i in range(int(chord.length / figure.step)):
            index = figure.order[i % len(figure.order)] if i else figure.order[0]
            if index is None or (i % 4 and rng.random() < 0.06):
                continue
            colour = figure.colour if i % len(figure.order) == turn and sketch.character.dissonance > 0.1 else 0
            pitch = in_range(ladder[index % len(ladder)] + colour, program)
            accent = 0.74 if i * figure.step % 1 == 0 else 0.62
            yield Event(chord.beat + i * figure.step, figure.length, pitch, accent, Role.ARP)


def _bass(sketch: Sketch, section: Section, chords: Sequence[Chord]) -> Iterator[Event]:
    program = sketch.ensemble.program(Role.BASS)
    if program is None:
        return
    main = _choose(sketch, section, sketch.style.bass, "bass")
    other = sketch.chance("bass change", section.number).choice(sketch.style.bass)
    for i, chord in enumerate(chords):
        following = sketch.chord_at(chord.beat + chord.length)
        for beat, length, tone, accent in BASS[other if i % 4 == 3 else main]:
            if beat < chord.length:
                pitch = in_range(_bass_pitch(sketch, chord, following, tone), program)
                yield Event(chord.beat + beat, min(length, chord.length - beat), pitch, 0.9 * accent, Role.BASS)


def _bass_pitch(sketch: Sketch, chord: Chord, following: Chord, tone: str) -> int:
    floor = round(34 - 6 * sketch.character.low)
    root = floor + (chord.pcs[0] - floor) % 12
    if tone == "p":
        return floor + (sketch.key.tonic - floor) % 12
    if tone == "a":
        target = floor + (following.pcs[0] - floor) % 12
        return target - 1 if target > root else target + 2
    fifth = (chord.pcs[-1] if len(chord.pcs) < 4 else chord.pcs[2]) - chord.pcs[0]
    steps = {"r": 0, "o": 12, "t": (chord.pcs[1] - chord.pcs[0]) % 12, "f": fifth % 12, "c": 1}
    return root + steps[tone]


def _drums(sketch: Sketch, section: Section) -> Iterator[Event]:
    if not sketch.style.groove:
        return
    groove = GROOVES[_choose(sketch, section, sketch.style.groove, "groove")]
    rng = sketch.chance("drums", section.number)
    loud = sketch.character.drums > 0.6
    for bar in range(section.first, section.end):
        last = bar == section.end - 1
        pattern = groove[(bar - section.first) % 4 == 3]
        yield from _bar_of_drums(bar, pattern, sketch.character.drums, until=2.0 if last and loud else 4.0)
        if last:
            yield from _bar_of_drums(bar, rng.choice(FILLS if loud else SOFT_FILLS), sketch.character.drums)
    if loud and section.intensity > 0.7 and section.first > 0:
        yield Event(BAR * section.first, 1.0, CRASH, 0.6, Role.DRUMS)


def _bar_of_drums(bar: int, pattern: Groove, weight: float, until: float = 4.0) -> Iterator[Event]:
    for key, steps in pattern.items():
        for step, mark in enumerate(steps):
            if mark in ACCENTS and step / 4 < until:
                yield Event(BAR * bar + step / 4, 0.2, key, (0.6 + 0.25 * weight) * ACCENTS[mark], Role.DRUMS)
