"""How the embedded engine's takes sound, in figures: ``python -m benchmarks.sound [--font FILE] [--seconds N]``.

With ``--styles`` the pieces are those of every style and mood, and only the farthest of each figure is told.

For each emotion a whole piece without speech: how far each octave from 125 Hz to 8 kHz lies from pink noise (equal
power in each octave, against the mean of the seven), the crest (peak over RMS), the side's level against the middle's,
and the time that composing and playing took. Then for each instrument: whether a harder stroke sounds brighter, by the
spectrum's centroid of one note at velocities 40, 80 and 120.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from bgm.engines import EngineOptions
from bgm.music.embedded import EmbeddedComposer, _font, render
from bgm.music.score import GENERAL_MIDI, Cue, Note, Part, Piece, Role, Score
from bgm.progress import silent
from bgm.timeline import EMOTIONS, Emotion, Style
from testing.mix_sounds import RATE, Sound

OCTAVES = (125, 250, 500, 1_000, 2_000, 4_000, 8_000)
VELOCITIES = (40, 80, 120)
BRIGHTER = 1.05
"""A centroid this much higher at the hardest stroke than at the softest is heard as another timbre."""
SLACK = 1.02


@dataclass(frozen=True)
class Figures:
    """dB from pink of each octave, dB of peak over RMS and of side over middle, seconds for a second of music."""

    octaves: tuple[float, ...]
    crest: float
    side: float
    real_time: float

    def __str__(self) -> str:
        bands = " ".join(f"{band:+5.1f}" for band in self.octaves)
        return f"{bands}  crest {self.crest:4.1f}  side {self.side:+5.1f}  real time {self.real_time:.4f}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sound", description=__doc__)
    parser.add_argument("--font", help="a soundfont; the one that would be used if none is named")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--styles", action="store_true", help="every style and mood in place of the instruments")
    given = parser.parse_args()
    if given.styles:
        report_styles(given.seconds, given.font)
        return
    print("dB from pink at", *OCTAVES, "Hz; dB; dB; seconds for one")
    for emotion in EMOTIONS:
        print(f"{emotion:9} {figures(emotion, given.seconds, given.font)}", flush=True)
    font = _font(given.font)
    told = {program: centroids(program, font) for program in GENERAL_MIDI}
    following = [
        p for p, c in told.items() if c[0] <= c[1] * SLACK and c[1] <= c[2] * SLACK and c[0] * BRIGHTER <= c[2]
    ]
    print(f"brighter when played harder: {len(following)} of {len(told)} instruments of {font.name}")
    print("not:", ", ".join(f"{GENERAL_MIDI[p].name} {told[p]}" for p in told if p not in following))


def report_styles(seconds: float, font: str | None) -> None:
    """The time, crest and octaves of 70 pieces."""
    every = itertools.product(Style, EMOTIONS)
    found = {f"{style}, {emotion}": figures(emotion, seconds, font, style) for style, emotion in every}
    times = sorted((f.real_time, name) for name, f in found.items())
    mean = sum(time for time, _ in times) / len(times)
    worst = ", ".join(f"{time:.4f} ({name})" for time, name in times[:-6:-1])
    print(f"processor seconds for one of music: mean {mean:.4f}, longest {worst}")
    crests = sorted((round(f.crest, 1), name) for name, f in found.items())
    inside = sum(12 <= crest <= 15 for crest, _ in crests)
    print(f"crest {crests[0]} to {crests[-1]}; {inside} of {len(crests)} from 12 to 15 dB")
    for number, centre in enumerate(OCTAVES):
        levels = sorted((round(f.octaves[number], 1), name) for name, f in found.items())
        within = sum(abs(level) <= 6 for level, _ in levels)
        print(f"{centre} Hz: {levels[0]} to {levels[-1]}; {within} of {len(levels)} within 6 dB of pink")


def figures(emotion: Emotion, seconds: float, font: str | None = None, style: Style = Style.ACOUSTIC) -> Figures:
    """Of one piece, composed and played."""
    cue = Cue(Piece(7, seconds, style), round(seconds * RATE), emotion, 1.0, "", 1, True, True)
    with tempfile.TemporaryDirectory() as folder:
        take = Path(folder) / "take.flac"
        started = time.process_time()
        list(EmbeddedComposer(EngineOptions(model=font)).compose([cue], [take], silent))
        took = time.process_time() - started
        sound = np.asarray(soundfile.read(take, dtype="float32")[0])
    middle, side = sound.mean(axis=1), (sound[:, 0] - sound[:, 1]) / 2
    crest = 20 * np.log10(np.abs(sound).max() / np.sqrt(np.mean(sound**2)))
    width = 10 * np.log10((np.mean(side**2) + 1e-12) / np.mean(middle**2))
    return Figures(octaves(sound), float(crest), float(width), took / seconds)


def octaves(sound: Sound) -> tuple[float, ...]:
    """dB of each octave's power against the mean of them."""
    power = sum(np.abs(np.fft.rfft(channel)) ** 2 for channel in sound.T)
    hz = np.fft.rfftfreq(len(sound), 1 / RATE)
    bands = [np.sum(power[(hz >= centre / np.sqrt(2)) & (hz < centre * np.sqrt(2))]) for centre in OCTAVES]
    levels = 10 * np.log10(np.array(bands) + 1e-12)
    return tuple((levels - levels.mean()).tolist())


def centroids(program: int, font: Path) -> tuple[int, ...]:
    """Hz, at the three velocities."""
    return tuple(round(_centroid(sound)) for sound in _struck(program, font))


def _struck(program: int, font: Path) -> Iterator[Sound]:
    """One take with the three notes in a row: what mastering does to it, it does to all of them."""
    instrument, each = GENERAL_MIDI[program], 1.5
    pitch = (instrument.low + instrument.high) // 2
    notes = tuple(Note(each * i, each * i + 1.0, pitch, v, Role.LEAD) for i, v in enumerate(VELOCITIES))
    part, seconds = Part(Role.LEAD, program, 100, 64, 0), each * len(VELOCITIES)
    score = Score(seconds, 120, 9, 0, "major", 0.0, 0.0, (part,), notes)
    with tempfile.TemporaryDirectory() as folder:
        render(score, Path(folder) / "notes.flac", round(seconds * RATE), silent, font)
        sound = np.asarray(soundfile.read(Path(folder) / "notes.flac", dtype="float32")[0])
    yield from np.split(sound, len(VELOCITIES))


def _centroid(sound: Sound) -> float:
    power = sum(np.abs(np.fft.rfft(channel)) ** 2 for channel in sound.T)
    return float(np.sum(np.fft.rfftfreq(len(sound), 1 / RATE) * power) / np.sum(power))


if __name__ == "__main__":
    main()
