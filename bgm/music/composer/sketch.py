"""The decisions before the first note of a cue: key, tempo, form, harmony and players, within the piece."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random

from bgm.digest import stream
from bgm.media.audio import SAMPLE_RATE
from bgm.music.composer.form import (
    METERS,
    Grid,
    Kind,
    Meter,
    Section,
    aligned,
    final_chord_at,
    grid,
    landmarks,
    sections,
)
from bgm.music.composer.harmony import (
    BRIGHT,
    TRIAD,
    Chord,
    Key,
    Progression,
    chord,
    key_for,
    phrase_roots,
    pivot_chord,
    tonic_chord,
)
from bgm.music.composer.moods import FELT, FULLY_FELT, MOODS, RATIOS, Character, Mood, character, strength
from bgm.music.composer.motif import Line, motif_for
from bgm.music.composer.styles import BRIGHT_CLOSES, CARDS, DARK_CLOSES, STILL, Card
from bgm.music.direction import Direction, read
from bgm.music.score import GENERAL_MIDI, Cue, Ensemble, Piece, Role
from bgm.timeline import Emotion, Style

_DOMINANT = 4
"""Degree."""
_CLIMAX = 0.8
"""Where in the video the energy is highest, as a share of its length."""
_PHRASE = 4
"""Bars."""
_SPACINGS = ((0, 0), (2, 4), (-5, 5), (-2, 7), (5, 0))
"""Semitones by which the band of held chords extends below and above that of struck ones; drawn per piece."""
Band = tuple[int, int]
"""Lowest and highest MIDI pitch."""


@dataclass(frozen=True, slots=True)
class Bands:
    """The range of each layer, so that none covers another; the bass is below them all."""

    chords: Band
    pad: Band
    """Held chords are voiced closer or wider than struck ones, and in some pieces higher."""
    arp: Band
    lead: Band


@dataclass(frozen=True, slots=True)
class Sketch:
    """The decisions for a cue, read by every part of the arrangement and changed by none."""

    names: tuple[object, ...]
    """Root of all random streams in this cue."""
    card: Card
    emotion: Emotion
    strength: float
    character: Character
    direction: Direction
    key: Key
    motif: Line
    ensemble: Ensemble
    bands: Bands
    swing: float
    grid: Grid
    sections: tuple[Section, ...]
    energies: tuple[float, ...]
    """Of the sections, 0..1."""
    chords: tuple[Chord, ...]
    seconds: float
    ending: bool

    @property
    def mood(self) -> Mood:
        """The card of its emotion."""
        return MOODS[self.emotion]

    @property
    def bar(self) -> int:
        """Quarters of a bar."""
        return self.grid.meter.bar

    def chance(self, *names: object) -> Random:
        """The random stream for one decision in this cue."""
        return stream(*self.names, *names)

    def chord_at(self, beat: float) -> Chord:
        """The chord that sounds at a beat."""
        starts = bisect_right(self.chords, beat + 1e-6, key=lambda item: item.beat)
        return self.chords[max(0, starts - 1)]

    def section_at(self, beat: float) -> Section:
        """The section in which a beat lies."""
        index = bisect_right(self.sections, beat / self.bar, key=lambda item: item.first)
        return self.sections[max(0, index - 1)]

    def energy(self, section: Section) -> float:
        """How much of the ensemble plays in a section, and how hard, 0..1."""
        return self.energies[section.number]


def tempo_of(piece: Piece) -> float:
    """Quarters per minute of the whole piece; its segments play at simple ratios of it."""
    low, high = CARDS[piece.style].tempo
    return stream(piece.seed, "tempo").uniform(low, high)


def sketch(cue: Cue) -> Sketch:
    """Take all decisions for a cue from its deciding fields."""
    # 1. What the creator's words say of style and mood comes before what the video says.
    said = read(cue.prompt, cue.whole)
    style = said.style or _not_refused(cue.style or cue.piece.style, said)
    card, emotion = CARDS[style], said.feeling(cue.emotion)
    # 2. How strongly it is felt decides how far everything below leans from neutral.
    felt = min(1.0, max(0.0, strength(cue.confidence) * (1 + 0.3 * said.intensity)))
    names = (cue.piece.seed, cue.seed, emotion.value)
    mood = _directed(character(emotion, felt), card, said)
    # 3. Time: the body is what lies before the final chord, and whole bars fill it at a tempo near the wanted one.
    meter = _meter(cue.piece, card, said)
    seconds = cue.frames / SAMPLE_RATE
    body = final_chord_at(seconds, cue.speech) if cue.ending else seconds
    beats = grid(body, _tempo(cue.piece, card, mood, said), meter, ending=cue.ending, hits=cue.hits)
    form = sections(beats.bars, stream(*names, "form"), opening=cue.opening)
    # Form first, then landmarks: sections move to cuts and pauses by a bar or two, and keep their order.
    form = aligned(form, beats, landmarks(cue.hits, cue.speech, seconds))
    # 4. Who plays, and where each of them lies.
    players = ensemble_for(cue.piece, style, emotion, said)
    # Chords need all the rest, so they come last, into a sketch without any.
    bare = Sketch(
        names=names,
        card=card,
        emotion=emotion,
        strength=felt,
        character=mood,
        direction=said,
        key=key_for(cue.piece.seed, MOODS[emotion].modes[felt >= FULLY_FELT], tonic=said.tonic, major=_major(said)),
        motif=motif_for(cue.piece.seed, meter),
        ensemble=players,
        bands=_bands(mood, players, stream(cue.piece.seed, "height")),
        swing=stream(cue.piece.seed, "swing").uniform(*card.swing) if meter.beat == 1.0 else 0.5,
        grid=beats,
        sections=form,
        energies=tuple(_energy(cue, said, beats, section) for section in form),
        chords=(),
        seconds=seconds,
        ending=cue.ending,
    )
    return replace(bare, chords=_chords(bare))


def _not_refused(style: Style, said: Direction) -> Style:
    return next((s for s in (style, *CARDS) if s not in said.without_styles), style)


def _major(said: Direction) -> bool | None:
    return None if said.mode is None else said.mode == "major"


def _directed(mood: Character, card: Card, said: Direction) -> Character:
    """The mood as modified by the style, then by the creator's words."""
    leans = dict(said.balance)
    return replace(
        mood,
        density=_unit(mood.density + card.busy + 0.25 * said.density),
        loudness=_unit(mood.loudness + 0.15 * said.loudness),
        register=mood.register + 5.0 * said.register,
        drums=mood.drums * card.drums * (1 + 0.4 * leans.get(Role.DRUMS, 0.0)),
        room=_unit(mood.room + card.room),
    )


