"""Train the embedded emotion engine's two heads: ``python -m bgm.training.emotion_heads DATA_DIR [-o FOLDER]``.

DATA_DIR holds GoEmotions in its Ekman grouping (train.tsv, dev.tsv, test.tsv, labels.txt). Writes words.npz, layers.npz
and metrics.json and prints how well they do on the test split. Needs scikit-learn and torch.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from bgm.emotion.layers import HIDDEN, LAYERS, LayersHead, MiniLMLayers
from bgm.emotion.minilm import WEIGHTS, softmax
from bgm.emotion.words import WordsHead, terms
from bgm.files import beside, write_text
from bgm.timeline import EMOTIONS
from bgm.training.goemotions import Labels, Split, confusion_text, judge, read_split, table

if TYPE_CHECKING:
    import torch

Floats = npt.NDArray[np.floating[Any]]

SEED = 0
WORDS_BALANCE = 0.5
LAYERS_BALANCE = 0.25
"""0 trains on the classes as they are, 1 makes each count the same; measured: full balance hurts both figures."""
MAX_TERMS = 35_000
REGULARISATION = 2.0
"""Inverse strength, scikit-learn's C."""
UNITS = 64
DROPOUT = 0.4
LEARNING_RATE = 5e-4
EPOCHS = 8
BATCH = 256


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bgm.training.emotion_heads", description=__doc__)
    parser.add_argument("data", type=Path, help="folder with train.tsv, dev.tsv, test.tsv and labels.txt")
    parser.add_argument("-o", "--out", type=Path, default=WEIGHTS, help="where the weights go (default: %(default)s)")
    parser.add_argument("--cache", type=Path, help="folder that keeps MiniLM's features for the next run")
    arguments = parser.parse_args(argv)
    results = train(arguments.data, arguments.out, arguments.cache)
    print(table(results))
    for name, result in results.items():
        print(f"\n{name}\n{confusion_text(result)}")


def train(data: Path, out: Path, cache: Path | None = None) -> dict[str, dict[str, Any]]:
    """Train both heads on the train split, fit their shares on dev, judge on test, write all three files to ``out``."""
    splits = {name: read_split(data, name) for name in ("train", "dev", "test")}
    features = {name: _features(name, split, cache) for name, split in splits.items()}
    words = fit_words(splits["train"])
    layers = fit_layers(features["train"], splits["train"].labels)

    dev = splits["dev"]
    by_words, by_layers = WordsHead(words).logits(dev.texts), LayersHead(layers).logits(features["dev"])
    words["temperature"] = 1 / fit_shares([by_words], dev.labels)[0]
    layers["shares"] = fit_shares([by_words, by_layers], dev.labels)

    results = _judge(WordsHead(words), LayersHead(layers), splits["test"], features["test"])
    out.mkdir(parents=True, exist_ok=True)
    _save(out / "words.npz", words)
    _save(out / "layers.npz", layers)
    write_text(out / "metrics.json", json.dumps(results, indent=1) + "\n")
    return results


