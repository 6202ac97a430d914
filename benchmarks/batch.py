"""What a cluster costs beside the plain loop, on the same videos, one at a time on both. Needs Ray.

python -m benchmarks.batch [--videos 3] [--seconds 20]

The cluster has one slot (each video claims all processors of this machine), so that nothing is gained by working side
by side: what is left is what Ray and the workers cost. Runs take turns.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import median

from benchmarks.inputs import ROOT, talking_video
from benchmarks.peers import Options
from benchmarks.table import LIMIT, Row, not_run, show

LOOP = "python -m bgm batch, plain loop"
REPEATS = 2


@dataclass(frozen=True)
class Run:
    """Seconds: of the whole command, and of each video by its own clock; bytes of the results and the projects."""

    whole: float
    videos: tuple[float, ...]
    result_bytes: int
    project_bytes: int

    @property
    def beside(self) -> float:
        """What is not work on a video: start, handing out, taking back."""
        return self.whole - sum(self.videos)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--videos", type=int, default=3)
    arguments.add_argument("--seconds", type=float, default=20.0, help="length of the shortest")
    given = arguments.parse_args()
    show(measured(given.videos, given.seconds))


def rows(options: Options) -> Iterator[Row]:
    """As the others of this folder."""
    yield from measured(3, 20.0)


def measured(count: int, seconds: float) -> Iterator[Row]:
    """Loop and cluster, turn about."""
    if not find_spec("ray"):
        yield not_run("a cluster's cost", LOOP, "Ray is not installed")
        return
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        videos = home / "videos"
        videos.mkdir()
        for number in range(count):
            talking_video(videos, seconds + number, subtitles=True)
        (videos / "minute.mp4").unlink()
        loops, clusters = [], []
        for turn in range(REPEATS):
            loops.append(run(videos, home / f"loop{turn}"))
            clusters.append(run(videos, home / f"ray{turn}", "--cluster", "local", "--cpus", str(os.cpu_count())))
    loop, cluster = (median(sum(one.videos[1:]) for one in runs) for runs in (loops, clusters))
    yield Row("videos after the first, on a cluster of one slot", "s", cluster, LOOP, loop, REPEATS)
    yield Row("start, handing out and taking back", "s", median(one.beside for one in clusters), LIMIT, 15.0, REPEATS)
    length = sum(seconds + number for number in range(count)) / 60
    yield Row("results, a minute of video", "MB", loops[0].result_bytes / length / 1e6, "", None)
    yield Row("projects, a minute of video", "MB", loops[0].project_bytes / length / 1e6, "", None)


def run(videos: Path, out: Path, *more: str) -> Run:
    """One batch, and what its report says."""
    words = ["batch", str(videos), "--out", str(out), "--offline", "--music", "embedded", "--quiet", *more]
    started = time.perf_counter()
    subprocess.run([sys.executable, "-W", "ignore", "-m", "bgm", *words], cwd=ROOT, check=True, capture_output=True)
    whole = time.perf_counter() - started
    rows = [json.loads(line) for line in (out / "batch.jsonl").read_text(encoding="utf-8").splitlines()]
    longest_first = sorted((row["seconds"] for row in rows), reverse=True)
    projects = sum(file.stat().st_size for file in (out / "projects").rglob("*") if file.is_file())
    results = sum(file.stat().st_size for file in out.glob("*.mp4"))
    return Run(whole, tuple(longest_first), results, projects)


if __name__ == "__main__":
    main()
