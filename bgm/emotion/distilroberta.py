"""The pretrained emotion engine: j-hartmann/emotion-english-distilroberta-base, or any model with its seven labels.

Model card: Hartmann 2022, "Emotion English DistilRoBERTa-base"; it states 66 % accuracy over seven balanced classes.

Each text is read by itself, as the embedded reader does: what its neighbours are worth is told in weights/README.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from importlib.util import find_spec
from typing import Any, ClassVar

from bgm import weights
from bgm.device import Loaded, Shelf, Tick, pick, why_no_device
from bgm.emotion.prior import NO_EVIDENCE, wordless
from bgm.engines import Classifier, EngineOptions
from bgm.errors import EngineUnavailable
from bgm.progress import Progress, part, silent
from bgm.timeline import EMOTIONS, Emotion

BATCH = 32
MAX_TOKENS = 512


class DistilRoberta(Classifier):
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
        return weights.why_no_model(cls.name, options.model, offline=options.offline)

    def classify(self, texts: Sequence[str], progress: Progress = silent) -> list[dict[Emotion, float]]:
        """Probabilities in the order of ``texts``; NO_EVIDENCE for one without words.

        Texts are cut at the model's length (512 tokens). Raises EngineUnavailable when the weights can't be loaded.
        """
        scores = [dict(NO_EVIDENCE) for _ in texts]
        spoken = sorted((i for i, text in enumerate(texts) if not wordless(text)), key=lambda i: len(texts[i]))
        classifier = self._ready(part(progress, 0.0, 0.3))
        for start in range(0, len(spoken), BATCH):
            tick = partial(progress, 0.3 + 0.7 * start / len(spoken), f"sentence {start + 1} of {len(spoken)}")
            tick()
            batch = spoken[start : start + BATCH]
            for i, row in zip(batch, classifier.read([texts[i] for i in batch], tick), strict=True):
                scores[i] = row
        progress(1.0, f"{len(texts)} sentences")
        return scores

    def _ready(self, progress: Progress) -> _Classifier:
        """One copy for all users of the same weights on the same device, whatever their other options."""
        key = self._options.model, pick(self._options.device)
        return _shelf.get(key, partial(_load, self._options, progress), partial(progress, 0.0, "waiting for the model"))


class _Classifier(Loaded[Any]):
    """``columns``: the model's output for each of EMOTIONS."""

    instead = "--device cpu or --classifier minilm"

    def __init__(self, tokenizer: Any, model: Any, columns: tuple[int, ...], device: str) -> None:
        super().__init__("the emotion classifier", model, device)
        self._tokenizer, self._columns = tokenizer, columns
        self._longest = min(tokenizer.model_max_length, MAX_TOKENS, model.config.max_position_embeddings - 2)

    def read(self, texts: list[str], tick: Tick) -> Iterator[dict[Emotion, float]]:
        """One dictionary of probabilities for each text."""
        import torch

        batch = self._tokenizer(texts, padding=True, truncation=True, max_length=self._longest, return_tensors="pt")
        with self.at_work(tick) as model, torch.inference_mode():
            logits = model(**batch.to(self.device)).logits
        for row in logits.double().softmax(dim=1)[:, list(self._columns)].tolist():
            yield dict(zip(EMOTIONS, row, strict=True))


_shelf: Shelf[_Classifier] = Shelf()


def _load(options: EngineOptions, progress: Progress) -> _Classifier:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer
    from transformers.utils import logging as library

    library.disable_progress_bar()
    card = weights.card_for(DistilRoberta.name, options.model)
    folder = weights.provide(card, offline=options.offline, progress=progress)
    progress(1.0, "loading the classifier")
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model = AutoModelForSequenceClassification.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # each file format and library has errors of its own for a damaged checkpoint
        raise EngineUnavailable(f"the classifier in {folder} can't be loaded: {error}") from error
    return _Classifier(tokenizer, model.eval(), _columns(model.config.id2label, card.title), pick(options.device))


def _columns(id2label: dict[int, str], model: str) -> tuple[int, ...]:
    """The output of each of EMOTIONS, by the model's own labels in any order and any case."""
    column = {label.lower(): int(i) for i, label in id2label.items()}
    if set(column) != set(EMOTIONS):
        raise EngineUnavailable(f"{model} has the labels {', '.join(column)}; it needs {', '.join(EMOTIONS)}")
    return tuple(column[emotion] for emotion in EMOTIONS)
