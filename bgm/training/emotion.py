"""Make the weights of our emotion readers: ``python -m bgm.training.emotion DATA [-o FOLDER] [--reader NAME]``.

DATA holds goemotions/ (GoEmotions in its Ekman grouping: train.tsv, dev.tsv, test.tsv, labels.txt), xed/
(en-annotated.tsv, neu_en.txt) and, for the figures only, meld/ (test_sent_emo.csv) where it is there; our own spoken
sentences lie in this repository. Writes minilm.npz, words.npz and metrics.json, and prints the figures. Needs torch,
peft and scikit-learn.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bgm.emotion.finetuned import Encoder, MiniLM, MPNet, Network, joined
from bgm.emotion.shipped import WEIGHTS, WORDS, read
from bgm.emotion.words import Words, WordsHead, softmax, terms
from bgm.engines import EngineOptions
from bgm.files import beside, write_text
from bgm.timeline import EMOTIONS
from bgm.training import corpora, emotion_lora
from bgm.training.corpora import Corpus, Labels, unpunctuated
from bgm.training.emotion_lora import Learner, Source, States
from bgm.training.judging import figures, table, test_sets
from bgm.weights import card, find

FILM, REDDIT = 7000, 7000
"""Of so many sentences an epoch of an encoder's training makes use."""
EVENNESS = 0.4
"""Of their emotions: 0 takes them in the shares that they have, 1 as many of each."""
POOL = 2500
"""Of so many of each emotion they are drawn: the first layers read each of them once, which takes time too."""
OURS = 4.0
"""How much one of ours counts for the words beside one of theirs, of which all are taken."""
MAX_TERMS = 35_000
REGULARISATION = 2.0
"""Inverse strength, scikit-learn's C."""
BALANCE = 0.5
"""Of the words' classes: 0 takes them as they are, 1 makes each count the same."""


ENCODERS: dict[str, type[MiniLM]] = {reader.name: reader for reader in (MPNet, MiniLM)}
READERS = (Words.name, *ENCODERS)
"""In the order in which they are made: the words have a share in the others."""


@dataclass(frozen=True, slots=True)
class Material:
    """What the readers learn from, and the development split, on which their calibration is fitted."""

    ours: Corpus
    film: Corpus
    reddit: Corpus
    dev: Corpus


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bgm.training.emotion", description=__doc__)
    parser.add_argument("data", type=Path, metavar="DATA", help="folder with goemotions, xed and perhaps meld")
    parser.add_argument("-o", "--out", type=Path, default=WEIGHTS, help="where the weights go (default: %(default)s)")
    parser.add_argument("--reader", action="append", choices=READERS, help="make only this one; may be given again")
    arguments = parser.parse_args(argv)
    started = time.monotonic(), time.process_time()
    wanted = [name for name in READERS if name in (arguments.reader or READERS)]
    if "mpnet" in wanted and not arguments.reader and find(card("mpnet")) is None:
        print("mpnet is left as it is: all-mpnet-base-v2 is not installed (README, Weights)")
        wanted.remove("mpnet")
    arguments.out.mkdir(parents=True, exist_ok=True)
    make(wanted, arguments.data, arguments.out)
    minutes = ((now - then) / 60 for now, then in zip((time.monotonic(), time.process_time()), started, strict=True))
    print("\nmade in {:.1f} minutes, {:.1f} of processor time".format(*minutes))
    path = arguments.out / "metrics.json"
    before = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    results = measure(wanted, arguments.data, arguments.out)
    write_text(path, json.dumps({**before, **results}, indent=1) + "\n")
    for name, result in results.items():
        print(f"\n{name}\n{table(result)}")


def make(readers: Sequence[str], data: Path, out: Path) -> None:
    """Write the weights of the readers; those that are not made anew lie in ``out`` where they are needed."""
    material = Material(
        ours=corpora.spoken(corpora.TRAINING_WRITERS),
        film=corpora.xed(data / "xed", "train"),
        reddit=corpora.goemotions(data / "goemotions", "train"),
        dev=corpora.spoken([corpora.DEVELOPMENT_WRITER]),
    )
    if Words.name in readers:
        save(out / WORDS.name, train_words(material))
    words = read(out / WORDS.name)
    for name in (name for name in ENCODERS if name in readers):
        reader = ENCODERS[name]
        save(out / reader.head().name, train_encoder(reader.network, material, words))


def measure(readers: Sequence[str], data: Path, weights: Path = WEIGHTS) -> dict[str, dict[str, Any]]:
    """The figures of the readers, as they serve from ``weights``, on every test set that is there."""
    sets = test_sets(data)
    engines: dict[str, type[MiniLM] | type[Words]] = {**ENCODERS, Words.name: Words}
    return {name: figures(engines[name](EngineOptions(), weights).classify, sets) for name in readers}


