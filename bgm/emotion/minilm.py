"""The embedded emotion engine: MiniLM, its upper layers changed for reading emotions (bgm.emotion.encoder).

Trained by bgm.training.emotion on sentences as creators say them, film subtitles and comments, with and without
punctuation. The weights and their model card lie in bgm/emotion/weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from bgm import weights
from bgm.emotion import shipped
from bgm.emotion.encoder import Encoder
from bgm.emotion.prior import NO_EVIDENCE, wordless
from bgm.engines import EngineOptions
from bgm.progress import Progress, silent
from bgm.timeline import EMOTIONS, Emotion


class MiniLM:
    """English texts → seven probabilities each. Loaded when it is made; read-only, so one serves all threads."""

    name: ClassVar[str] = "minilm"

    def __init__(self, options: EngineOptions, folder: Path = shipped.WEIGHTS) -> None:
        self._encoder = Encoder(shipped.read(folder / shipped.MINILM.name))

    @classmethod
    def missing(cls, options: EngineOptions) -> str | None:
        """Torch, transformers, our weights whole, and MiniLM's own: all come with the studio."""
        if options.model is not None:
            return f"it has no model {options.model!r}; use minilm"
        absent = [package for package in ("torch", "transformers") if find_spec(package) is None]
        if absent:
            return f"{absent[0]} is not installed"
        return shipped.why_unusable(shipped.MINILM) or weights.why_no_model(cls.name, None, offline=options.offline)

    def classify(self, texts: Sequence[str], progress: Progress = silent) -> list[dict[Emotion, float]]:
        """Probabilities in the order of ``texts``; NO_EVIDENCE for one without English words.

        A text is cut after 128 word pieces.
        """
        progress(0.0)
        spoken = [i for i, text in enumerate(texts) if not wordless(text)]
        scores = [dict(NO_EVIDENCE) for _ in texts]
        done = 0
        for positions, logits in self._encoder.batches([texts[i] for i in spoken]):
            for position, row in zip(positions, softmax(logits), strict=True):
                scores[spoken[position]] = dict(zip(EMOTIONS, row.tolist(), strict=True))
            done += len(positions)
            progress(done / len(spoken), f"sentence {done} of {len(spoken)}")
        progress(1.0, f"{len(texts)} sentences")
        return scores


def softmax(logits: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Rows of logits → rows of probabilities."""
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True, initial=-np.inf))
    result: npt.NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return result
