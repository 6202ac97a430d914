"""Whether the words survive: the recogniser's word recall before and after the old music is taken out.

    python -m benchmarks.recall [--separator NAME] [--transcriber NAME[:MODEL]]

Real speech (../shared/data/jfk.flac, 22 known words) over two beds made by arithmetic, at several levels. Recall is
the share of the spoken words that the recogniser finds, in order (longest common subsequence).
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from statistics import mean

from benchmarks.peers import JFK, Options
from benchmarks.separation import beds
from benchmarks.table import Row, not_run
from bgm import engines
from bgm.engines import Stage
from bgm.progress import silent
from bgm.speech.activity import speech_spans
from bgm.speech.recording import Recording
from tests.conftest import JFK_WORDS
from tests.voice.sounds import RATE, Sound, load, mixed, write

RATIOS_DB = (5, 10, 15, 20)
IN_TABLE_DB = (5, 15)
"""Half of them, for their recognition takes long."""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--separator", default="spleeter")
    arguments.add_argument("--transcriber", default="faster-whisper")
    asked = arguments.parse_args()
    if not JFK.is_file():
        raise SystemExit(f"{JFK} is not here")
    print("| mix | recall before | recall after |\n|---|---|---|")
    for name, before, after in measured(asked.separator, asked.transcriber, {**mixes(RATIOS_DB), "clean": load(JFK)}):
        print(f"| {name} | {before:.0%} | {after:.0%} |", flush=True)


def rows(_options: Options) -> Iterator[Row]:
    """Words found after separation beside words found in the mix as it is."""
    what, peer = "spoken words that Whisper base finds under music 5 and 15 dB below", "without separation"
    if not JFK.is_file():
        yield not_run(what, peer, "../shared/data/jfk.flac is not here")
        return
    found = [pair for _, *pair in measured("spleeter", "faster-whisper", mixes(IN_TABLE_DB))]
    before, after = (100 * mean(side) for side in zip(*found, strict=True))
    yield Row(what, "points", after, peer, before, len(found), higher_is_better=True)


def mixes(ratios_db: tuple[int, ...]) -> dict[str, Sound]:
    """The speech over each bed at each level."""
    speech = load(JFK)
    named_beds = beds(len(speech) / RATE).items()
    return {f"{name}, {r} dB": mixed(speech, bed, r) for r in ratios_db for name, bed in named_beds}


def measured(separator: str, transcriber: str, sounds: dict[str, Sound]) -> Iterator[tuple[str, float, float]]:
    """Name, recall before and recall after, of each sound."""
    engine = engines.load(engines.choose(Stage.SEPARATE, separator))
    with tempfile.TemporaryDirectory() as folder:
        source, voice = Path(folder) / "mix.flac", Path(folder) / "voice.flac"
        for name, sound in sounds.items():
            write(source, sound)
            engine.separate(source, voice, speech_spans, silent)
            with ThreadPoolExecutor(2) as both:
                before, after = map(recall, both.map(partial(heard, transcriber), (source, voice)))
            yield name, before, after


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