def _unit(value: float) -> float:
    return min(1.0, max(0.05, value))


def _meter(piece: Piece, card: Card, said: Direction) -> Meter:
    asked = METERS[said.meter] if said.meter else None
    return asked or stream(piece.seed, "meter").choice(card.meters)


def _tempo(piece: Piece, card: Card, mood: Character, said: Direction) -> float:
    """The piece's tempo times the ratio that suits the mood, or the tempo that the creator asks for."""
    if said.tempo is not None:
        return said.tempo * said.tempo_factor
    pulse, (slowest, fastest) = tempo_of(piece), card.limits
    # Compared as ratios (by logarithms): twice as fast is as far off as half as fast.
    fitting = [ratio for ratio in RATIOS if slowest <= pulse * ratio <= fastest] or [1.0]
    return said.tempo_factor * pulse * min(fitting, key=lambda ratio: abs(math.log(ratio / mood.pulse)))


def ensemble_for(piece: Piece, style: Style, emotion: Emotion, said: Direction) -> Ensemble:
    """The piece's players; in a dark mood another may take the melody. The creator's words override both."""
    card = CARDS[style]
    programs = {role: stream(piece.seed, "player", style, role).choice(card.players[role]) for role in card.players}
    if card.dark_leads and MOODS[emotion].dark:
        programs[Role.LEAD] = stream(piece.seed, "dark lead", style).choice(card.dark_leads)
    if programs[Role.COUNTER] == programs[Role.LEAD]:
        programs[Role.COUNTER] = programs[Role.PAD]
    players = Ensemble(programs, drums=card.drums > 0 or Role.DRUMS in said.wanted)
    for role, program in said.instruments:
        players = players.having(role, program)
    if said.solo and said.instruments:
        first = said.instruments[0][1]
        alone = {Role.LEAD: first, Role.COMP: first, Role.ARP: first}
        players = Ensemble(alone | dict(said.instruments), drums=Role.DRUMS in said.wanted)
    players = players.without(*said.without)
    for role, program in list(players.programs.items()):
        if program in said.without_programs:
            players = _instead(players, card, role, said.without_programs)
    return players


def _instead(players: Ensemble, card: Card, role: Role, refused: tuple[int, ...]) -> Ensemble:
    """Replace a refused instrument with another of the style's, or with none."""
    # Of the role's own players first, then of those that can carry a tune or a chord.
    others = [p for r in (role, Role.LEAD, Role.PAD) for p in card.players[r] if p not in refused]
    return players.having(role, others[0]) if others else players.without(role)


def _bands(mood: Character, players: Ensemble, rng: Random) -> Bands:
    """The melody in the mood's register as far as its instrument allows, broken chords below it, then the chords.

    ``rng`` is the piece's, so that pieces differ in the register of their chords.
    """
    program = players.program(Role.LEAD)
    lead = GENERAL_MIDI[program] if program is not None else GENERAL_MIDI[0]
    # The melody has an octave and a half above the floor, inside its instrument's range; the rest lies below.
    floor = round(min(max(mood.register - 7, lead.low, 66), lead.high - 17, 76))
    deeper = round(2 * mood.low) + rng.randrange(-2, 4)
    low, high = floor - 23 - deeper, floor - 10 - deeper
    below, above = rng.choice(_SPACINGS)
    return Bands((low, high), pad=(low - below, high + above), arp=(floor - 10, floor - 1), lead=(floor, floor + 18))


