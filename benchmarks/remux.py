"""How long it takes to give a video a new sound: ours, ``ffmpeg -c copy``, and a re-encode by moviepy.

    python -m benchmarks.remux [VIDEO] [--seconds 60] [--repeats 7]

Without VIDEO, the film that Gradio's package carries is looped and scaled to 720p first. All rows are measured in
turn in one run; the table shows medians. ``ffmpeg`` is the binary of imageio-ffmpeg.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from bgm.media import audio
from bgm.media.probe import MediaInfo, probe
from bgm.media.remux import remux

Run = Callable[[], object]
WHOLE = "ours: picture copied, sound encoded"
COPY = "ours, own sound copied: nothing encoded"


def main() -> None:
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        info = probe(arguments.video or _looped(work / "input.mp4", arguments.seconds))
        master = _master(work / "master.flac", info.duration)
        medians = _measure(_cheap_runs(info, master, work), arguments.repeats)
        medians.update(_measure({"moviepy, libx264": lambda: _moviepy(info, master, work / "moviepy.mp4")}, 1))
        print(_table(info, medians, arguments.repeats))


def _cheap_runs(info: MediaInfo, master: Path, work: Path) -> dict[str, Run]:
    video, sound = str(info.path), str(master)
    copy = ["-i", video, "-map", "0:v", "-map", "0:a", "-c", "copy", "-movflags", "+faststart"]
    encode = ["-i", video, "-i", sound, "-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", "aac", "-b:a", "256k"]
    encode += ["-movflags", "+faststart"]
    return {
        WHOLE: lambda: remux(info, master, work / "ours.mp4"),
        COPY: lambda: remux(info, None, work / "ours_copy.mp4"),
        "ffmpeg -c copy: nothing encoded": lambda: _ffmpeg(*copy, str(work / "copy.mp4")),
        "ffmpeg -c:v copy -c:a aac: the same job": lambda: _ffmpeg(*encode, str(work / "encode.mp4")),
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure the remux against ffmpeg and moviepy.")
    parser.add_argument("video", nargs="?", type=Path)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--repeats", type=int, default=7)
    return parser.parse_args()


def _measure(runs: Mapping[str, Run], repeats: int) -> dict[str, float]:
    """Median wall time of each, the runs taking turns so that a busy machine slows all of them alike."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def _table(info: MediaInfo, medians: Mapping[str, float], repeats: int) -> str:
    whole, copy = (medians[name] for name in (WHOLE, COPY))
    size = f"{info.video.width}x{info.video.height}" if info.video else ""
    lines = [
        f"{info.duration:.0f} s of {size}, {info.path.stat().st_size / 1e6:.1f} MB; medians of {repeats} (moviepy: 1)",
        "",
        "| | seconds | ours with encoding is | ours without is |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {seconds:.3f} | {whole / seconds:.3g} × | {copy / seconds:.3g} × |"
        for name, seconds in medians.items()
    ]
    return "\n".join(lines)


def _looped(target: Path, seconds: float) -> Path:
    import gradio

    film = Path(gradio.__file__).parent / "media_assets" / "videos" / "world.mp4"
    scale = ["-vf", "scale=1280:720", "-c:v", "libx264", "-preset", "veryfast", "-b:v", "2500k", "-c:a", "aac"]
    _ffmpeg("-stream_loop", "-1", "-i", str(film), "-t", str(seconds), *scale, str(target))
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


def _ffmpeg(*arguments: str) -> None:
    import imageio_ffmpeg

    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *arguments], check=True)


def _moviepy(info: MediaInfo, master: Path, target: Path) -> None:
    from moviepy import AudioFileClip, VideoFileClip

    with VideoFileClip(str(info.path)) as clip, AudioFileClip(str(master)) as sound:
        clip.with_audio(sound).write_videofile(str(target), codec="libx264", audio_codec="aac", logger=None)


if __name__ == "__main__":
    main()
