"""What the ten styles are, in figures: ``python -m benchmarks.styles``.

Phrases and layers read from the notes; how far the pieces of twenty videos are apart; and what a classifier that was
trained on the sound of half of the seeds makes of the other half: the style, and the mood within it (``--heard``, six
minutes on one core). ``--seeds N`` says how many pieces stand for a style and mood there.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks import features
from bgm.digest import seed_of
from bgm.media.audio import SAMPLE_RATE, Audio, read
from bgm.music.composer.compose import compose
from bgm.music.composer.moods import auto_style
from bgm.music.embedded import render
from bgm.music.score import Cue, Piece, Score
from bgm.progress import silent
from bgm.timeline import EMOTIONS, Emotion, Style

VIDEOS, SEEDS_READ = 64, 3
HEARD_SECONDS = 12.0
Vector = npt.NDArray[np.float64]


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.styles", description=__doc__)
    parser.add_argument("--heard", action="store_true", help="play the styles and tell them apart by their sound")
    parser.add_argument("--seeds", type=int, default=8, help="pieces of a style and mood, half held out (default 8)")
    arguments = parser.parse_args(argv)
    report_phrases()
    report_pieces()
    if arguments.heard:
        report_heard(arguments.seeds)


def score_of(style: Style, emotion: Emotion, seed: int, seconds: float = 60.0) -> Score:
    return compose(cue_of(style, emotion, seed, seconds))


def cue_of(style: Style, emotion: Emotion, seed: int, seconds: float) -> Cue:
    piece = Piece(1000 + seed, seconds, style)
    return Cue(piece, round(seconds * SAMPLE_RATE), emotion, 1.0, "", seed, False, False)


def report_phrases() -> None:
    print("neighbouring bars of one rhythm, rhythms in 16 bars, melody above chords, parallels with the bass,")
    print("strikes with seconds below middle C, shortest note (s), lengths of chords; 60 s, seven moods")
    for style in Style:
        scores = [score_of(style, emotion, seed) for emotion in EMOTIONS for seed in range(SEEDS_READ)]
        moved, parallel = np.sum([features.parallels(score) for score in scores], axis=0)
        strikes, seconds = np.sum([features.low_seconds(score) for score in scores], axis=0)
        print(
            f"{style:16s} {np.mean([features.repeated_rhythms(s) for s in scores]):5.2f}"
            f" {np.mean([features.distinct_rhythms(s) for s in scores]):5.1f}"
            f" {np.mean([features.lead_above(s) for s in scores]):6.3f} {parallel / moved:6.3f}"
            f" {seconds / max(1, strikes):6.3f} {min(n.end - n.start for s in scores for n in s.notes):6.3f}"
            f" {np.mean([features.harmonic_rhythms(s) for s in scores]):5.1f}"
        )


def report_pieces() -> None:
    print(f"\npieces of {VIDEOS} videos on defaults, 30 s: cells that two piano rolls share, of those that either has,")
    print("in the best of all transpositions")
    for emotion in EMOTIONS:
        rolls = [features.piano_roll(of_video(n, emotion)) > 0 for n in range(VIDEOS)]
        shared = [overlap(a, b) for a, b in itertools.combinations(rolls, 2)]
        over = sum(value >= 0.4 for value in shared)
        print(f"{emotion:9s} mean {np.mean(shared):.2f} max {max(shared):.2f}, {over} of {len(shared)} pairs over 0.4")


def of_video(number: int, emotion: Emotion) -> Score:
    seed = seed_of("piece", f"video {number}")
    piece = Piece(seed, 30.0, auto_style(seed, emotion))
    return compose(Cue(piece, 30 * SAMPLE_RATE, emotion, 1.0, "", seed_of(seed, "s1"), True, True))


def overlap(first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_]) -> float:
    """Intersection over union of two piano rolls (pitches, steps) over their common length, best transposition."""
    width = min(first.shape[1], second.shape[1])
    a, b = (roll[:, :width].astype(np.float32) for roll in (first, second))
    both = a @ b.T  # the steps that pitch i of one shares with pitch j of the other
    common = max(float(np.diagonal(both, steps).sum()) for steps in range(-11, 12))
    return common / (float(a.sum() + b.sum()) - common)


def report_heard(seeds: int) -> None:
    """Print how many held-out takes are told apart by their sound: the style, and the mood within each style."""
    heard = _heard(seeds)
    half = seeds // 2
    told = _told(heard, [style for style, _, _ in heard], half)
    print(f"\nstyle told from the sound, seeds held out: {_share(told):.3f} (chance {1 / len(Style):.3f})")
    print(f"  {_mistaken(told)}")
    within = []
    for style in Style:
        own = {key: vector for key, vector in heard.items() if key[0] is style}
        moods = _told(own, [emotion for _, emotion, _ in own], half)
        within.append(_share(moods))
        print(f"mood in {style:16s} {within[-1]:.3f}  {_mistaken(moods)}")
    print(f"mood within style: {np.mean(within):.3f} (chance {1 / len(EMOTIONS):.3f})")


def _heard(seeds: int) -> dict[tuple[Style, Emotion, int], Vector]:
    """Each style and mood by its sound, ``seeds`` times."""
    wanted = itertools.product(Style, EMOTIONS, range(seeds))
    with tempfile.TemporaryDirectory() as folder:
        return {(s, e, seed): described(_played(Path(folder), s, e, seed)) for s, e, seed in wanted}


def _played(folder: Path, style: Style, emotion: Emotion, seed: int) -> Audio:
    cue, target = cue_of(style, emotion, seed, HEARD_SECONDS), folder / "take.flac"
    render(compose(cue), target, cue.frames, silent)
    return read(target)


def described(sound: Audio) -> Vector:
    """Timbre (cepstrum: mean, spread and change), spectrum's shape, chords and strokes of a sound."""
    import librosa

    mono = np.ascontiguousarray(sound.mean(axis=1)[::2])
    rate = SAMPLE_RATE // 2
    cepstrum = librosa.feature.mfcc(y=mono, sr=rate, n_mfcc=20)
    contrast = librosa.feature.spectral_contrast(y=mono, sr=rate)
    chroma = librosa.feature.chroma_stft(y=mono, sr=rate).mean(axis=1)
    flux = librosa.onset.onset_strength(y=mono, sr=rate)
    pulse = librosa.feature.tempogram(onset_envelope=flux, sr=rate).mean(axis=1)[4:200:6]
    strokes = [flux.mean(), flux.std(), len(librosa.onset.onset_detect(onset_envelope=flux, sr=rate))]
    shape = [cepstrum.mean(1), cepstrum.std(1), np.abs(np.diff(cepstrum)).mean(1), contrast.mean(1), contrast.std(1)]
    return np.concatenate([*shape, np.sort(chroma), pulse, strokes])


def _told(heard: dict[tuple[Style, Emotion, int], Vector], names: Sequence[str], half: int) -> list[tuple[str, str]]:
    """What each held-out take is, and what a classifier that was trained on the first ``half`` seeds makes of it."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows, labels = np.array(list(heard.values())), np.array([str(name) for name in names])
    known = np.array([seed < half for _, _, seed in heard])
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.3, max_iter=2000))
    guessed = model.fit(rows[known], labels[known]).predict(rows[~known])
    return list(zip(labels[~known].tolist(), guessed.tolist(), strict=True))


def _share(told: Sequence[tuple[str, str]]) -> float:
    return sum(truth == guessed for truth, guessed in told) / len(told)


def _mistaken(told: Sequence[tuple[str, str]], most: int = 6) -> str:
    """What is taken for what, the most frequent first."""
    wrong = Counter(pair for pair in told if pair[0] != pair[1])
    return ", ".join(f"{truth} for {guessed} {count}" for (truth, guessed), count in wrong.most_common(most))


if __name__ == "__main__":
    main()
