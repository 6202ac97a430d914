"""Low-rank changes (LoRA: Hu et al. 2021, arXiv 2106.09685) of a network's upper layers, and a head, trained together.

The lower layers stay as they are, so what they say of a text is asked once and kept: an epoch costs a third of what it
would. In bfloat16 where the CPU has it.
"""

from __future__ import annotations

import itertools
import math
import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from bgm.emotion.finetuned import DOWN, MOST, UP, Network, load, merge, mixed, opinions, pooled
from bgm.timeline import EMOTIONS
from bgm.training.corpora import Corpus, Labels, Targets

if TYPE_CHECKING:
    import torch

States = list[npt.NDArray[np.float16]]
"""Of each text, (word pieces, width): what the lower layers say of it."""

SEED = 0
RANK = 32
UNITS = 128
EXPERTS = 3
"""One for each source, in their order."""
GATE = 0.5
"""What it is worth to tell from which source a text is, beside its emotion."""
HEAD_DROPOUT = 0.3
WEIGHT_DECAY = 0.01
WARM_UP = 0.08
STEPS = {"mpnet": 1300, "minilm": 1100}
"""Batches, of which an epoch has about 480: as many as leave the whole command half an hour on two cores."""
LEARNING_RATE = {"mpnet": 8e-4, "minilm": 1e-3}
BATCH = 64
MAX_TOKENS = 48
SMOOTHING = 0.05
"""Of the targets: film and Reddit labels are noisy."""
BARE = 0.4
"""Share of the sentences that are read without punctuation, as some recognisers write."""
TOKENS_LOST = 0.1
"""Share of a sentence's word pieces that are left out, others each time: our own sentences are few."""
CHANGED = ("query", "key", "value", "q", "k", "v", "o", "dense")
"""The linear modules of a layer, as either network calls them: all are changed."""
NORMED = (".query", ".key", ".value", ".q", ".k", ".v", ".intermediate.dense")
"""Those that are given what was normalised, of which a few channels are many times as large as all others."""


@dataclass(frozen=True, slots=True)
class Source:
    """A corpus and how often it is seen."""

    corpus: Corpus
    states: tuple[States, States]
    """What :meth:`Learner.lower` says of the texts as they are, and unpunctuated."""
    quota: Sequence[int] | None = None
    """At most so many of each emotion in each epoch, another choice each time: none drowns the others."""


