"""The embedded emotion engine: MiniLM, its upper layers changed for reading emotions (bgm.emotion.encoder), and words.

Their logits are added with shares that were fitted on the development writer: each knows what the other misses.
Trained by bgm.training.emotion on sentences as creators say them, film subtitles and comments, with and without
punctuation. The weights and their model card lie in bgm/emotion/weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

from bgm import weights
from bgm.emotion import shipped
from bgm.emotion.encoder import Encoder, load_minilm
from bgm.emotion.prior import NO_EVIDENCE, wordless
from bgm.emotion.words import Floats, WordsHead, softmax
from bgm.engines import Classifier, EngineOptions
from bgm.progress import Progress, silent
from bgm.timeline import EMOTIONS, Emotion


class MiniLM(Classifier):
    """English texts → seven probabilities each. Loaded when it is made; read-only, so one serves all threads."""

    name: ClassVar[str] = "minilm"

    def __init__(self, options: EngineOptions, folder: Path = shipped.WEIGHTS) -> None:
        arrays = shipped.read(folder / self.head().name)
        self._encoder, self._shares = Encoder(arrays, self.load), arrays["shares"]
        self._words = WordsHead(shipped.read(folder / shipped.WORDS.name))

    @classmethod
    def head(cls) -> Path:
        """Our weights."""
        return shipped.MINILM

    @classmethod
    def load(cls) -> tuple[Any, Any]:
        """Tokenizer and network as they are published."""
        return load_minilm()

    @classmethod
    def missing(cls, options: EngineOptions) -> str | None:
        """Torch, transformers, our weights whole, and the published ones."""
        if options.model is not None:
            return f"it has no model {options.model!r}; use {cls.name}"
        absent = [package for package in ("torch", "transformers") if find_spec(package) is None]
        if absent:
            return f"{absent[0]} is not installed"
        damaged = shipped.why_unusable(cls.head()) or shipped.why_unusable(shipped.WORDS)
        return damaged or weights.why_no_model(cls.name, None, offline=options.offline)

    def classify(self, texts: Sequence[str], progress: Progress = silent) -> list[dict[Emotion, float]]:
        """Probabilities in the order of ``texts``; NO_EVIDENCE for one without English words.

        A text is cut after 128 word pieces.
        """
        progress(0.0)
        spoken = [i for i, text in enumerate(texts) if not wordless(text)]
        scores = [dict(NO_EVIDENCE) for _ in texts]
        done = 0
        for positions, logits in self._encoder.batches([texts[i] for i in spoken]):
            words = self._words.logits([texts[spoken[position]] for position in positions])
            for position, row in zip(positions, softmax(joined(logits, words, self._shares)), strict=True):
                scores[spoken[position]] = dict(zip(EMOTIONS, row.tolist(), strict=True))
            done += len(positions)
            progress(done / len(spoken), f"sentence {done} of {len(spoken)}")
        progress(1.0, f"{len(texts)} sentences")
        return scores


def joined(encoder: Floats, words: Floats, shares: Floats) -> Floats:
    """Calibrated logits: those of both, each with its share."""
    result: Floats = shares[0] * encoder + shares[1] * words
    return result
