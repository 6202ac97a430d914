"""How well the emotion engines read, and how fast: ``python -m benchmarks.emotion [--data DIR]``.

Judged on sentences of a writer whom no engine was trained on (as written, without punctuation, and as Whisper heard
them), and on whatever of xed/, goemotions/ and meld/ is in DIR: XED's test split (ours, by hash), GoEmotions' and
MELD's own. MELD's test_sent_emo.csv is at https://github.com/declare-lab/MELD (GPL-3.0; it is neither shipped nor
trained on). ``--classifier NAME[:MODEL]`` may be given several times; without it every reader that is installed is
judged. Each reader's timeline is judged on videos made of the development writer's sentences, and, where meld/ has its
dev_sent_emo.csv, whether the lines beside a short one help to read it.

In the table of ``python -m benchmarks`` the embedded engine stands beside scikit-learn's TF-IDF and logistic regression
with their defaults, trained on the same sentences.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.peers import Options, package
from benchmarks.table import Row, not_run
from bgm import engines
from bgm.emotion.smoothing import segment
from bgm.engines import Classifier, EngineOptions, Stage
from bgm.timeline import EMOTIONS, Emotion, Utterance
from bgm.training import corpora
from bgm.training.corpora import Corpus, Line
from bgm.training.judging import Classify, Figures, Probabilities, confusion_text, figures, judge, table, test_sets

SPEED = "sentences_per_second"
SHORT = 4
"""Words: a line of fewer may need its neighbours."""
VIDEOS = 60
"""Of each length."""
LENGTHS = {"1 to 3": (1, 3), "2 to 6": (2, 6), "4 to 10": (4, 10)}
"""Sentences of one emotion in a row, in a made video."""


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
    lines = dialogue(arguments.data)
    results = {}
    for name in arguments.classifier or installed():
        classify = _reader(name, options).classify
        results[name] = {**measure(name, sets, options), "segments": segments(classify, name.partition(":")[0])}
        if lines:
            results[name]["context"] = context(classify, lines)
    print(json.dumps(results, indent=1) if arguments.json else report(results))


def installed() -> list[str]:
    """The readers that can serve here without fetching anything."""
    options = EngineOptions(offline=True)
    listed = [spec for spec in engines.CATALOGUE if spec.stage == Stage.CLASSIFY]
    return [spec.name for spec in listed if spec.load_class().missing(options) is None]


def _reader(name: str, options: EngineOptions) -> Classifier:
    return engines.classifier(engines.choose(Stage.CLASSIFY, name, options))


def measure(classifier: str, sets: Mapping[str, Corpus], options: EngineOptions) -> dict[str, Figures]:
    """The figures on each set, and on the first the sentences per second once loaded."""
    engine = _reader(classifier, options)
    first = next(iter(sets))
    engine.classify(sets[first].texts[:1])
    started = time.perf_counter()
    engine.classify(sets[first].texts)
    speed = len(sets[first].texts) / (time.perf_counter() - started)
    results = figures(engine.classify, sets)
    results[first][SPEED] = round(speed)
    return results


def dialogue(data: Path | None) -> list[Line]:
    """The lines of MELD's development split, if ``data`` has it."""
    folder = data / "meld" if data else None
    return corpora.meld_lines(folder, "dev") if folder and (folder / "dev_sent_emo.csv").is_file() else []


def context(classify: Classify, lines: Sequence[Line]) -> dict[str, Figures]:
    """How well the short lines are read: alone, with the texts of their neighbours, and with their scores mixed in."""
    alone = _probabilities(classify, [line.text for line in lines])
    short = [i for i, line in enumerate(lines) if len(line.text.split()) < SHORT]
    labels = np.array([EMOTIONS.index(Emotion(lines[i].emotion)) for i in short])

    def beside(i: int, *steps: int) -> list[int]:
        near = [i + step for step in steps if 0 <= i + step < len(lines)]
        return [j for j in near if lines[j].dialogue == lines[i].dialogue]

    found = {"alone": judge(alone[short], labels)}
    for name, steps in (("with the line before", (-1, 0)), ("after", (0, 1)), ("both", (-1, 0, 1))):
        joined = [" ".join(lines[j].text for j in beside(i, *steps)) for i in short]
        found[name] = judge(_probabilities(classify, joined), labels)
    for share in (0.1, 0.3, 0.5):
        near = [alone[beside(i, -1, 1) or [i]].mean(axis=0) for i in short]
        found[f"{share:.0%} of both's scores"] = judge((1 - share) * alone[short] + share * np.stack(near), labels)
    return found


