"""Align the English translation of a stretch with its phrases by time.

Whisper translates half a minute at a time and timestamps sentences, not phrases; a phrase translated on its own has no
context and often comes out empty.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from bgm.speech.recording import Span
from bgm.speech.utterances import Timed, ends_sentence, join

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
    pauses = [(a[1] + b[0]) / 2 for a, b in pairwise(phrases)]
    cuts = [0, *_cheapest_cuts(words, pauses), len(words)]
    return [join(words[a:b]) for a, b in pairwise(cuts)]


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
    for number, pause in enumerate(pauses, 1):
        left = len(pauses) - number
        cheapest, at = math.inf, 0
        fresh, choice = [math.inf] * (count + 1), [0] * (count + 1)
        for i in range(number, count - left):
            if best[i - 1] < cheapest:
                cheapest, at = best[i - 1], i - 1
            fresh[i], choice[i] = cheapest + _cost(words, i, pause), at
        best = fresh
        choices.append(choice)
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
    return abs(moment - pause) + (CLAUSE_END_S if before.text.rstrip()[-1:] in ",;:–—" else MID_CLAUSE_S)


def _nearest(words: Sequence[Timed], phrase: Span) -> str:
    """The words that overlap the phrase, else the nearest one."""
    start, end = phrase
    inside = [word for word in words if word.start < end and word.end > start]
    middle = (start + end) / 2
    return join(inside or [min(words, key=lambda word: abs((word.start + word.end) / 2 - middle))])
