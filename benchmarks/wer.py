"""Word error rate and speed of a transcriber: ``python -m benchmarks.wer [--transcriber NAME[:MODEL]]``.

Clips: real speech (../shared/data/jfk.flac) where it is there, and sentences of our own spoken by flite where Debian's
flite is installed. RTF is the time on the clock over the clip's length, CPU the processor time over it (of all
processors, child processes too); both include voice activity detection and, on the first clip, loading the model. In
the table of ``python -m benchmarks`` our use of it stands beside its own call with default settings.
"""

from __future__ import annotations

import argparse
import re
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr

from benchmarks.peers import JFK, Options, package
from benchmarks.table import Row, not_run
from bgm import weights
from bgm.engines import EngineOptions, Stage, choose, load
from bgm.media.audio import SAMPLE_RATE
from bgm.progress import silent
from bgm.speech.activity import speech_spans
from bgm.speech.recording import Recording

JFK_TEXT = "And so my fellow Americans ask not what your country can do for you ask what you can do for your country"
VOICES = ("rms", "slt", "awb")
SENTENCES = (
    "The weather turned cold before we reached the river",
    "She told me that nothing would ever be the same again",
    "I was so happy when the letter finally came",
    "Please be quiet because the children are sleeping",
    "We lost everything in the fire last winter",
    "Nobody expected the little team to win the game",
)


@dataclass(frozen=True)
class Clip:
    """48 kHz FLAC and what is said in it."""

    name: str
    audio: Path
    text: str


@dataclass(frozen=True)
class Result:
    """Seconds of the clip, of the clock on the wall and of the processors."""

    name: str
    text: str
    heard: str
    length: float
    took: float
    cpu: float

    @property
    def wer(self) -> float:
        import jiwer

        return float(jiwer.wer(self.text, self.heard))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--transcriber", default="faster-whisper", metavar="NAME[:MODEL]")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--show", action="store_true", help="print what was heard")
    args = parser.parse_args()
    choice = choose(Stage.TRANSCRIBE, args.transcriber, EngineOptions(device=args.device, language="en"))
    engine = load(choice)
    with tempfile.TemporaryDirectory() as folder:
        results = [_measure(engine, clip) for clip in clips(Path(folder))]
    if not results:
        parser.error(f"no clips: {JFK} is not there and flite is not installed")
    print(f"{choice.label}\n{'clip':<12}{'words':>6}{'WER':>7}{'RTF':>7}{'CPU':>7}")
    for result in [*results, _together(results)]:
        speed = f"{result.took / result.length:>7.2f}{result.cpu / result.length:>7.2f}"
        print(f"{result.name:<12}{len(result.text.split()):>6}{result.wer:>7.3f}{speed}")
        if args.show and result.name != "all":
            print(f"  {result.heard}")


def rows(_options: Options) -> Iterator[Row]:
    """Word errors and time, ours beside PocketSphinx's defaults on the same clips."""
    peer = f"{package('faster-whisper')}, default settings, whole clip"
    engine = load(choose(Stage.TRANSCRIBE, "faster-whisper", EngineOptions(language="en")))
    with tempfile.TemporaryDirectory() as folder:
        pairs = [(_measure(engine, clip), _plain_peer(clip)) for clip in clips(Path(folder))]
    if not pairs:
        yield not_run(
            "word error rate of faster-whisper base", peer, "neither ../shared/data/jfk.flac nor flite is here"
        )
        return
    real = [pair for pair in pairs if pair[0].name == "jfk"]
    for kind, some in (("real speech", real), ("flite's voices", [pair for pair in pairs if pair not in real])):
        if some:
            ours, theirs = (_together(list(side)) for side in zip(*some, strict=True))
            what = f"word error rate of faster-whisper base, {kind}, {len(ours.text.split())} words"
            yield Row(what, "", ours.wer, peer, theirs.wer, len(some))
    ours, theirs = (_together(list(side)) for side in zip(*pairs, strict=True))
    factors = ours.took / ours.length, theirs.took / theirs.length
    yield Row("speech recognition: time over the clips' length", "×", factors[0], peer, factors[1], len(pairs))


def clips(folder: Path) -> Iterator[Clip]:
    """Write the clips into ``folder``."""
    if JFK.is_file():
        yield Clip("jfk", _at_48k([JFK], folder / "jfk.flac"), _plain(JFK_TEXT))
    for voice in VOICES if shutil.which("flite") else ():
        spoken = [_speak(voice, i, text, folder) for i, text in enumerate(SENTENCES)]
        yield Clip(f"flite {voice}", _at_48k(spoken, folder / f"{voice}.flac"), _plain(" ".join(SENTENCES)))


def _speak(voice: str, number: int, text: str, folder: Path) -> Path:
    target = folder / f"{voice}{number}.wav"
    subprocess.run(["flite", "-voice", voice, "-t", text, "-o", str(target)], check=True)
    return target


def _at_48k(sources: list[Path], target: Path) -> Path:
    """One after the other with 0.7 s between them."""
    pause = np.zeros((round(0.7 * SAMPLE_RATE), 1), np.float32)
    parts = []
    for source in sources:
        wave, rate = soundfile.read(source, dtype="float32", always_2d=True)
        parts += [soxr.resample(wave.mean(axis=1, keepdims=True), rate, SAMPLE_RATE), pause]
    soundfile.write(target, np.concatenate(parts[:-1]), SAMPLE_RATE, subtype="PCM_24")
    return target


def _measure(engine: Any, clip: Clip) -> Result:
    length = float(soundfile.info(str(clip.audio)).duration)
    began, cpu = time.monotonic(), _cpu_seconds()
    recording = Recording(clip.audio, speech_spans(clip.audio), length)
    transcript = engine.transcribe(recording, silent)
    took, cpu = time.monotonic() - began, _cpu_seconds() - cpu
    return Result(clip.name, clip.text, _plain(" ".join(u.text for u in transcript.utterances)), length, took, cpu)


def _plain_peer(clip: Clip) -> Result:
    """faster-whisper as its package comes: transcribe() of the whole clip; the time to load is in it, as in ours."""
    from faster_whisper import WhisperModel

    began, cpu = time.monotonic(), _cpu_seconds()
    model = WhisperModel(str(weights.provide(weights.card("faster-whisper:base"))), device="cpu", compute_type="int8")
    heard = " ".join(segment.text for segment in model.transcribe(str(clip.audio))[0])
    took, cpu = time.monotonic() - began, _cpu_seconds() - cpu
    return Result(clip.name, clip.text, _plain(heard), float(soundfile.info(str(clip.audio)).duration), took, cpu)


def _cpu_seconds() -> float:
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def _together(results: list[Result]) -> Result:
    text, heard = " ".join(r.text for r in results), " ".join(r.heard for r in results)
    length, took, cpu = (sum(getattr(r, name) for r in results) for name in ("length", "took", "cpu"))
    return Result("all", text, heard, length, took, cpu)


def _plain(text: str) -> str:
    return " ".join(re.findall(r"[a-z0-9']+", text.lower()))


if __name__ == "__main__":
    main()
