"""Runs cases in child processes and says what each broke. A crash, a hang and a glut of memory are findings too."""

from __future__ import annotations

import json
import os
import queue
import select
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from tests.fuzz.mutations import mutate
from tests.fuzz.rules import judge_message, left_behind, stamp
from tests.fuzz.samples import Sample

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Case:
    """One mutated file: the same seed and number give the same mutation of the same sample."""

    seed: int
    number: int
    sample: Sample
    data: bytes


@dataclass(frozen=True)
class Finding:
    """A rule that was broken. ``kept`` is the mutated file."""

    case: Case
    kind: str
    detail: str
    kept: Path | None = None


@dataclass(frozen=True)
class Outcome:
    case: Case
    verdict: str
    finding: Finding | None


def cases(samples: list[Sample], seed: int, count: int) -> Iterator[Case]:
    """``count`` cases that go through all samples in turn."""
    originals = [sample.path.read_bytes() for sample in samples]
    for number in range(count):
        rng = Random(f"{seed}:{number}")
        i = number % len(samples)
        siblings = [data for s, data in zip(samples, originals, strict=True) if s.kind == samples[i].kind]
        yield Case(seed, number, samples[i], mutate(originals[i], rng, rng.choice(siblings)))


@dataclass(frozen=True)
class Bench:
    """``folder`` (empty) is for the cases' files and keeps those of findings; ``bed`` is the music laid under them."""

    folder: Path
    bed: Path
    workers: int = 1
    journeys: str = "tests.fuzz.journeys"
    cpu_seconds: float = 15.0
    """More for one small file is a finding. Counted in processor time: a busy machine is no fault of the file."""
    wall_seconds: float = 90.0
    """After it the worker is killed: it hangs."""
    peak_mb: int = 1200
    """Resident memory of a worker; what a plain case of every kind takes is about 300."""


def run(todo: Iterable[Case], bench: Bench) -> Iterator[Outcome]:
    """Run the cases, in order of their end."""
    waiting: queue.SimpleQueue[Case | None] = queue.SimpleQueue()
    done: queue.SimpleQueue[Outcome | BaseException] = queue.SimpleQueue()
    pending = 0
    for case in todo:
        waiting.put(case)
        pending += 1
    for n in range(bench.workers):
        waiting.put(None)
        judge = _Judge(_Worker(bench.journeys, bench.folder / f"worker-{n}.log"), bench)
        threading.Thread(target=judge.work, args=(waiting, done.put), daemon=True).start()
    for _ in range(pending):
        outcome = done.get()
        if isinstance(outcome, BaseException):
            raise outcome
        yield outcome


class _Worker:
    """The child process; started when needed, again after a crash."""

    def __init__(self, journeys: str, log: Path) -> None:
        self._command = [sys.executable, "-m", "tests.fuzz.worker", journeys]
        self._log = log
        self._process: subprocess.Popen[str] | None = None

    def ask(self, message: dict[str, str], seconds: float) -> dict[str, Any]:
        """The answer; ``verdict`` is ``crash`` or ``hang`` where there is none."""
        process = self._process or self._start()
        assert process.stdin is not None
        process.stdin.write(json.dumps(message) + "\n")
        process.stdin.flush()
        return self._answer(process, seconds)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _start(self) -> subprocess.Popen[str]:
        with self._log.open("w") as log:
            env = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
            pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": log, "text": True}
            self._process = subprocess.Popen(self._command, cwd=ROOT, env=env, **pipes)
        ready = self._answer(self._process, 120.0)
        if ready["verdict"] != "ready":
            raise RuntimeError(f"the worker did not start: {ready}")
        return self._process

    def _answer(self, process: subprocess.Popen[str], seconds: float) -> dict[str, Any]:
        assert process.stdout is not None
        if not select.select([process.stdout], [], [], seconds)[0]:
            self.stop()
            return {"verdict": "hang", "detail": f"no end after {seconds:g} s"}
        line = process.stdout.readline()
        if line:
            answer: dict[str, Any] = json.loads(line)
            return answer
        code = process.wait()
        self._process = None
        return {"verdict": "crash", "detail": f"the process died with {code}\n{self._log.read_text(errors='replace')}"}


class _Judge:
    """Drives one worker and holds the rules against what each case did."""

    def __init__(self, worker: _Worker, bench: Bench) -> None:
        self._worker = worker
        self._bench = bench

    def work(self, waiting: queue.SimpleQueue[Case | None], put: Callable[[Outcome | BaseException], object]) -> None:
        try:
            while (case := waiting.get()) is not None:
                put(self._try(case))
        except BaseException as error:
            put(error)
        finally:
            self._worker.stop()

    def _try(self, case: Case) -> Outcome:
        place = self._bench.folder / f"case-{case.number}"
        home, out = place / "in", place / "out"
        shutil.copytree(case.sample.home, home)
        out.mkdir()
        file = home / case.sample.path.relative_to(case.sample.home)
        file.write_bytes(case.data)
        watched = {path: stamp(path) for path in _untouchable(case, home, file)}
        message = {"kind": case.sample.kind, "file": str(file), "out": str(out), "bed": str(self._bench.bed)}
        answer = self._worker.ask(message, self._bench.wall_seconds)
        trouble = self._trouble(answer, place) or _changed(watched)
        if trouble is None:
            shutil.rmtree(place)
            return Outcome(case, answer["verdict"], None)
        return Outcome(case, answer["verdict"], Finding(case, *trouble, kept=self._keep(case, place, file)))

    def _trouble(self, answer: dict[str, Any], place: Path) -> tuple[str, str] | None:
        if answer["verdict"] in ("hang", "crash"):
            return answer["verdict"], answer["detail"]
        if answer["verdict"] == "broken":
            return answer["class"], answer["detail"]
        return self._greed(answer) or _mess(answer, place)

    def _greed(self, answer: dict[str, Any]) -> tuple[str, str] | None:
        if answer["cpu"] > self._bench.cpu_seconds:
            return "slow", f"{answer['cpu']:.1f} s of processor time; {answer['detail']}"
        if answer["peak_mb"] > self._bench.peak_mb:
            self._worker.stop()
            return "memory", f"{answer['peak_mb']} MB; {answer['detail']}"
        return None

    def _keep(self, case: Case, place: Path, file: Path) -> Path:
        kept = self._bench.folder / f"finding-{case.seed}-{case.number}-{file.name}"
        kept.write_bytes(case.data)
        shutil.rmtree(place)
        return kept


def _mess(answer: dict[str, Any], place: Path) -> tuple[str, str] | None:
    parts = left_behind(place)
    if parts:
        return "leftover", ", ".join(parts)
    said = answer["detail"].replace(str(place), "")
    wrong = judge_message(said) if answer["verdict"] == "refused" else None
    return ("message", f"{wrong}: {said}") if wrong else None


def _untouchable(case: Case, home: Path, file: Path) -> list[Path]:
    """Files that no step may change: what the user brought."""
    return [home / "source" / "clip.mp4"] if case.sample.kind == "project" else [file]


def _changed(watched: dict[Path, str]) -> tuple[str, str] | None:
    changed = [path.name for path, before in watched.items() if stamp(path) != before]
    return ("changed", f"the user's own file was changed: {changed}") if changed else None
