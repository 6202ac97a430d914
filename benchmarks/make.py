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
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.inputs import ROOT, talking_video
from benchmarks.peers import Options
from benchmarks.table import LIMIT, Row, not_run, show

OTHER = {"joy": "fear"}
REPEATS = 3


@dataclass(frozen=True)
class Run:
    """Wall-clock seconds and peak resident memory (MB) of one process."""

    seconds: float
    peak_mb: float


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--memory", action="store_true", help="10 and 60 minutes of video too")
    show(rows(Options(full=arguments.parse_args().memory)))


def rows(options: Options) -> Iterator[Row]:
    """The main job's times, and its memory if the long figures are wanted."""
    with tempfile.TemporaryDirectory() as folder:
        yield from times(Path(folder))
        if options.full:
            yield from memory(Path(folder))
        else:
            yield not_run("peak memory of make, 10 and 60 min of video", LIMIT, "half an hour; `--full` takes it")


def times(folder: Path) -> Iterator[Row]:
    """``make`` with words given and with speech recognition, and one edit's score and render."""
    with_words = talking_video(folder, 60, subtitles=True)
    without = talking_video(folder, 60, subtitles=False)
    given, edited = [], []
    heard = bgm("make", without, "-o", folder / "heard.mp4").seconds
    for turn in range(REPEATS):
        given.append(bgm("make", with_words, "-o", folder / f"given{turn}.mp4").seconds)
        edited.append(one_edit(folder / f"given{turn}.mp4.bgm", folder / f"again{turn}.mp4"))
    help_text = median(run([sys.executable, "-m", "bgm", "--help"]).seconds for _ in range(REPEATS))
    made = "make, 60 s of 720p, {}: time over the video's length"
    yield Row(made.format("subtitles given"), "×", median(given) / 60, LIMIT, 0.33, REPEATS)
    yield Row(made.format("speech recognised"), "×", heard / 60, LIMIT, 0.5)
    yield Row("score + render after one emotion was changed, 60 s", "s", median(edited), LIMIT, 3.0, REPEATS)
    yield Row("python -m bgm --help", "s", help_text, LIMIT, 0.5, REPEATS)


def memory(folder: Path) -> Iterator[Row]:
    """Peak memory of ``make`` on 10 and 60 minutes."""
    peaks = {}
    for minutes in (10, 60):
        video = talking_video(folder, minutes * 60, subtitles=True)
        peaks[minutes] = bgm("make", video, "-o", folder / f"{minutes}.mp4").peak_mb
    yield Row("peak memory of make, 60 min", "GB", peaks[60] / 1000, LIMIT, 2.0)
    yield Row("peak memory of make, 60 min over 10 min", "", peaks[60] / peaks[10], LIMIT, 1.3)


def one_edit(project: Path, out: Path) -> float:
    """Seconds to score and render after one emotion was changed."""
    edit_one_emotion(project)
    return bgm("compose", project).seconds + bgm("render", project, "-o", out).seconds


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
