"""How long it takes to give a video a new sound: ours, ``ffmpeg -c copy``, and a re-encode by moviepy.

    python -m benchmarks.remux [VIDEO] [--seconds 60] [--repeats 7]

Without VIDEO, the film that Gradio's package carries is looped and scaled to 720p first. ``ffmpeg`` is the binary of
imageio-ffmpeg, and encodes with the same AAC coder and bit rate as ours.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.peers import Options, ffmpeg, ffmpeg_name, package
from benchmarks.table import Row, show
from benchmarks.timing import Run, medians
from bgm.media import audio
from bgm.media.probe import MediaInfo, probe
from bgm.media.remux import remux

OURS, OURS_COPY, COPY, ENCODE, MOVIEPY = "ours", "ours copying", "ffmpeg copying", "ffmpeg encoding", "moviepy"
MOVIEPY_SECONDS = 20
"""Of the film that moviepy re-encodes: it needs longer for it than the others for all else."""
MOVIEPY_REPEATS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the remux against ffmpeg and moviepy.")
    parser.add_argument("video", nargs="?", type=Path)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--repeats", type=int, default=7)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        video = asked.video or _looped(work / "input.mp4", asked.seconds)
        show([*_against_ffmpeg(video, work, asked.repeats), *_against_moviepy(video, work)])


def rows(_options: Options) -> Iterator[Row]:
    """The same sound track change by all three."""
    with tempfile.TemporaryDirectory() as folder:
        work, short = Path(folder), Path(folder) / "short.mp4"
        minute = _looped(work / "minute.mp4", 60.0)
        yield from _against_ffmpeg(minute, work, 7)
        ffmpeg("-i", minute, "-t", MOVIEPY_SECONDS, "-c", "copy", short)
        yield from _against_moviepy(short, work)


def _against_ffmpeg(video: Path, work: Path, repeats: int) -> Iterator[Row]:
    info = probe(video)
    master = _master(work / "master.flac", info.duration)
    copy = ["-i", video, "-map", "0:v", "-map", "0:a", "-c", "copy", "-movflags", "+faststart"]
    encode = ["-i", video, "-i", master, "-map", "0:v", "-map", "1:a", "-c:v", "copy", "-movflags", "+faststart"]
    encode += ["-c:a", "aac", "-b:a", "256k", "-aac_coder", "fast"]
    runs: dict[str, Run] = {
        OURS_COPY: lambda: remux(info, None, work / "ours_copy.mp4"),
        COPY: lambda: ffmpeg(*copy, work / "copy.mp4"),
        OURS: lambda: remux(info, master, work / "ours.mp4"),
        ENCODE: lambda: ffmpeg(*encode, work / "encode.mp4"),
    }
    took = medians(runs, repeats)
    copied = f"remux of {_described(info)}, own sound: nothing encoded"
    renewed = f"remux of {_described(info)}, new sound: FLAC to AAC, picture copied"
    yield Row(copied, "s", took[OURS_COPY], f"{ffmpeg_name()} -c copy", took[COPY], repeats)
    yield Row(renewed, "s", took[OURS], f"{ffmpeg_name()} -c:v copy, same AAC coder", took[ENCODE], repeats)


def _against_moviepy(video: Path, work: Path) -> Iterator[Row]:
    info = probe(video)
    master = _master(work / "short.flac", info.duration)
    runs: dict[str, Run] = {
        OURS: lambda: remux(info, master, work / "ours.mp4"),
        MOVIEPY: lambda: _moviepy(info, master, work / "moviepy.mp4"),
    }
    took = medians(runs, MOVIEPY_REPEATS, warm_up=False)
    what = f"new sound for {_described(info)}; moviepy encodes the picture again"
    yield Row(what, "s", took[OURS], f"{package('moviepy')} write_videofile", took[MOVIEPY], MOVIEPY_REPEATS)


def _described(info: MediaInfo) -> str:
    size = f"{info.video.height}p, " if info.video else ""
    return f"{info.duration:.0f} s ({size}{info.path.stat().st_size / 1e6:.0f} MB)"


def _looped(target: Path, seconds: float) -> Path:
    import gradio

    film = Path(gradio.__file__).parent / "media_assets" / "videos" / "world.mp4"
    scale = ["-vf", "scale=1280:720", "-c:v", "libx264", "-preset", "veryfast", "-b:v", "2500k", "-c:a", "aac"]
    ffmpeg("-stream_loop", "-1", "-i", film, "-t", str(seconds), *scale, target)
    return target


def _master(target: Path, seconds: float) -> Path:
    """Stereo noise: harder to encode than music, so our row isn't flattered."""
    rng = np.random.default_rng(1)
    left = audio.frames_of(seconds)
    with audio.writer(target) as out:
        while left > 0:
            count = min(left, audio.SAMPLE_RATE)
            out.write(rng.normal(0, 0.1, (count, 2)).astype(np.float32))
            left -= count
    return target


def _moviepy(info: MediaInfo, master: Path, target: Path) -> None:
    from moviepy import AudioFileClip, VideoFileClip

    with VideoFileClip(str(info.path)) as clip, AudioFileClip(str(master)) as sound:
        clip.with_audio(sound).write_videofile(str(target), codec="libx264", audio_codec="aac", logger=None)


if __name__ == "__main__":
    main()
