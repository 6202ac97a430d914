"""What a transcriber takes and gives (bgm.engines.Transcriber): timed words, their phrases, other texts laid on them.

1. Words, or cues, are grouped into phrases long enough to classify an emotion.
2. The English translation of a stretch is cut to its phrases: Whisper translates half a minute at a time and timestamps
   sentences, not phrases; a phrase translated on its own has no context and often comes out empty.
3. The recognised words are a property of the recording and are kept: lines may be split, joined, corrected or
   rewritten, and can still be aligned with them.
"""

from __future__ import annotations

import itertools
import json
import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from functools import lru_cache
from pathlib import Path
from typing import Any

from bgm.files import read_noted, write_text
from bgm.timeline import MAX_SECONDS, Utterance

Span = tuple[float, float]
Spans = tuple[Span, ...]
"""Speech regions, (start, end) in seconds, in order, disjoint."""


def _unread(heard: tuple[Utterance, ...]) -> None:
    """Ignore partial results."""


@dataclass(frozen=True, slots=True)
class Recording:
    """The audio (FLAC, 48 kHz, mono or stereo; None if there is none) and its speech regions."""

    audio: Path | None
    speech: Spans
    duration: float
    told: Callable[[tuple[Utterance, ...]], None] = field(default=_unread, compare=False)
    """Called by a recogniser now and then with everything transcribed so far."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """``language`` is ISO 639-1 or ``und``; utterances lie inside [0, duration], in order, disjoint, none empty.

    ``notes`` are sentences for the user's log (what was dropped, what to expect), ``words`` all recognised words, if
    word timestamps are available.
    """

    language: str
    utterances: tuple[Utterance, ...]
    notes: tuple[str, ...] = ()
    words: tuple[Timed, ...] = ()


PHRASE_SECONDS = 12.0
PHRASE_WORDS = 25
UNSURE = 0.3
"""A less probable word outside the detected speech is dropped."""

_SENTENCE_END = (".", "!", "?", "。", "！", "？", "؟", "।")
_CLOSING = "\"'”’»)）」』"
OPENING = "\"'“‘«(（「『¿¡–—-"
CLAUSE_END = (",", ";", ":", "–", "—", "，", "、", "；", "：")
_ABBREVIATIONS = frozenset({"mr.", "mrs.", "ms.", "dr.", "st.", "vs.", "prof."})


@dataclass(frozen=True, slots=True)
class Timed:
    """A word or a cue: seconds, the text with its leading space, and the engine's confidence (0..1)."""

    start: float
    end: float
    text: str
    probability: float = 1.0


def group(pieces: Sequence[Timed], pause: float) -> Iterator[tuple[Timed, ...]]:
    """Cut at pauses of ``pause`` seconds and at sentence ends; what is still too long is cut at its widest pause."""
    phrase: list[Timed] = []
    for piece in pieces:
        if phrase and (piece.start - phrase[-1].end >= pause or ends_sentence(phrase[-1].text)):
            yield from _short_enough(tuple(phrase))
            phrase = []
        phrase.append(piece)
    if phrase:
        yield from _short_enough(tuple(phrase))


def ends_sentence(text: str) -> bool:
    """Whether a sentence ends here; not at an ellipsis or an abbreviation such as ``Mr.``."""
    bare = text.rstrip().rstrip(_CLOSING)
    words = bare.split()
    abbreviated = bool(words) and words[-1].lower() in _ABBREVIATIONS
    return bare.endswith(_SENTENCE_END) and not bare.endswith("..") and not abbreviated


def heard(word: Timed, speech: Spans) -> bool:
    """Whether the word is probable, or lies in detected speech."""
    inside = sum(max(0.0, min(word.end, end) - max(word.start, start)) for start, end in speech)
    return word.probability >= UNSURE or inside >= 0.5 * (word.end - word.start)


