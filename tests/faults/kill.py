"""Kill -9 at random moments: the same command again must end as if nothing had happened.

    python -m tests.faults.kill --times 30 --seed 1

``make`` (a 20 s video with subtitles and old music) and, every fifth time, ``score`` and ``render`` after a changed
emotion. Each time a fresh folder, a SIGKILL to the whole process group at a uniformly random moment of what the
undisturbed run took, sometimes twice or three times, then the same commands to their end. After each kill no file may
be half-written under its final name; at the end every file must be that of the undisturbed run, and no other be left.
A run that was over before its kill doesn't count.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests.faults.clips import clip
from tests.faults.tree import Tree, differences, half_written, tree

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 600.0
PROJECT, RESULT = "p.bgm", "result.mp4"
Command = list[str]


@dataclass(frozen=True)
class Task:
    """``begin`` fills an empty folder, ``commands`` work in it until all is done."""

    name: str
    begin: Callable[[Path], None]
    commands: Callable[[Path], list[Command]]


@dataclass(frozen=True)
class Undisturbed:
    """How the folder looks before and after, and how long it took."""

    before: Tree
    after: Tree
    seconds: float


def make(video: Path, *options: str) -> Task:
    """The whole job."""

    def commands(home: Path) -> list[Command]:
        return [["make", str(video), *_output(home), "--project", str(home / PROJECT), "--offline", *options]]

    return Task("make", lambda home: None, commands)


def rework(finished: Path) -> Task:
    """One emotion is changed by hand in a finished project; its music and the result are made again."""

    def begin(home: Path) -> None:
        shutil.copytree(finished, home, dirs_exist_ok=True)
        file = home / PROJECT / "project.json"
        document = json.loads(file.read_text(encoding="utf-8"))
        first = document["segments"][0]
        first["emotion"] = "fear" if first["emotion"] != "fear" else "joy"
        file.write_text(json.dumps(document), encoding="utf-8")

    def commands(home: Path) -> list[Command]:
        project = str(home / PROJECT)
        return [["compose", project, "--offline"], ["render", project, *_output(home)]]

    return Task("score and render", begin, commands)


def undisturbed(task: Task, home: Path) -> Undisturbed:
    """Run the task in the new folder ``home``."""
    home.mkdir()
    task.begin(home)
    before, started = tree(home), time.monotonic()
    _finish(task, home)
    return Undisturbed(before, tree(home), time.monotonic() - started)


@dataclass(frozen=True)
class Survival:
    """Where the kills fell (empty: all too late), and what was wrong afterwards."""

    task: str
    kills: tuple[str, ...]
    troubles: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.task}, killed at {', '.join(self.kills)}: {'; '.join(self.troubles) or 'the same'}"


def survive(task: Task, home: Path, reference: Undisturbed, moments: Sequence[float]) -> Survival:
    """Kill the task at ``moments`` (s after each start) in the new folder ``home``, then let it end."""
    home.mkdir()
    task.begin(home)
    kills, troubles = [], []
    for moment in moments:
        where = _killed(task.commands(home), moment)
        kills += [f"{moment:.2f} s ({where})"] if where is not None else []
        troubles += half_written(home, reference.before, reference.after)
    _finish(task, home)
    return Survival(task.name, tuple(kills), (*troubles, *differences(tree(home), reference.after)))


def _output(home: Path) -> Command:
    """A run that was killed after its last rename has its result already."""
    out = home / RESULT
    return ["-o", str(out), *(["--overwrite"] if out.exists() else [])]


def _start(command: Command, errors: int) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "bgm", *command]
    return subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True)


def _killed(commands: Sequence[Command], moment: float) -> str | None:
    """Run the commands for ``moment`` seconds; the last line that the killed one said, None if they ended before."""
    until = time.monotonic() + moment
    for command in commands:
        with tempfile.TemporaryFile() as errors:
            running = _start(command, errors.fileno())
            try:
                running.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(running.pid, signal.SIGKILL)
                running.wait()
                return _last_line(errors) or f"{command[0]} begins"
    return None


def _finish(task: Task, home: Path) -> None:
    for command in task.commands(home):
        with tempfile.TemporaryFile() as errors:
            status = _start(command, errors.fileno()).wait(PATIENCE_S)
            if status:
                raise AssertionError(f"{command[0]} ended with {status}: {_last_line(errors)}")


def _last_line(errors: IO[bytes]) -> str:
    errors.seek(0)
    return (errors.read().decode(errors="replace").splitlines() or [""])[-1]


def moments(chance: random.Random, seconds: float) -> list[float]:
    """When to kill a task of that length: mostly once, now and then again while it resumes."""
    return [chance.uniform(0, seconds) for _ in range(chance.choices((1, 2, 3), (6, 3, 1))[0])]


def survived(task: Task, home: Path, reference: Undisturbed, chance: random.Random) -> Survival:
    """The task with at least one kill; its folder is removed again."""
    while True:
        survival = survive(task, home, reference, moments(chance, reference.seconds))
        shutil.rmtree(home)
        if survival.kills or survival.troubles:
            return survival


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=20.0, help="length of the video")
    arguments = parser.parse_args()
    chance, failed = random.Random(arguments.seed), 0
    with tempfile.TemporaryDirectory(prefix="bgm-kill-") as scratch:
        folder = Path(scratch)
        whole = make(clip(folder / "talk.mp4", arguments.seconds), "--min-segment", "2")
        references = {whole: undisturbed(whole, folder / "whole")}
        again = rework(folder / "whole")
        references[again] = undisturbed(again, folder / "again")
        for task, reference in references.items():
            print(f"{task.name}: {reference.seconds:.1f} s undisturbed, {len(reference.after)} files", flush=True)
        for number in range(1, arguments.times + 1):
            task = again if number % 5 == 0 else whole
            survival = survived(task, folder / "run", references[task], chance)
            failed += bool(survival.troubles)
            print(f"{number:3} {survival}", flush=True)
    print(f"{arguments.times} runs, {failed} not the same")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
