"""Our readers of emotions: a published sentence encoder, fine-tuned by us, a small head on it, and words.

The changes of the encoder's upper layers (LoRA: Hu et al. 2021, arXiv 2106.09685) are added to the weights once, when
they are loaded; then the linear modules are put in 8 bits. The head reads middle and upper layers: the middle ones
still tell how a thing is said, which the final embedding of a model made for search is trained to forget. It is a
mixture of experts, one for each kind of text that it was trained on: sentences as creators say them, film subtitles and
comments, with and without punctuation. Its logits and those of the words (bgm.emotion.words) are added with shares that
were fitted on the development writer: each knows what the other misses. Trained by bgm.training.emotion. The weights
and their model card lie in bgm/emotion/weights.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from bgm import weights
from bgm.digest import fingerprint
from bgm.emotion import shipped
from bgm.emotion.prior import NO_EVIDENCE, wordless
from bgm.emotion.words import WordsHead, softmax
from bgm.engines import Classifier, EngineOptions
from bgm.progress import Progress, silent
from bgm.timeline import EMOTIONS, Emotion

if TYPE_CHECKING:
    import torch

Floats = npt.NDArray[np.float32]
Positions = npt.NDArray[np.intp]

MAX_TOKENS = 128
BATCH = 32
HEAD = ("inner", "inner_bias", "outer", "outer_bias")
DOWN, UP = ".down", ".up"
"""Endings of the two factors of a change: ``NAME.up @ NAME.down`` is added to the weight of the module NAME."""
MOST = ".most"
"""Ending of the largest values of each channel that the module NAME was given, over sentences of ours."""


@dataclass(frozen=True, slots=True)
class Network:
    """A published sentence encoder, and how much of it is read: ``name`` is its card's (bgm.weights)."""

    name: str
    layers: int
    """The first so many; what further ones say is not asked."""
    frozen: int
    """The first so many stay as they are published. The head reads what the last of these says and all after it."""


MINILM = Network("minilm", layers=6, frozen=3)
MPNET = Network("mpnet", layers=6, frozen=3)
"""Six of its twelve layers say as much of a feeling as all do."""


class MiniLM(Classifier):
    """English texts → seven probabilities each. Loaded when it is made; read-only, so one serves all threads."""

    name: ClassVar[str] = "minilm"
    network: ClassVar[Network] = MINILM

    def __init__(self, options: EngineOptions, folder: Path = shipped.WEIGHTS) -> None:
        file = folder / self.head().name
        self._encoder, self._shares = _loaded(file, fingerprint(file), self.network)
        self._words = WordsHead(shipped.read(folder / shipped.WORDS.name))

    @classmethod
    def head(cls) -> Path:
        """Our weights."""
        return shipped.MINILM

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


@lru_cache(maxsize=2)
def _loaded(file: Path, content: str, network: Network) -> tuple[Encoder, Floats]:
    """Once for all options: loading takes seconds, and none of them changes what is loaded."""
    arrays = shipped.read(file)
    return Encoder(arrays, network), arrays["shares"]


class MPNet(MiniLM):
    """The same over the larger network, where that is installed: it has read far more, and knows what is meant where no
    feeling is named."""

    name: ClassVar[str] = "mpnet"
    network: ClassVar[Network] = MPNET

    @classmethod
    def passed_over(cls, options: EngineOptions) -> str | None:
        """Half a gigabyte is fetched for whoever names it, not for everybody who asks for no engine."""
        card = weights.card(cls.name)
        return None if weights.find(card) else f"not installed: {card.title}"

    @classmethod
    def head(cls) -> Path:
        return shipped.MPNET


class Encoder:
    """Texts → logits of the seven emotions.

    Read-only once loaded: one serves all threads. Raises ImportError when torch or transformers is missing,
    EngineUnavailable when the published model's files are.
    """

    def __init__(self, weights: Mapping[str, Any], network: Network) -> None:
        """``weights``: the arrays of HEAD and the factors of the changes."""
        import torch

        self._network = network
        self._tokenizer, model = load(network)
        self._head = {name: torch.from_numpy(weights[name].astype(np.float32)) for name in HEAD}
        merge(model, weights)
        _even(model, weights)
        self._model = _in_8_bits(model)

    def batches(self, texts: Sequence[str]) -> Iterator[tuple[Positions, Floats]]:
        """Texts of like length together: (positions of the texts, (texts, emotions) logits) of each batch.

        A text is cut after 128 word pieces.
        """
        if not texts:
            return
        pieces = self._tokenizer(list(texts), truncation=True, max_length=MAX_TOKENS)["input_ids"]
        order = np.argsort([len(row) for row in pieces], kind="stable")
        for start in range(0, len(order), BATCH):
            positions = order[start : start + BATCH]
            yield positions, self._logits([pieces[i] for i in positions])

    def _logits(self, pieces: list[list[int]]) -> Floats:
        import torch

        batch = self._tokenizer.pad({"input_ids": pieces}, return_tensors="pt")
        with torch.inference_mode():
            states = self._model(**batch, output_hidden_states=True).hidden_states
            features = pooled(states[self._network.frozen :], batch["attention_mask"])
            hidden = torch.relu(features @ self._head["inner"] + self._head["inner_bias"])
            logits = mixed(hidden @ self._head["outer"] + self._head["outer_bias"])
        answer: Floats = logits.numpy()
        return answer


