"""The better reader, where all-mpnet-base-v2 is installed: its first six layers in 8 bits, our head, and words.

Nothing of the network is changed: it has read far more than MiniLM, and knows what is meant where no feeling is named.
Six of its twelve layers say as much of a feeling as all do. In 8 bits (a scale for each channel: Krishnamoorthi 2018,
arXiv 1806.08342) they are read about as fast as MiniLM in 32; the head was trained on what they say so.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, ClassVar

from bgm import weights
from bgm.emotion import shipped
from bgm.emotion.encoder import LAYERS
from bgm.emotion.minilm import MiniLM
from bgm.engines import EngineOptions


class MPNet(MiniLM):
    """English texts → seven probabilities each. Loaded when it is made; read-only, so one serves all threads."""

    name: ClassVar[str] = "mpnet"

    @classmethod
    def passed_over(cls, options: EngineOptions) -> str | None:
        """Half a gigabyte is fetched for whoever names it, not for everybody who asks for no engine."""
        card = weights.card(cls.name)
        return None if weights.find(card) else f"not installed: {card.title}"

    @classmethod
    def head(cls) -> Path:
        return shipped.MPNET

    @classmethod
    def load(cls) -> tuple[Any, Any]:
        return load_mpnet()


def load_mpnet() -> tuple[Any, Any]:
    """Tokenizer and the first layers, their linear modules in 8 bits."""
    import torch
    from torch.ao.quantization import per_channel_dynamic_qconfig, quantize_dynamic
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging as library

    library.disable_progress_bar()
    folder = weights.provide(weights.card(MPNet.name), offline=True)
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model = AutoModel.from_pretrained(folder, local_files_only=True).eval()
    model.pooler = None  # it tells nothing that the head reads
    model.encoder.layer = model.encoder.layer[: LAYERS[-1]]
    linear = {name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated in favour of torchao, a package of its own
        return tokenizer, quantize_dynamic(model, dict.fromkeys(linear, per_channel_dynamic_qconfig))
