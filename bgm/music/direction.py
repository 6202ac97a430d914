"""What the creator's own words ask of the music, as one value for all music engines.

The words are those of :mod:`bgm.music.vocabulary`, parsed by :mod:`bgm.music.grammar`. Whatever no rule covers is kept
in ``unread``, to be reported.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise, takewhile
from typing import Any

from bgm.music.grammar import Kind, Phrase, Token, phrases, tokens
from bgm.music.score import GENERAL_MIDI, Role
from bgm.music.vocabulary import Meter, Mode, Word
from bgm.timeline import Emotion, Style

_TURNED = -0.5
"""The factor of "not": "not fast" is half of "slow"."""
_CONTRASTING = (Role.LEAD, Role.COUNTER, Role.ARP, Role.DRUMS, Role.BOOM)
"""What "calm under speech" leaves out."""
_UNDER_DIRECTION = (Role.DRUMS, Role.BOOM, Role.BASS)
"""Sections to which a preceding "soft" or "heavy" applies, instead of to the whole piece."""


@dataclass(frozen=True, slots=True)
class Direction:
    """What was asked for; an empty one changes nothing. Leans: 1 more, 1.5 much more, 0.5 a bit, negative less."""

    style: Style | None = None
    tempo: float | None = None
    """Beats per minute (quarters), as typed or as a genre is usually played."""
    tempo_factor: float = 1.0
    """For words like "slow" and "faster": 0.75 and 1.333."""
    tonic: int | None = None
    """Pitch class, 0 = C."""
    mode: Mode | None = None
    meter: Meter | None = None
    """One of :data:`bgm.music.composer.form.METERS`."""
    instruments: tuple[tuple[Role, int], ...] = ()
    """Role and General MIDI program of each instrument; each role once, the most wanted instrument first."""
    wanted: tuple[Role, ...] = ()
    """Sections asked for by name ("with drums"): they play even if the mood has none."""
    without: tuple[Role, ...] = ()
    without_programs: tuple[int, ...] = ()
    without_keys: tuple[int, ...] = ()
    """General MIDI percussion keys that stay silent ("no cymbals")."""
    without_under_speech: tuple[Role, ...] = ()
    without_styles: tuple[Style, ...] = ()
    without_emotions: tuple[Emotion, ...] = ()
    balance: tuple[tuple[Role, float], ...] = ()
    """Roles that should stand out (1) or step back (-1)."""
    density: float = 0.0
    loudness: float = 0.0
    register: float = 0.0
    intensity: float = 0.0
    """How strongly the mood is felt."""
    build_up: bool = False
    soft_ending: bool | None = None
    """True ends softly, False ends big, None as the composer likes."""
    emotion: Emotion | None = None
    solo: bool = False
    """Only the requested instruments play."""
    understood: tuple[str, ...] = ()
    """The words that have an effect, as written, in the order of the text."""
    unread: tuple[str, ...] = ()
    """The words without an effect."""
    instead: tuple[tuple[str, str], ...] = ()
    """What can't be played as asked, and what is played instead: ("7/8", "4/4")."""

    def feeling(self, emotion: Emotion) -> Emotion:
        """The mood to play where the video's is ``emotion``: the requested one, or neutral if that one is refused."""
        felt = self.emotion or emotion
        return Emotion.NEUTRAL if felt in self.without_emotions else felt


@lru_cache(maxsize=512)
def read(text: str, whole: str = "") -> Direction:
    """Read the creator's words; never fails, and keeps in ``unread`` what it could not use.

    ``whole`` are words for the whole video: where ``text`` speaks of the same, they give way.
    """
    found = tuple(tokens(text))
    said = phrases(found)
    # 1. The segment's phrases, and below them what the whole video's add.
    asked, heard = [*said, *beneath(said, whole)], (*found, *tokens(whole))
    # 2. What holds always, 3. what holds under speech only.
    direction = _directed([p for p in asked if not p.under_speech], heard)
    quiet = _quiet_under_speech([p for p in asked if p.under_speech], heard)
    direction = replace(direction, without_under_speech=quiet, instead=_instead(text, said))
    # Only what changes the music counts as understood; the rest is reported to the creator.
    idle = [p for p in said if not _counts(p, direction)]
    return replace(
        direction,
        understood=_understood(text, [p for p in said if p not in idle], found),
        unread=_unread(text, found, idle, said),
    )


