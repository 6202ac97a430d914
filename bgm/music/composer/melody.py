"""The melody: periods of eight bars, each with one planned peak, rests, a half and a full cadence."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from random import Random

from bgm.music.composer.form import Kind, Section
from bgm.music.composer.moods import TOLD
from bgm.music.composer.motif import Cell, Line, Tone, cadence, inverted, joined, ornamented, rhythm
from bgm.music.composer.sketch import Sketch
from bgm.music.score import Event, Role, fitted

PERIOD, PHRASE = 8, 4
"""Bars."""
_UNRESOLVED = 0.35
"""From this dissonance on, strong tones of a motif may be outside the chord."""
_OUTLINE = (2, 3, 5, 3, 3, 5, 5, 1)
_SHORT_OUTLINE = (2, 4, 3, 1)
"""The target of each bar of a period, or of a single phrase: scale steps above the bottom of the melody's band."""
_PEAK, _SHORT_PEAK = 9, 7
"""The peak of a period, in the same steps; all other notes stay below it."""


@dataclass(frozen=True, slots=True)
class _Bar:
    """A planned bar: its tones (``step`` matters only in a motif), and its target in steps above the floor."""

    tones: Line
    aim: int
    is_motif: bool = False
    is_peak: bool = False
    closes: bool = False


def theme(voice: Voice, section: Section) -> list[Event]:
    """The melody of a section (events on the cue's grid); intros and interludes only hint at it."""
    sketch, sung = voice.sketch, len(voice.events)
    if section.hints:
        start = sketch.bar * (section.end - 1)
        return answer(sketch, start, sketch.bar) if section.bars > 1 else []
    for number, bar in enumerate(_planned(sketch, section)):
        voice.sing(sketch.bar * (section.first + number), bar)
    end = min(sketch.grid.beats, sketch.bar * section.end)
    return [event for event in voice.events[sung:] if event.beat < end]


def answer(sketch: Sketch, beat: float, beats: float) -> list[Event]:
    """A short call of the motif from ``beat`` on, for a gap in the speech that is ``beats`` long."""
    # Only tones that fit before the voice returns, a long last one if half a beat of it does.
    tones = tuple(tone for tone in _told(sketch) if tone.beat + min(tone.length, 0.5) <= beats)
    voice = Voice(sketch)
    if tones:
        voice.sing(beat, _Bar(tones, _OUTLINE[0], is_motif=True))
    return voice.events


def _told(sketch: Sketch) -> Line:
    """The piece's motif in this cue's mood; the same throughout a cue, so that it is recognised."""
    return sketch.mood.tell(sketch.motif, sketch.chance("telling")) if sketch.strength >= TOLD else sketch.motif


def _planned(sketch: Sketch, section: Section) -> list[_Bar]:
    """The bars of a section. A return repeats the statement; a contrast inverts the motif."""
    # The random stream is named after what must be alike: a return draws the same as the statement.
    group = "contrast" if section.kind is Kind.CONTRAST else "home"
    if section.kind is Kind.VARIATION:
        group = f"variation {section.number}"
    used: list[Cell] = []
    bars: list[_Bar] = []
    for first in range(0, section.bars, PERIOD):
        length = min(PERIOD, section.bars - first)
        rng = sketch.chance("melody", group, first)
        peak = rng.choice((5, 6)) if length > PHRASE + 1 else min(2, length - 2)
        for place in range(length):
            bar = _bar(sketch, section, (place, length, peak), used, rng)
            used.append(_rhythm_of(bar.tones))
            bars.append(bar)
    return bars


def _bar(sketch: Sketch, section: Section, where: tuple[int, int, int], used: list[Cell], rng: Random) -> _Bar:
    """One bar of a period: motif, answer, varied motif, half cadence; motif, up to the peak, full cadence."""
    place, length, peak = where
    aim = (_OUTLINE if length > PHRASE else _SHORT_OUTLINE)[min(place, 7 if length > PHRASE else 3)]
    last = place == length - 1
    # 1. The last bar of a phrase comes to rest: open in the middle of a period, closed at its end.
    if last or (place == 3 and length > PHRASE):
        return _Bar(_tones(cadence(sketch.grid.meter, rng)), 1 if last else aim, closes=last)
    # 2. Both phrases begin with the motif, 3. and the third bar brings it back in another shape,
    if place in (0, 4):
        told = _told(sketch)
        if section.kind is Kind.CONTRAST:
            told = inverted(told)
        if section.kind is Kind.VARIATION and place == 4:
            told = ornamented(told, rng)
        return _Bar(told, aim, is_motif=True)
    if place == 2 and place != peak:
        told = joined(_told(sketch)) if sketch.character.density < 0.5 else ornamented(_told(sketch), rng)
        # The same rhythm three times in a row would be once too often.
        if _rhythm_of(told) not in used[-2:]:
            return _Bar(told, aim, is_motif=True)
    # 4. the others are free; the second phrase often answers in the rhythm of the first.
    answers = place == PHRASE + 1 and rng.random() < 0.6
    fresh = used[-PHRASE] if answers else _fresh(sketch, used, rng)
    return _Bar(_tones(fresh), aim, is_peak=place == peak)


