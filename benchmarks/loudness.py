"""Our loudness meter beside pyloudnorm's and FFmpeg's: ``python -m benchmarks.loudness``.

All three read the same FLAC from disk. Agreement is taken on the masters of benchmarks.mix and on the signals that EBU
Tech 3341 describes for a meter's minimum requirements (cases 1 to 5: tones at -23 LUFS, alone and beside quieter ones).
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

from benchmarks.mix import inputs
from benchmarks.peers import Options, ffmpeg, ffmpeg_name, package
from benchmarks.table import Row, show
from benchmarks.timing import medians
from bgm.media import audio
from bgm.media.signal import Meter
from bgm.mix.master import BLOCK_FRAMES, mix
from testing.mix_sounds import RATE, Sound, ebur128, frames, music, write

MINUTES = 3
REPEATS = 3
EBU_CASES = (
    ((-23, 20.0),),
    ((-33, 20.0),),
    ((-36, 10.0), (-23, 60.0), (-36, 10.0)),
    ((-72, 10.0), (-36, 10.0), (-23, 60.0), (-36, 10.0), (-72, 10.0)),
    ((-26, 20.0), (-20, 20.1), (-26, 20.0)),
)
"""(dBFS, seconds) of a stereo tone at 1 kHz."""
EBU_LUFS = (-23.0, -33.0, -23.0, -23.0, -23.0)
EBU_TOLERANCE = 0.1


def rows(_options: Options) -> Iterator[Row]:
    """Speed, agreement with FFmpeg's meter, and the standard's own signals."""
    with tempfile.TemporaryDirectory() as folder:
        yield from _speed(Path(folder))
        yield from _agreement(Path(folder))
        yield from _standard(Path(folder))


def ours(file: Path) -> float | None:
    """LUFS of a FLAC, read in blocks."""
    meter = Meter()
    for block in audio.blocks(file, BLOCK_FRAMES):
        meter.push(block)
    return meter.lufs()


def pyloudnorms(file: Path) -> float:
    """LUFS by pyloudnorm, which takes the whole sound as an array."""
    import pyloudnorm

    return float(pyloudnorm.Meter(RATE).integrated_loudness(soundfile.read(file)[0]))


def _speed(folder: Path) -> Iterator[Row]:
    file = write(folder / "long.flac", np.tile(music(60, drums=1), (MINUTES, 1)))
    took = medians(
        {
            "ours": lambda: ours(file),
            "pyloudnorm": lambda: pyloudnorms(file),
            "ffmpeg": lambda: ffmpeg("-i", file, "-af", "ebur128=framelog=quiet", "-f", "null", "-"),
        },
        REPEATS,
    )
    what = f"integrated loudness of {MINUTES} min of stereo FLAC"
    yield Row(what, "s", took["ours"], package("pyloudnorm"), took["pyloudnorm"], REPEATS)
    yield Row(what, "s", took["ours"], f"{ffmpeg_name()} ebur128", took["ffmpeg"], REPEATS)


def _agreement(folder: Path) -> Iterator[Row]:
    mine, theirs = [], []
    for _, plan in inputs(folder):
        master = folder / "master.flac"
        mix(plan, folder / "bgm.flac", master)
        reference = ebur128(master).lufs
        mine.append(abs((ours(master) or 0.0) - reference))
        theirs.append(abs(pyloudnorms(master) - reference))
    what = f"farthest from {ffmpeg_name()}'s ebur128 (which prints one decimal), masters of benchmarks.mix"
    yield Row(what, "LU", max(mine), package("pyloudnorm"), max(theirs), len(mine))


def _standard(folder: Path) -> Iterator[Row]:
    files = [write(folder / f"ebu{i}.flac", tone(case)) for i, case in enumerate(EBU_CASES)]
    mine = max(abs((ours(file) or 0.0) - lufs) for file, lufs in zip(files, EBU_LUFS, strict=True))
    theirs = max(abs(pyloudnorms(file) - lufs) for file, lufs in zip(files, EBU_LUFS, strict=True))
    what = "EBU Tech 3341, cases 1 to 5: largest error"
    yield Row(what, "LU", mine, package("pyloudnorm"), theirs, len(files))
    yield Row(what, "LU", mine, "the standard's tolerance", EBU_TOLERANCE, len(files))


def tone(steps: tuple[tuple[int, float], ...]) -> Sound:
    """1 kHz on both channels whose peak steps through levels: (frames, 2)."""
    gain = np.concatenate([np.full(frames(seconds), 10 ** (level / 20)) for level, seconds in steps])
    wave = (gain * np.sin(2 * np.pi * 1000 / RATE * np.arange(len(gain)))).astype(np.float32)
    return np.stack([wave, wave], axis=1)


if __name__ == "__main__":
    show(rows(Options()))
