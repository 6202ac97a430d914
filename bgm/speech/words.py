"""The recognised words with their times, and the alignment of other texts with them.

The words are a property of the recording: lines may be split, joined, corrected or rewritten, and can still be aligned.
Matching is difflib's (Ratcliff and Obershelp's gestalt pattern matching) over words without case and punctuation.
"""

from __future__ import annotations

import itertools
import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from pathlib import Path
from typing import Any

from bgm.files import read_noted, write_text
from bgm.speech.utterances import Span, Timed, evenly
from bgm.timeline import MAX_SECONDS, Utterance

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
    """The moment of each word of a text; None if no recognised word can match it."""
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
    spans = [span for _, span in said]
    if len(spans) != len(text):
        spans = _shares(spans[0][0], spans[-1][1], [token.end - token.start for token in text])
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
