"""Parse the creator's words into phrases: each known word with the refusal, degree and scope that apply to it.

Phrases end at commas, "but", "and", "with". A refusal ("no", "without", "not", or "없이" after its word) applies to the
nouns of its phrase; it continues past "or", and past "and" before a bare noun. A degree ("very", "less") applies to the
next word, "under speech" to the whole phrase.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from functools import lru_cache
from itertools import pairwise

from bgm.music import vocabulary
from bgm.music.composer.form import COMMON, METERS
from bgm.music.score import Role
from bgm.music.vocabulary import Meter, Mode, Word

TEMPI = (40.0, 220.0)
"""Range of the beats per minute that can be asked for; values beyond are clamped."""
_PLAYED_AS: dict[Meter, Meter] = {
    (2, 4): (4, 4), (2, 2): (4, 4), (8, 8): (4, 4), (12, 8): (6, 8), (9, 8): (6, 8), (3, 8): (3, 4), (6, 4): (3, 4),
    (5, 4): (4, 4), (5, 8): (3, 4), (7, 8): (4, 4), (7, 4): (4, 4), (11, 8): (4, 4), (3, 2): (3, 4), (4, 8): (4, 4),
}  # fmt: skip
"""Meters that are understood but not played, and the one of our three that is played instead."""


class Kind(Enum):
    WORD = auto()
    NOT = auto()
    NOT_AFTER = auto()
    DEGREE = auto()
    ONLY = auto()
    SPEECH = auto()
    BREAK = auto()
    COMMA = auto()
    AND = auto()
    OR = auto()
    FILLER = auto()
    UNKNOWN = auto()


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the text at ``start`` to ``end``, in characters."""

    kind: Kind
    start: int
    end: int
    word: Word | None = None
    factor: float = 1.0
    tonic: int | None = None
    instead: str = ""


@dataclass(slots=True)
class Phrase:
    """A word with what its context adds."""

    token: Token
    word: Word
    group: int
    start: int
    negated: bool = False
    factor: float = 1.0
    graded: bool = False
    """A degree stands before it."""
    under_speech: bool = False
    adjective_before: bool = False
    """Within a refusal: "no loud drums" refuses the loudness alone."""
    section: tuple[Role, ...] = ()
    """The melodic section named right after an instrument: the melody of "violin melody"."""
    is_of_instrument: bool = False
    """It is that section."""


_LETTERS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11, "h": 11}
_NAMES_KO = {"다": 0, "라": 2, "마": 4, "바": 5, "사": 7, "가": 9, "나": 11}
_KEY = re.compile(
    r"(?:(?:in )?(?:the )?key of )?\b(?P<letter>[A-Ha-h])(?P<sign>\s?(?:#|♯|♭|sharp|flat)|b)?[ -]?"
    r"(?P<mode>major|minor|maj|min|dur|moll|(?<=[A-H♯#♭b])m)(?![A-Za-z])(?! key| mode| feel| mood| chord)"
)
_IN_KEY = re.compile(
    r"(?:\bin (?:the key of )?|\bkey of |\bkey:? )(?P<letter>[A-H])(?P<sign>[#♯♭b]|\s?(?:sharp|flat))?(?![A-Za-z])"
)
_KEY_KO = re.compile(r"(?P<sign>올림|내림)?\s?(?P<letter>[가나다라마바사])\s?(?P<mode>장조|단조)")
_BPM = re.compile(
    r"(?:at |around |about |approx\.? |~|circa )*(?:(?P<a>\d{2,3}(?:\.\d+)?)(?:\s?(?:-|–|to)\s?(?P<b>\d{2,3}))?\s?"
    r"(?:bpm|beats per minute|beats a minute|템포|비피엠)|(?:bpm|tempo|템포|♩|♪)\s?"
    r"(?:of |at |=|:|is )*\s?(?P<c>\d{2,3}(?:\.\d+)?)|"
    r"(?:\bat )(?P<d>\d{2,3})(?=\s*(?:$|[,.;])))",
    re.I,
)  # fmt: skip
_METER = re.compile(r"(?<![\d/])(?P<beats>\d{1,2})\s?/\s?(?P<unit>2|4|8|16)(?![\d/])(?:\s?(?:time|meter|박자))?", re.I)
_METER_KO = re.compile(r"(?P<unit>[248])분의\s?(?P<beats>\d{1,2})\s?(?:박자)?")
_JOINS_KO = re.compile(r"(?:와|과|하고|랑|이랑|나|이나|및)(?![가-힣])")
_SPEECH = re.compile(f"{vocabulary.SPEECH}|{vocabulary.SPEECH_KO}", re.I)
_NOT_AFTER_KO = re.compile(rf"[가-힣]*?(?:{vocabulary.NOT_AFTER_KO})[가-힣]*")
_FREE = re.compile(r"-?(?:less|free)\b", re.I)
_HANGUL = re.compile(r"[가-힣]+")
_UNKNOWN = re.compile(r"[가-힣]+|[^\W가-힣]+(?:[’'-][^\W가-힣]+)*|\S")