def train_encoder(network: Network, material: Material, words: dict[str, Any]) -> dict[str, Any]:
    """The arrays of the reader's file; ``words``: those of words.npz."""
    learner = Learner(network)
    sources = [Source(material.ours, _read(learner, material.ours, twice=True))]
    for corpus, count in ((material.film, FILM), (material.reddit, REDDIT)):
        pool = corpus.at_most(POOL)
        sources.append(Source(pool, _read(learner, pool), quota=quota(corpus.labels, count)))
    emotion_lora.fit(learner, sources)
    weights = learner.weights()
    weights |= emotion_lora.largest_inputs(network, weights, material.dev.texts)
    return {**weights, "shares": fitting_shares(Encoder(weights, network), words, material.dev)}


def quota(labels: Labels, count: int) -> list[int]:
    """How many of each emotion make ``count``."""
    shares = np.bincount(labels, minlength=len(EMOTIONS)) ** (1 - EVENNESS)
    quotas: list[int] = np.ceil(count * shares / shares.sum()).astype(int).tolist()
    return quotas


def _read(learner: Learner, corpus: Corpus, *, twice: bool = False) -> tuple[States, States]:
    """What the lower layers say of the texts as they are and unpunctuated; unless ``twice``, of each text either."""
    if twice:
        return learner.lower(corpus.texts), learner.lower([unpunctuated(text) for text in corpus.texts])
    chance = random.Random(emotion_lora.SEED)
    states = learner.lower([unpunctuated(t) if chance.random() < emotion_lora.BARE else t for t in corpus.texts])
    return states, states


def train_words(material: Material) -> dict[str, Any]:
    """The arrays of words.npz: TF-IDF of the terms, multinomial logistic regression."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    parts = [(material.ours, OURS), (material.film.single, 1.0), (material.reddit, 1.0)]
    texts = [text for corpus, _ in parts for text in corpus.texts]
    labels = np.concatenate([corpus.labels for corpus, _ in parts])
    weights = np.concatenate([np.full(len(corpus.texts), weight) for corpus, weight in parts])
    share = np.bincount(labels, weights, minlength=len(EMOTIONS)) / weights.sum()
    vectorizer = TfidfVectorizer(analyzer=terms, min_df=3, sublinear_tf=True, max_features=MAX_TERMS, dtype=np.float32)
    tfidf = vectorizer.fit_transform(texts)
    balance = dict(enumerate((1 / len(EMOTIONS) / share) ** BALANCE))
    model = LogisticRegression(C=REGULARISATION, class_weight=balance, max_iter=300).fit(tfidf, labels, weights)
    arrays: dict[str, Any] = {
        "terms": np.array("\n".join(vectorizer.get_feature_names_out())),
        "idf": vectorizer.idf_.astype(np.float16),
        "weights": model.coef_.T.astype(np.float16),
        "bias": model.intercept_.astype(np.float32),
        "temperature": np.float32(1),
    }
    arrays["temperature"] = np.float32(
        fitting_temperature(WordsHead(arrays).logits(material.dev.texts), material.dev.labels)
    )
    return arrays


def fitting_temperature(logits: npt.NDArray[np.floating], labels: Labels) -> float:
    """What the logits are divided by to make the labels likeliest (Guo et al. 2017, arXiv 1706.04599)."""
    from scipy.optimize import minimize_scalar

    def cost(log_temperature: float) -> float:
        probabilities = softmax(logits / np.exp(log_temperature))
        return -float(np.log(probabilities[np.arange(len(labels)), labels] + 1e-12).mean())

    return float(np.exp(minimize_scalar(cost, bounds=(-2, 2), method="bounded").x))


def fitting_shares(reader: Encoder, words: dict[str, Any], dev: Corpus) -> npt.NDArray[np.float32]:
    """With which both logits make the labels likeliest, with and without punctuation: calibration and mixing in one."""
    from scipy.optimize import minimize

    texts, labels = [*dev.texts, *map(unpunctuated, dev.texts)], np.tile(dev.labels, 2)
    encoder = np.empty((len(texts), len(EMOTIONS)), np.float32)
    for positions, batch in reader.batches(texts):
        encoder[positions] = batch
    by_words = WordsHead(words).logits(texts)

    def cost(shares: npt.NDArray[np.float64]) -> float:
        probabilities = softmax(joined(encoder, by_words, shares.astype(np.float32)))
        return -float(np.log(probabilities[np.arange(len(labels)), labels] + 1e-12).mean())

    return np.asarray(minimize(cost, np.full(2, 0.5), method="Nelder-Mead").x, dtype=np.float32)


def save(path: Path, arrays: dict[str, Any]) -> None:
    """Write a file of weights in one step."""
    with beside(path) as part:
        np.savez_compressed(part, **arrays)


if __name__ == "__main__":
    main()