def _energy(cue: Cue, said: Direction, beats: Grid, section: Section) -> float:
    """A section's energy, from its function in the form and its place in the video, which builds to one climax."""
    middle = beats.seconds(beats.meter.bar * (section.first + section.bars / 2))
    if said.build_up:
        return min(1.0, 0.15 + 0.85 * middle / max(1e-6, cue.frames / SAMPLE_RATE))
    place = min(1.0, (cue.start + middle) / max(cue.piece.duration, cue.frames / SAMPLE_RATE))
    # Rises to the climax and stays there: the end of the video has a close of its own.
    arc = 0.4 + 0.6 * min(1.0, place / _CLIMAX)
    return min(1.0, 0.55 * section.intensity + 0.45 * arc)


def _chords(bare: Sketch) -> tuple[Chord, ...]:
    """The chords of all sections, the last of them replaced by the close."""
    result = [found for section in bare.sections for found in _section_chords(bare, section)]
    close = _cadence(bare) if bare.ending else _turn(bare)
    if not close:
        return tuple(result)
    # The close takes the place of what the progression had there; a chord that reaches into it is cut short.
    start = close[0].beat
    kept = [replace(old, length=min(old.length, start - old.beat)) for old in result if old.beat < start]
    return (*kept, *close)


def _section_chords(bare: Sketch, section: Section) -> Iterator[Chord]:
    """Four-bar phrases in the style's harmonic rhythms; a return has the progression of its statement."""
    contrast = section.kind is Kind.CONTRAST
    # The same stream for all of a cycle except its contrast, so that the return has the statement's progression.
    rng = bare.chance("harmony", section.cycle if contrast else 0, contrast)
    phrases = phrase_roots(_pool(bare), -(-section.bars // _PHRASE), rng)
    rhythms = [rng.choice(_rhythms(bare, section)) for _ in range(2)]
    colours = bare.chance("colours", section.number)
    reached = 0
    for number, roots in enumerate(phrases):
        bar = float(section.first + _PHRASE * number)
        rhythm = rhythms[number % 2]
        # Where chords are held long, the next phrase goes on from the one that was reached.
        reached = reached % len(roots) if len(rhythm) < len(roots) else 0
        for i, bars in enumerate(rhythm, reached):
            beat = bar * bare.bar
            if bar >= section.end or beat >= bare.grid.beats:
                break
            root = roots[i % len(roots)] if reached or i < len(roots) else _DOMINANT
            length = min(bars, section.end - bar) * bare.bar
            yield _coloured(bare, root, (beat, min(length, bare.grid.beats - beat)), colours)
            bar += bars
        reached += len(rhythm)


def _pool(bare: Sketch) -> tuple[Progression, ...]:
    if bare.strength >= FELT and bare.mood.progressions:
        return bare.mood.progressions
    return bare.card.bright if bare.key.mode in BRIGHT else bare.card.dark


def _rhythms(bare: Sketch, section: Section) -> tuple[tuple[float, ...], ...]:
    """The style's harmonic rhythms; in 3/4 whole bars only; a busy mood or short section never stays on one chord."""
    # In 3/4 a change in mid-bar falls on no beat that the patterns stress.
    whole = tuple(r for r in bare.card.harmony if all(bars % 1 == 0 for bars in r)) if bare.bar == 3 else ()
    rhythms = whole or bare.card.harmony
    moving = tuple(r for r in rhythms if r != STILL)
    return moving if (bare.character.density > 0.4 or section.bars < 2 * _PHRASE) and moving else rhythms


def _coloured(bare: Sketch, root: int, span: tuple[float, float], rng: Random) -> Chord:
    # The first chord of a cue is always plain: the ear has to find the key.
    rough = span[0] > 0 and rng.random() < bare.character.dissonance * bare.strength
    colour = rng.choice((bare.mood.rough or bare.card.colours) if rough else bare.card.colours)
    leading = bare.mood.leading and root == _DOMINANT
    return chord(bare.key, root, colour if span[0] > 0 else TRIAD, span, leading=leading)


def _turn(bare: Sketch) -> list[Chord]:
    """The last beats lead into whatever follows: the dominant that all moods share."""
    length = 2 * bare.grid.meter.beat if bare.bar == 4 else bare.grid.meter.beat
    if bare.grid.beats < bare.bar:
        return []
    return [pivot_chord(bare.key, (bare.grid.beats - length, length))]


def _cadence(bare: Sketch) -> list[Chord]:
    """The close of the piece: two chords that lead to the tonic, which rings."""
    closes = BRIGHT_CLOSES if bare.key.mode in BRIGHT else DARK_CLOSES
    # Named by the piece, not the cue: an edit elsewhere must not change how the video ends.
    before, last = stream(bare.names[0], "close").choice(bare.mood.closes or closes)
    end = bare.grid.beats
    leading = bare.mood.leading or bare.key.mode == "aeolian"
    close = [tonic_chord(bare.key, (end, 2.0 * bare.bar))]
    if end >= 2:
        span = min(float(bare.bar), end / 2)
        close.insert(0, chord(bare.key, last, TRIAD, (end - span, span), leading=leading and last == _DOMINANT))
    if end >= 3 * bare.bar:
        close.insert(0, chord(bare.key, before, TRIAD, (end - 2 * bare.bar, bare.bar)))
    return close
