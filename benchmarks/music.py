"""What the embedded composer does, in figures: ``python -m benchmarks.music``.

Moods measured from their notes and ranked against the circumplex, told apart by a classifier that never saw the seeds
and knows nothing of instruments; the distance of seeds, repeats, lengths, cleanness of the sound, and speed.
``--soundfont FILE`` chooses the font, ``--seeds N`` how many seeds stand for a mood. In the table of
``python -m benchmarks`` moods stand beside chance, and the synthesis beside pretty_midi's with the same notes and font.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.circumplex import CIRCUMPLEX
from benchmarks.features import Features, distance, features, repeats
from benchmarks.peers import Options, package
from benchmarks.table import Row, not_run
from benchmarks.timing import medians
from bgm.media.audio import SAMPLE_RATE, Audio, length, read
from bgm.media.signal import loudness_of
from bgm.music.composer.compose import compose
from bgm.music.embedded import find_font, render
from bgm.music.score import Cue, Piece, Role, Score
from bgm.music.synth import library
from bgm.progress import silent
from bgm.timeline import EMOTIONS, Emotion

Table = dict[Emotion, list[Features]]
CLEAR = 0.2
"""Points nearer than this on an axis of the circumplex are not ordered by it."""
SEEDS_IN_TABLE, REPEATS = 40, 3
LENGTHS = (0.1, 0.3, 1.0, 2.0, 3.7, 10.0, 60.0, 600.0)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.music", description=__doc__)
    parser.add_argument("--soundfont", help="a .sf2 or .sf3 file")
    parser.add_argument("--seeds", type=int, default=40, help="seeds of a mood, half of them held out (default 40)")
    arguments = parser.parse_args(argv)
    font = find_font(arguments.soundfont)
    if font is None:
        parser.error("no soundfont was found")
    for confidence in (1.0, 0.5):
        table = {emotion: measured(emotion, arguments.seeds, confidence) for emotion in EMOTIONS}
        report_moods(table, confidence)
        report_ranks(table)
        report_classifier(table)
        print("the same without tempo, density and loudness: ", end="")
        report_classifier(table, ("log_tempo", "log_density", "loudness"))
    report_variety()
    with tempfile.TemporaryDirectory() as folder:
        report_sound(Path(folder), font)
        report_lengths(Path(folder), font)


def cue(emotion: Emotion, seconds: float, seed: int = 1, confidence: float = 1.0, *, whole: bool = True) -> Cue:
    """A cue that opens and ends its piece, or one from the middle; the seed is the piece's too."""
    frames = round(seconds * SAMPLE_RATE)
    return Cue(Piece(1000 + seed, seconds), frames, emotion, confidence, "", seed, whole, whole)


def measured(emotion: Emotion, seeds: int, confidence: float) -> list[Features]:
    return [features(compose(cue(emotion, 45, seed, confidence, whole=False))) for seed in range(seeds)]


def report_moods(table: Table, confidence: float) -> None:
    names = [field.name for field in fields(Features)]
    print(f"\nMoods at confidence {confidence}: mean and standard deviation over {len(table[Emotion.JOY])} seeds")
    print(f"{'':9s}" + "".join(f"{name:>15s}" for name in names))
    for emotion, rows in table.items():
        values = np.array([row.vector() for row in rows])
        cells = [f"{mean:9.2f} ±{spread:4.2f}" for mean, spread in zip(values.mean(0), values.std(0), strict=True)]
        print(f"{emotion:9s}" + "".join(f"{cell:>15s}" for cell in cells))


def report_ranks(table: Table) -> None:
    for axis, (count, wrong) in ranked(table).items():
        print(f"{axis}: {count - len(wrong)} of {count} pairs in order {' '.join(wrong)}")


