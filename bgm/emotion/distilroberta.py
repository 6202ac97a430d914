"""The pretrained emotion engine: j-hartmann/emotion-english-distilroberta-base, or any model with its seven labels.

Model card: Hartmann 2022, "Emotion English DistilRoBERTa-base"; it states 66 % accuracy over seven balanced classes.

Each text is read by itself. Our embedded classifier gained nothing from the neighbouring utterances on the dialogues of
MELD (Poria et al., 2019; test split, 2610 utterances, the same seven labels): macro-F1 0.264 alone, 0.236 to 0.266 with
a tenth to three tenths of the neighbours' scores mixed in, 0.213 and 0.227 when the utterance before or after was read
with it. For these weights it has not been measured.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

from bgm import hub
from bgm.device import gpu, pick, weight_bytes, why_no_device
from bgm.emotion.prior import NO_EVIDENCE, wordless
from bgm.engines import EngineOptions
from bgm.errors import EngineUnavailable
from bgm.progress import Progress, part, silent
from bgm.timeline import EMOTIONS, Emotion

DEFAULT = "j-hartmann/emotion-english-distilroberta-base"
WEIGHTS = ("model.safetensors", "pytorch_model.bin")
NEEDED: tuple[hub.FileChoice, ...] = ("config.json", WEIGHTS, ("tokenizer.json", "vocab.json"))
TOKENIZER = ("tokenizer*.json", "vocab.json", "merges.txt", "special_tokens_map.json")
BATCH = 32
MAX_TOKENS = 512


class DistilRoberta:
    """English texts → seven probabilities each. The weights are loaded at the first use and shared by all threads."""

    name: ClassVar[str] = "distilroberta"

    def __init__(self, options: EngineOptions) -> None:
        self._options = options

    @classmethod
    def missing(cls, options: EngineOptions) -> str | None:
        """A cache or a local folder is enough; else the hub must answer within 5 s."""
        absent = [package for package in ("torch", "transformers") if find_spec(package) is None]
        if absent:
            return f"{absent[0]} is not installed"
        no_device = why_no_device(options.device)
        if no_device:
            return no_device
        model = options.model or DEFAULT
        if Path(model).expanduser().is_dir():
            return hub.why_incomplete(Path(model).expanduser(), NEEDED)
        return hub.why_missing(model, NEEDED, options.offline)

    def classify(self, texts: Sequence[str], progress: Progress = silent) -> list[dict[Emotion, float]]:
        """Probabilities in the order of ``texts``; NO_EVIDENCE for one without words.

        Texts are cut at the model's length (512 tokens). Raises EngineUnavailable when the weights can't be loaded.
        """
        scores = [dict(NO_EVIDENCE) for _ in texts]
        spoken = sorted((i for i, text in enumerate(texts) if not wordless(text)), key=lambda i: len(texts[i]))
        classifier = self._ready(part(progress, 0.0, 0.3))
        for start in range(0, len(spoken), BATCH):
            progress(0.3 + 0.7 * start / len(spoken), f"sentence {start + 1} of {len(spoken)}")
            batch = spoken[start : start + BATCH]
            for i, row in zip(batch, classifier.read([texts[i] for i in batch]), strict=True):
                scores[i] = row
        progress(1.0, f"{len(texts)} sentences")
        return scores

    def _ready(self, progress: Progress) -> _Classifier:
        """One copy for all users of the same weights on the same device, whatever their other options."""
        key = self._options.model or DEFAULT, pick(self._options.device)
        with _loading:
            if key not in _loaded:
                _loaded[key] = _load(self._options, progress)
            return _loaded[key]


@dataclass(frozen=True, slots=True)
class _Classifier:
    tokenizer: Any
    model: Any
    columns: tuple[int, ...]
    """The model's output for each of EMOTIONS."""
    device: str
    _busy: threading.Lock = field(default_factory=threading.Lock)

    def leave(self) -> bool:
        """Make room on the GPU for another model, unless this one is at work."""
        if not self._busy.acquire(blocking=False):
            return False
        try:
            self.model.to("cpu")
        finally:
            self._busy.release()
        return True

    def _settle(self) -> None:
        if self.model.device.type != self.device:
            gpu.settle(self, weight_bytes(self.model))
            self.model.to(self.device)

    def read(self, texts: list[str]) -> Iterator[dict[Emotion, float]]:
        """One dictionary of probabilities for each text."""
        import torch

        longest = min(self.tokenizer.model_max_length, MAX_TOKENS, self.model.config.max_position_embeddings - 2)
        batch = self.tokenizer(texts, padding=True, truncation=True, max_length=longest, return_tensors="pt")
        with self._busy, torch.inference_mode():
            self._settle()
            logits = self.model(**batch.to(self.device)).logits
        for row in logits.double().softmax(dim=1)[:, list(self.columns)].tolist():
            yield dict(zip(EMOTIONS, row, strict=True))


_loaded: dict[tuple[str, str], _Classifier] = {}
_loading = threading.Lock()


def _load(options: EngineOptions, progress: Progress) -> _Classifier:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer
    from transformers.utils import logging as library

    library.disable_progress_bar()
    folder = _folder(options, progress)
    progress(1.0, "loading the classifier")
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model = AutoModelForSequenceClassification.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # each file format and library has errors of its own for a damaged checkpoint
        raise EngineUnavailable(f"the classifier in {folder} can't be loaded: {error}") from error
    columns = _columns(model.config.id2label, options.model or DEFAULT)
    return _Classifier(tokenizer, model.eval(), columns, pick(options.device))


def _folder(options: EngineOptions, progress: Progress) -> Path:
    """Where the files lie on this machine; downloads them when they are not cached."""
    model = options.model or DEFAULT
    if Path(model).expanduser().is_dir():
        return Path(model).expanduser()
    config = hub.cached(model, "config.json")
    if config and hub.why_incomplete(config.parent, NEEDED) is None:
        return config.parent
    problem = hub.why_missing(model, NEEDED, options.offline)
    if problem:
        raise EngineUnavailable(f"classify: distilroberta can't run here: {problem}")
    return hub.download(model, ("config.json", WEIGHTS, *TOKENIZER), progress)


def _columns(id2label: dict[int, str], model: str) -> tuple[int, ...]:
    """The output of each of EMOTIONS, by the model's own labels in any order and any case."""
    column = {label.lower(): int(i) for i, label in id2label.items()}
    if set(column) != set(EMOTIONS):
        raise EngineUnavailable(f"{model} has the labels {', '.join(column)}; it needs {', '.join(EMOTIONS)}")
    return tuple(column[emotion] for emotion in EMOTIONS)
