"""Does a LoRA do anything? ``python -m bgm.training.probe SET [--base riffusion/riffusion-model-v1 --lora FILE]``.

Trains a classifier of emotions on SET's spectrograms and evaluates it on tracks that it never saw. With --base it then
classifies images generated for each emotion, without and with --lora: how often as intended, and whether that is above
chance; and their Fréchet distance to SET's own images (Heusel et al. 2017, arXiv 1706.08500; for music Kilgour et al.,
Interspeech 2019), on this probe's features, so not comparable with other implementations. Needs scikit-learn.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bgm import console
from bgm.device import pick
from bgm.digest import digest
from bgm.errors import BadInput, EngineUnavailable
from bgm.music.riffusion import model as product
from bgm.music.riffusion.spectrogram import ROWS, Pixels, SpectrogramParams
from bgm.progress import Progress, part
from bgm.training import diffusion, examples
from bgm.training.examples import Example

Features = npt.NDArray[np.float64]
"""(pictures, features)."""
Painted = Mapping[str, Features]
"""For each emotion the features of the images generated for it."""

PARAMS = SpectrogramParams()
BANDS = 64
LAGS = (25, 30, 35, 40, 46, 50, 60, 70, 80, 92, 100)
"""Beat periods in frames of 10 ms: 240 to 60 beats a minute."""
MODULATIONS_HZ = np.geomspace(0.4, 25.0, 9)
"""Edges of the bands of the modulation spectrum: from two bars to a tremolo."""
MAJOR = np.array([6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88])
MINOR = np.array([6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17])
"""How well each of the twelve pitch classes fits a key (Krumhansl and Kessler 1982)."""
MELODIC_HZ = (100.0, 2000.0)
FOLDS = 5
COMPONENTS = 12
"""Principal components for the Fréchet distance: the covariance of more would need more images."""
PENALTY, GAMMA = 10.0, 0.001
"""C and gamma of the support vector machine, on standardised features."""
SURE = 0.01
"""p-values above this are reported as chance."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How the probe classified generated images."""

    pictures: int
    as_meant: float
    """Share classified as the emotion they were generated for."""
    chance: float
    p_value: float
    """Probability that guessing does as well or better (binomial test)."""
    frechet: float
    """Distance to the training images."""

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
    return console.run(parser, "probe", _from_arguments, argv)


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
            product.apply_lora(pipeline, arguments.lora)
            painted = probe.paint(pipeline, arguments.each, arguments.seed, part(progress, half, 1.0))
            found["with"] = probe.judge(painted)
    return as_json(found) if arguments.json else as_text(found)