def tokens(text: str) -> Iterator[Token]:
    """All of ``text`` except spaces, in order; the longest match at each place wins."""
    plain = text.replace("’", "'")
    at = 0
    while at < len(plain):
        if plain[at].isspace() or plain[at] in "\"'“”()[]*-–—_!?":
            at += 1
            continue
        # Patterns first: "in 3/4" and "in a minor" begin with words that the table has as fillers.
        token = _special(plain, at) or _listed(plain, at) or _unlisted(plain, at)
        yield token
        at = token.end
        for ending in _endings(plain, token):
            yield ending
            at = ending.end


def _special(text: str, at: int) -> Token | None:
    """What a table can't list: keys, tempi, meters, and "under the speech"."""
    for pattern in (_KEY, _IN_KEY, _KEY_KO):
        if (found := pattern.match(text, at)) and _starts_word(text, at):
            return _key(found)
    if (found := _BPM.match(text, at)) and _starts_word(text, at):
        return _bpm(found)
    if found := (_METER.match(text, at) or _METER_KO.match(text, at)):
        return _meter(found)
    spoken = _SPEECH.match(text, at)
    return Token(Kind.SPEECH, at, spoken.end()) if spoken and _starts_word(text, at) else None


def _key(found: re.Match[str]) -> Token:
    letter, sign = found["letter"], (found["sign"] or "").strip()
    tonic = _NAMES_KO[letter] if letter in _NAMES_KO else _LETTERS[letter.lower()]
    shift = 1 if sign in ("#", "♯", "sharp", "올림") else -1 if sign else 0
    named = found.groupdict().get("mode")
    mode: Mode = "minor" if named in ("minor", "min", "m", "moll", "단조") else "major"
    return Token(Kind.WORD, found.start(), found.end(), Word(mode=mode), tonic=(tonic + shift) % 12)


def _bpm(found: re.Match[str]) -> Token:
    # A range ("80-90 bpm") is its middle.
    numbers = [float(n) for n in found.group("a", "b", "c", "d") if n]
    asked = sum(numbers) / len(numbers)
    played = min(TEMPI[1], max(TEMPI[0], asked))
    instead = "" if played == asked else f"{played:g} bpm"
    return Token(Kind.WORD, found.start(), found.end(), Word(bpm=round(played)), instead=instead)


def _meter(found: re.Match[str]) -> Token:
    asked = (int(found["beats"]), int(found["unit"]))
    played = asked if asked in METERS else _PLAYED_AS.get(asked, COMMON.signature)
    instead = "" if played == asked else f"{played[0]}/{played[1]}"
    return Token(Kind.WORD, found.start(), found.end(), Word(meter=played), instead=instead)


def _listed(text: str, at: int) -> Token | None:
    """The longest phrase of the vocabulary at this place."""
    english, korean, meanings = _lexicon()
    found = english.match(text, at) if _starts_word(text, at) else None
    found = found or korean.match(text, at)
    if found is None:
        return None
    kind, word, factor = meanings[_plain(found.group(found.lastgroup or 0))]
    return Token(kind, at, found.end(), word, factor)


def _unlisted(text: str, at: int) -> Token:
    found = _UNKNOWN.match(text, at)
    end = found.end() if found else at + 1
    if text[at] in ",;:/+|\n、，":
        return Token(Kind.COMMA, at, end)
    return Token(Kind.BREAK if text[at] in ".。" else Kind.UNKNOWN, at, end)


