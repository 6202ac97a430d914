"""How well an emotion engine does on GoEmotions, and how fast: ``python -m benchmarks.emotion --data DIR``.

DIR holds GoEmotions in its Ekman grouping (test.tsv, labels.txt). ``--classifier NAME[:MODEL]`` may be given several
times; without it the embedded engine stands beside its words head alone. Accuracy on Reddit comments is not accuracy on
the speech of videos. In the table of ``python -m benchmarks`` the embedded engine stands beside scikit-learn's TF-IDF
and logistic regression with their defaults, trained on the same train split.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers import Options, package
from benchmarks.table import Row, not_run
from bgm import engines
from bgm.engines import EngineOptions, Stage
from bgm.timeline import EMOTIONS
from bgm.training.goemotions import Split, confusion_text, judge, read_split, table

DEFAULT = ("minilm", "minilm:words")


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.emotion", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with test.tsv and labels.txt")
    parser.add_argument("--classifier", action="append", metavar="NAME[:MODEL]", help="may be given several times")
    parser.add_argument("--split", default="test", choices=("train", "dev", "test"))
    parser.add_argument("--limit", type=int, help="read only the first so many sentences")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"))
    parser.add_argument("--json", action="store_true", help="the figures as one JSON object")
    arguments = parser.parse_args(argv)

    split = _first(read_split(arguments.data, arguments.split), arguments.limit)
    options = EngineOptions(device=arguments.device)
    results = {name: measure(name, split, options) for name in arguments.classifier or DEFAULT}
    print(json.dumps(results, indent=1) if arguments.json else report(results))


def measure(classifier: str, split: Split, options: EngineOptions) -> dict[str, Any]:
    """Accuracy, macro-F1, calibration error, F1 of each class, confusion, and sentences per second once loaded."""
    engine = engines.load(engines.choose(Stage.CLASSIFY, classifier, options))
    engine.classify(split.texts[:1])
    started = time.perf_counter()
    scores = engine.classify(split.texts)
    seconds = time.perf_counter() - started
    probabilities = np.array([[row[emotion] for emotion in EMOTIONS] for row in scores])
    return {**judge(probabilities, split.labels), "sentences_per_second": round(len(scores) / seconds)}


def rows(options: Options) -> Iterator[Row]:
    """Accuracy, macro-F1 and speed on the whole test split."""
    peer = f"{package('scikit-learn')} TF-IDF and logistic regression"
    what = "emotion of a GoEmotions sentence, 7 classes: {}"
    if options.goemotions is None:
        yield not_run(what.format("accuracy, macro-F1"), peer, "needs the data: `--goemotions DIR`")
        return
    split = read_split(options.goemotions, "test")
    ours = measure("minilm", split, EngineOptions(device="cpu"))
    theirs = sklearns(read_split(options.goemotions, "train"), split)
    count = len(split.texts)
    for figure, name in (("accuracy", "accuracy"), ("macro_f1", "macro-F1")):
        shares = 100 * ours[figure], 100 * theirs[figure]
        yield Row(what.format(name), "points", shares[0], peer, shares[1], count, higher_is_better=True)
    speeds = ours["sentences_per_second"], theirs["sentences_per_second"]
    yield Row("emotion: sentences a second", "", speeds[0], peer, speeds[1], 1, higher_is_better=True)


def sklearns(train: Split, test: Split) -> dict[str, Any]:
    """What :func:`measure` tells, of a pipeline with scikit-learn's defaults (and iterations enough to converge)."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(TfidfVectorizer(), LogisticRegression(max_iter=1000)).fit(train.texts, train.labels)
    started = time.perf_counter()
    probabilities = model.predict_proba(test.texts)
    seconds = time.perf_counter() - started
    return {**judge(probabilities, test.labels), "sentences_per_second": round(len(test.texts) / seconds)}


def report(results: dict[str, dict[str, Any]]) -> str:
    """The figures side by side, then the confusion of each engine."""
    speed = f"{'sentences/s':20}" + "".join(f"{r['sentences_per_second']:>16}" for r in results.values())
    confusions = [f"\n{name}\n{confusion_text(result)}" for name, result in results.items()]
    return "\n".join([table(results), speed, *confusions])


def _first(split: Split, limit: int | None) -> Split:
    return Split(split.texts[:limit], split.labels[:limit])


if __name__ == "__main__":
    main()
