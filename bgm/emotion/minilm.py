"""The embedded emotion engine: a words head and a layers head, trained on GoEmotions by bgm.training.emotion_heads.

Both heads' logits are added with weights fitted on the development split, so that the scores are honest probabilities.
Without torch or MiniLM the words head serves alone, with a temperature of its own. The weights and their model card
lie in bgm/emotion/weights.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from bgm.emotion.layers import LayersHead, MiniLMLayers
from bgm.emotion.prior import NO_EVIDENCE
from bgm.emotion.words import Floats, WordsHead
from bgm.engines import EngineOptions
from bgm.progress import Progress, silent
from bgm.timeline import EMOTIONS, Emotion

WEIGHTS = Path(__file__).parent / "weights"
WORDS_ONLY = "words"
"""``minilm:words`` leaves MiniLM out: no torch, and thousands of sentences a second."""

log = logging.getLogger("bgm")


class MiniLM:
    """English texts → seven probabilities each. ``note`` says why, when only the words head serves."""

    name: ClassVar[str] = "minilm"

    def __init__(self, options: EngineOptions) -> None:
        self._words = WordsHead.load(WEIGHTS / "words.npz")
        self._head = LayersHead.load(WEIGHTS / "layers.npz")
        self._layers: MiniLMLayers | None = None
        self.note: str | None = None
        if options.model != WORDS_ONLY:
            self._layers, self.note = _load_layers()

    @classmethod
    def missing(cls, options: EngineOptions) -> str | None:
        """Never for lack of torch: the words head needs numpy only."""
        if options.model not in (None, WORDS_ONLY):
            return f"it has no model {options.model!r}; use minilm, or minilm:{WORDS_ONLY} for its words head alone"
        if not all((WEIGHTS / file).is_file() for file in ("words.npz", "layers.npz")):
            return "its weights are not installed; install BGM Studio again"
        return None

    def classify(self, texts: Sequence[str], progress: Progress = silent) -> list[dict[Emotion, float]]:
        """Probabilities in the order of ``texts``; where no word of a text is known, NO_EVIDENCE.

        Texts are cut after 128 word pieces for MiniLM; the words head reads all of them.
        """
        progress(0.0, self.note or "")
        known = [i for i, text in enumerate(texts) if self._words.knows(text)]
        scores = [dict(NO_EVIDENCE) for _ in texts]
        for i, row in zip(known, softmax(self._logits([texts[i] for i in known], progress)), strict=True):
            scores[i] = dict(zip(EMOTIONS, row.tolist(), strict=True))
        progress(1.0, f"{len(texts)} sentences")
        return scores

    def _logits(self, texts: Sequence[str], progress: Progress) -> Floats:
        """(texts, emotions), calibrated."""
        words = self._words.logits(texts)
        if self._layers is None:
            return words / self._words.temperature
        joint = np.empty_like(words)
        done = 0
        for positions, features in self._layers.batches(texts):
            joint[positions] = self._head.joined(words[positions], features)
            done += len(positions)
            progress(done / len(texts), f"sentence {done} of {len(texts)}")
        return joint


def _load_layers() -> tuple[MiniLMLayers | None, str | None]:
    """MiniLM, or the reason why it can't serve here."""
    try:
        return MiniLMLayers(), None
    except Exception as error:  # whatever keeps torch from loading is told to the user, and the words head serves
        note = f"words only, as MiniLM can't be loaded ({error})"
        log.warning("emotion: %s", note)
        return None, note


def softmax(logits: Floats) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Rows of logits → rows of probabilities."""
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True, initial=-np.inf))
    return powers / powers.sum(axis=1, keepdims=True)
