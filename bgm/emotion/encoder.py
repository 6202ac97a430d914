"""A published sentence encoder, perhaps with our low-rank changes, and a small head that reads middle and upper layers.

The changes (LoRA: Hu et al. 2021, arXiv 2106.09685) are added to the weights once, when they are loaded, so they
cost nothing when a text is read. The middle layers still tell how a thing is said; the final embedding of a model made
for search is trained to forget that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch

Floats = npt.NDArray[np.float32]
Positions = npt.NDArray[np.intp]

LAYERS = (3, 4, 5, 6)
"""Which of the first six transformer layers the head reads, counted from 1."""
HIDDEN = 384
MAX_TOKENS = 128
BATCH = 32
HEAD = ("inner", "inner_bias", "outer", "outer_bias")
DOWN, UP = ".down", ".up"
"""Endings of the two factors of a change: ``NAME.up @ NAME.down`` is added to the weight of the module NAME."""


class Encoder:
    """Texts → logits of the seven emotions.

    Read-only once loaded: one serves all threads. Raises ImportError when torch or transformers is missing,
    EngineUnavailable when the published model's files are.
    """

    def __init__(self, weights: Mapping[str, Any], load: Callable[[], tuple[Any, Any]]) -> None:
        """``weights``: the arrays of HEAD and the factors of the changes; ``load`` gives tokenizer and model."""
        import torch

        self._tokenizer, self._model = load()
        self._head = {name: torch.from_numpy(weights[name].astype(np.float32)) for name in HEAD}
        self._merge(weights)

    def batches(self, texts: Sequence[str]) -> Iterator[tuple[Positions, Floats]]:
        """Texts of like length together: (positions of the texts, (texts, emotions) logits) of each batch.

        A text is cut after 128 word pieces.
        """
        order = np.argsort([len(text) for text in texts], kind="stable")
        for start in range(0, len(order), BATCH):
            positions = order[start : start + BATCH]
            yield positions, self._logits([texts[i] for i in positions])

    def _logits(self, texts: list[str]) -> Floats:
        import torch

        batch = self._tokenizer(texts, padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt")
        with torch.inference_mode():
            features = read(self._model, batch)
            hidden = torch.relu(features @ self._head["inner"] + self._head["inner_bias"])
            logits = hidden @ self._head["outer"] + self._head["outer_bias"]
        answer: Floats = logits.numpy()
        return answer

    def _merge(self, weights: Mapping[str, Any]) -> None:
        import torch

        for name in (key.removesuffix(DOWN) for key in weights if key.endswith(DOWN)):
            change = weights[name + UP].astype(np.float32) @ weights[name + DOWN].astype(np.float32)
            with torch.no_grad():
                self._model.get_submodule(name).weight += torch.from_numpy(change)


def load_minilm(**changes: Any) -> tuple[Any, Any]:
    """Tokenizer and model as they are published, but for ``changes`` of its configuration."""
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging as library

    from bgm import weights

    library.disable_progress_bar()
    folder = weights.provide(weights.card("minilm"), offline=True)
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    return tokenizer, AutoModel.from_pretrained(folder, local_files_only=True, **changes).eval()


def read(model: Any, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """What the head sees of a tokenized batch."""
    states = model(**batch, output_hidden_states=True).hidden_states
    return pooled(states[LAYERS[0] :], batch["attention_mask"])


def pooled(states: Sequence[torch.Tensor], attention_mask: torch.Tensor) -> torch.Tensor:
    """(texts, layers x width): the means over a text's word pieces of the layers that the head reads."""
    import torch

    mask = attention_mask.unsqueeze(-1).to(states[0].dtype)
    return torch.cat([(state * mask).sum(1) / mask.sum(1) for state in states], dim=1)
