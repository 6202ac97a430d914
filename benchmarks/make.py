"""How long the main job takes, and what it needs of memory, beside the limits that we set ourselves.

python -m benchmarks.make            the figures for 60 s of video
python -m benchmarks.make --memory   peak memory for 10 and 60 minutes too (takes a while)
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.inputs import ROOT, talking_video

OTHER = {"joy": "fear"}


@dataclass(frozen=True)
class Run:
    """Wall-clock seconds and peak resident memory (MB) of one process."""

    seconds: float
    peak_mb: float


@dataclass(frozen=True)
class Row:
    """A figure, its limit, and their ratio (at most 1 is within)."""

    name: str
    figure: float
    limit: float
    unit: str

    def __str__(self) -> str:
        ratio = self.figure / self.limit
        return f"| {self.name} | {self.figure:.2f} {self.unit} | {self.limit:g} {self.unit} | {ratio:.2f} |"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--memory", action="store_true", help="10 and 60 minutes of video too")
    asked = arguments.parse_args()
    print("| figure | measured | limit | measured / limit |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for row in [*times(Path(folder)), *(memory(Path(folder)) if asked.memory else [])]:
            print(row, flush=True)


def times(folder: Path) -> list[Row]:
    """``make`` with words given and with speech recognition, and one edit's score and render."""
    with_words = talking_video(folder, 60, subtitles=True)
    without = talking_video(folder, 60, subtitles=False)
    given = bgm("make", with_words, "-o", folder / "given.mp4")
    heard = bgm("make", without, "-o", folder / "heard.mp4")
    project = folder / "given.mp4.bgm"
    edit_one_emotion(project)
    again = [bgm("score", project), bgm("render", project, "-o", folder / "again.mp4")]
    help_text = run([sys.executable, "-m", "bgm", "--help"])
    return [
        Row("make, 60 s of 720p, subtitles given, of the video's length", given.seconds / 60, 0.33, "×"),
        Row("make, 60 s of 720p, speech recognised, of the video's length", heard.seconds / 60, 1.5, "×"),
        Row("score + render after one emotion was changed, 60 s", sum(r.seconds for r in again), 3.0, "s"),
        Row("python -m bgm --help", help_text.seconds, 0.5, "s"),
    ]


def memory(folder: Path) -> list[Row]:
    """Peak memory of ``make`` on 10 and 60 minutes."""
    peaks = {}
    for minutes in (10, 60):
        video = talking_video(folder, minutes * 60, subtitles=True)
        done = bgm("make", video, "-o", folder / f"{minutes}.mp4")
        peaks[minutes] = done.peak_mb
        print(f"<!-- {minutes} min: {done.seconds:.0f} s, peak {done.peak_mb:.0f} MB -->", flush=True)
    return [
        Row("peak memory of make, 60 min", peaks[60] / 1000, 2.0, "GB"),
        Row("peak memory, 60 min against 10 min", peaks[60] / peaks[10], 1.3, "×"),
    ]


def edit_one_emotion(project: Path) -> None:
    """What a person does in an editor."""
    file = project / "project.json"
    document = json.loads(file.read_text(encoding="utf-8"))
    segment = document["segments"][len(document["segments"]) // 2]
    segment["emotion"] = OTHER.get(segment["emotion"], "joy")
    file.write_text(json.dumps(document), encoding="utf-8")


def bgm(*words: str | Path) -> Run:
    """One command of ours, offline."""
    offline = [] if words[0] == "render" else ["--offline"]
    return run([sys.executable, "-m", "bgm", *map(str, words), *offline, "--quiet"])


def run(command: list[str]) -> Run:
    """A process from outside: wall clock and the operating system's own account of its memory."""
    measured = f"import resource, subprocess, sys; code = subprocess.run({command!r}, stdout=2).returncode; "
    measured += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(code)"
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", measured], cwd=ROOT, check=True, capture_output=True, text=True)
    seconds = time.perf_counter() - started
    return Run(seconds, int(done.stdout) / 1000)


if __name__ == "__main__":
    main()