def _endings(text: str, token: Token) -> list[Token]:
    """The endings of a word: "-less" and "-free", and in Korean a refusal ("-없이"), a second word or a particle."""
    if (free := _FREE.match(text, token.end)) and token.kind is Kind.WORD:
        return [Token(Kind.NOT_AFTER, token.end, free.end())]
    rest = _HANGUL.match(text, token.end)
    if rest is None or not _HANGUL.match(text[token.end - 1]):
        return []
    # Korean joins words without a space: what follows may be a word of its own.
    more = _listed(text, token.end)
    if more and more.kind is Kind.WORD and more.end - more.start > 1:
        return [more, *_endings(text, more)]
    if token.kind is Kind.WORD and (refused := _NOT_AFTER_KO.match(text, token.end)):
        return [Token(Kind.NOT_AFTER, token.end, refused.end())]
    joins = token.kind is Kind.WORD and _JOINS_KO.match(text, token.end)
    return [Token(Kind.OR if joins else Kind.FILLER, token.end, rest.end())]


def _starts_word(text: str, at: int) -> bool:
    return at == 0 or not (text[at - 1].isascii() and text[at - 1].isalnum())


_Meaning = tuple[Kind, Word | None, float]


@lru_cache(maxsize=1)
def _lexicon() -> tuple[re.Pattern[str], re.Pattern[str], dict[str, _Meaning]]:
    """One pattern for each language, longest phrases first, and what each phrase means."""
    v = vocabulary
    english: dict[str, _Meaning] = {}
    korean: dict[str, _Meaning] = {}
    lists: list[tuple[str, str, _Meaning]] = [
        (v.FILLERS, v.FILLERS_KO, (Kind.FILLER, None, 1.0)),
        (v.BREAKS, v.BREAKS_KO, (Kind.BREAK, None, 1.0)),
        (v.NOT, v.NOT_KO, (Kind.NOT, None, 1.0)),
        (v.NOT_AFTER, v.NOT_AFTER_KO, (Kind.NOT_AFTER, None, 1.0)),
        (v.ONLY, v.ONLY_KO, (Kind.ONLY, None, 1.0)),
        (v.AND, v.AND_KO, (Kind.AND, None, 1.0)),
        (v.OR, v.OR_KO, (Kind.OR, None, 1.0)),
        *((en, ko, (Kind.DEGREE, None, factor)) for en, ko, factor in v.DEGREES),
        *((en, ko, (Kind.WORD, word, 1.0)) for en, ko, word in v.rows()),
    ]
    for en, ko, meaning in lists:
        english |= dict.fromkeys(map(_plain, filter(None, en.split("|"))), meaning)
        korean |= dict.fromkeys(map(_plain, filter(None, ko.split("|"))), meaning)
    spelt = [phrase for en, ko, _ in lists for phrase in en.split("|") if phrase]
    # Longest first: Python's alternation takes the first branch that fits, not the longest.
    words = "|".join(_spelling(phrase) for phrase in sorted(spelt, key=len, reverse=True))
    stems = [phrase for _, ko, _ in lists for phrase in ko.split("|") if phrase]
    endings = "|".join(_spelling(phrase) for phrase in sorted(stems, key=len, reverse=True))
    return (
        re.compile(rf"(?P<en>{words})(?:(?:e?s)?(?![a-z0-9])(?!'[a-z])|(?=-?(?:less|free)\b))", re.I),
        re.compile(f"(?P<ko>{endings})"),
        english | korean,
    )


def _spelling(phrase: str) -> str:
    return re.escape(phrase).replace(r"\ ", r"[\s-]*")


def _plain(phrase: str) -> str:
    return re.sub(r"[\s-]+", "", phrase.lower())


@dataclass(slots=True)
class _State:
    """The state of the parser within a phrase."""

    group: int = 0
    refusal: int | None = None
    """Start of the refusal in effect."""
    noun: bool = False
    adjective: bool = False
    """What the refusal has applied to so far."""
    degree: Token | None = None
    spoken: set[int] = field(default_factory=set)


_MELODIC = {Role.LEAD, Role.COUNTER, Role.COMP, Role.ARP, Role.PAD}