def fit_words(split: Split) -> dict[str, Any]:
    """TF-IDF of the terms, multinomial logistic regression: the arrays of words.npz."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    vectorizer = TfidfVectorizer(analyzer=terms, min_df=3, sublinear_tf=True, max_features=MAX_TERMS, dtype=np.float32)
    tfidf = vectorizer.fit_transform(split.texts)
    balance = dict(enumerate(_class_weights(split.labels, WORDS_BALANCE)))
    model = LogisticRegression(C=REGULARISATION, class_weight=balance, max_iter=300).fit(tfidf, split.labels)
    return {
        "terms": np.array("\n".join(vectorizer.get_feature_names_out())),
        "idf": vectorizer.idf_.astype(np.float16),
        "weights": model.coef_.T.astype(np.float16),
        "bias": model.intercept_.astype(np.float32),
        "temperature": np.float32(1),
    }


def fit_layers(features: Floats, labels: Labels) -> dict[str, Any]:
    """A network with one hidden layer; the standardisation of its inputs is folded in: the arrays of layers.npz."""
    import torch

    torch.manual_seed(SEED)
    mean, deviation = features.mean(axis=0), np.maximum(features.std(axis=0), 0.01)
    inner, outer = torch.nn.Linear(features.shape[1], UNITS), torch.nn.Linear(UNITS, len(EMOTIONS))
    dropout = torch.nn.Dropout(DROPOUT)
    network = torch.nn.Sequential(dropout, inner, torch.nn.ReLU(), dropout, outer)
    _descend(network, torch.from_numpy((features - mean) / deviation), torch.from_numpy(labels))
    matrix = inner.weight.detach().numpy() / deviation
    return {
        "inner": matrix.T.astype(np.float16),
        "inner_bias": (inner.bias.detach().numpy() - matrix @ mean).astype(np.float32),
        "outer": outer.weight.detach().numpy().T.astype(np.float16),
        "outer_bias": outer.bias.detach().numpy(),
        "shares": np.full(2, 0.5, dtype=np.float32),
    }


def _descend(network: torch.nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> None:
    """Minimise the cross-entropy in place: AdamW with a one-cycle schedule."""
    import torch

    weights = torch.from_numpy(_class_weights(targets.numpy(), LAYERS_BALANCE)).float()
    loss = torch.nn.CrossEntropyLoss(weight=weights)
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=0.05)
    steps = EPOCHS * -(-len(targets) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2 * LEARNING_RATE, total_steps=steps)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(targets)).split(BATCH):
            optimizer.zero_grad()
            loss(network(inputs[batch]), targets[batch]).backward()
            optimizer.step()
            schedule.step()


def fit_shares(logits: list[Floats], labels: Labels) -> npt.NDArray[np.float32]:
    """The factor of each head's logits that makes their sum likeliest: calibration and averaging in one step."""
    from scipy.optimize import minimize
    from scipy.special import log_softmax

    def cost(shares: Floats) -> float:
        joint = sum(share * head for share, head in zip(shares, logits, strict=True))
        return -float(log_softmax(joint, axis=1)[np.arange(len(labels)), labels].mean())

    found = minimize(cost, np.full(len(logits), 1 / len(logits)), method="Nelder-Mead")
    return np.asarray(found.x, dtype=np.float32)


def _class_weights(labels: Labels, balance: float) -> npt.NDArray[np.float64]:
    share = np.bincount(labels, minlength=len(EMOTIONS)) / len(labels)
    weights: npt.NDArray[np.float64] = (1 / len(EMOTIONS) / share) ** balance
    return weights


def _features(name: str, split: Split, cache: Path | None) -> Floats:
    """(texts, LAYERS x HIDDEN); read from ``cache`` where an earlier run left them."""
    stored = cache / f"{name}.npy" if cache else None
    if stored and stored.is_file():
        return np.load(stored, allow_pickle=False)
    features = np.empty((len(split.texts), len(LAYERS) * HIDDEN), dtype=np.float32)
    done = 0
    for positions, batch in MiniLMLayers().batches(split.texts):
        features[positions] = batch
        done += len(positions)
        print(f"\r{name}: MiniLM has read {done} of {len(split.texts)}", end="", file=sys.stderr)
    print(file=sys.stderr)
    if stored:
        stored.parent.mkdir(parents=True, exist_ok=True)
        np.save(stored, features)
    return features


def _judge(words: WordsHead, layers: LayersHead, test: Split, features: Floats) -> dict[str, dict[str, Any]]:
    by_words = words.logits(test.texts)
    return {
        "minilm": judge(softmax(layers.joined(by_words, features)), test.labels),
        "minilm:words": judge(softmax(by_words / words.temperature), test.labels),
    }


def _save(path: Path, arrays: dict[str, Any]) -> None:
    with beside(path) as part:
        np.savez_compressed(part, **arrays)


if __name__ == "__main__":
    main()