def inside(word: Timed, speech: Spans) -> Timed:
    """Trim the word to the speech: Whisper extends a word before or after a pause up to the next word."""
    # The longest stretch of speech in it: a word may reach over a pause into the next phrase.
    voiced = [(max(word.start, start), min(word.end, end)) for start, end in speech]
    start, end = max(voiced, key=lambda span: span[1] - span[0], default=(word.start, word.end))
    return replace(word, start=start, end=end) if start < end else word


def join(phrase: Sequence[Timed]) -> str:
    """The phrase as one line."""
    return " ".join("".join(piece.text for piece in phrase).split())


def evenly(start: float, end: float, text: str) -> list[Timed]:
    """The words of a text spoken from ``start`` to ``end``, timed in proportion to their letters."""
    words = text.split()
    lengths = [len(word) + 1 for word in words]
    ends = [start + (end - start) * done / sum(lengths) for done in itertools.accumulate(lengths, initial=0)]
    return [Timed(a, b, f" {word}") for word, (a, b) in zip(words, itertools.pairwise(ends), strict=True)]


def lay_out(utterances: Iterable[Utterance], duration: float) -> tuple[Utterance, ...]:
    """In order, disjoint, inside [0, duration]; utterances without text or duration are dropped."""
    out: list[Utterance] = []
    for utterance in sorted(utterances, key=lambda u: (u.start, u.end)):
        earliest = out[-1].end if out else 0.0
        start, end = max(earliest, utterance.start), min(utterance.end, duration)
        if end > start and utterance.text.strip():
            out.append(replace(utterance, start=start, end=end))
    return tuple(out)


def _short_enough(phrase: tuple[Timed, ...]) -> Iterator[tuple[Timed, ...]]:
    seconds = phrase[-1].end - phrase[0].start
    if len(phrase) == 1 or (seconds <= PHRASE_SECONDS and len(join(phrase).split()) <= PHRASE_WORDS):
        yield phrase
        return
    cut = _widest_pause(phrase)
    # Both halves again: one of them may still be too long.
    yield from _short_enough(phrase[:cut])
    yield from _short_enough(phrase[cut:])


def _widest_pause(phrase: Sequence[Timed]) -> int:
    """Index of the piece to cut before: the one after the widest pause; of equal pauses the one nearest the middle."""
    middle = (phrase[0].start + phrase[-1].end) / 2

    def rank(i: int) -> tuple[float, float]:
        # To hundredths: recognisers' times are no finer, and ties go to the middle.
        return round(phrase[i].start - phrase[i - 1].end, 2), -abs(phrase[i].start - middle)

    return max(range(1, len(phrase)), key=rank)


MID_CLAUSE_S = 1.5
"""A cut between two words of a clause costs as much as one that is this late or early."""
CLAUSE_END_S = 0.5
"""The same for a cut at a comma; a cut at the end of a sentence is free."""
LATIN_SHARE = 0.8


def lay(words: Sequence[Timed], phrases: Sequence[Span]) -> list[str]:
    """The text of each phrase: ``words`` cut once between every two phrases, near the pause and, if possible, at the
    end of a clause. Every phrase gets at least one word; if there are fewer words than phrases each gets the nearest.

    Dynamic programming over phrases and words minimises the cost of the cuts: the seconds between cut and pause, plus a
    penalty for cutting within the sentence.
    """
    if not words or not phrases:
        return ["" for _ in phrases]
    if len(words) < len(phrases):
        return [_nearest(words, phrase) for phrase in phrases]
    # 1. A cut belongs in the middle of each pause between two phrases; 2. all cuts are chosen together.
    pauses = [(a[1] + b[0]) / 2 for a, b in itertools.pairwise(phrases)]
    cuts = [0, *_cheapest_cuts(words, pauses), len(words)]
    return [join(words[a:b]) for a, b in itertools.pairwise(cuts)]


def reads_as_english(text: str, original: str) -> bool:
    """Whether a text is plausible as a translation: written in Latin letters, and not the original repeated."""
    letters = [c for c in text if c.isalpha()]
    latin = sum(c.isascii() for c in letters)
    return bool(letters) and latin >= LATIN_SHARE * len(letters) and text.casefold() != original.casefold()


