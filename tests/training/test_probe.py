"""The probe: it tells real pictures apart, and calls chance what is chance."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bgm.progress import silent
from bgm.timeline import EMOTIONS
from bgm.training import probe
from bgm.training.probe import Probe, features, frechet
from testing.riffusion_checkpoint import write_checkpoint
from tests.music.riffusion.sounds import one_thread
from tests.training.pictures import write_set

__all__ = ["one_thread"]

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_set(tmp_path_factory.mktemp("probe") / "set", {"train": 3, "validation": 1}, emotions=7)


def test_pictures_of_unseen_tracks_are_told_apart(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert probe.main([str(pictures), "--json", "--quiet"]) == 0
    found = json.loads(capsys.readouterr().out)["real"]
    assert found["accuracy"] == 1.0 and found["emotions"] == 7 and found["validation"] == 7


def test_what_sounds_as_meant_is_more_than_chance_and_its_opposite_is_not(pictures: Path) -> None:
    heard = Probe.of(pictures, silent)
    real = probe.examples.read(pictures, "validation")
    rows = {e: np.stack([features(probe.examples.pixels(x.path)) for x in real if x.emotion == e]) for e in EMOTIONS}
    swapped = dict(zip(EMOTIONS, [*list(rows.values())[1:], rows[EMOTIONS[0]]], strict=True))
    right, wrong = heard.judge(rows), heard.judge(swapped)
    assert right.as_meant == 1.0 and not right.is_chance
    assert wrong.as_meant == 0.0 and wrong.is_chance and wrong.chance == pytest.approx(1 / 7, abs=1e-4)


@pytest.mark.checkpoint
def test_random_weights_are_at_chance_and_the_report_says_so(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe.diffusion, "PAINTING_STEPS", 2)
    checkpoint = write_checkpoint(tmp_path / "tiny")
    arguments = [str(pictures), "--base", str(checkpoint), "--each", "1", "--device", "cpu", "--quiet"]
    assert probe.main(arguments) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("painted without")]
    assert "at chance: it expresses no emotion, claim nothing" in line and "of 7 heard" in line


def test_the_distance_grows_with_difference_and_is_small_between_halves() -> None:
    chance = np.random.default_rng(0)
    real = chance.standard_normal((4000, 30))
    halves = frechet(real[::2], real[1::2], real)
    shifted, wider = frechet(real + 1, real, real), frechet(2 * real, real, real)
    assert halves < 0.3 < min(shifted, wider) and frechet(real, real, real) == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [(["--lora", "x.safetensors"], "--base"), (["--each", "0"], "--each"), ([], "is no set")],
)
def test_what_makes_no_sense_is_one_sentence(
    tmp_path: Path, arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert probe.main([str(tmp_path), *arguments, "--quiet"]) == 2
    assert sentence in capsys.readouterr().err


def test_a_set_of_one_emotion_can_not_be_probed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = write_set(tmp_path / "one", {"train": 2, "validation": 1}, emotions=1)
    assert probe.main([str(one), "--quiet"]) == 2
    assert "two emotions or more" in capsys.readouterr().err
