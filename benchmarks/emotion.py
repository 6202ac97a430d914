"""How well the emotion engines read, and how fast: ``python -m benchmarks.emotion [--data DIR]``.

Judged on sentences of a writer whom no engine was trained on (as written, without punctuation, and as Whisper heard
them), and on whatever of xed/, goemotions/ and meld/ is in DIR: XED's test split (ours, by hash), GoEmotions' and
MELD's own. MELD's test_sent_emo.csv is at https://github.com/declare-lab/MELD (GPL-3.0; it is neither shipped nor
trained on). ``--classifier NAME[:MODEL]`` may be given several times: minilm, distilroberta, words.

In the table of ``python -m benchmarks`` the embedded engine stands beside scikit-learn's TF-IDF and logistic regression
with their defaults, trained on the same sentences.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers import Options, package
from benchmarks.table import Row, not_run
from bgm import engines
from bgm.engines import EngineOptions, Stage
from bgm.training import corpora
from bgm.training.corpora import Corpus
from bgm.training.judging import Figures, confusion_text, figures, judge, table, test_sets

DEFAULT = ("minilm", "words")
SPEED = "sentences_per_second"


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.emotion", description=__doc__)
    parser.add_argument("--data", type=Path, metavar="DIR", help="folder with goemotions, xed, meld or some")
    parser.add_argument("--classifier", action="append", metavar="NAME[:MODEL]", help="may be given several times")
    parser.add_argument("--limit", type=int, help="read only the first so many sentences of each set")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"))
    parser.add_argument("--threads", type=int, help="of torch, for a figure of speed per core")
    parser.add_argument("--json", action="store_true", help="the figures as one JSON object")
    arguments = parser.parse_args(argv)
    if arguments.threads:
        import torch

        torch.set_num_threads(arguments.threads)
    sets = {name: _first(corpus, arguments.limit) for name, corpus in test_sets(arguments.data).items()}
    options = EngineOptions(device=arguments.device)
    results = {name: measure(name, sets, options) for name in arguments.classifier or DEFAULT}
    print(json.dumps(results, indent=1) if arguments.json else report(results))


def measure(classifier: str, sets: Mapping[str, Corpus], options: EngineOptions) -> dict[str, Figures]:
    """The figures on each set, and on the first the sentences per second once loaded."""
    engine = engines.classifier(engines.choose(Stage.CLASSIFY, classifier, options))
    first = next(iter(sets))
    engine.classify(sets[first].texts[:1])
    started = time.perf_counter()
    engine.classify(sets[first].texts)
    speed = len(sets[first].texts) / (time.perf_counter() - started)
    results = figures(engine.classify, sets)
    results[first][SPEED] = round(speed)
    return results


def report(results: Mapping[str, Mapping[str, Figures]]) -> str:
    """A table for each engine, its speed, and its confusion on the first set."""
    parts = []
    for name, found in results.items():
        first = next(iter(found))
        parts += [name, table(found), f"{found[first][SPEED]} sentences/s\n\n{first}", confusion_text(found[first]), ""]
    return "\n".join(parts)


def rows(options: Options) -> Iterator[Row]:
    """Accuracy and macro-F1 on a writer never trained on and on GoEmotions' test split, and the speed."""
    peer = f"{package('scikit-learn')} TF-IDF and logistic regression"
    if options.goemotions is None:
        yield not_run("emotion of a sentence, 7 classes", peer, "needs the data: `--goemotions DIR`")
        return
    sets = {
        "spoken": corpora.spoken([corpora.TEST_WRITER]),
        "GoEmotions": corpora.goemotions(options.goemotions, "test"),
    }
    ours = measure("minilm", sets, EngineOptions(device="cpu"))
    training = corpora.spoken(corpora.TRAINING_WRITERS), corpora.goemotions(options.goemotions, "train")
    theirs = sklearns(training, sets)
    for name, corpus in sets.items():
        for figure, title in (("accuracy", "accuracy"), ("macro_f1", "macro-F1")):
            shares = 100 * ours[name][figure], 100 * theirs[name][figure]
            what, count = f"emotion of a {name} sentence, 7 classes: {title}", len(corpus.texts)
            yield Row(what, "points", shares[0], peer, shares[1], count, higher_is_better=True)
    speeds = ours["spoken"][SPEED], theirs["spoken"][SPEED]
    yield Row("emotion: sentences a second", "", speeds[0], peer, speeds[1], 1, higher_is_better=True)


def sklearns(training: tuple[Corpus, ...], sets: Mapping[str, Corpus]) -> dict[str, Figures]:
    """What :func:`measure` tells, of a pipeline with scikit-learn's defaults (and iterations enough to converge)."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    texts = [text for corpus in training for text in corpus.texts]
    labels = np.concatenate([corpus.labels for corpus in training])
    model: Any = make_pipeline(TfidfVectorizer(), LogisticRegression(max_iter=1000)).fit(texts, labels)
    results = {}
    for name, corpus in sets.items():
        started = time.perf_counter()
        probabilities = model.predict_proba(corpus.texts)
        seconds = time.perf_counter() - started
        results[name] = {**judge(probabilities, corpus.labels), SPEED: round(len(corpus.texts) / seconds)}
    return results


def _first(corpus: Corpus, limit: int | None) -> Corpus:
    return corpus.where(np.arange(len(corpus.texts)) < (limit or len(corpus.texts)))


if __name__ == "__main__":
    main()
