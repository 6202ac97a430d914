"""A head over a network that stays as it is: the network reads every sentence once, the rest takes a minute.

Several heads are trained from other seeds and shipped as one, whose logits are their mean: a wide layer, then each
head's own part of it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from bgm.emotion.encoder import BATCH, MAX_TOKENS, read
from bgm.timeline import EMOTIONS
from bgm.training.corpora import Corpus, Targets, unpunctuated
from bgm.training.emotion_lora import BARE, SEED, SMOOTHING

if TYPE_CHECKING:
    import torch

Features = npt.NDArray[np.float16]

HEADS = 3
UNITS = 128
DROPOUT = 0.4
LEARNING_RATE = 1e-3
WEIGHT_DECAY = 0.05
EPOCHS = 10
ROWS = 128
"""Sentences in a step."""
LEAST_DEVIATION = 0.01
"""Of a feature: what hardly varies is not blown up."""


def features(load: Callable[[], tuple[Any, Any]], texts: Sequence[str]) -> Features:
    """(texts, layers x width): what the head sees of each."""
    import torch

    tokenizer, model = load()
    order = np.argsort([len(text) for text in texts], kind="stable")
    rows: list[Features] = []
    for start in range(0, len(order), BATCH):
        chosen = [texts[i] for i in order[start : start + BATCH]]
        batch = tokenizer(chosen, padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt")
        with torch.inference_mode():
            rows.append(read(model, batch).half().numpy())
    found: Features = np.concatenate(rows)[np.argsort(order)]
    return found


def spoken_forms(corpus: Corpus) -> list[str]:
    """The texts, a share of them without punctuation."""
    chance = random.Random(SEED)
    return [unpunctuated(text) if chance.random() < BARE else text for text in corpus.texts]


def fit(found: Features, targets: Targets) -> dict[str, Any]:
    """The arrays of bgm.emotion.encoder.HEAD, from features and targets; a row's sum is its weight in the loss."""
    import torch

    wide = found.astype(np.float32)
    mean, deviation = wide.mean(axis=0), np.maximum(wide.std(axis=0), LEAST_DEVIATION)
    even = torch.from_numpy((wide - mean) / deviation)
    heads = [_trained(even, torch.from_numpy(targets), SEED + n) for n in range(HEADS)]
    inner = np.concatenate([_array(head[1].weight).T for head in heads], axis=1) / deviation[:, None]
    bias = np.concatenate([_array(head[1].bias) for head in heads]) - mean @ inner
    outer = np.concatenate([_array(head[4].weight).T for head in heads]) / HEADS
    outer_bias = np.mean([_array(head[4].bias) for head in heads], axis=0)
    return {
        "inner": inner.astype(np.float16),
        "inner_bias": bias.astype(np.float32),
        "outer": outer.astype(np.float16),
        "outer_bias": outer_bias.astype(np.float32),
    }


def _array(parameter: torch.Tensor) -> npt.NDArray[np.float32]:
    array: npt.NDArray[np.float32] = parameter.detach().numpy()
    return array


def _trained(rows: torch.Tensor, targets: torch.Tensor, seed: int) -> Any:
    """One head: cross-entropy with smoothed targets, AdamW, warm-up and cosine decay."""
    import torch

    torch.manual_seed(seed)
    inner, outer = torch.nn.Linear(rows.shape[1], UNITS), torch.nn.Linear(UNITS, len(EMOTIONS))
    dropout = torch.nn.Dropout(DROPOUT)
    head = torch.nn.Sequential(dropout, inner, torch.nn.ReLU(), dropout, outer)
    weights = targets.sum(dim=1, keepdim=True)
    smooth = targets * (1 - SMOOTHING) + weights * SMOOTHING / len(EMOTIONS)
    steps = EPOCHS * -(-len(rows) // ROWS)
    optimizer = torch.optim.AdamW(head.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps + 1, pct_start=0.1)
    for _ in range(EPOCHS):
        for chosen in torch.randperm(len(rows)).split(ROWS):
            optimizer.zero_grad()
            (-(smooth[chosen] * head(rows[chosen]).log_softmax(dim=1)).sum() / weights[chosen].sum()).backward()
            optimizer.step()
            schedule.step()
    return head.eval()
