"""Does a LoRA do anything? ``python -m bgm.training.probe SET [--base riffusion/riffusion-model-v1 --lora FILE]``.

A classifier of emotions is trained on SET's pictures and judged on its validation tracks. With --base it then hears
pictures painted for each emotion, without and with --lora: how often as meant, and whether that is more than chance
gives; and how far they are from SET's own pictures, as Fréchet distance (Heusel et al. 2017, arXiv 1706.08500; for
music Kilgour et al., Interspeech 2019) on this probe's own features, so not to be compared with anybody else's. Needs
scikit-learn.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bgm.device import pick
from bgm.errors import BadInput, EngineUnavailable
from bgm.music.riffusion import lora as product
from bgm.music.riffusion.spectrogram import Pixels
from bgm.progress import Progress, part
from bgm.training import command, diffusion, examples
from bgm.training.examples import Example

Features = npt.NDArray[np.float64]
"""(pictures, features)."""
Painted = Mapping[str, Features]
"""Of each emotion, the features of what was painted for it."""

BANDS = 64
LAGS = (25, 30, 35, 40, 46, 50, 60, 70, 80, 92, 100)
"""Frames of 10 ms between two beats: 240 to 60 beats a minute."""
COMPONENTS = 12
"""Principal components in which distances are taken: more would need more pictures for their covariance."""
STRENGTH = 0.1
"""Inverse of the regularisation, scikit-learn's C."""
SURE = 0.01
"""A result that chance gives more often than this is called chance."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the probe heard in painted pictures."""

    pictures: int
    as_meant: float
    """Share that it hears as the emotion they were painted for."""
    chance: float
    p_value: float
    """How often guessing would do as well or better (binomial test)."""
    frechet: float
    """To all of the set's pictures."""

    @property
    def is_chance(self) -> bool:
        """Whether nothing can be claimed."""
        return self.p_value > SURE


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bgm.training.probe", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("set", type=Path, metavar="SET")
    parser.add_argument("--base", metavar="HUB_ID|DIR", help="paint with this model")
    parser.add_argument("--lora", type=Path, metavar="FILE", help="… and with this LoRA on it")
    parser.add_argument("--each", type=int, default=8, help="pictures to paint of each emotion (default 8)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto", help="auto, cuda, cpu or mps")
    parser.add_argument("--offline", action="store_true", help="make no network call")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    return command.run(parser, "probe", _from_arguments, argv)


def _from_arguments(arguments: argparse.Namespace, progress: Progress) -> str:
    if arguments.lora and not arguments.base:
        raise BadInput("--lora changes a model: name it with --base")
    if arguments.lora and not arguments.lora.is_file():
        raise BadInput(f"there is no LoRA {arguments.lora}")
    if arguments.each < 1:
        raise BadInput("--each must be 1 or more")
    probe = Probe.of(arguments.set, part(progress, 0.0, 0.1))
    found: dict[str, Any] = {"real": probe.on_real()}
    if arguments.base:
        device, loading = pick(arguments.device), part(progress, 0.1, 0.15)
        pipeline = diffusion.load(arguments.base, device, loading, offline=arguments.offline).pipeline
        half = 0.6 if arguments.lora else 1.0
        painted = probe.paint(pipeline, arguments.each, arguments.seed, part(progress, 0.15, half))
        found["without"] = probe.judge(painted)
        if arguments.lora:
            other = product.other_base(pipeline, arguments.lora)
            if other:
                print(f"the LoRA {arguments.lora}: {other}", file=sys.stderr)
            product.apply(pipeline, arguments.lora)
            painted = probe.paint(pipeline, arguments.each, arguments.seed, part(progress, half, 1.0))
            found["with"] = probe.judge(painted)
    return as_json(found) if arguments.json else as_text(found)


