"""How true the remaining time is that the page shows while it works, and whether it leaps.

python -m benchmarks.remaining           the sample with and without subtitles, and five minutes of it
python -m benchmarks.remaining VIDEO...  these videos
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from benchmarks.inputs import ROOT, talking_video
from bgm import studio
from bgm.progress import Listener, Step
from bgm.project import Project
from bgm.settings import Settings
from bgm.ui import steps
from bgm.ui.jobs import Job, Jobs
from bgm.ui.sample import Sample

SAMPLE = ROOT / "assets" / "sample.mp4"
SETTINGS = Settings(offline=True)
QUARTERS = (0.25, 0.5, 0.75)
Told = list[tuple[float, float]]
"""Seconds since the start, seconds that are said to remain."""


def main() -> None:
    # A server does the same when it starts: nobody waits for a model.
    Sample(SAMPLE, SAMPLE).warm(SETTINGS)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        videos = [Path(name) for name in sys.argv[1:]]
        for video in videos or [copied(place / "alone"), copied(place / "titled", ".srt"), five_minutes(place)]:
            measure(video, place / "projects" / video.parent.name / video.stem)


def copied(folder: Path, *more: str) -> Path:
    """The sample, with its subtitles if asked for."""
    folder.mkdir()
    for suffix in (".mp4", *more):
        (folder / f"sample{suffix}").write_bytes(SAMPLE.with_suffix(suffix).read_bytes())
    return folder / "sample.mp4"


def five_minutes(folder: Path) -> Path:
    return talking_video(folder, 300, subtitles=False)


def measure(video: Path, folder: Path) -> None:
    """Print a line for the analysis, and one for the first music after it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    project = studio.open_video(video, folder, SETTINGS)
    for kind, work in (("analysis", steps.analyze), ("first music", steps.compose)):
        told, seconds, project = heard(kind, work, project)
        print(f"{video.parent.name}/{video.name}, {kind}: {seconds:.1f} s; {verdict(told, seconds)}", flush=True)


def heard(kind: str, work: steps.Work, project: Project) -> tuple[Told, float, Project]:
    """What a job says of its remaining time, how long it took, and what it made."""
    jobs = Jobs(1, 1)
    told: Told = []
    made: list[Project] = []

    def run(listen: Listener) -> None:
        def noted(step: Step) -> None:
            listen(step)
            job = jobs.of(kind)
            if job and job.step and job.step.remaining is not None:
                told.append((time.monotonic() - began, job.step.remaining))

        made.append(work(project, steps.StepOptions(), noted))

    began = time.monotonic()
    job: Job = jobs.submit(kind, kind, "studio", run)
    job.finished.wait()
    jobs.close()
    if not made:
        raise SystemExit(f"{kind}: {job.error}")
    return told, time.monotonic() - began, made[0]


def verdict(told: Told, seconds: float) -> str:
    """What was said at each quarter over what was true, and by how much it went up at most."""
    ratios = []
    for share in QUARTERS:
        before = [(at, left) for at, left in told if at <= share * seconds]
        if before:
            at, left = before[-1]
            ratios.append(f"{max(0.0, left - (share * seconds - at)) / ((1 - share) * seconds):.2f}")
        else:
            ratios.append("nothing")
    lowest, rise = float("inf"), 0.0
    for _, left in told:
        lowest = min(lowest, left)
        rise = max(rise, left - lowest)
    return f"said over true at a quarter, half, three quarters {', '.join(ratios)}; rises by {rise:.1f} s at most"


if __name__ == "__main__":
    main()
