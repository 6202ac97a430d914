"""GoEmotions in its Ekman grouping: reading the data, judging a classifier on it.

The data: Demszky et al. 2020, arXiv 2005.00547, grouped to Ekman's six emotions and neutral by
monologg/GoEmotions-pytorch (Apache-2.0). Texts with more than one label are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bgm.errors import BadInput
from bgm.timeline import EMOTIONS, Emotion

Labels = npt.NDArray[np.intp]
Probabilities = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Split:
    """Texts and, for each, the index of its emotion in EMOTIONS."""

    texts: list[str]
    labels: Labels


def read_split(folder: Path, name: str) -> Split:
    """``name`` is train, dev or test: lines of text, label numbers into labels.txt, id. Raises BadInput."""
    path = folder / f"{name}.tsv"
    try:
        names = (folder / "labels.txt").read_text(encoding="utf-8").split()
        rows = [line.split("\t") for line in path.read_text(encoding="utf-8").split("\n") if line]
        index = [EMOTIONS.index(Emotion(label)) for label in names]
        single = [(row[0], index[int(row[1])]) for row in rows if "," not in row[1]]
    except (OSError, ValueError, IndexError) as error:
        raise BadInput(f"{path} is not a GoEmotions split with its labels.txt beside it: {error}") from error
    return Split([text for text, _ in single], np.array([label for _, label in single]))


def judge(probabilities: Probabilities, labels: Labels) -> dict[str, Any]:
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


def table(results: Mapping[str, Mapping[str, Any]]) -> str:
    """What ``judge`` found for several classifiers, side by side, as text."""
    lines = [f"{'':20}" + "".join(f"{name:>16}" for name in results)]
    for figure in ("sentences", "accuracy", "macro_f1", "calibration_error"):
        lines.append(f"{figure:20}" + "".join(f"{result[figure]:>16}" for result in results.values()))
    for emotion in EMOTIONS:
        lines.append(f"F1 {emotion.value:17}" + "".join(f"{result['f1'][emotion]:>16}" for result in results.values()))
    return "\n".join(lines)


def confusion_text(result: Mapping[str, Any]) -> str:
    """The confusion of one classifier as text: rows are the truth, columns the answer."""
    lines = [f"{'truth / answer':16}" + "".join(f"{emotion.value:>10}" for emotion in EMOTIONS)]
    for emotion, row in zip(EMOTIONS, result["confusion"], strict=True):
        lines.append(f"{emotion.value:16}" + "".join(f"{count:>10}" for count in row))
    return "\n".join(lines)
