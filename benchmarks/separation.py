"""How much nearer to the speech a separator comes: ``python -m benchmarks.separation [--separator NAME]``.

SI-SDR (Le Roux et al., 2019) of real speech (../shared/data/jfk.flac, else Debian's flite) mixed with music made by
arithmetic, before and after, with our own voice activity on the mix. ``--strengths`` prints what each strength of the
embedded mask gains at each level of background: the figures behind the thresholds in bgm/voice/background.py. In the
table of ``python -m benchmarks`` the embedded separator stands beside RNNoise alone, which it has in it.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np

from benchmarks.peers import JFK, Options, package
from benchmarks.table import Row, not_run
from bgm import engines
from bgm.engines import Stage
from bgm.progress import silent
from bgm.speech.activity import speech_spans
from bgm.voice import background as levels
from bgm.voice import rnnoise
from bgm.voice.cleaning import Cleaner
from tests.voice.sounds import RATE, Sound, load, mixed, music, read, si_sdr, write

WORDS = (
    "I can hardly believe what happened this morning. The train was late again, and the whole platform was angry. "
    "Then somebody started to sing. We walked along the beach until the sun went down, and nobody spoke a word."
)
RATIOS_DB = (0, 5, 10, 15, 20, 25)
IN_TABLE_DB = (0, 5, 15)
STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)


class NoSpeechError(RuntimeError):
    """There is no recording of a voice on this machine."""


def speech(folder: Path) -> Sound:
    """Real speech where it is there, else flite's."""
    if JFK.is_file():
        return load(JFK)
    flite = shutil.which("flite")
    if not flite:
        raise NoSpeechError("neither ../shared/data/jfk.flac nor flite is here")
    subprocess.run([flite, "-voice", "rms", "-t", WORDS, "-o", str(folder / "flite.wav")], check=True)
    return load(folder / "flite.wav")


def beds(seconds: float) -> dict[str, Sound]:
    return {"calm": music(seconds, 66, drums=False), "lively": music(seconds, 126)}


def compare(separator: str, folder: Path) -> None:
    choice = engines.choose(Stage.SEPARATE, separator)
    engine = engines.load(choice)
    clean = speech(folder)
    seconds = len(clean) / RATE
    sounds = [(f"{n}, {r} dB", mixed(clean, bed, r)) for r in RATIOS_DB for n, bed in beds(seconds).items()]
    print(f"separator: {choice.label}, {seconds:.0f} s of speech\n")
    print("| mix | background | strength | before | after | gain | real-time factor |\n|---|---|---|---|---|---|---|")
    for name, sound in [*sounds, ("clean", clean)]:
        source = write(folder / "source.flac", sound)
        spans = speech_spans(source)
        began = time.perf_counter()
        report = engine.separate(source, spans, folder / "voice.flac", silent)
        factor = (time.perf_counter() - began) / seconds
        before, after = si_sdr(read(source), clean), si_sdr(read(folder / "voice.flac"), clean)
        level = "" if report.background_db is None else f"{report.background_db:.1f}"
        gain = "" if name == "clean" else f"{after - before:+.1f}"
        start = "" if name == "clean" else f"{before:.1f}"
        print(
            f"| {name} | {level} | {report.strength:.2f} | {start} | {after:.1f} | {gain} | {factor:.3f} |", flush=True
        )


@dataclass(frozen=True, slots=True)
class Separated:
    """SI-SDR (dB) of the source and of the voice from it, and the seconds that took."""

    before: float
    after: float
    seconds: float


def rows(_options: Options) -> Iterator[Row]:
    """The embedded separator beside RNNoise alone: dB gained, harm done to clean speech, time."""
    peer, engine = package("pyrnnoise"), engines.load(engines.choose(Stage.SEPARATE, "embedded"))
    what = "speech out of music {} dB below it: SI-SDR gained, mean of two beds"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            clean = speech(folder)
        except NoSpeechError as error:
            yield not_run(what.format("0 to 15"), peer, str(error))
            return
        _both(engine, clean, clean, folder)
        took: list[tuple[float, float]] = []
        for ratio in IN_TABLE_DB:
            pairs = [_both(engine, mixed(clean, bed, ratio), clean, folder) for bed in beds(len(clean) / RATE).values()]
            took += [(ours.seconds, theirs.seconds) for ours, theirs in pairs]
            gains = [mean(pair[side].after - pair[side].before for pair in pairs) for side in (0, 1)]
            yield Row(what.format(ratio), "dB", gains[0], peer, gains[1], len(pairs), higher_is_better=True)
        ours, theirs = _both(engine, clean, clean, folder)
        yield Row("clean speech left alone: SI-SDR", "dB", ours.after, peer, theirs.after, 1, higher_is_better=True)
        factors = [median(times) / (len(clean) / RATE) for times in zip(*took, strict=True)]
        yield Row("separation: time over the sound's length", "×", factors[0], peer, factors[1], len(took))


def _both(engine: Any, sound: Sound, clean: Sound, folder: Path) -> tuple[Separated, Separated]:
    """File to file, by ours and by RNNoise alone; where speech lies is found before, outside the time."""
    source, voice = write(folder / "source.flac", sound), folder / "voice.flac"
    spans, before = speech_spans(source), si_sdr(read(source), clean)
    began = time.perf_counter()
    engine.separate(source, spans, voice, silent)
    ours = Separated(before, si_sdr(read(voice), clean), time.perf_counter() - began)
    began = time.perf_counter()
    with rnnoise.Denoiser() as denoiser:
        denoised = np.concatenate([denoiser.push(read(source)), denoiser.flush()])[: len(clean)]
    write(voice, denoised)
    return ours, Separated(before, si_sdr(read(voice), clean), time.perf_counter() - began)


def sweep(folder: Path) -> None:
    clean = speech(folder)
    print(f"| mix | background | {' | '.join(f'strength {s}' for s in STRENGTHS)} |\n|{'---|' * (2 + len(STRENGTHS))}")
    for ratio in RATIOS_DB:
        for name, bed in beds(len(clean) / RATE).items():
            sound = mixed(clean, bed, ratio)
            source = write(folder / "source.flac", sound)
            spans = speech_spans(source)
            measured = levels.measure(source, spans, silent)
            gains = []
            for strength in STRENGTHS:
                level = levels.LEAVE_BELOW_DB + strength * (levels.WHOLE_ABOVE_DB - levels.LEAVE_BELOW_DB)
                fixed = replace(measured, local_db=np.full_like(measured.local_db, level))
                Cleaner(source, spans, fixed).write(folder / "voice.flac", silent)
                gains.append(si_sdr(read(folder / "voice.flac"), clean) - si_sdr(sound, clean))
            cells = " | ".join(f"{gain:+.1f}" for gain in gains)
            print(f"| {name}, {ratio} dB | {measured.overall_db or 0:.1f} | {cells} |", flush=True)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--separator", default="embedded", metavar="NAME")
    arguments.add_argument("--strengths", action="store_true")
    wanted = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if wanted.strengths:
            sweep(Path(folder))
        else:
            compare(wanted.separator, Path(folder))


if __name__ == "__main__":
    main()