_SUBJECTS = (
    ("style",),
    ("tempo", "bpm"),
    ("meter",),
    ("mode",),
    ("density",),
    ("loudness",),
    ("register",),
    ("intensity",),
    ("emotion",),
    ("build_up",),
    ("soft_ending",),
)
"""Fields of a word that are about the same thing."""
_SILENT = Word()


def beneath(said: Sequence[Phrase], whole: str) -> list[Phrase]:
    """What the words for the whole video add to those that a segment ``said``, each without what these speak of."""
    first = 1 + max((p.group for p in said), default=0)
    left = []
    for phrase in phrases(tuple(tokens(whole))):
        own = [p for p in said if p.under_speech == phrase.under_speech]
        word = _left_of_noun(_left_of_leans(phrase.word, own), phrase, own)
        token = replace(phrase.token, tonic=phrase.token.tonic if word.mode else None)
        if word != _SILENT:
            left.append(replace(phrase, word=word, token=token, group=first + phrase.group))
    return left


def _left_of_leans(word: Word, own: Sequence[Phrase]) -> Word:
    """What a genre merely implies doesn't override anything explicit."""
    taken: set[str] = set()
    for subject in _SUBJECTS:
        speaking = [p.word for p in own if any(getattr(p.word, f) != getattr(_SILENT, f) for f in subject)]
        if any(other.style is None or (subject == ("style",) and not other.usual) for other in speaking):
            taken |= set(subject)
    return replace(word, **{field: getattr(_SILENT, field) for field in taken})


def _left_of_noun(word: Word, phrase: Phrase, own: Sequence[Phrase]) -> Word:
    """A section, drum or instrument that the segment asks for or refuses overrides the whole video's."""
    if phrase.word.style:
        return word
    sections = {role for p in own if p.word.program is None for role in p.word.roles}
    keys = {key for p in own for key in p.word.keys}
    named = {program for p in own if p.word.program is not None for program in (p.word.program, *p.word.family)}
    if word.program is None:
        players = [set(p.word.roles) for p in own if p.word.program is not None and not p.negated]
        silenced = [roles for roles in players if phrase.negated and roles <= set(word.roles)]
        gone = sections.union(*silenced)
        kept_roles = tuple(role for role in word.roles if role not in gone)
        return replace(word, roles=kept_roles, keys=tuple(key for key in word.keys if key not in keys))
    family = tuple(program for program in word.family or (word.program,) if program not in named)
    if phrase.negated and family:
        return replace(word, program=family[0], family=family)
    spared = family or not named & {word.program, *word.family}
    return word if spared else replace(word, program=None, roles=(), family=(), stands_for="")


def notes(prompt: str) -> tuple[str, ...]:
    """Sentences about what the composer doesn't understand, or plays differently."""
    asked = read(prompt)
    unread = ", ".join(f"“{words}”" for words in asked.unread)
    said = [f"not understood: {unread}"] if unread else []
    return (*said, *(f"“{words}” is played as {played}" for words, played in asked.instead))


def _directed(said: Sequence[Phrase], found: Sequence[Token]) -> Direction:
    """Everything except what is asked for under speech only."""
    kept = [p for p in said if not p.negated and p.factor > 0]
    refused = [p for p in said if (p.negated or (p.factor < 0 and p.word.style)) and not _spared(p)]
    without = _once(role for p in refused if p.word.program is None for role in p.word.roles)
    # A typed number wins over "slow" and "fast", which would multiply it.
    is_typed = any(p.word.bpm and not p.word.style for p in kept)
    # "Soft drums" speaks of the drums: it must not make the whole piece soft.
    overall = [p for p in said if p not in [adjective for adjective, _ in _of_sections(said)]]
    return Direction(
        style=_style(kept),
        tempo=_named(kept, "bpm"),
        tempo_factor=1.0 if is_typed else round((4 / 3) ** _lean(said, "tempo"), 3),
        tonic=next((p.token.tonic for p in kept if p.token.tonic is not None), None),
        mode=_named(kept, "mode"),
        meter=_named(kept, "meter") or ((4, 4) if any(p.word.meter for p in refused) else None),
        instruments=_cast([p for p in kept if p.word.program is not None], without, _refused_programs(refused)),
        wanted=_once(role for p in kept if p.word.program is None and not p.is_of_instrument for role in p.word.roles),
        without=without,
        without_programs=tuple(sorted(_refused_programs(refused))),
        without_keys=tuple(sorted({key for p in refused for key in p.word.keys})),
        without_styles=_once(p.word.style for p in refused if p.word.style and not p.word.usual),
        without_emotions=_once(p.word.emotion for p in refused if p.word.emotion),
        balance=_balance(said),
        density=_lean(said, "density"),
        loudness=_lean(overall, "loudness"),
        register=_lean(said, "register"),
        intensity=_clipped(_lean(said, "intensity") + _felt(said)),
        build_up=any(p.word.build_up for p in kept),
        soft_ending=next((p.word.soft_ending != p.negated for p in said if p.word.soft_ending is not None), None),
        emotion=next((p.word.emotion for p in kept if p.word.emotion), None),
        solo=any(p.word.solo for p in kept) or _only(found, kept),
    )


