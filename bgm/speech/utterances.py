"""Group timed words (or cues) into utterances: phrases long enough to classify an emotion."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from bgm.speech.recording import Spans
from bgm.timeline import Utterance

MAX_SECONDS = 12.0
MAX_WORDS = 25
UNSURE = 0.3
"""A less probable word outside the detected speech is dropped."""

_SENTENCE_END = (".", "!", "?", "。", "！", "？", "؟", "।")
_CLOSING = "\"'”’»)）」』"
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
    if len(phrase) == 1 or (seconds <= MAX_SECONDS and len(join(phrase).split()) <= MAX_WORDS):
        yield phrase
        return
    cut = _widest_pause(phrase)
    yield from _short_enough(phrase[:cut])
    yield from _short_enough(phrase[cut:])


def _widest_pause(phrase: Sequence[Timed]) -> int:
    """Index of the piece to cut before: the one after the widest pause; of equal pauses the one nearest the middle."""
    middle = (phrase[0].start + phrase[-1].end) / 2

    def rank(i: int) -> tuple[float, float]:
        return round(phrase[i].start - phrase[i - 1].end, 2), -abs(phrase[i].start - middle)

    return max(range(1, len(phrase)), key=rank)
