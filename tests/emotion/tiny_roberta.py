"""A tiny RoBERTa with random weights, written by the library itself."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import ByteLevelBPETokenizer
from transformers import RobertaConfig, RobertaForSequenceClassification, RobertaTokenizerFast

LABELS = ("Surprise", "NEUTRAL", "joy", "Anger", "fear", "disgust", "sadness")
"""Another order and another case than ours."""
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")


def write(folder: Path) -> Path:
    """A folder as save_pretrained leaves it: config.json, model.safetensors, tokenizer files."""
    folder.mkdir(exist_ok=True)
    bpe = ByteLevelBPETokenizer()
    bpe.train_from_iterator(["so happy and so sad", "why are you angry"] * 4, 300, special_tokens=list(SPECIAL))
    bpe.save_model(str(folder))
    tokenizer = RobertaTokenizerFast(vocab=str(folder / "vocab.json"), merges=str(folder / "merges.txt"))
    tokenizer.save_pretrained(folder)
    torch.manual_seed(1)
    config = RobertaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=66,
        type_vocab_size=1,
        initializer_range=0.5,
        id2label=dict(enumerate(LABELS)),
        label2id={label: i for i, label in enumerate(LABELS)},
    )
    RobertaForSequenceClassification(config).save_pretrained(folder)
    return folder