def _spared(phrase: Phrase) -> bool:
    """ "No loud drums" refuses what is loud, not the drums."""
    return phrase.negated and phrase.word.is_noun and phrase.adjective_before


def _style(kept: Sequence[Phrase]) -> Style | None:
    """The first style that is named, else the first that a word implies."""
    # False sorts first: a named style before an implied one.
    by_weight = sorted((p.word for p in kept if p.word.style), key=lambda word: word.usual)
    return by_weight[0].style if by_weight else None


def _named(kept: Sequence[Phrase], field: str) -> Any:
    """The value of ``field``: an explicit one first, then one that a genre implies."""
    words = [p.word for p in kept if getattr(p.word, field) is not None]
    # A stable sort: of several numbers the first that was written wins.
    words.sort(key=lambda word: word.style is not None)
    return getattr(words[0], field) if words else None


def _lean(said: Sequence[Phrase], field: str) -> float:
    return _clipped(sum(getattr(p.word, field) * _weight(p) for p in said))


def _weight(phrase: Phrase) -> float:
    """The sign and strength of a lean."""
    if phrase.negated:
        return _TURNED
    return phrase.factor


def _clipped(lean: float) -> float:
    return min(2.5, max(-2.5, lean))


def _felt(said: Sequence[Phrase]) -> float:
    """ "Very sad" is sadder, "a bit sad" less so, "less sad" fainter still."""
    graded = [p.factor for p in said if p.word.emotion and p.graded and not p.negated]
    return sum(factor - 1 if 0 < factor < 1 else factor / 2 if factor > 0 else factor for factor in graded)


def _of_sections(said: Sequence[Phrase]) -> list[tuple[Phrase, Phrase]]:
    """Pairs of a word for soft or loud and the drums or bass right after it: "heavy bass", "soft drums"."""
    return [
        (adjective, noun)
        for adjective, noun in pairwise(said)
        if adjective.word.loudness and not adjective.word.is_noun and adjective.group == noun.group
        if noun.word.program is None and set(noun.word.roles) & set(_UNDER_DIRECTION)
    ]


def _balance(said: Sequence[Phrase]) -> tuple[tuple[Role, float], ...]:
    """Which parts stand out or step back, from "less drums", "more piano", "soft drums"."""
    asked: dict[Role, float] = {}
    for p in said:
        if p.word.is_noun and p.graded and not p.negated:
            asked |= dict.fromkeys(p.word.roles, p.factor)
    for adjective, noun in _of_sections(said):
        asked |= dict.fromkeys(noun.word.roles, adjective.word.loudness * _weight(adjective))
    return tuple(asked.items())


def _refused_programs(refused: Iterable[Phrase]) -> set[int]:
    words = [p.word for p in refused if p.word.program is not None and p.word.style is None]
    return {program for word in words for program in (word.family or (word.program or 0,))}


def _cast(asked: Sequence[Phrase], without: Sequence[Role], refused: set[int]) -> tuple[tuple[Role, int], ...]:
    """Each instrument gets its own role, in the order of the words; remaining roles go to those that prefer them."""
    players = list({p.word.program: p for p in asked if p.word.program not in refused}.values())
    cast: dict[Role, int] = {}
    for p in players:
        # 1. One role each, by the words' order; a named section ("violin melody") is binding.
        wishes = p.section or (*p.word.roles, Role.LEAD, Role.COUNTER, Role.ARP)
        role = next((role for role in wishes if role not in cast and role not in without), None)
        if role:
            cast[role] = p.word.program or 0
    for p in players:
        if not p.word.style and not p.section:
            for role in p.word.roles:
                if role not in without:
                    cast.setdefault(role, p.word.program or 0)
    return tuple(cast.items())