def _cheapest_cuts(words: Sequence[Timed], pauses: Sequence[float]) -> list[int]:
    """For each pause the number of words before it, strictly increasing, from 1 to one less than all."""
    count = len(words)
    best = [0.0, *[math.inf] * count]  # best[i]: the least cost of the cuts so far, the last of them before word i
    choices: list[list[int]] = []
    # 1. For each pause and each place to cut, the cheapest way there: each word is looked at once per pause.
    for number, pause in enumerate(pauses, 1):
        # At least one word before this cut for each earlier one, and one behind it for each later one.
        left = len(pauses) - number
        cheapest, at = math.inf, 0
        fresh, choice = [math.inf] * (count + 1), [0] * (count + 1)
        for i in range(number, count - left):
            if best[i - 1] < cheapest:
                cheapest, at = best[i - 1], i - 1
            fresh[i], choice[i] = cheapest + _cost(words, i, pause), at
        best = fresh
        choices.append(choice)
    # 2. Back from the cheapest end, through the choices that led there.
    cuts: list[int] = []
    end = min(range(count + 1), key=best.__getitem__)
    for choice in reversed(choices):
        cuts.append(end)
        end = choice[end]
    return cuts[::-1]


def _cost(words: Sequence[Timed], cut: int, pause: float) -> float:
    before, after = words[cut - 1], words[cut]
    moment = (before.end + after.start) / 2
    if ends_sentence(before.text):
        return abs(moment - pause)
    return abs(moment - pause) + (CLAUSE_END_S if before.text.rstrip().endswith(CLAUSE_END) else MID_CLAUSE_S)


def _nearest(words: Sequence[Timed], phrase: Span) -> str:
    """The words that overlap the phrase, else the nearest one."""
    start, end = phrase
    inside = [word for word in words if word.start < end and word.end > start]
    middle = (start + end) / 2
    return join(inside or [min(words, key=lambda word: abs((word.start + word.end) / 2 - middle))])


_UNSPACED = "\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_TOKEN = re.compile(rf"[{_UNSPACED}]|[^\s{_UNSPACED}]+")
"""A word; in scripts written without spaces (Thai, Japanese, Chinese) a character."""
_MOST_FOR_ONE = 3
"""At most this many words of a text may match one recognised word, and vice versa; else there is no match."""
_NEAR_WORDS = 12
"""Up to this many consecutive words are compared by letters: longer texts agree by chance."""
_LIKE = 0.6
"""Share of a word's letters."""
_EXACT_UP_TO = 3000
"""Up to this many words of a text, frequent words are matched on their own; beyond, only next to others, which is
fast."""


@dataclass(frozen=True, slots=True)
class Token:
    """A word of a text and its position; ``key`` is used for comparison."""

    key: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Moment:
    """When a word is spoken (seconds): ``exact`` if that very word was recognised, ``sure`` also if a similar one was;
    else interpolated from the words around it."""

    start: float
    end: float
    exact: bool
    sure: bool = True


def tokens(text: str) -> list[Token]:
    """The words of a text; punctuation alone is none."""
    found = ((match, _key(match[0])) for match in _TOKEN.finditer(text))
    return [Token(key, match.start(), match.end()) for match, key in found if key]


