"""Make the weights of the embedded emotion readers: ``python -m bgm.training.emotion DATA [-o FOLDER]``.

DATA holds goemotions/ (GoEmotions in its Ekman grouping: train.tsv, dev.tsv, test.tsv, labels.txt), xed/
(en-annotated.tsv, neu_en.txt) and, for the figures only, meld/ (test_sent_emo.csv) where it is there; our own spoken
sentences lie in this repository. Writes minilm.npz, words.npz and metrics.json, and prints the figures. Needs torch,
peft and scikit-learn.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bgm.emotion.encoder import Encoder
from bgm.emotion.minilm import MiniLM, joined
from bgm.emotion.shipped import MINILM, WEIGHTS, WORDS
from bgm.emotion.words import Words, WordsHead, softmax, terms
from bgm.engines import EngineOptions
from bgm.files import beside, write_text
from bgm.timeline import EMOTIONS
from bgm.training import corpora, emotion_lora
from bgm.training.corpora import Corpus, Labels, unpunctuated
from bgm.training.emotion_lora import Learner, Source, States
from bgm.training.judging import figures, table, test_sets

OURS = 2.0
"""How much one of our own sentences counts beside one of film or Reddit."""
FILM_CAP, REDDIT_CAP = 700, 1100
"""Most sentences of each emotion in an epoch."""
MAX_TERMS = 35_000
REGULARISATION = 2.0
"""Inverse strength, scikit-learn's C."""
BALANCE = 0.5
"""Of the words' classes: 0 takes them as they are, 1 makes each count the same."""


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bgm.training.emotion", description=__doc__)
    parser.add_argument("data", type=Path, metavar="DATA", help="folder with goemotions, xed and perhaps meld")
    parser.add_argument("-o", "--out", type=Path, default=WEIGHTS, help="where the weights go (default: %(default)s)")
    arguments = parser.parse_args(argv)
    ours = corpora.spoken(corpora.TRAINING_WRITERS)
    film = corpora.xed(arguments.data / "xed", "train")
    reddit = corpora.goemotions(arguments.data / "goemotions", "train")
    dev = corpora.spoken([corpora.DEVELOPMENT_WRITER])
    arguments.out.mkdir(parents=True, exist_ok=True)
    words = train_words(ours, film, reddit, dev)
    save(arguments.out / WORDS.name, words)
    save(arguments.out / MINILM.name, train_minilm(ours, film, reddit, dev, words))
    results = measure(arguments.data, arguments.out)
    write_text(arguments.out / "metrics.json", json.dumps(results, indent=1) + "\n")
    for name, result in results.items():
        print(f"\n{name}\n{table(result)}")


def measure(data: Path, weights: Path = WEIGHTS) -> dict[str, dict[str, Any]]:
    """The figures of both readers, as they serve from ``weights``, on every test set that is there."""
    sets = test_sets(data)
    readers = {engine.name: engine(EngineOptions(), weights) for engine in (MiniLM, Words)}
    return {name: figures(reader.classify, sets) for name, reader in readers.items()}


def train_minilm(ours: Corpus, film: Corpus, reddit: Corpus, dev: Corpus, words: dict[str, Any]) -> dict[str, Any]:
    """The arrays of minilm.npz; ``words``: those of words.npz."""
    learner = Learner()
    sources = [
        Source(ours, _read(learner, ours, twice=True), weight=OURS),
        Source(film, _read(learner, film), cap=FILM_CAP),
        Source(reddit, _read(learner, reddit), cap=REDDIT_CAP),
    ]
    emotion_lora.fit(learner, sources)
    weights = learner.weights()
    return {**weights, "shares": fitting_shares(weights, words, dev)}


def _read(learner: Learner, corpus: Corpus, *, twice: bool = False) -> tuple[States, States]:
    """What the lower layers say of the texts as they are and unpunctuated; unless ``twice``, of each text either."""
    if twice:
        return learner.lower(corpus.texts), learner.lower([unpunctuated(text) for text in corpus.texts])
    chance = random.Random(emotion_lora.SEED)
    states = learner.lower([unpunctuated(t) if chance.random() < emotion_lora.BARE else t for t in corpus.texts])
    return states, states


def train_words(ours: Corpus, film: Corpus, reddit: Corpus, dev: Corpus) -> dict[str, Any]:
    """The arrays of words.npz: TF-IDF of the terms, multinomial logistic regression."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    parts = [(ours, 2 * OURS), (film.single, 1.0), (reddit, 1.0)]
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
    arrays["temperature"] = np.float32(fitting_temperature(WordsHead(arrays).logits(dev.texts), dev.labels))
    return arrays


def fitting_temperature(logits: npt.NDArray[np.floating], labels: Labels) -> float:
    """What the logits are divided by to make the labels likeliest (Guo et al. 2017, arXiv 1706.04599)."""
    from scipy.optimize import minimize_scalar

    def cost(log_temperature: float) -> float:
        probabilities = softmax(logits / np.exp(log_temperature))
        return -float(np.log(probabilities[np.arange(len(labels)), labels] + 1e-12).mean())

    return float(np.exp(minimize_scalar(cost, bounds=(-2, 2), method="bounded").x))


def fitting_shares(weights: dict[str, Any], words: dict[str, Any], dev: Corpus) -> npt.NDArray[np.float32]:
    """With which both logits make the labels likeliest: calibration and mixing in one."""
    from scipy.optimize import minimize

    encoder = np.empty((len(dev.texts), len(EMOTIONS)), np.float32)
    for positions, batch in Encoder(weights).batches(dev.texts):
        encoder[positions] = batch
    by_words = WordsHead(words).logits(dev.texts)

    def cost(shares: npt.NDArray[np.float64]) -> float:
        probabilities = softmax(joined(encoder, by_words, shares.astype(np.float32)))
        return -float(np.log(probabilities[np.arange(len(dev.labels)), dev.labels] + 1e-12).mean())

    return np.asarray(minimize(cost, np.full(2, 0.5), method="Nelder-Mead").x, dtype=np.float32)


def save(path: Path, arrays: dict[str, Any]) -> None:
    """Write a file of weights in one step."""
    with beside(path) as part:
        np.savez_compressed(part, **arrays)


if __name__ == "__main__":
    main()