class Probe:
    """A logistic regression on statistics of log-mel pictures, and the pictures that it learnt from."""

    def __init__(self, train: Sequence[Example], validation: Sequence[Example], progress: Progress) -> None:
        try:
            from sklearn.linear_model import LogisticRegression
            from sklearn.pipeline import make_pipeline
            from sklearn.preprocessing import StandardScaler
        except ImportError as error:
            raise EngineUnavailable("the probe needs scikit-learn: pip install -r requirements-dev.txt") from error
        self._validation = validation
        self._train = _features(train, part(progress, 0.0, 0.8))
        self._held = _features(validation, part(progress, 0.8, 1.0))
        self.columns = examples.pixels(validation[0].path).shape[1]
        self._model: Any = make_pipeline(StandardScaler(), LogisticRegression(C=STRENGTH, max_iter=2000))
        self._model.fit(self._train, [example.emotion for example in train])

    @classmethod
    def of(cls, folder: Path, progress: Progress) -> Probe:
        """Trained on the set. Raises BadInput where it has less than two emotions, or none to judge by."""
        both = [[e for e in examples.read(folder, split) if e.emotion] for split in ("train", "validation")]
        if len({e.emotion for e in both[0]}) < 2 or not both[1]:
            raise BadInput(f"{folder} needs pictures of two emotions or more in train, and of one in validation")
        return cls(both[0], both[1], progress)

    def on_real(self) -> dict[str, Any]:
        """Accuracy on tracks that it never saw, and the distance of the two splits: what is the least to expect."""
        truth = [example.emotion for example in self._validation]
        return {
            "train": len(self._train),
            "validation": len(truth),
            "emotions": len(self._model.classes_),
            "accuracy": round(float(self._model.score(self._held, truth)), 4),
            "frechet": round(frechet(self._held, self._train, self._train), 2),
        }

    def paint(self, pipeline: Any, each: int, seed: int, progress: Progress) -> Painted:
        """``each`` pictures of every emotion, after the captions of its validation pictures in turn."""
        painted: dict[str, Features] = {}
        emotions = sorted({example.emotion for example in self._validation} & set(self._model.classes_))
        for i, emotion in enumerate(emotions):
            texts = list(dict.fromkeys(e.text for e in self._validation if e.emotion == emotion))
            rows = []
            for n in range(each):
                picture = diffusion.paint(pipeline, [texts[n % len(texts)]], self.columns, seed=seed + n)[0]
                rows.append(features(picture))
                progress((i * each + n + 1) / (each * len(emotions)), f"painting {emotion}, {n + 1} of {each}")
            painted[emotion] = np.stack(rows)
        return painted

    def judge(self, painted: Painted) -> Verdict:
        """How often the pictures are heard as meant, and how far they are from the set's own."""
        from scipy.stats import binomtest

        rows, meant = np.concatenate([*painted.values()]), np.repeat([*painted], [len(r) for r in painted.values()])
        hits, chance = int((self._model.predict(rows) == meant).sum()), 1 / len(self._model.classes_)
        return Verdict(
            pictures=len(rows),
            as_meant=round(hits / len(rows), 4),
            chance=round(chance, 4),
            p_value=round(float(binomtest(hits, len(rows), chance, alternative="greater").pvalue), 6),
            frechet=round(frechet(rows, self._train, self._train), 2),
        )


def features(pixels: Pixels) -> npt.NDArray[np.float64]:
    """A picture (512, columns) → statistics that don't depend on the track's level.

    Of 64 bands the mean, the spread and the movement; of the onsets how periodic they are at LAGS; and how full it is.
    """
    loud = 1.0 - pixels[::-1].astype(np.float64) / 255.0
    bands = loud.reshape(BANDS, len(loud) // BANDS, -1).mean(axis=1)
    movement = np.diff(bands, axis=1)
    onsets = np.maximum(movement, 0).sum(axis=0)
    centred = onsets - onsets.mean()
    power = float(centred @ centred) + 1e-9
    beats = [float(centred[lag:] @ centred[:-lag]) / power for lag in LAGS]
    whole = [onsets.std(), loud.mean(), loud.std()]
    return np.concatenate([bands.mean(axis=1), bands.std(axis=1), np.abs(movement).mean(axis=1), beats, whole])


def frechet(some: Features, others: Features, ruler: Features) -> float:
    """|m₁ − m₂|² + tr(C₁ + C₂ − 2 (C₁ C₂)^½), after whitening by ``ruler``, the real pictures.

    By those that are compared instead, what hardly varies in a few pictures would be blown up.
    """
    from scipy.linalg import sqrtm

    centre, spread = ruler.mean(axis=0), ruler.std(axis=0) + 1e-3
    _, scale, axes = np.linalg.svd((ruler - centre) / spread, full_matrices=False)
    keep = min(COMPONENTS, len(scale))
    whiten = axes[:keep].T / (scale[:keep] / np.sqrt(len(ruler)) + 1e-9)
    a, b = (((x - centre) / spread) @ whiten for x in (some, others))
    first, second = (np.cov(x.T) if len(x) > 1 else np.zeros((keep, keep)) for x in (a, b))
    first, second = (c.reshape(keep, keep) + 1e-6 * np.eye(keep) for c in (first, second))
    mixed = np.real(sqrtm(first @ second))
    return float(((a.mean(axis=0) - b.mean(axis=0)) ** 2).sum() + np.trace(first + second - 2 * mixed))


def as_json(found: Mapping[str, Any]) -> str:
    """The figures on one line."""
    return json.dumps({name: asdict(one) if isinstance(one, Verdict) else one for name, one in found.items()})


def as_text(found: Mapping[str, Any]) -> str:
    """The figures, and what may be claimed."""
    real = found["real"]
    lines = [
        f"real pictures: {real['accuracy']:.3f} of {real['validation']} from unseen tracks told apart into "
        f"{real['emotions']} emotions; Fréchet distance of the splits {real['frechet']:.1f}"
    ]
    for name in ("without", "with"):
        verdict = found.get(name)
        if isinstance(verdict, Verdict):
            claim = "at chance: it expresses no emotion, claim nothing" if verdict.is_chance else "more than chance"
            lines.append(
                f"painted {name} the LoRA: {verdict.as_meant:.3f} of {verdict.pictures} heard as meant (chance "
                f"{verdict.chance:.3f}, p = {verdict.p_value:.3g}): {claim}; Fréchet distance {verdict.frechet:.1f}"
            )
    return "\n".join(lines)


def _features(some: Sequence[Example], progress: Progress) -> Features:
    rows = []
    for n, example in enumerate(some):
        rows.append(features(examples.pixels(example.path)))
        progress((n + 1) / len(some), f"reading picture {n + 1} of {len(some)}")
    return np.stack(rows)


if __name__ == "__main__":
    sys.exit(main())
