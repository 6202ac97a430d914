"""What a listener gets of the plan of a piece: ``python -m benchmarks.score [--seconds N] [--seeds N]``.

For every style and mood a whole piece without speech, played: how many LU its climax (the section of the highest
energy) lies over the first statement of its theme (asked for are 4 to 6), and whether a beat tracker (the
autocorrelation of the strokes' strength, by librosa) finds the score's tempo. As MIREX does, it may also find the
double, half, triple or third; a tracker that never saw the score can't know which of them is written.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bgm.media.audio import SAMPLE_RATE, Audio, read
from bgm.media.signal import loudness_of
from bgm.music.composer.compose import compose
from bgm.music.composer.form import Kind, Section
from bgm.music.composer.sketch import Sketch, sketch
from bgm.music.embedded import render
from bgm.music.score import Cue, Piece
from bgm.progress import silent
from bgm.timeline import EMOTIONS, Emotion, Style

WANTED = (4.0, 6.0)
SECONDS = 75.0
LEVELS = (1.0, 2.0, 0.5, 3.0, 1 / 3)
"""Of the meter: what a tracker may find for a tempo."""
TOLERANCE = 0.04
"""Of a tempo (Gouyon et al., "An experimental comparison of audio tempo induction algorithms", 2006)."""


@dataclass(frozen=True, slots=True)
class Heard:
    """LU from statement to climax; the tempo as found, over the score's beat."""

    rise: float
    ratio: float

    @property
    def on_beat(self) -> bool:
        """Was the score's tempo found, on any level of its meter?"""
        return any(abs(self.ratio / level - 1) <= TOLERANCE for level in LEVELS)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.score", description=__doc__)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="length of a piece (default 75)")
    parser.add_argument("--seeds", type=int, default=1, help="pieces of each style and mood (default 1)")
    parser.add_argument("--styles", nargs="+", type=Style, default=list(Style), help="only these")
    given = parser.parse_args(argv)
    print("LU from statement to climax, tempo found over the score's;", *EMOTIONS)
    everything: list[Heard] = []
    for style in given.styles:
        found = [heard(style, mood, seed, given.seconds) for mood in EMOTIONS for seed in range(given.seeds)]
        print(f"{style:16s}", "  ".join(f"{h.rise:+5.1f} {h.ratio:.2f}" for h in found), flush=True)
        everything += found
    (low, high), count = WANTED, len(everything)
    rises = [round(h.rise, 1) for h in everything]
    inside = sum(low <= rise <= high for rise in rises)
    print(f"{inside} of {count} rise {low:+.0f} to {high:+.0f} LU; {min(rises):+.1f} to {max(rises):+.1f}")
    print(f"tempo found: {sum(h.on_beat for h in everything)} of {count}, ", end="")
    print(f"{sum(abs(h.ratio - 1) <= TOLERANCE for h in everything)} of them as it is written")


def heard(style: Style, emotion: Emotion, seed: int, seconds: float = SECONDS, font: Path | None = None) -> Heard:
    """One piece, played."""
    cue = Cue(Piece(1000 + seed, seconds, style), round(seconds * SAMPLE_RATE), emotion, 1.0, "", seed, True, True)
    plan = sketch(cue)
    statement = next(section for section in plan.sections if section.kind is Kind.STATEMENT)
    climax = max(plan.sections, key=lambda section: (plan.energy(section), section.number))
    with tempfile.TemporaryDirectory() as folder:
        take = Path(folder) / "take.flac"
        render(compose(cue), take, cue.frames, silent, font)
        sound = read(take)
    rise = _lufs(sound, plan, climax) - _lufs(sound, plan, statement)
    return Heard(rise, _tempo(sound) / (plan.grid.tempo / plan.grid.meter.beat))


def _lufs(sound: Audio, plan: Sketch, section: Section) -> float:
    start, end = (plan.grid.seconds(min(plan.grid.beats, plan.bar * bar)) for bar in (section.first, section.end))
    return loudness_of([sound[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)]]) or -70.0


def _tempo(sound: Audio) -> float:
    """Beats a minute, without any expectation of what is usual."""
    import librosa

    mono, rate, hop = np.ascontiguousarray(sound.mean(axis=1)[::2]), SAMPLE_RATE // 2, 256
    flux = librosa.onset.onset_strength(y=mono, sr=rate, hop_length=hop, aggregate=np.median)
    found = librosa.feature.tempo(onset_envelope=flux, sr=rate, hop_length=hop, max_tempo=240.0, std_bpm=2.0)
    return float(found[0])


if __name__ == "__main__":
    main()
