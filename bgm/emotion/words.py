"""The words head: TF-IDF of words, pairs and word beginnings, multinomial logistic regression; numpy only."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bgm.timeline import EMOTIONS

Floats = npt.NDArray[np.float32]

WORD = re.compile(r"\w[\w']*|[!?]+")
BEGINNINGS = (3, 4, 5)
"""Letters."""


def terms(text: str) -> list[str]:
    """Words, runs of ``!`` and ``?``, pairs of neighbours, and the beginnings of longer words; all in lower case.

    The beginnings stand for a stem: ``~happ`` is in happy, happily and happiness.
    """
    words = WORD.findall(text.lower().replace("\u2019", "'"))
    pairs = [f"{a} {b}" for a, b in itertools.pairwise(words)]
    beginnings = [f"~{word[:letters]}" for word in words for letters in BEGINNINGS if len(word) > letters]
    return words + pairs + beginnings


class WordsHead:
    """Logits from the words of a text. The weights are read-only: one head serves all threads."""

    def __init__(self, weights: Mapping[str, Any]) -> None:
        """``weights``: the arrays of words.npz (terms, idf, weights, bias, temperature)."""
        self._column = {term: i for i, term in enumerate(str(weights["terms"]).split("\n"))}
        self._idf = weights["idf"].astype(np.float32)
        self._weights = weights["weights"].astype(np.float32)
        self._bias = weights["bias"]
        self.temperature = float(weights["temperature"])
        """Divides the logits when this head serves alone (Guo et al. 2017, arXiv 1706.04599)."""

    @classmethod
    def load(cls, path: Path) -> WordsHead:
        with np.load(path, allow_pickle=False) as weights:
            return cls(weights)

    def knows(self, text: str) -> bool:
        """Whether at least one term of the text was met in training."""
        return any(term in self._column for term in terms(text))

    def logits(self, texts: Sequence[str]) -> Floats:
        """(texts, emotions) logits in the order of EMOTIONS; a text without known words gets the bias."""
        return (
            np.stack([self._logits_of(text) for text in texts]) if texts else np.empty((0, len(EMOTIONS)), np.float32)
        )

    def _logits_of(self, text: str) -> Floats:
        known = Counter(self._column[term] for term in terms(text) if term in self._column)
        if not known:
            return self._bias
        columns = np.fromiter(known, dtype=np.intp)
        counts = np.fromiter(known.values(), dtype=np.float32)
        tfidf = (1 + np.log(counts)) * self._idf[columns]
        logits: Floats = self._bias + (tfidf / np.linalg.norm(tfidf)) @ self._weights[columns]
        return logits
