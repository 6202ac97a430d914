"""How a piece grows, in figures: ``python -m benchmarks.energy [--seconds N] [--seeds N]``.

For every style and mood a whole piece without speech, played: how many LU its climax (the section of the highest
energy) lies over the first statement of its theme; asked for are 4 to 6.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from bgm.media.audio import SAMPLE_RATE, Audio, read
from bgm.music.composer.compose import compose
from bgm.music.composer.form import Kind, Section
from bgm.music.composer.sketch import Sketch, sketch
from bgm.music.cue import Cue, Piece
from bgm.music.embedded import render
from bgm.music.level import loudness
from bgm.progress import silent
from bgm.timeline import EMOTIONS, Emotion, Style

WANTED = (4.0, 6.0)
SECONDS = 75.0


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.energy", description=__doc__)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="length of a piece (default 75)")
    parser.add_argument("--seeds", type=int, default=1, help="pieces of each style and mood (default 1)")
    given = parser.parse_args(argv)
    print("LU from statement to climax; moods:", *EMOTIONS)
    rises = []
    for style in Style:
        found = [[rise(style, emotion, seed, given.seconds) for seed in range(given.seeds)] for emotion in EMOTIONS]
        print(f"{style:16s}", "  ".join(" ".join(f"{lu:+5.1f}" for lu in lus) for lus in found), flush=True)
        rises += [lu for lus in found for lu in lus]
    low, high = WANTED
    inside = sum(low <= round(lu, 1) <= high for lu in rises)
    print(f"{inside} of {len(rises)} within {low:+.0f} to {high:+.0f} LU; {min(rises):+.1f} to {max(rises):+.1f}")


def rise(style: Style, emotion: Emotion, seed: int, seconds: float = SECONDS) -> float:
    """LU of one piece."""
    cue = Cue(Piece(1000 + seed, seconds, style), round(seconds * SAMPLE_RATE), emotion, 1.0, "", seed, True, True)
    plan = sketch(cue)
    statement = next(section for section in plan.sections if section.kind is Kind.STATEMENT)
    climax = max(plan.sections, key=lambda section: (plan.energy(section), section.number))
    with tempfile.TemporaryDirectory() as folder:
        take = Path(folder) / "take.flac"
        render(compose(cue), take, cue.frames, silent)
        sound = read(take)
    return _lufs(sound, plan, climax) - _lufs(sound, plan, statement)


def _lufs(sound: Audio, plan: Sketch, section: Section) -> float:
    start, end = (plan.grid.seconds(min(plan.grid.beats, plan.bar * bar)) for bar in (section.first, section.end))
    return loudness([sound[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)]]) or -70.0


if __name__ == "__main__":
    main()
