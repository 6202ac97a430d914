"""The short version of ``python -m tests.faults.kill``; with ``-m slow`` a whole `make` and one more kill."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from tests.faults.kill import PROJECT, RESULT, Task, Undisturbed, survived
from tests.faults.tree import differences, half_written, tree


@pytest.mark.slow
def test_a_killed_make_comes_to_the_same_result(whole: Task, finished: Path, tmp_path: Path) -> None:
    known = Undisturbed({}, tree(finished), 6.0)
    survival = survived(whole, tmp_path / "home", known, random.Random(3))
    assert not survival.troubles, str(survival)


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_killed_score_and_render_come_to_the_same_result(
    again: Task, reworked: tuple[Path, Undisturbed], tmp_path: Path, seed: int
) -> None:
    survival = survived(again, tmp_path / "home", reworked[1], random.Random(seed))
    assert not survival.troubles, str(survival)


@pytest.mark.parametrize("harm", ["cut off", "left over", "missing"])
def test_harm_would_be_seen(finished: Path, tmp_path: Path, harm: str) -> None:
    home = tmp_path / "home"
    shutil.copytree(finished, home)
    known = tree(home)
    assert differences(tree(home), known) == half_written(home, known) == []
    if harm == "cut off":
        for file in (home / RESULT, home / PROJECT / "project.json", home / PROJECT / "stems" / "voice.flac"):
            file.write_bytes(file.read_bytes()[:-100])
        assert len(half_written(home, known)) == len(differences(tree(home), known)) == 3
    elif harm == "left over":
        (home / PROJECT / "takes" / ".bgm-part-1.flac").touch()
        assert differences(tree(home), known) == ["left over: p.bgm/takes/.bgm-part-1.flac"]
    else:
        (home / RESULT).unlink()
        assert differences(tree(home), known) == ["missing: result.mp4"]