def _key(word: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKC", word).casefold() if c.isalnum())


def heard_in(words: Sequence[Timed], start: float, end: float) -> list[Timed]:
    """The words whose middle lies in [start, end]."""
    return [word for word in words if start <= (word.start + word.end) / 2 <= end]


def spread(lines: Iterable[Utterance]) -> tuple[Timed, ...]:
    """Words of lines without word timestamps, timed in proportion to their letters."""
    return tuple(word for line in lines for word in evenly(line.start, line.end, line.text))


def align(text: Sequence[Token], words: Sequence[Timed]) -> list[Moment | None]:
    """The moment of each word of a text; None if no recognised word can match it.

    By difflib's matching (Ratcliff and Obershelp's gestalt pattern matching), without case and punctuation.
    """
    # 1. The recognised words, tokenised like the text.
    said = [(key, span) for word in words for key, span in _parts(word)]
    # 2. The longest common runs, and what lies between them.
    matcher = SequenceMatcher(None, [key for key, _ in said], [t.key for t in text], autojunk=len(text) > _EXACT_UP_TO)
    moments: list[Moment | None] = [None] * len(text)
    for kind, a, b, first, last in matcher.get_opcodes():
        if kind == "equal":
            moments[first:last] = [Moment(*span, exact=True) for _, span in said[a:b]]
        elif kind == "replace":
            moments[first:last] = _instead(said[a:b], text[first:last])
    return moments


def _parts(word: Timed) -> list[tuple[str, Span]]:
    found = tokens(word.text)
    lengths = [token.end - token.start for token in found]
    return list(zip((t.key for t in found), _shares(word.start, word.end, lengths), strict=True))


def _shares(start: float, end: float, lengths: Sequence[int]) -> list[Span]:
    total = max(1, sum(lengths))
    edges = [start + (end - start) * done / total for done in itertools.accumulate(lengths, initial=0)]
    return list(itertools.pairwise(edges))


def _instead(said: Sequence[tuple[str, Span]], text: Sequence[Token]) -> list[Moment | None]:
    """Match different words: by shared letters, else one to one or by their lengths."""
    if max(len(text), len(said)) > _MOST_FOR_ONE * min(len(text), len(said)):
        return [None] * len(text)
    # 1. As many words on both sides are taken one by one; 2. else the time is shared out by their letters;
    spans = [span for _, span in said]
    if len(spans) != len(text):
        spans = _shares(spans[0][0], spans[-1][1], [token.end - token.start for token in text])
    # 3. and where letters agree, they say it better.
    near = _near(said, text) if max(len(text), len(said)) <= _NEAR_WORDS else [None] * len(text)
    return [like or Moment(*span, exact=False, sure=False) for like, span in zip(near, spans, strict=True)]


def _near(said: Sequence[tuple[str, Span]], text: Sequence[Token]) -> list[Moment | None]:
    """The moments of words that share most of their letters with the recognised ones: ``I'm`` for ``I am``."""
    # 1. Every recognised letter with its share of its word's time.
    letters = [
        (letter, share) for key, span in said for letter, share in zip(key, _shares(*span, [1] * len(key)), strict=True)
    ]
    matcher = SequenceMatcher(None, [letter for letter, _ in letters], "".join(t.key for t in text), autojunk=False)
    # 2. The time of each letter of the text that is also recognised.
    when = {block.b + i: letters[block.a + i][1] for block in matcher.get_matching_blocks() for i in range(block.size)}
    # 3. A word is matched if it has enough of those letters.
    edges = itertools.pairwise(itertools.accumulate((len(token.key) for token in text), initial=0))
    found = [[when[i] for i in range(*edge) if i in when] for edge in edges]
    return [
        Moment(spans[0][0], spans[-1][1], exact=False) if len(spans) >= _LIKE * len(token.key) else None
        for spans, token in zip(found, text, strict=True)
    ]


def save(file: Path, words: Sequence[Timed]) -> None:
    """Save the words to ``file``."""
    write_text(file, json.dumps([[round(w.start, 3), round(w.end, 3), w.text] for w in words], ensure_ascii=False))


def load(file: Path) -> tuple[Timed, ...]:
    """Load the words from ``file``; none if there is no file. Raises BadInput if it is damaged."""
    return tuple(Timed(*word) for word in read_noted(file, _schema) or ())


@lru_cache(maxsize=1)
def _schema() -> Any:
    from typing import Annotated

    from pydantic import Field, TypeAdapter

    seconds = Annotated[float, Field(ge=0, le=MAX_SECONDS, allow_inf_nan=False)]
    return TypeAdapter(list[tuple[seconds, seconds, str]])