def _only(found: Sequence[Token], kept: Sequence[Phrase]) -> bool:
    return any(token.kind is Kind.ONLY for token in found) and any(p.word.program is not None for p in kept)


def _quiet_under_speech(said: Sequence[Phrase], found: Sequence[Token]) -> tuple[Role, ...]:
    """The roles that rest while somebody speaks."""
    refused = [role for p in said if p.negated or p.factor < 0 for role in p.word.roles]
    calm = any((p.word.density + p.word.loudness) * _weight(p) < 0 for p in said if not p.word.is_noun)
    kept = {role for p in said if not p.negated for role in p.word.roles}
    only = kept and any(token.kind is Kind.ONLY for token in found)
    others = [role for role in Role if role not in kept] if only else []
    return _once([*refused, *(_CONTRASTING if calm else ()), *others])


def _instead(text: str, said: Sequence[Phrase]) -> tuple[tuple[str, str], ...]:
    """What was asked for and can't be played, with what is played instead."""
    found = []
    for p in (p for p in said if not p.negated):
        asked = text[p.token.start : p.token.end]
        if p.token.instead:
            found.append((asked, p.token.instead))
        elif p.word.stands_for and p.word.program is not None:
            found.append((asked, GENERAL_MIDI[p.word.program].name))
    return tuple(found)


def _counts(phrase: Phrase, direction: Direction) -> bool:
    """Whether the word has an effect."""
    word = phrase.word
    if phrase.under_speech:
        return bool(direction.without_under_speech)
    if word.voice:
        return phrase.negated or phrase.factor < 0  # there never is any singing
    if word.solo:
        return direction.solo and bool(direction.instruments)
    if phrase.negated and not word.is_noun:
        return word != Word(bpm=word.bpm, mode=word.mode)
    return True


def _understood(text: str, said: Sequence[Phrase], found: Sequence[Token]) -> tuple[str, ...]:
    """Each word with its refusal and degree, up to its last letter; words of one refusal are joined."""
    scopes = [t for t in found if t.kind is Kind.SPEECH and any(p.under_speech for p in said)]
    scopes += [t for t in found if t.kind is Kind.ONLY and any(p.word.is_noun and not p.negated for p in said)]
    spans: list[tuple[int, int]] = []
    for start, end in sorted([*((p.start, p.token.end) for p in said), *((t.start, t.end) for t in scopes)]):
        if spans and start <= spans[-1][0]:
            spans[-1] = (spans[-1][0], end)
        elif not spans or start >= spans[-1][1]:
            spans.append((start, end))
    return tuple(text[start:end] + _rest_of_word(text, end) for start, end in spans)


def _rest_of_word(text: str, end: int) -> str:
    """The ending of a Korean word."""
    return (
        "".join(takewhile(lambda letter: "가" <= letter <= "힣", text[end:])) if "가" <= text[end - 1] <= "힣" else ""
    )


def _unread(text: str, found: Sequence[Token], idle: Sequence[Phrase], said: Sequence[Phrase]) -> tuple[str, ...]:
    """What has no effect; consecutive unknown words, with small words between them, are joined."""
    lost = {(p.token.start, p.token.end) for p in idle}
    if not any(p.under_speech for p in said if p not in idle):
        lost |= {(t.start, t.end) for t in found if t.kind is Kind.SPEECH}
    spans: list[tuple[int, int]] = []
    running: int | None = None
    for token in found:
        if token.kind is Kind.UNKNOWN or (token.start, token.end) in lost:
            start = token.start if running is None else running
            spans = [span for span in spans if span[0] != start] + [(start, token.end)]
            running = start
        elif token.kind in (Kind.NOT, Kind.DEGREE):
            running = token.start if running is None else running
        elif token.kind is not Kind.FILLER:
            running = None
    return tuple(text[start:end] for start, end in spans)


def _once(items: Iterable[Any]) -> tuple[Any, ...]:
    """Each once, in order."""
    return tuple(dict.fromkeys(items))