class Learner:
    """The head, and a network: its first layers as they are, low-rank changes to train in the others.

    What the first layers say of a text is the same in every epoch: it is asked once (:meth:`lower`).
    """

    def __init__(self, network: Network) -> None:
        import torch
        from peft import LoraConfig, inject_adapter_in_model

        torch.manual_seed(SEED)
        half = torch.cpu._is_avx512_bf16_supported()
        self.network, self._number = network, torch.bfloat16 if half else torch.float32
        self._tokenizer, self._lower = load(
            network, dtype=self._number, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0
        )
        upper = self._lower.encoder.layer[network.frozen :]
        self._lower.encoder.layer = self._lower.encoder.layer[: network.frozen]
        config = LoraConfig(r=RANK, lora_alpha=RANK, target_modules=list(CHANGED))
        self._upper: Any = inject_adapter_in_model(config, upper)
        modules: list[Any] = list(self._upper.modules())
        for parameter in self._upper.parameters():
            if parameter.requires_grad:  # small steps are lost in bfloat16
                parameter.data = parameter.data.float()
        for module in modules:
            module.cast_input_dtype_enabled = False  # autocast does it
        width = self._lower.config.hidden_size * (1 + network.layers - network.frozen)
        inner, outer = torch.nn.Linear(width, UNITS), torch.nn.Linear(UNITS, EXPERTS * (len(EMOTIONS) + 1))
        dropout = torch.nn.Dropout(HEAD_DROPOUT)
        self.head: Any = torch.nn.Sequential(dropout, inner, torch.nn.ReLU(), dropout, outer)

    def lower(self, texts: Sequence[str]) -> States:
        """For each text the (word pieces, width) states after the frozen layers."""
        import torch

        states: States = [np.empty(0, np.float16)] * len(texts)
        order = np.argsort([len(text) for text in texts], kind="stable")
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            batch = self._tokenizer(
                [texts[i] for i in chosen], padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt"
            )
            with torch.inference_mode():
                hidden = self._lower(**batch).last_hidden_state.half().numpy()
            for i, row, count in zip(chosen, hidden, batch["attention_mask"].sum(1).tolist(), strict=True):
                states[i] = row[:count].copy()
            _say(f"{self.network.name}'s lower layers have read {start + len(chosen)} of {len(texts)}")
        return states

    def logits(self, lower: States) -> torch.Tensor:
        """(texts, emotions), from what :meth:`lower` gave."""
        return mixed(self.answers(lower))

    def answers(self, lower: States) -> torch.Tensor:
        """What the head says: (texts, experts x emotions + experts)."""
        import torch

        longest, width = -(-max(map(len, lower)) // 4) * 4, lower[0].shape[1]
        states, mask = np.zeros((len(lower), longest, width), np.float16), np.zeros((len(lower), longest), bool)
        for row, kept, one in zip(states, mask, lower, strict=True):
            row[: len(one)], kept[: len(one)] = one, True
        hidden, attention = torch.from_numpy(states).to(self._number), torch.from_numpy(mask)
        unseen = (~attention[:, None, None, :]).to(self._number) * torch.finfo(self._number).min
        bias = getattr(self._lower.encoder, "compute_position_bias", None)  # MPNet's
        places = (unseen, bias(hidden).detach()) if bias else (unseen,)
        seen = [hidden]
        with torch.autocast("cpu", torch.bfloat16, enabled=self._number == torch.bfloat16):
            for layer in self._upper:
                answer = layer(hidden, *places)
                hidden = answer[0] if isinstance(answer, tuple) else answer
                seen.append(hidden)
        return self.head(pooled([state.float() for state in seen], attention))

    def parameters(self) -> list[torch.nn.Parameter]:
        """What is trained."""
        return [p for p in (*self._upper.parameters(), *self.head.parameters()) if p.requires_grad]

    def train(self, on: bool) -> None:
        """Turn dropout on or off."""
        self._upper.train(on)
        self.head.train(on)

    def weights(self) -> dict[str, Any]:
        """The arrays of the reader's file but for the shares."""
        changed = {name: module for name, module in self._upper.named_modules() if hasattr(module, "lora_A")}
        factors: dict[str, Any] = {}
        for name, module in changed.items():
            number, _, rest = name.partition(".")
            full = f"encoder.layer.{int(number) + self.network.frozen}.{rest}"
            factors[full + DOWN] = _half(module.lora_A["default"].weight)
            factors[full + UP] = _half(module.lora_B["default"].weight)
        inner, outer = self.head[1], self.head[4]
        head = {"inner": inner.weight.T, "inner_bias": inner.bias, "outer": outer.weight.T, "outer_bias": outer.bias}
        return {**factors, **{name: _half(array) for name, array in head.items()}}


def _half(parameter: torch.Tensor) -> npt.NDArray[np.float16]:
    return parameter.detach().numpy().astype(np.float16)


def largest_inputs(network: Network, weights: dict[str, Any], texts: Sequence[str]) -> dict[str, Any]:
    """The arrays that end in MOST, of the network as ``weights`` change it."""
    import torch

    tokenizer, model = load(network)
    merge(model, weights)
    most: dict[str, torch.Tensor] = {}

    def note(name: str, module: Any, inputs: tuple[torch.Tensor, ...]) -> None:
        found = inputs[0].abs().flatten(0, -2).amax(0)
        most[name] = torch.maximum(most.get(name, found), found)

    for name, module in model.named_modules():
        if name.endswith(NORMED):
            module.register_forward_pre_hook(partial(note, name))
    for start in range(0, len(texts), BATCH):
        batch = tokenizer(list(texts[start : start + BATCH]), padding=True, truncation=True, return_tensors="pt")
        with torch.inference_mode():
            model(**batch)
    return {name + MOST: found.numpy().astype(np.float16) for name, found in most.items()}


def fit(learner: Learner, sources: Sequence[Source]) -> None:
    """Minimise the cross-entropy: AdamW, warm-up, cosine decay."""
    import torch

    chance = random.Random(SEED)
    steps = STEPS[learner.network.name]
    rate = LEARNING_RATE[learner.network.name]
    optimizer = torch.optim.AdamW(learner.parameters(), lr=rate, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, steps))
    started = time.monotonic()
    learner.train(True)
    every = (batch for _ in itertools.count() for batch in _batches(sources, chance))
    for step, (states, targets, origins) in enumerate(itertools.islice(every, steps), start=1):
        optimizer.zero_grad()
        loss = _loss(learner.answers(states), torch.from_numpy(targets), torch.from_numpy(origins))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learner.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        left = (time.monotonic() - started) / step * (steps - step)
        _say(f"step {step} of {steps}, loss {loss.item():.3f}, {left:.0f} s left")
    learner.train(False)


def _loss(answers: torch.Tensor, targets: torch.Tensor, sources: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of the expert for each text's source, with smoothed targets, and of the gate."""
    gates, experts = opinions(answers)
    chosen = sources[:, None, None]
    own = experts.take_along_dim(chosen, dim=1).squeeze(1)
    smooth = targets * (1 - SMOOTHING) + SMOOTHING / len(EMOTIONS)
    return -(smooth * own).sum(dim=1).mean() - GATE * gates.take_along_dim(chosen[:, 0], dim=1).mean()


def _say(progress: str) -> None:
    print(f"\r{progress:60}", end="", file=sys.stderr, flush=True)


def _rate(step: int, steps: int) -> float:
    warm = max(1, round(WARM_UP * steps))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def _batches(sources: Sequence[Source], chance: random.Random) -> Iterator[tuple[States, Targets, Labels]]:
    """Batches of one epoch, each of texts of like length, in random order; and from which source each text is."""
    drawn = [(*row, number) for number, source in enumerate(sources) for row in _drawn(source, chance)]
    chance.shuffle(drawn)
    pool = 40 * BATCH
    batches = []
    for start in range(0, len(drawn), pool):
        near = sorted(drawn[start : start + pool], key=lambda row: len(row[0]))
        batches += [near[i : i + BATCH] for i in range(0, len(near), BATCH)]
    chance.shuffle(batches)
    for batch in batches:
        states, targets, origins = zip(*batch, strict=True)
        yield list(states), np.stack(targets), np.array(origins)


def _drawn(source: Source, chance: random.Random) -> Iterator[tuple[npt.NDArray[np.float16], Targets]]:
    """The sentences of one epoch."""
    order = list(range(len(source.corpus.texts)))
    left = list(source.quota or [len(order)] * len(EMOTIONS))
    labels = source.corpus.labels
    chance.shuffle(order)
    for i in order:
        label = int(labels[i])
        if left[label] > 0:
            left[label] -= 1
            states = source.states[chance.random() < BARE][i]
            kept = [n == 0 or chance.random() >= TOKENS_LOST for n in range(len(states))]
            yield states[kept], source.corpus.targets[i]
