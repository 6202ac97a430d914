"""A tiny MPNet with random weights and as many layers as are read, written by the library itself."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import BertWordPieceTokenizer
from transformers import MPNetConfig, MPNetModel, MPNetTokenizerFast

SPECIAL = ("<s>", "<pad>", "</s>", "[UNK]", "<mask>")


def write(folder: Path) -> Path:
    """A folder as save_pretrained leaves it: config.json, model.safetensors, tokenizer files."""
    folder.mkdir(exist_ok=True)
    pieces = BertWordPieceTokenizer()
    pieces.train_from_iterator(
        ["so happy and so sad", "why are you angry"] * 4, 300, special_tokens=list(SPECIAL), show_progress=False
    )
    pieces.save_model(str(folder))
    MPNetTokenizerFast(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(1)
    config = MPNetConfig(
        vocab_size=pieces.get_vocab_size(),
        hidden_size=32,
        num_hidden_layers=7,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=140,
    )
    MPNetModel(config).save_pretrained(folder)
    return folder