def load(network: Network, **changes: Any) -> tuple[Any, Any]:
    """Tokenizer and the layers that are read, as they are published but for ``changes`` of the configuration."""
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging as library

    library.disable_progress_bar()
    folder = weights.provide(weights.card(network.name), offline=True)
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model = AutoModel.from_pretrained(folder, local_files_only=True, **changes).eval()
    model.pooler = None  # it tells nothing that the head reads
    model.encoder.layer = model.encoder.layer[: network.layers]
    return tokenizer, model


def merge(model: Any, weights: Mapping[str, Any]) -> None:
    """Add the changes to the weights of the model."""
    import torch

    for name in (key.removesuffix(DOWN) for key in weights if key.endswith(DOWN)):
        change = weights[name + UP].astype(np.float32) @ weights[name + DOWN].astype(np.float32)
        with torch.no_grad():
            model.get_submodule(name).weight += torch.from_numpy(change)


def _even(model: Any, weights: Mapping[str, Any]) -> None:
    """Share the outliers of a module's input with its weights, as one scale in 8 bits for all channels is too coarse.

    SmoothQuant: Xiao et al. 2023, arXiv 2211.10438, with half of it for either.
    """
    import torch

    for name in (key.removesuffix(MOST) for key in weights if key.endswith(MOST)):
        module = model.get_submodule(name)
        most = torch.from_numpy(weights[name + MOST].astype(np.float32)).clamp(min=1e-3)
        with torch.no_grad():
            scale = (most / module.weight.abs().amax(0).clamp(min=1e-4)).sqrt()
            module.weight *= scale
        module.register_forward_pre_hook(partial(_divided, 1 / scale))


def _divided(by: torch.Tensor, module: Any, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    return (inputs[0] * by,)


def _in_8_bits(model: Any) -> Any:
    """Its linear modules with a scale for each channel (Krishnamoorthi 2018, arXiv 1806.08342), where torch has them:
    several times as fast as in float32. With one scale for each matrix the upper layers would suffer."""
    import torch
    from torch.ao.quantization import per_channel_dynamic_qconfig, quantize_dynamic

    kernels = torch.backends.quantized
    usual = kernels.engine
    if usual == "none":
        return model
    linear = {name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)}
    try:
        if torch.cpu._is_vnni_supported() and "onednn" in kernels.supported_engines:
            kernels.engine = "onednn"  # a seventh faster
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecated in favour of torchao, a package of its own
            return quantize_dynamic(model, dict.fromkeys(linear, per_channel_dynamic_qconfig), inplace=True)
    finally:
        kernels.engine = usual


def pooled(states: Sequence[torch.Tensor], attention_mask: torch.Tensor) -> torch.Tensor:
    """(texts, layers x width): the means over a text's word pieces of the layers that the head reads."""
    import torch

    mask = attention_mask.unsqueeze(-1).to(states[0].dtype)
    return torch.cat([(state * mask).sum(1) / mask.sum(1) for state in states], dim=1)


def opinions(answers: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """From what the head says: (texts, experts), which expert is asked, and (texts, experts, emotions), what each says.

    Both as logarithms of probabilities.
    """
    experts = answers.shape[1] // (len(EMOTIONS) + 1)
    told = answers[:, :-experts].unflatten(1, (experts, len(EMOTIONS)))
    return answers[:, -experts:].log_softmax(dim=1), told.log_softmax(dim=2)


def mixed(answers: torch.Tensor) -> torch.Tensor:
    """(texts, emotions) logarithms of probabilities, from what the head says.

    A mixture of experts (Jacobs et al. 1991, Neural Computation 3:79): each kind of text has its own habits, as which
    feelings are frequent in it.
    """
    gates, experts = opinions(answers)
    return (gates.unsqueeze(2) + experts).logsumexp(dim=1)


def joined(encoder: Floats, words: Floats, shares: Floats) -> Floats:
    """Calibrated logits: those of both, each with its share."""
    result: Floats = shares[0] * encoder + shares[1] * words
    return result