def phrases(tokens: Sequence[Token]) -> list[Phrase]:
    """Each word with its refusal, degree and scope."""
    found: list[Phrase] = []
    state = _State()
    for i, token in enumerate(tokens):
        if token.kind is Kind.WORD:
            found.append(_phrase(state, token))
        elif token.kind is Kind.NOT_AFTER:
            _refuse_before(found, tokens[:i], state.group, token)
        elif token.kind is Kind.NOT:
            _start_refusal(state, token)
        elif token.kind is Kind.DEGREE:
            state.degree = token
        elif token.kind is Kind.SPEECH:
            # "Under speech, calm and soft": at the head of a sentence its scope is the phrase behind the comma too.
            first = all(phrase.group != state.group for phrase in found)
            state.spoken |= {state.group, state.group + 1} if first and _ends_phrase(tokens, i) else {state.group}
        elif token.kind in (Kind.COMMA, Kind.BREAK, Kind.AND) and not _goes_on(state, tokens, i):
            state.group, state.refusal, state.degree = state.group + 1, None, None
    for phrase in found:
        phrase.under_speech = phrase.group in state.spoken
    _name_sections(found)
    return found


def _phrase(state: _State, token: Token) -> Phrase:
    word = token.word or Word()
    if state.refusal is not None and state.noun and not word.is_noun:
        state.refusal = None  # "no drums slow": past its noun an adjective is a new phrase
        state.group += 1
    phrase = Phrase(token, word, state.group, token.start)
    if state.refusal is not None:
        # A refusal holds from where it stands; the span that is shown as understood begins there.
        phrase.start, phrase.negated, phrase.adjective_before = state.refusal, True, state.adjective
        state.noun, state.adjective = state.noun or word.is_noun, state.adjective or not word.is_noun
    if state.degree is not None:
        phrase.start, phrase.factor, phrase.graded = min(phrase.start, state.degree.start), state.degree.factor, True
        state.degree = None
    return phrase


def _start_refusal(state: _State, token: Token) -> None:
    """ "No drums no bass" are two refusals, "not without" is one."""
    if state.refusal is None or state.noun or state.adjective:
        state.group += state.refusal is not None
        state.refusal = token.start
    state.noun = state.adjective = False


def _goes_on(state: _State, tokens: Sequence[Token], at: int) -> bool:
    """Whether a refusal continues past this "and" or comma, as in "no drums and bass", "no drums, bass or brass"."""
    here, after = tokens[at].kind, tokens[at + 1 :]
    if state.refusal is None or not state.noun or here is Kind.BREAK:
        return False
    if here is Kind.AND:
        return bool(after) and _is_noun(after[0])
    # Looking ahead: "no drums, bass or brass" refuses all three, "no drums, soft piano" one.
    for token in after:
        if token.kind is Kind.OR:
            return True
        if token.kind not in (Kind.COMMA, Kind.FILLER) and not _is_noun(token):
            return False
    return False


def _is_noun(token: Token) -> bool:
    return token.word is not None and token.word.is_noun


def _ends_phrase(tokens: Sequence[Token], at: int) -> bool:
    return at + 1 < len(tokens) and tokens[at + 1].kind is Kind.COMMA


def _refuse_before(found: list[Phrase], before: Sequence[Token], group: int, token: Token) -> None:
    """Apply a refusal that follows its word, and those joined to it."""
    if not found or found[-1].group != group:
        return
    # Backwards from the refusal, as long as words are joined: "drums and bass without" refuses both.
    words = [i for i, t in enumerate(before) if t.kind is Kind.WORD]
    count = 1
    for later, earlier in pairwise(reversed(words)):
        if not {Kind.OR, Kind.AND} & {t.kind for t in before[earlier + 1 : later]}:
            break
        count += 1
    for phrase in found[-count:]:
        phrase.negated, phrase.start, phrase.group = True, found[-count].start, group
    found[-1].token = replace(found[-1].token, end=token.end)


def _name_sections(found: Sequence[Phrase]) -> None:
    for phrase, behind in pairwise(found):
        is_section = behind.word.program is None and bool(behind.word.roles) and set(behind.word.roles) <= _MELODIC
        if is_section and phrase.word.program is not None and phrase.group == behind.group and not phrase.negated:
            phrase.section, behind.is_of_instrument = behind.word.roles, True
