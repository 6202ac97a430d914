"""How long it takes to read a video: its sound as 48 kHz FLAC, and where its picture cuts.

    python -m benchmarks.decode

ffmpeg is told to do the same work: 24 bit, compression level 5; the scene filter on a picture 160 wide. moviepy writes
its sound through the same ffmpeg, by way of Python.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.inputs import talking_video
from benchmarks.peers import Options, ffmpeg, ffmpeg_name, package
from benchmarks.table import Row, show
from benchmarks.timing import medians
from bgm.media.decode import decode
from bgm.media.picture import SCENE_CHANGE, picture_cuts
from bgm.media.probe import probe
from bgm.progress import silent

SECONDS = 120
REPEATS = 3
FLAC = ("-c:a", "flac", "-sample_fmt", "s32", "-compression_level", "5")


def rows(_options: Options) -> Iterator[Row]:
    """Sound out of a video, and picture cuts."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        yield from _sound(talking_video(work, SECONDS, subtitles=False), work)
        yield _cuts(talking_video(work, 60, subtitles=False))


def _sound(video: Path, work: Path) -> Iterator[Row]:
    info = probe(video)
    command = ["-i", video, "-map", "0:a:0", "-ar", "48000", *FLAC]
    took = medians(
        {
            "ours": lambda: decode(info, work / "ours.flac"),
            "ffmpeg": lambda: ffmpeg(*command, work / "ffmpeg.flac"),
            "moviepy": lambda: _moviepy(video, work / "moviepy.flac"),
        },
        REPEATS,
    )
    what = f"sound of a video of {SECONDS} s as 24-bit FLAC"
    yield Row(what, "s", took["ours"], ffmpeg_name(), took["ffmpeg"], REPEATS)
    yield Row(what, "s", took["ours"], f"{package('moviepy')} write_audiofile", took["moviepy"], REPEATS)


def _cuts(video: Path) -> Row:
    info = probe(video)
    scene = f"scale=160:-2,select=gt(scene\\,{SCENE_CHANGE})"
    took = medians(
        {
            "ours": lambda: picture_cuts(info, silent),
            "ffmpeg": lambda: ffmpeg("-i", video, "-an", "-vf", scene, "-f", "null", "-"),
        },
        REPEATS,
    )
    return Row("picture cuts in 60 s of 720p", "s", took["ours"], f"{ffmpeg_name()} scene", took["ffmpeg"], REPEATS)


def _moviepy(video: Path, target: Path) -> None:
    from moviepy import AudioFileClip

    with AudioFileClip(str(video), fps=48_000) as sound:
        sound.write_audiofile(str(target), 48_000, nbytes=4, codec="flac", logger=None)


if __name__ == "__main__":
    show(rows(Options()))
