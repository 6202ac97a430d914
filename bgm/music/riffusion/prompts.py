"""Prompts for the diffusion model: the creator's own words, and what the sketch that it repaints really plays.

A text encoder doesn't understand refusals: to it "no piano" is about a piano. So the composer's grammar reads the words
first; what they refuse becomes the negative prompt, and style, mood, players and tempo are those of the sketch.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bgm.music.composer.moods import MOODS
from bgm.music.direction import Direction, beneath, read
from bgm.music.grammar import Kind, Phrase, phrases, tokens
from bgm.music.score import GENERAL_MIDI, Cue, Role, Score
from bgm.timeline import Emotion, Style

WEAKEST = 0.4
"""Share of its own words that an emotion keeps when the classifier is not at all confident; the rest is neutral's."""
_PLAYERS = (Role.LEAD, Role.COMP, Role.PAD, Role.ARP)
"""Whose instruments are named, the most prominent first: CLIP reads 77 tokens."""

BACKGROUND = "instrumental background music"
"""How every prompt ends."""

WeightedPrompt = tuple[tuple[str, float], ...]
"""Texts and their shares of the embedding, which sum to 1."""


_STYLES: dict[Style, str] = {
    Style.LOFI: "lo-fi hip hop",
    Style.ACOUSTIC: "acoustic folk",
    Style.CORPORATE: "upbeat corporate pop",
    Style.AMBIENT: "ambient soundscape",
    Style.CINEMATIC_PIANO: "cinematic piano",
    Style.TRAILER: "epic trailer music",
    Style.QUIRKY: "quirky pizzicato comedy",
    Style.JAZZ: "jazz combo",
    Style.ELECTRONIC: "electronic dance music",
    Style.ORCHESTRAL: "orchestral film score",
}
_SECTIONS = {
    Role.DRUMS: "drums",
    Role.BASS: "bass",
    Role.LEAD: "lead melody",
    Role.PAD: "pads",
    Role.COMP: "chords",
    Role.ARP: "arpeggio",
}
_MINUS = "~"
"""Marks removed words until the rest is tidied."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """``wished`` is a mix of weighted texts; ``refused`` is the negative prompt, empty for none."""

    wished: WeightedPrompt
    refused: str = ""


def prompt_for(cue: Cue, score: Score) -> Prompt:
    """The prompt of a cue whose sketch is ``score``: a weakly angry one is partly neutral."""
    asked = read(cue.prompt, cue.whole)
    own, refused = _own(cue)
    played = ", ".join(_played(cue, asked, score))
    emotion = asked.feeling(cue.emotion)
    share = WEAKEST + (1.0 - WEAKEST) * min(1.0, max(0.0, cue.confidence))
    felt = {emotion: share, Emotion.NEUTRAL: 1.0 - share} if share < 1.0 and emotion is not Emotion.NEUTRAL else None
    texts = tuple((_joined(own, _felt(mood), played), part) for mood, part in (felt or {emotion: 1.0}).items())
    return Prompt(texts, refused)


def neighbour(emotion: Emotion) -> Prompt:
    """The prompt for the music next to a cue, of which only the mood is known."""
    return Prompt(((_joined(_felt(emotion), MOODS[emotion].players, BACKGROUND), 1.0),))


def _felt(emotion: Emotion) -> str:
    return f"{emotion}, {MOODS[emotion].mood}"


def _joined(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def _played(cue: Cue, asked: Direction, score: Score) -> Iterator[str]:
    """The sketch in words: style, what the direction leans to, players, tempo."""
    yield _STYLES[asked.style or cue.style or cue.piece.style]
    yield from _leans(asked)
    # Instruments by role, each once, the most prominent first, because CLIP truncates.
    programs = {part.role: part.program for part in score.parts}
    yield from dict.fromkeys(GENERAL_MIDI[programs[role]].name for role in _PLAYERS if role in programs)
    if Role.DRUMS in programs:
        yield "drums"
    yield f"{score.tempo:.0f} bpm"
    yield BACKGROUND


def _leans(asked: Direction) -> Iterator[str]:
    for lean, less, more in (
        (asked.loudness, "soft", "powerful"),
        (asked.density, "sparse", "busy"),
        (asked.register, "dark", "bright"),
    ):
        if lean:
            yield more if lean > 0 else less
    if asked.build_up:
        yield "building up"
    if asked.meter and asked.meter != (4, 4):
        yield "in {}/{} time".format(*asked.meter)


def _own(cue: Cue) -> tuple[str, str]:
    """The creator's words without what they refuse and without the tempo, which is the sketch's; and the refused words.

    Words that aren't English are left out: the text encoder knows none, and what they ask for is played anyway. Of the
    words for the whole video, those that the segment's overrule are left out too.
    """
    said = phrases(tuple(tokens(cue.prompt)))
    kept = {p.token.start for p in beneath(said, cue.whole)}
    overruled = [p for p in phrases(tuple(tokens(cue.whole))) if p.token.start not in kept]
    both = [_words(cue.prompt, ()), _words(cue.whole, overruled)]
    refused = dict.fromkeys(name for _, names in both for name in names if name.isascii())
    return _joined(*(words for words, _ in both)), ", ".join(refused)


def _words(text: str, overruled: Sequence[Phrase]) -> tuple[str, list[str]]:
    """What is wished in a text, and what it refuses."""
    found = tuple(tokens(text))
    said = phrases(found)
    gone = {p.token.start for p in overruled}
    against = [p for p in said if (p.negated or p.factor < 0)]
    # 1. Refusals, with the word that refuses, and what the segment's own words overrule;
    spans = [(p.start, p.token.end) for p in said if p in against or p.token.start in gone]
    # Tempo, which the sketch determines, and what applies under speech only, which the model can't know about.
    spans += [(p.token.start, p.token.end) for p in said if (p.word.bpm and not p.word.style) or p.under_speech]
    spans += [(token.start, token.end) for token in found if token.kind is Kind.SPEECH]
    # 2. of those the names that guidance leads away from, in English;
    heard = [p for p in against if not p.under_speech and p.token.start not in gone]
    refused = [name for p in heard for name in _names(text, p)]
    # 3. and refused words that only the diffusion model may know ("no reverb").
    for words in read(text).unread:  # "no reverb": a word that only the diffusion model may know
        start = text.index(words)
        if next(token for token in found if token.start == start).kind is Kind.NOT:
            spans.append((start, start + len(words)))
            refused.append(words.split(maxsplit=1)[-1])
    return _without(text, spans), refused


def _names(text: str, phrase: Phrase) -> Sequence[str]:
    """A refused word in English."""
    word, own = phrase.word, text[phrase.token.start : phrase.token.end]
    if own.isascii():
        return [own]
    if word.program is not None:
        return [GENERAL_MIDI[word.program].name]
    named = word.emotion or word.style
    return [named.value] if named else [_SECTIONS[role] for role in word.roles if role in _SECTIONS]


def _without(text: str, spans: Sequence[tuple[int, int]]) -> str:
    letters = [_MINUS if any(start <= i < end for start, end in spans) else c for i, c in enumerate(text)]
    pieces = (piece.replace(_MINUS, " ") for piece in re.split(r"[,;.\n]", "".join(letters)) if piece.isascii())
    return _joined(*map(_trimmed, pieces))


def _trimmed(piece: str) -> str:
    """From its first word that says something to its last."""
    telling = [token for token in tokens(piece) if token.kind in (Kind.WORD, Kind.UNKNOWN, Kind.DEGREE)]
    return " ".join(piece[telling[0].start : telling[-1].end].split()) if telling else ""
