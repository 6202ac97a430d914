"""Judging an emotion reader: the sets that it is judged on, its figures on each, and their reading as text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bgm.timeline import EMOTIONS, Scores
from bgm.training import corpora
from bgm.training.corpora import KINDS, Corpus, Labels, unpunctuated

Probabilities = npt.NDArray[np.floating[Any]]
Classify = Callable[[Sequence[str]], Sequence[Scores]]
Figures = dict[str, Any]


def test_sets(data: Path | None) -> dict[str, Corpus]:
    """What nobody trained or chose on: our held-out writer, and whatever of XED, GoEmotions and MELD is in ``data``."""
    held_out = corpora.spoken([corpora.TEST_WRITER])
    heard = corpora.heard(corpora.TEST_WRITER)
    spoken = held_out.where(np.arange(len(held_out.texts)) < len(heard))
    sets = {
        "spoken": held_out,
        "spoken, unpunctuated": Corpus(tuple(map(unpunctuated, held_out.texts)), held_out.targets, held_out.kinds),
        "spoken, after Whisper": Corpus(heard, spoken.targets, spoken.kinds),
    }
    if data and (data / "xed").is_dir():
        sets["XED"] = corpora.xed(data / "xed", "test").single
    if data and (data / "goemotions").is_dir():
        sets["GoEmotions"] = corpora.goemotions(data / "goemotions", "test")
    if data and (data / "meld").is_dir():
        sets["MELD"] = corpora.meld(data / "meld", "test")
    return sets


def figures(classify: Classify, sets: Mapping[str, Corpus]) -> dict[str, Figures]:
    """What :func:`judge` says of each set; ``kinds`` is the accuracy on each kind of our own sentences."""
    results = {}
    for name, corpus in sets.items():
        scores = classify(corpus.texts)
        probabilities = np.array([[row[emotion] for emotion in EMOTIONS] for row in scores])
        results[name] = judge(probabilities, corpus.labels)
        if corpus.kinds:
            hit, kinds = probabilities.argmax(axis=1) == corpus.labels, np.array(corpus.kinds)
            results[name]["kinds"] = {kind: round(float(hit[kinds == kind].mean()), 4) for kind in KINDS}
    return results


def judge(probabilities: Probabilities, labels: Labels) -> Figures:
    """Accuracy, macro-F1, expected calibration error, F1 of each class, and the confusion (rows: truth)."""
    from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

    every = range(len(EMOTIONS))
    winners = probabilities.argmax(axis=1)
    f1 = f1_score(labels, winners, labels=every, average=None, zero_division=0)
    return {
        "sentences": len(labels),
        "accuracy": round(float(accuracy_score(labels, winners)), 4),
        "macro_f1": round(float(f1.mean()), 4),
        "calibration_error": round(calibration_error(probabilities, labels), 4),
        "f1": {emotion.value: round(float(f1[i]), 4) for i, emotion in enumerate(EMOTIONS)},
        "confusion": confusion_matrix(labels, winners, labels=every).tolist(),
    }


def calibration_error(probabilities: Probabilities, labels: Labels, bins: int = 15) -> float:
    """Expected calibration error: mean gap between confidence and accuracy (Guo et al. 2017, arXiv 1706.04599)."""
    confidence = probabilities.max(axis=1)
    hit = probabilities.argmax(axis=1) == labels
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [abs(float(hit[bin_of == b].sum() - confidence[bin_of == b].sum())) for b in range(bins)]
    return sum(gaps) / len(labels)


def table(results: Mapping[str, Figures]) -> str:
    """The figures of one reader, a line for each set, as text."""
    names = ("sentences", "accuracy", "macro_f1", "calibration_error")
    lines = [f"{'':24}" + "".join(f"{name:>19}" for name in (*names, *KINDS))]
    for name, result in results.items():
        kinds = result.get("kinds", {})
        cells = [*(result[figure] for figure in names), *(kinds.get(kind, "") for kind in KINDS)]
        lines.append(f"{name:24}" + "".join(f"{cell:>19}" for cell in cells))
    return "\n".join(lines)


def confusion_text(result: Figures) -> str:
    """The confusion on one set as text: rows are the truth, columns the answer; each class's F1 at the end."""
    lines = [f"{'truth / answer':16}" + "".join(f"{emotion.value:>10}" for emotion in EMOTIONS) + f"{'F1':>8}"]
    for emotion, row in zip(EMOTIONS, result["confusion"], strict=True):
        lines.append(f"{emotion.value:16}" + "".join(f"{n:>10}" for n in row) + f"{result['f1'][emotion.value]:>8}")
    return "\n".join(lines)