class Probe:
    """A support vector machine on statistics of log-mel spectrograms, and the images that it was trained on."""

    def __init__(self, train: Sequence[Example], validation: Sequence[Example], progress: Progress) -> None:
        self._examples, self._validation = [*train, *validation], validation
        self._train = _features(train, part(progress, 0.0, 0.8))
        self._held = _features(validation, part(progress, 0.8, 1.0))
        self.columns = examples.pixels(validation[0].path).shape[1]
        self._model = _fitted(self._train, [example.emotion for example in train])

    @classmethod
    def of(cls, folder: Path, progress: Progress) -> Probe:
        """Trained on the set. Raises BadInput for fewer than two emotions or an empty validation split."""
        both = [[e for e in examples.read(folder, split) if e.emotion] for split in ("train", "validation")]
        if len({e.emotion for e in both[0]}) < 2 or not both[1]:
            raise BadInput(f"{folder} needs pictures of two emotions or more in train, and of one in validation")
        return cls(both[0], both[1], progress)

    def on_real(self) -> dict[str, Any]:
        """Accuracy on unseen tracks, and the Fréchet distance between the splits, the least that can be expected."""
        truth = [example.emotion for example in self._validation]
        pictures, tracks = self._cross_validated()
        return {
            "train": len(self._train),
            "validation": len(truth),
            "emotions": len(self._model.classes_),
            "accuracy": round(float(self._model.score(self._held, truth)), 4),
            "cross_validated": {"pictures": pictures, "tracks": tracks},
            "frechet": round(frechet(self._held, self._train, self._train), 2),
        }

    def _cross_validated(self) -> tuple[float, float]:
        """Accuracy over all images, each classified by a model that was trained without its track; and over tracks,
        by majority of their images. A validation split of a tenth is small: this uses every track.
        """
        rows, truth = np.concatenate([self._train, self._held]), np.array([e.emotion for e in self._examples])
        tracks = np.array([e.track or e.path.name for e in self._examples])
        # Folds by track, in an order that is the same everywhere: crops of one piece on both sides would be recognised
        # as that piece.
        names, told = sorted({*tracks.tolist()}, key=digest), np.full(len(rows), "", dtype=truth.dtype)
        for fold in range(FOLDS):
            held = np.isin(tracks, names[fold::FOLDS])
            if held.any() and len({*truth[~held].tolist()}) > 1:
                told[held] = _fitted(rows[~held], truth[~held].tolist()).predict(rows[held])
        majority = [Counter(told[tracks == name].tolist()).most_common(1)[0][0] for name in names]
        meant = [truth[tracks == name][0] for name in names]
        return round(float(np.mean(told == truth)), 4), round(float(np.mean(np.array(majority) == meant)), 4)

    def paint(self, pipeline: Any, each: int, seed: int, progress: Progress) -> Painted:
        """``each`` images per emotion, cycling through the captions of its validation images."""
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
        """How often the images are classified as intended, and their distance to the set's own."""
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
    """An image (512, columns) → statistics of timbre, rhythm, dynamics and harmony that ignore level and key.

    Timbre: mean, spread and movement of 64 bands, brightness and tonality. Rhythm: periodicity of the onsets at LAGS,
    modulation spectrum of eight bands. Harmony: :func:`harmony`.
    """
    # Pictures are white where it is silent, with high frequencies at the top.
    loud = 1.0 - pixels[::-1].astype(np.float64) / 255.0
    bands = loud.reshape(BANDS, len(loud) // BANDS, -1).mean(axis=1)
    movement = np.diff(bands, axis=1)
    onsets = np.maximum(movement, 0).sum(axis=0)
    centred = onsets - onsets.mean()
    power = float(centred @ centred) + 1e-9
    # Autocorrelation of the onsets at each lag, as a share of lag 0: high where a beat comes again.
    beats = [float(centred[lag:] @ centred[:-lag]) / power for lag in LAGS]
    whole = [onsets.std(), loud.mean(), loud.std()]
    timbre = [bands.mean(axis=1), bands.std(axis=1), np.abs(movement).mean(axis=1)]
    return np.concatenate([*timbre, beats, whole, _dynamics(loud), _modulations(loud), harmony(loud)])


def _dynamics(loud: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """How level and brightness move; and of eight bands how far tones stand out of noise."""
    level = loud.mean(axis=0)
    bright = (loud * np.arange(len(loud))[:, None]).sum(axis=0) / (loud.sum(axis=0) + 1e-9)
    moves = [level.std(), np.abs(np.diff(level)).mean(), np.abs(np.diff(level, 2)).mean()]
    brightness = [bright.mean(), bright.std(), np.abs(np.diff(bright)).mean()]
    return np.concatenate([moves, brightness, loud.reshape(8, len(loud) // 8, -1).std(axis=1).mean(axis=1)])


def _modulations(loud: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Of the onsets in eight bands the share of each band of MODULATIONS_HZ."""
    movement = np.diff(loud.reshape(8, len(loud) // 8, -1).mean(axis=1), axis=1)
    onsets = np.maximum(movement, 0)
    onsets = (onsets - onsets.mean(axis=1, keepdims=True)) * np.hanning(onsets.shape[1])
    spectrum = np.abs(np.fft.rfft(onsets, 1024))
    spectrum /= spectrum.sum(axis=1, keepdims=True) + 1e-9
    rates = np.fft.rfftfreq(1024, PARAMS.step_size_ms / 1000)
    bands = [spectrum[:, (rates >= low) & (rates < high)].sum(axis=1) for low, high in pairwise(MODULATIONS_HZ)]
    return np.concatenate(bands)


def harmony(loud: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(512, columns), low rows first → 22 statistics of the pitch classes that no transposition changes.

    The circular autocorrelation of the chroma, how well it fits the best major and the best minor key (and the
    difference), the chroma rotated to the better of these keys, and how fast it changes.
    """
    chroma = _pitch_classes() @ _peaks(loud)
    share = chroma.mean(axis=1)
    # 1. Standardised, so that the fit with a key is a correlation.
    share = (share - share.mean()) / (share.std() + 1e-9)
    # 2. With all 24 keys. 3. Relative to the best tonic every piece stands in C: what is left is mode and colour.
    fits = np.array([[np.roll(key, turn) @ share / 12 for turn in range(12)] for key in _KEYS])
    major, minor = fits.max(axis=1)
    intervals = [share @ np.roll(share, turn) / 12 for turn in range(1, 7)]
    tonic = int(fits.max(axis=0).argmax())
    movement = np.abs(np.diff(chroma[:, ::20], axis=1)).mean(axis=1).sum()
    return np.concatenate([intervals, [major, minor, major - minor], np.roll(share, -tonic), [movement]])


_KEYS = [(key - key.mean()) / key.std() for key in (MAJOR, MINOR)]


def _peaks(loud: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """What stands out of its neighbourhood of 25 rows (about 6 semitones at 400 Hz)."""
    from scipy.ndimage import uniform_filter1d

    return np.maximum(loud - uniform_filter1d(loud, 25, axis=0), 0)


@cache
def _pitch_classes() -> npt.NDArray[np.float64]:
    """(12, 512): how much of each row of the mel scale (HTK's) belongs to each pitch class."""
    top = 2595 * np.log10(1 + PARAMS.max_frequency / 700)
    hertz = 700 * (10 ** (np.linspace(0, top, ROWS + 2)[1:-1] / 2595) - 1)
    pitch = 12 * np.log2(hertz / 440) + 69
    away = np.abs((pitch[None] - np.arange(12)[:, None] + 6) % 12 - 6)
    weight = np.maximum(0, 1 - away) * ((hertz > MELODIC_HZ[0]) & (hertz < MELODIC_HZ[1]))
    return np.asarray(weight / np.maximum(weight.sum(axis=1, keepdims=True), 1e-9))


def frechet(some: Features, others: Features, ruler: Features) -> float:
    """|m₁ − m₂|² + tr(C₁ + C₂ − 2 (C₁ C₂)^½), after whitening by ``ruler``, the real pictures.

    By those that are compared instead, what hardly varies in a few pictures would be blown up.
    """
    from scipy.linalg import sqrtm

    # 1. Standardise and whiten by the ruler's principal components, the first COMPONENTS of them.
    centre, spread = ruler.mean(axis=0), ruler.std(axis=0) + 1e-3
    _, scale, axes = np.linalg.svd((ruler - centre) / spread, full_matrices=False)
    keep = min(COMPONENTS, len(scale))
    whiten = axes[:keep].T / (scale[:keep] / np.sqrt(len(ruler)) + 1e-9)
    # 2. A Gaussian for each of the two sets.
    a, b = (((x - centre) / spread) @ whiten for x in (some, others))
    first, second = (np.cov(x.T) if len(x) > 1 else np.zeros((keep, keep)) for x in (a, b))
    first, second = (c.reshape(keep, keep) + 1e-6 * np.eye(keep) for c in (first, second))
    # 3. Their distance. The product of two covariances has a real root but for rounding, which may add a tiny imaginary
    # part.
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
        f"{real['emotions']} emotions; {FOLDS}-fold by track {real['cross_validated']['pictures']:.3f} of all, "
        f"{real['cross_validated']['tracks']:.3f} of whole tracks; Fréchet distance of the splits {real['frechet']:.1f}"
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


def _fitted(rows: Features, emotions: Sequence[str]) -> Any:
    try:
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import SVC
    except ImportError as error:
        raise EngineUnavailable("the probe needs scikit-learn: pip install -r requirements-dev.txt") from error
    return make_pipeline(StandardScaler(), SVC(C=PENALTY, gamma=GAMMA)).fit(rows, list(emotions))


def _features(some: Sequence[Example], progress: Progress) -> Features:
    rows = []
    for n, example in enumerate(some):
        rows.append(features(examples.pixels(example.path)))
        progress((n + 1) / len(some), f"reading picture {n + 1} of {len(some)}")
    return np.stack(rows)


if __name__ == "__main__":
    sys.exit(main())
