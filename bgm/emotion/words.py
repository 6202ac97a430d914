"""Reading emotions by which words a text has: TF-IDF of words, pairs and beginnings, multinomial logistic regression.

numpy only. It helps the embedded engine (bgm.emotion.finetuned), and is an engine of its own for where MiniLM can't be
loaded. Trained by bgm.training.emotion on the same sentences as MiniLM's head.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from bgm.emotion import shipped
from bgm.emotion.prior import NO_EVIDENCE, wordless
from bgm.engines import Classifier, EngineOptions
from bgm.progress import Progress, silent
from bgm.timeline import EMOTIONS, Emotion

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


class Words(Classifier):
    """English texts → seven probabilities each."""

    name: ClassVar[str] = "words"

    def __init__(self, options: EngineOptions, folder: Path = shipped.WEIGHTS) -> None:
        self._head = WordsHead(shipped.read(folder / shipped.WORDS.name))

    @classmethod
    def missing(cls, options: EngineOptions) -> str | None:
        """It needs nothing but its own weights."""
        if options.model is not None:
            return f"it has no model {options.model!r}; use words"
        return shipped.why_unusable(shipped.WORDS)

    def classify(self, texts: Sequence[str], progress: Progress = silent) -> list[dict[Emotion, float]]:
        """Probabilities in the order of ``texts``; where no word of a text is known, NO_EVIDENCE."""
        progress(0.0)
        scores = [dict(NO_EVIDENCE) for _ in texts]
        known = [i for i, text in enumerate(texts) if not wordless(text) and self._head.knows(text)]
        for i, row in zip(known, softmax(self._head.logits([texts[i] for i in known])), strict=True):
            scores[i] = dict(zip(EMOTIONS, row.tolist(), strict=True))
        progress(1.0, f"{len(texts)} sentences")
        return scores


class WordsHead:
    """Calibrated logits from the words of a text. The weights are read-only: one head serves all threads."""

    def __init__(self, weights: Mapping[str, Any]) -> None:
        """``weights``: the arrays of words.npz (terms, idf, weights, bias, temperature)."""
        self._column = {term: i for i, term in enumerate(str(weights["terms"]).split("\n"))}
        self._idf = weights["idf"].astype(np.float32)
        self._weights = weights["weights"].astype(np.float32)
        self._bias = weights["bias"]
        self._temperature = np.float32(weights["temperature"])

    def knows(self, text: str) -> bool:
        """Whether at least one term of the text was met in training."""
        return any(term in self._column for term in terms(text))

    def logits(self, texts: Sequence[str]) -> Floats:
        """(texts, emotions) logits in the order of EMOTIONS; a text without known words gets the bias."""
        rows = [self._logits_of(text) / self._temperature for text in texts]
        return np.stack(rows) if rows else np.empty((0, len(EMOTIONS)), np.float32)

    def _logits_of(self, text: str) -> Floats:
        known = Counter(self._column[term] for term in terms(text) if term in self._column)
        if not known:
            return self._bias
        columns = np.fromiter(known, dtype=np.intp)
        counts = np.fromiter(known.values(), dtype=np.float32)
        tfidf = (1 + np.log(counts)) * self._idf[columns]
        logits: Floats = self._bias + (tfidf / np.linalg.norm(tfidf)) @ self._weights[columns]
        return logits


def softmax(logits: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Rows of logits → rows of probabilities."""
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True, initial=-np.inf))
    result: npt.NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return result
