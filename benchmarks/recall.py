"""Whether the words survive: the recogniser's word recall before and after the old music is taken out.

    python -m benchmarks.recall [--separator NAME] [--transcriber NAME[:MODEL]]

Real speech (../shared/data/jfk.flac, 22 known words) over two beds made by arithmetic, at several levels. Recall is
the share of the spoken words that the recogniser finds, in order (longest common subsequence).
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks.separation import JFK, beds
from bgm import engines
from bgm.engines import Stage
from bgm.progress import silent
from bgm.speech.activity import speech_spans
from bgm.speech.recording import Recording
from tests.conftest import JFK_WORDS
from tests.voice.sounds import RATE, load, mixed, write

RATIOS_DB = (5, 10, 15, 20)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--separator", default="embedded")
    arguments.add_argument("--transcriber", default="pocketsphinx")
    asked = arguments.parse_args()
    if not JFK.is_file():
        raise SystemExit(f"{JFK} is not here")
    print("| mix | recall before | recall after |\n|---|---|---|")
    speech = load(JFK)
    with tempfile.TemporaryDirectory() as folder:
        sounds = {
            f"{name}, {r} dB": mixed(speech, bed, r)
            for r in RATIOS_DB
            for name, bed in beds(len(speech) / RATE).items()
        }
        for name, sound in {**sounds, "clean": speech}.items():
            source, voice = write(Path(folder) / "mix.flac", sound), Path(folder) / "voice.flac"
            spans = speech_spans(source, silent)
            separator = engines.load(engines.choose(Stage.SEPARATE, asked.separator))
            separator.separate(source, spans, voice, silent)
            before, after = (recall(heard(asked.transcriber, path)) for path in (source, voice))
            print(f"| {name} | {before:.0%} | {after:.0%} |", flush=True)


def heard(transcriber: str, path: Path) -> list[str]:
    """The recogniser's words, bare."""
    engine = engines.load(engines.choose(Stage.TRANSCRIBE, transcriber))
    seconds = len(load(path)) / RATE
    transcript = engine.transcribe(Recording(path, speech_spans(path, silent), seconds), silent)
    words = " ".join(u.text for u in transcript.utterances).lower().split()
    return [word.strip(".,!?") for word in words]


def recall(words: list[str]) -> float:
    """Share of JFK_WORDS found in order."""
    row = [0] * (len(words) + 1)
    for spoken in JFK_WORDS:
        above = row
        row = [0]
        for i, word in enumerate(words):
            row.append(above[i] + 1 if word == spoken else max(above[i + 1], row[i]))
    return row[-1] / len(JFK_WORDS)


if __name__ == "__main__":
    main()
