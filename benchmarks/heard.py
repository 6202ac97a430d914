"""What Whisper hears of our held-out sentences: ``python -m benchmarks.heard [-o FILE]``.

flite speaks each sentence (four voices in turn), Whisper base recognises it, a line each. The emotion reader is judged
on these lines too (``spoken, after Whisper``), so that its figures hold for what it is really given, word errors
included; the file is kept with the sentences, as neither voice nor recogniser is needed to judge again. Needs flite.
"""

from __future__ import annotations

import argparse
import itertools
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bgm import weights
from bgm.errors import BadInput
from bgm.files import write_text
from bgm.training import corpora

VOICES = ("slt", "rms", "awb", "kal16")
RATE = 16_000
WINDOW_S = 29.0
PAUSE_S = 1.0


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.heard", description=__doc__)
    parser.add_argument("-o", "--out", type=Path, default=corpora.heard_file(corpora.TEST_WRITER))
    parser.add_argument("--limit", type=int, help="only the first so many sentences: the emotions come in turn")
    arguments = parser.parse_args(argv)
    texts = corpora.spoken([corpora.TEST_WRITER]).texts[: arguments.limit]
    write_text(arguments.out, "".join(f"{line}\n" for line in hear(texts)))


def hear(texts: Sequence[str]) -> list[str]:
    """What Whisper base writes for each text when flite speaks it."""
    from faster_whisper import WhisperModel

    folder = weights.provide(weights.card("faster-whisper:base"))
    whisper = WhisperModel(str(folder), device="cpu", compute_type="int8")
    lines: list[str] = []
    while len(lines) < len(texts):
        window, starts = _window(texts[len(lines) :], len(lines))
        segments, _ = whisper.transcribe(window, language="en", beam_size=5, word_timestamps=True)
        words = [(word.start + word.end, word.word) for segment in segments for word in segment.words or ()]
        for start, end in itertools.pairwise(starts):
            lines.append("".join(text for twice, text in words if start <= twice / 2 < end).strip())
        print(f"\r{len(lines)} of {len(texts)}", end="", file=sys.stderr, flush=True)
    return lines


def _window(texts: Sequence[str], number: int) -> tuple[npt.NDArray[np.float32], list[float]]:
    """As many sentences as fit into Whisper's window, PAUSE_S apart: the sound, and between them the seconds to cut."""
    quiet = np.zeros(round(PAUSE_S * RATE), np.float32)
    parts, cuts = [quiet], [0.0]
    for n, text in enumerate(texts):
        spoken = _speak(text, VOICES[(number + n) % len(VOICES)])
        if n and sum(map(len, parts)) + len(spoken) > WINDOW_S * RATE:
            break
        parts += [spoken, quiet]
        cuts.append(sum(map(len, parts)) / RATE - PAUSE_S / 2)
    return np.concatenate(parts), [*cuts[:-1], np.inf]


def _speak(text: str, voice: str) -> npt.NDArray[np.float32]:
    """flite's voice, mono at RATE."""
    import soundfile
    import soxr

    flite = shutil.which("flite")
    if flite is None:
        raise BadInput("flite is not installed (apt-get install flite)")
    with tempfile.TemporaryDirectory() as temporary:
        wav = Path(temporary) / "spoken.wav"
        subprocess.run([flite, "-voice", voice, "-t", text, "-o", str(wav)], check=True)
        sound, rate = soundfile.read(wav, dtype="float32")
    resampled: npt.NDArray[np.float32] = soxr.resample(sound, rate, RATE)
    return resampled


if __name__ == "__main__":
    main()