def ranked(table: Table) -> dict[str, tuple[int, list[str]]]:
    """Pairs that the circumplex orders, and those that aren't: arousal by tempo and density, valence by mode and
    consonance."""
    energy = {e: np.mean([row.log_tempo + row.log_density for row in rows]) for e, rows in table.items()}
    bright = {e: np.mean([row.majorness - 0.5 * row.dissonance for row in rows]) for e, rows in table.items()}
    found = {}
    for axis, heard in (("arousal", energy), ("valence", bright)):
        pairs = [
            (a, b)
            for a, b in itertools.permutations(EMOTIONS, 2)
            if getattr(CIRCUMPLEX[a], axis) - getattr(CIRCUMPLEX[b], axis) > CLEAR
        ]
        found[axis] = len(pairs), [f"{a}>{b}" for a, b in pairs if heard[a] <= heard[b]]
    return found


def report_classifier(table: Table, leave_out: tuple[str, ...] = ()) -> None:
    confusion = told_apart(table, leave_out)
    print(f"told apart, seeds held out: {np.trace(confusion) / confusion.sum():.3f} (chance {1 / len(table):.3f})")
    if leave_out:
        return
    for emotion, counts in zip(table, confusion, strict=True):
        print(f"  {emotion:9s}" + "".join(f"{count:4d}" for count in counts))


def told_apart(table: Table, leave_out: tuple[str, ...] = ()) -> Any:
    """Confusion (rows: the truth) of the nearest centroid on standardised features; half of the seeds is held out."""
    kept = [i for i, field in enumerate(fields(Features)) if field.name not in leave_out]
    rows = {emotion: np.array([row.vector()[kept] for row in values]) for emotion, values in table.items()}
    half = len(table[Emotion.JOY]) // 2
    spread = np.mean([values[:half].std(axis=0) for values in rows.values()], axis=0)
    centres = np.array([values[:half].mean(axis=0) for values in rows.values()])
    confusion = np.zeros((len(rows), len(rows)), int)
    for i, values in enumerate(rows.values()):
        for row in values[half:]:
            confusion[i, int(np.argmin((((centres - row) / spread) ** 2).sum(axis=1)))] += 1
    return confusion


def rows(_options: Options) -> Iterator[Row]:
    """Moods from the notes, and the speed of the synthesis."""
    table = {emotion: measured(emotion, SEEDS_IN_TABLE, 1.0) for emotion in EMOTIONS}
    for what, left_out in (("", ()), (" but tempo, density and loudness", ("log_tempo", "log_density", "loudness"))):
        confusion = told_apart(table, left_out)
        share, count = 100 * float(np.trace(confusion) / confusion.sum()), int(confusion.sum())
        name = f"moods told apart from all features of the notes{what}"
        yield Row(name, "points", share, "chance", 100 / len(table), count, higher_is_better=True)
    for axis, (count, wrong) in ranked(table).items():
        name = f"pairs of moods in the circumplex's order of {axis}"
        yield Row(name, "", count - len(wrong), "all of them", count, count, higher_is_better=True)
    yield _synthesis()


def _synthesis() -> Row:
    """A minute of music from notes to samples, with FluidSynth by us and by pretty_midi."""
    what, peer = "a minute of music from notes to sound", package("pretty_midi")
    font = find_font()
    if font is None:
        return not_run(what, peer, "no soundfont was found")
    library()  # binds pyfluidsynth, for both
    request = cue(Emotion.JOY, 60)
    score = compose(request)
    midi = as_pretty_midi(score)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "take.flac"
        runs = {
            "ours": lambda: render(score, target, request.frames, silent, font),
            "pretty_midi": lambda: midi.fluidsynth(fs=SAMPLE_RATE, sf2_path=str(font)),
        }
        took = medians(runs, REPEATS)
    return Row(what, "s", took["ours"], peer, took["pretty_midi"], REPEATS)


def as_pretty_midi(score: Score) -> Any:
    """The same notes and programs; controllers are left out, which saves pretty_midi work."""
    import pretty_midi

    midi = pretty_midi.PrettyMIDI()
    for part in score.parts:
        instrument = pretty_midi.Instrument(part.program, is_drum=part.role is Role.DRUMS)
        notes = (note for note in score.notes if note.role is part.role)
        instrument.notes = [pretty_midi.Note(n.velocity, n.pitch, n.start, n.end) for n in notes]
        midi.instruments.append(instrument)
    return midi


