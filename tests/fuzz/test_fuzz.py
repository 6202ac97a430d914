"""Mutated files of all kinds break nothing; files that once did still don't; and the fuzzer sees what breaks."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz import pool, samples
from tests.fuzz.misbehaving import JOURNEYS
from tests.fuzz.pool import Bench, Case
from tests.fuzz.samples import Sample

SEED = 20
"""Always the same cases here; ``python -m tests.fuzz --cases 1000 --seed N`` tries others."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    return samples.make(tmp_path_factory.mktemp("fuzz") / "samples")


def bench(tmp_path: Path, made: list[Sample], **changes: object) -> Bench:
    return Bench(tmp_path, made[0].home.parents[1] / "bed.flac", **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("every", [4, pytest.param(1, marks=pytest.mark.slow)])
def test_every_sample_is_good_before_it_is_mutated(made: list[Sample], tmp_path: Path, every: int) -> None:
    whole = [Case(0, n, sample, sample.path.read_bytes()) for n, sample in enumerate(made[::every])]
    found = {o.case.sample.name: (o.verdict, o.finding) for o in pool.run(whole, bench(tmp_path, made))}
    assert found == {sample.name: ("fine", None) for sample in made[::every]}


@pytest.mark.parametrize("count", [40, pytest.param(100, marks=pytest.mark.slow)])
def test_mutated_files_break_nothing(made: list[Sample], tmp_path: Path, count: int) -> None:
    outcomes = list(pool.run(pool.cases(made, SEED, count), bench(tmp_path, made)))
    broken = [f"case {o.case.number}, {o.case.sample.name}: {o.finding}" for o in outcomes if o.finding]
    assert not broken, "\n".join(broken)
    assert len(outcomes) == count
    verdicts = {o.verdict for o in outcomes}
    assert verdicts == {"fine", "refused"}, "mutations that always or never damage a file test nothing"


def test_the_same_seed_gives_the_same_files(made: list[Sample]) -> None:
    first, again, other = ([c.data for c in pool.cases(made, seed, 40)] for seed in (1, 1, 2))
    assert first == again != other


def test_the_fuzzer_sees_what_breaks(made: list[Sample], tmp_path: Path) -> None:
    sample = made[0]
    todo = [Case(0, n, Sample(kind, sample.home, sample.path), b"file") for n, kind in enumerate(JOURNEYS)]
    strict = bench(tmp_path, made, journeys="tests.fuzz.misbehaving", cpu_seconds=0.25, wall_seconds=5.0)
    found = {o.case.sample.kind: o.finding.kind if o.finding else "" for o in pool.run(todo, strict)}
    assert found == {kind: kind.strip() for kind in JOURNEYS}
    kept = list(tmp_path.glob("finding-*"))
    assert len(kept) == len(JOURNEYS) - 1 and all(path.read_bytes() == b"file" for path in kept)