def segments(classify: Classify, reader: str) -> dict[str, Any]:
    """Timelines of made videos: how much of their time has the right emotion, and what their confidence is worth.

    ``bins`` maps tenths of confidence to (segments, share that is right), for the threshold that follows the material.
    """
    dev = corpora.spoken([corpora.DEVELOPMENT_WRITER])
    scores = _probabilities(classify, dev.texts)
    chance = random.Random(1)
    made = {name: [_video(dev, scores, length, chance) for _ in range(VIDEOS)] for name, length in LENGTHS.items()}
    shown, right = [], []
    time_right: dict[str, list[float]] = {}
    for threshold in ("auto", 5.0):
        for name, videos in made.items():
            shares = []
            for utterances, truth in videos:
                duration = truth[-1][1]
                timeline = segment(utterances, duration, threshold, reader)
                told = [_told(s.start, s.end, truth) for s in timeline.segments]
                hits = [told_of[EMOTIONS.index(s.emotion)] for s, told_of in zip(timeline.segments, told, strict=True)]
                shares.append(sum(hits) / duration)
                if threshold == "auto":
                    shown += [s.confidence for s in timeline.segments]
                    right += [hit == max(told_of) for hit, told_of in zip(hits, told, strict=True)]
            time_right.setdefault(name, []).append(round(float(np.mean(shares)), 3))
    confidence, hit = np.array(shown), np.array(right)
    bin_of = np.minimum((confidence * 10).astype(int), 9)
    bins = {
        f"{n}0 to {n + 1}0 %": (int((bin_of == n).sum()), _share(hit[bin_of == n])) for n in sorted({*bin_of.tolist()})
    }
    gaps = [abs(float(hit[bin_of == n].sum() - confidence[bin_of == n].sum())) for n in range(10)]
    return {"bins": bins, "calibration_error": round(sum(gaps) / len(hit), 4), "time_right": time_right}


def _share(hits: npt.NDArray[np.bool_]) -> float:
    return round(float(hits.mean()), 2)


Stretch = tuple[float, float, int]
"""Start, end, and which of EMOTIONS."""


def _video(
    dev: Corpus, scores: Probabilities, length: tuple[int, int], chance: random.Random
) -> tuple[list[Utterance], list[Stretch]]:
    """Sentences of one emotion in a row, then of another, with short pauses; one stretch in three is neutral's turn."""
    time, utterances, truth = 0.3, [], []
    neutral, before = EMOTIONS.index(Emotion.NEUTRAL), -1
    for _ in range(chance.randint(3, 9)):
        others = [e for e in range(len(EMOTIONS)) if e != before]
        emotion = neutral if neutral in others and chance.random() < 0.3 else chance.choice(others)
        start, before = time, emotion
        told = np.flatnonzero(dev.labels == emotion).tolist()
        for i in chance.sample(told, min(chance.randint(*length), len(told))):
            seconds = 0.4 + len(dev.texts[i].split()) / 2.7
            said = dict(zip(EMOTIONS, scores[i].tolist(), strict=True))
            utterances.append(Utterance(time, time + seconds, dev.texts[i], scores=said))
            time += seconds + chance.uniform(0.15, 0.9)
        truth.append((start, time, emotion))
    return utterances, truth


def _told(start: float, end: float, truth: Sequence[Stretch]) -> list[float]:
    """Seconds of each emotion between ``start`` and ``end``."""
    seconds = [0.0] * len(EMOTIONS)
    for first, last, emotion in truth:
        seconds[emotion] += max(0.0, min(last, end) - max(first, start))
    return seconds


def _probabilities(classify: Classify, texts: Sequence[str]) -> Probabilities:
    return np.array([[row[emotion] for emotion in EMOTIONS] for row in classify(texts)])


def report(results: Mapping[str, Mapping[str, Any]]) -> str:
    """A table for each engine, its speed, its confusion on the first set, its timelines, and the short lines."""
    parts = []
    for name, found in results.items():
        sets = {key: value for key, value in found.items() if key not in {"segments", "context"}}
        first = next(iter(sets))
        parts += [name, table(sets), f"{sets[first][SPEED]} sentences/s\n\n{first}", confusion_text(sets[first])]
        timelines = found["segments"]
        bins = ", ".join(f"shown at {bin}: {share:.2f} of {count}" for bin, (count, share) in timelines["bins"].items())
        parts += [f"\nsegments that are right: {bins}; calibration error {timelines['calibration_error']}"]
        for length, (auto, fixed) in timelines["time_right"].items():
            parts += [f"stretches of {length} sentences: right for {auto} of the time (threshold of 5 s: {fixed})"]
        for way, figure in found.get("context", {}).items():
            parts += [f"short lines {way}: {figure['accuracy']} / {figure['macro_f1']} of {figure['sentences']}"]
        parts += [""]
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