def report_variety() -> None:
    print("\nTwenty seeds of one piece, 30 s: 1 − cosine similarity of the piano rolls; most frequent 8 bars in 60 s")
    for emotion in EMOTIONS:
        frames = 30 * SAMPLE_RATE
        takes = [Cue(Piece(7, 30), frames, emotion, 1.0, "", seed, True, True) for seed in range(20)]
        gaps = [distance(a, b) for a, b in itertools.combinations([compose(take) for take in takes], 2)]
        again = max(repeats(compose(cue(emotion, 60, seed))) for seed in range(10))
        print(f"{emotion:9s} min {min(gaps):.2f} median {np.median(gaps):.2f} max {max(gaps):.2f}   repeats {again}")


def report_sound(folder: Path, font: Path) -> None:
    print(f"\nSound of 60 s, opening and ending, with {font.name}")
    print(f"{'':9s}    LUFS   peak   first  quietest 1.5 s   last 10 ms  clicks  CPU/real  wall/real")
    for emotion in EMOTIONS:
        target, request = folder / "take.flac", cue(emotion, 60)
        wall, cpu = time.perf_counter(), time.process_time()
        score = compose(request)
        render(score, target, request.frames, silent, font)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        sound = read(target)
        print(
            f"{emotion:9s} {loudness_of([sound]) or -np.inf:7.2f}"
            f" {np.abs(sound).max():6.2f} {np.abs(sound[0]).max():7.4f}"
            f" {quietest(sound):13.1f} dB {decibels(sound[-480:]):9.1f} dB {len(clicks(sound, score)):7d}"
            f" {cpu / 60:9.4f} {wall / 60:10.4f}"
        )


def report_lengths(folder: Path, font: Path) -> None:
    print("\nLengths: frames asked and written, for every mood")
    for seconds in LENGTHS:
        exact = 0
        for emotion in EMOTIONS if seconds <= 60 else EMOTIONS[:1]:
            request = cue(emotion, seconds)
            render(compose(request), folder / "take.flac", request.frames + 1, silent, font)
            exact += length(folder / "take.flac") == request.frames + 1
        print(f"{seconds:7.1f} s: {exact} of {len(EMOTIONS) if seconds <= 60 else 1} exact")


def decibels(sound: Audio) -> float:
    return float(20 * np.log10(np.abs(sound).max(initial=0.0) + 1e-9))


def quietest(sound: Audio, seconds: float = 1.5) -> float:
    """Level in dB of the quietest stretch before the last four seconds (RMS)."""
    size = round(seconds * SAMPLE_RATE)
    body = sound[: -4 * SAMPLE_RATE]
    power = [np.mean(body[start : start + size] ** 2) for start in range(0, len(body) - size + 1, size // 3)]
    return float(10 * np.log10(min(power) + 1e-12))


def clicks(sound: Audio, score: Score, ratio: float = 25.0) -> list[float]:
    """Times (seconds) at which the second difference of the samples stands out from the 10 ms on either side.

    Where a drum is struck it may: a wood block is a click by nature.
    """
    jump = np.abs(np.diff(sound.mean(axis=1), n=2))
    size = SAMPLE_RATE // 100
    windows = jump[: len(jump) // size * size].reshape(-1, size)
    usual = np.sqrt(np.mean(windows**2, axis=1))
    around = np.maximum(np.roll(usual, 1), np.roll(usual, -1)) + 1e-4
    times = [float(i) * size / SAMPLE_RATE for i in np.flatnonzero(windows.max(axis=1) > ratio * around)]
    strokes = [note.start for note in score.notes if note.role is Role.DRUMS]
    return [t for t in times if not any(abs(t - stroke) < 0.03 for stroke in strokes)]


if __name__ == "__main__":
    main()
