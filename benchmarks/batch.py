"""What a cluster costs beside the plain loop: the same videos on both, one after the other, in turns. Needs Ray.

    python -m benchmarks.batch [--videos 8] [--seconds 10]      (two to three minutes)

All of it but the starts runs on one core: loop, driver, Ray's own processes and its worker. The worker is given the
next video only when the loop has made its own, so a busy machine slows both sides alike, and each pair gives a ratio.
The loop's processor time is its own, the cluster's that of all those processes. Each side's first video, which loads
the networks, doesn't count.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import median

from bgm.batch.units import THREADS

os.environ.update(THREADS)  # before NumPy: as in every process that makes a unit

from benchmarks.inputs import ROOT, talking_video
from benchmarks.table import LIMIT, Row, not_run, show
from bgm.batch import cluster, units
from bgm.batch.units import Outcome, Unit
from bgm.progress import unheard
from bgm.settings import Settings

LOOP = "plain loop"
SETTINGS = Settings(music="embedded", offline=True, device="cpu")
STARTS = 3
ON_RAY = ["--cluster", "local"]


@dataclass(frozen=True)
class Cost:
    """Seconds of one video on one side: on the clock, and of the processor in all processes of the benchmark."""

    clock: float
    processor: float


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--videos", type=int, default=8, help="pairs of runs (default 8)")
    arguments.add_argument("--seconds", type=float, default=10.0, help="length of each (default 10)")
    given = arguments.parse_args()
    show(measured(given.videos, given.seconds))


def measured(count: int, seconds: float) -> Iterator[Row]:
    """The overhead of a video, Ray's appetite while it has nothing to do, its start, and the bytes of a minute."""
    if not find_spec("ray"):
        yield not_run("a cluster's cost", LOOP, "Ray is not installed")
        return
    cores = os.sched_getaffinity(0)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        video = talking_video(home, seconds, subtitles=True)
        os.sched_setaffinity(0, {min(cores)})
        pairs, resting = in_turns(home, video, count)
        os.sched_setaffinity(0, cores)
        yield from compared(pairs, f"a video of {seconds:g} s on a cluster of one slot")
        yield Row("Ray's own processes while the loop works: share of a core", "%", 100 * resting, "", None, count)
        made = (count + 1) * seconds / 60 * 1e6
        yield Row("result, a minute of video", "MB", size((home / "loop").glob("*.mp4")) / made, "", None)
        yield Row("project, a minute of video", "MB", size((home / "loop" / "projects").rglob("*")) / made, "", None)
        start(home / "start", video)
        loops, rays = ([start(home / "start", video, *where) for _ in range(STARTS)] for where in ([], ON_RAY))
        for kind in ("processor", "clock"):
            loop, ray = (median(getattr(cost, kind) for cost in costs) for costs in (loops, rays))
            yield Row(f"start and end of a command with nothing to make, {kind}", "s", ray, LOOP, loop, STARTS)
        yield Row("… on the clock", "s", ray, LIMIT, 15.0, STARTS)


def compared(pairs: Sequence[tuple[Cost, Cost]], what: str) -> Iterator[Row]:
    """Loop and cluster, by the processor and by the clock."""
    for kind in ("processor", "clock"):
        loops, rays = ([getattr(cost, kind) for cost in side] for side in zip(*pairs, strict=True))
        over = median(100 * (ray / loop - 1) for loop, ray in zip(loops, rays, strict=True))
        yield Row(f"{what}, {kind}", "s", median(rays), LOOP, median(loops), len(pairs))
        yield Row(f"… overhead, median of the pairs, {kind}", "%", over, LIMIT, 5.0, len(pairs))


def size(files: Iterable[Path]) -> int:
    """Bytes."""
    return sum(file.stat().st_size for file in files if file.is_file())


def in_turns(home: Path, video: Path, count: int) -> tuple[list[tuple[Cost, Cost]], float]:
    """Loop's and cluster's cost of each video; and the share of a core that Ray takes while the loop works."""
    loop, ray = (
        [Unit(f"{n}.mp4", str(video), str(home / side / f"{n}.mp4"), str(home / side / "projects" / f"{n}.bgm"))
         for n in range(count + 1)]
        for side in ("loop", "ray")
    )  # fmt: skip
    cluster.AHEAD = cluster.LEAST_AHEAD = 1  # the next is begun when this one is taken
    slot = cluster.Cluster(cluster.LOCAL, cpus=os.cpu_count() or 1)
    pairs, resting = [], []
    with closing(cluster.outcomes(ray, SETTINGS, unheard, slot)) as outcomes:
        for turn, unit in enumerate(loop):
            sides: list[Callable[[], Outcome]] = [lambda unit=unit: units.make(unit, SETTINGS), lambda: next(outcomes)]
            costs = {}
            for side in sides if turn % 2 else reversed(sides):
                rays = _others()
                costs[side is sides[1]] = cost = timed(side, alone=side is sides[0])
                if side is sides[0]:
                    resting.append((_others() - rays) / cost.clock)
            if turn:  # the first loads the networks, and starts Ray
                pairs.append((costs[False], costs[True]))
    return pairs, median(resting[1:])


def timed(make: Callable[[], Outcome], *, alone: bool) -> Cost:
    """One video; ``alone``: Ray's processes take no part in it. Raises RuntimeError where it wasn't made."""
    others = (lambda: 0.0) if alone else _others
    clock, processor = time.perf_counter(), time.process_time() + others()
    outcome = make()
    if outcome.status != "made":
        raise RuntimeError(f"{outcome.name}: {outcome.status}: {outcome.why}")
    return Cost(time.perf_counter() - clock, time.process_time() + others() - processor)


def _others() -> float:
    return sum(_spent().values())


def _spent() -> dict[int, float]:
    """Processor seconds of each process that this one has started, and of theirs."""
    import psutil

    found = {}
    for process in psutil.Process().children(recursive=True):
        try:
            found[process.pid] = sum(process.cpu_times()[:2])
        except psutil.NoSuchProcess:
            continue
    return found


def start(out: Path, video: Path, *where: str) -> Cost:
    """A command that finds its only video made already: what is left is start and end."""
    words = ["batch", str(video), "--out", str(out), "--offline", "--music", "embedded", "--quiet", *where]
    began, spent = time.perf_counter(), dict[int, float]()
    command = [sys.executable, "-W", "ignore", "-m", "bgm", *words]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as running:
        while running.poll() is None:
            spent |= _spent()
            time.sleep(0.05)
    if running.returncode:
        raise RuntimeError(f"{' '.join(words)} ended with {running.returncode}")
    return Cost(time.perf_counter() - began, sum(spent.values()))


if __name__ == "__main__":
    main()