def _fresh(sketch: Sketch, used: list[Cell], rng: Random) -> Cell:
    """A rhythm that the last period didn't have; sometimes it ends with a rest."""
    meter = sketch.grid.meter
    notes = (1.5 + 4.0 * sketch.character.density) * meter.bar / 4
    drawn = rhythm(meter, notes, rng)
    for _ in range(12):
        if drawn not in used[-PERIOD:]:
            break
        drawn = rhythm(meter, notes, rng)
    breathes = rng.random() < 0.3 - 0.25 * sketch.character.density + sketch.card.rests
    return drawn[:-1] if breathes and len(drawn) > 2 else drawn


def _tones(cell: Cell) -> Line:
    return tuple(Tone(beat, length) for beat, length in cell)


def _rhythm_of(tones: Line) -> Cell:
    return tuple((tone.beat, tone.length) for tone in tones)


class Voice:
    """The melody's voice, bar by bar: it remembers its last note and the interval to the bass."""

    def __init__(self, sketch: Sketch) -> None:
        self.events: list[Event] = []
        self.sketch, self._key = sketch, sketch.key
        program = sketch.ensemble.program(Role.LEAD)
        self._silent = program is None
        self._program = program or 0
        floor = sketch.bands.lead[0]
        # The lowest degree inside the band; all heights below are counted from it, in scale steps.
        self._floor = self._key.nearest_degree(floor)
        while self._key.pitch(self._floor) < floor:
            self._floor += 1
        self._last = self._floor + _OUTLINE[0]
        self._over_bass: tuple[int, int] | None = None
        """Root in the bass, and the melody's degree over it, at the last bar line."""

    def sing(self, start: float, bar: _Bar) -> None:
        """Choose pitches for the bar's tones and append them."""
        if self._silent or not bar.tones:
            return
        degrees = self._motif(start, bar) if bar.is_motif else self._free(start, bar)
        grid, legato = self.sketch.grid, min(1.0, self.sketch.character.legato * self.sketch.card.legato)
        for tone, degree in zip(bar.tones, degrees, strict=True):
            beat = start + tone.beat
            pitch = fitted(self._key.pitch(degree) + tone.colour, self._program)
            length = min(tone.length, grid.beats - beat) * legato
            if length > 0:
                self.events.append(Event(beat, length, pitch, 1.0 if tone.beat == 0 else 0.9, Role.LEAD))
        self._last = degrees[-1]

    def _motif(self, start: float, bar: _Bar) -> list[int]:
        """The motif's contour, starting on a chord tone; in calm moods strong tones are chord tones too."""
        # The first tone finds a chord tone, and the contour is laid from there: its steps are what is recognised.
        anchor = self._downbeat(start + bar.tones[0].beat, self._floor + bar.aim)
        result = [anchor]
        for tone in bar.tones[1:]:
            degree = anchor + tone.step - bar.tones[0].step
            if tone.beat in self.sketch.grid.meter.strong and self.sketch.character.dissonance < _UNRESOLVED:
                degree = self._near(start + tone.beat, degree, reach=1)
            result.append(self._inside(degree, self._floor + _PEAK - 1))
        return result

    def _free(self, start: float, bar: _Bar) -> list[int]:
        """Chord tones on the strong beats, and steps between them."""
        aim, ceiling = self._floor + bar.aim, self._floor + _PEAK - 1
        if bar.closes and len(bar.tones) == 1:
            return [self._home(start + bar.tones[0].beat, aim, begins=True)]
        # 1. Chord tones for the first, the last and all strong places, 2. for a close the tonic at the end,
        strong = {0, len(bar.tones) - 1}
        strong |= {i for i, tone in enumerate(bar.tones) if tone.beat in self.sketch.grid.meter.strong}
        result: list[int | None] = [None] * len(bar.tones)
        for i in sorted(strong):
            beat = start + bar.tones[i].beat
            if i == 0:
                result[i] = self._downbeat(beat, self._floor + _PEAK if bar.is_peak else self._towards(aim))
                continue
            wanted = aim if bar.closes else aim + (-2 if bar.is_peak else (1, -1)[i % 2])
            result[i] = self._inside(self._near(beat, wanted), ceiling)
        if bar.closes:
            result[-1] = self._home(start + bar.tones[-1].beat, aim)
        # 3. and scale steps between them.
        return self._filled(result)

    def _towards(self, aim: int) -> int:
        """Halfway between the last note and the bar's target, so that no bar begins with a large leap."""
        return round((self._last + aim) / 2)

    def _filled(self, planned: list[int | None]) -> list[int]:
        """Steps between planned degrees; a neighbour note between equal ones."""
        fixed = [i for i, degree in enumerate(planned) if degree is not None]
        result = [degree or 0 for degree in planned]
        for a, b in itertools.pairwise(fixed):
            for i in range(a + 1, b):
                result[i] = round(result[a] + (result[b] - result[a]) * (i - a) / (b - a))
                if result[i] == result[i - 1]:
                    # A neighbour note in place of a repetition: upwards low in the band, downwards high in it.
                    result[i] += 1 if result[i] < self._floor + 4 else -1
        return [max(self._floor, degree) for degree in result]

    def _downbeat(self, beat: float, wanted: int) -> int:
        """A chord tone near ``wanted``, without parallel octaves or fifths with the bass since the last bar."""

        def cost(degree: int) -> tuple[float, int]:
            parallel = self._is_parallel(beat, degree)
            return abs(degree - wanted) + 0.3 * abs(degree - self._last) + 9 * parallel, degree

        return self._begun(beat, min(self._choices(beat, wanted, 4), key=cost, default=wanted))

    def _is_parallel(self, beat: float, degree: int) -> bool:
        root = self.sketch.chord_at(beat).pcs[0]
        # Parallel when the bass moved and the interval over it is the octave or fifth that it was.
        over = (self._key.pitch_class(degree) - root) % 12
        before = self._over_bass
        return before is not None and before[0] != root and over == before[1] and over in (0, 7)

    def _begun(self, beat: float, degree: int) -> int:
        """Remember the first degree of a bar for the next one, and return it."""
        root = self.sketch.chord_at(beat).pcs[0]
        self._over_bass = (root, (self._key.pitch_class(degree) - root) % 12)
        return degree

    def _near(self, beat: float, wanted: int, reach: int = 4) -> int:
        """The chord tone nearest to a degree."""
        return min(self._choices(beat, wanted, reach), key=lambda d: (abs(d - wanted), d), default=wanted)

    def _home(self, beat: float, wanted: int, *, begins: bool = False) -> int:
        """The final note of a period: the tonic if the chord has it; ``begins``: the bar has no other tone."""

        def cost(degree: int) -> tuple[bool, bool, int, int]:
            # In this order: no parallels, the tonic, near where the bar aims, the lower of two.
            parallel = begins and self._is_parallel(beat, degree)
            return parallel, self._key.pitch_class(degree) != self._key.tonic, abs(degree - wanted), degree

        chosen = min(self._choices(beat, wanted, 5), key=cost, default=wanted)
        return self._begun(beat, chosen) if begins else chosen

    def _choices(self, beat: float, wanted: int, reach: int) -> list[int]:
        pcs = self.sketch.chord_at(beat).pcs
        near = range(max(self._floor, wanted - reach), wanted + reach + 1)
        return [degree for degree in near if self._key.pitch_class(degree) in pcs]

    def _inside(self, degree: int, ceiling: int) -> int:
        return min(ceiling, max(self._floor, degree))


def countermelody(sketch: Sketch, section: Section) -> list[Event]:
    """Long guide tones below the theme, moving by the smallest possible step from chord to chord."""
    program = sketch.ensemble.program(Role.COUNTER)
    if program is None:
        return []
    low, high = sketch.bands.arp
    pitch, events = (low + high) // 2, []
    # Entering in mid-bar, away from the theme's downbeats.
    late = sketch.bar / 2 if sketch.bar % 2 == 0 else 1.0
    for bar in range(section.first, section.end):
        beat = sketch.bar * bar + late
        if beat >= sketch.grid.beats:
            break
        chord = sketch.chord_at(beat)
        # Thirds, fifths and sevenths: the root is the bass's.
        wanted = [p for p in range(low, high + 1) if p % 12 in chord.pcs[1:]] or [pitch]
        pitch = min(wanted, key=lambda p: (abs(p - pitch), p))
        length = min(chord.end - beat, sketch.bar - 0.1, sketch.grid.beats - beat)
        if length >= 0.5:
            events.append(Event(beat, length, fitted(pitch, program), 0.7, Role.COUNTER))
    return events
