"""What is painted together, what is held, and who hears which prompt."""

from __future__ import annotations

import itertools
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bgm.music.composer.compose import compose
from bgm.music.riffusion import painting, prompts
from bgm.music.riffusion.model import ModelKey
from bgm.music.riffusion.multidiffusion import DenoiseSettings, window_starts
from bgm.music.riffusion.painting import PaintJob, Region, estimated_seconds, noise, window_shares
from bgm.music.riffusion.strands import COLUMN, PARAMS, PART, Part, Strand, neighbours, parts, regions, splice, strands
from bgm.music.score import Cue, Piece
from bgm.timeline import Emotion

JOY = prompts.neighbour(Emotion.JOY).wished
FEAR = prompts.neighbour(Emotion.FEAR).wished


def cue(start: float, stop: float, emotion: Emotion = Emotion.JOY, seed: int = 0) -> Cue:
    return Cue(Piece(1, 60.0), round((stop - start) * 48_000), emotion, 1.0, "", seed, False, False, start=start)


def test_cues_that_touch_are_a_strand_and_takes_are_its_layers() -> None:
    cues = [cue(5, 8), cue(0, 5, seed=1), cue(0, 5, seed=2), cue(5, 8, seed=3), cue(9, 12)]
    assert strands(cues) == [Strand(((1, 2), (0, 3))), Strand(((4,),))]
    assert strands(cues)[0].layer(1) == (2, 3)


def test_a_segment_with_another_number_of_takes_begins_a_strand_of_its_own() -> None:
    cues = [cue(0, 5), cue(0, 5, seed=1), cue(5, 8)]
    assert strands(cues) == [Strand(((0, 1),)), Strand(((2,),))]


def test_a_strand_joins_what_was_made_before_it_and_takes_that_stay(tmp_path: Path) -> None:
    targets = [tmp_path / f"{i}.flac" for i in range(3)]
    stays = tmp_path / "stays.flac"
    for file in (*targets, stays):
        file.touch()
    around: dict[str, Any] = {"before_take": stays, "after_take": stays}
    cues = [replace(c, **around) for c in (cue(0, 5), cue(0, 5, seed=1), cue(5, 8))]
    first, second = strands(cues)
    assert neighbours(first, cues, targets) == [(stays, None)] * 2, "what follows will be made again and join"
    assert neighbours(second, cues, targets) == [(targets[0], stays)]
    stays.unlink()
    assert neighbours(second, cues, targets) == [(targets[0], None)], "a file that is gone is no neighbour"


@pytest.mark.parametrize("total", [1, COLUMN, PART, PART + 1, 3 * PART - 5])
def test_parts_cover_a_strand_on_columns(total: int) -> None:
    stretches = parts(total)
    assert stretches[0][0] == 0
    assert stretches[-1][1] == total
    assert all(a[1] == b[0] for a, b in itertools.pairwise(stretches))
    assert all(first % COLUMN == 0 and 0 < last - first <= PART for first, last in stretches)


@pytest.mark.parametrize("takes", [1, 2, 3, 16])
def test_many_takes_go_in_shorter_parts_so_that_no_more_sound_is_in_memory(takes: int) -> None:
    stretches = parts(10 * PART, takes)
    longest = max(last - first for first, last in stretches)
    assert takes * longest <= 2 * PART
    assert longest == PART or takes > 2
    assert longest > 2 * 64 * COLUMN, "still longer than a window, by far"
    assert all(first % COLUMN == 0 for first, _ in stretches)


def test_only_what_is_wholly_a_neighbours_is_held() -> None:
    part = Part(first=0, last=10 * COLUMN + 5, lead=32 * COLUMN, trail=33 * COLUMN, trail_held=True)
    columns = part.held_columns()
    assert columns[:32].all()
    assert not columns[32:43].any(), "the column in which the body ends is free"
    assert columns[43:75].all()
    frames = part.held_frames(0, part.columns * 8)
    half = PARAMS.window // 2 // PARAMS.hop
    assert frames[: 256 - half + 1].all()
    assert not frames[256 - half + 1 : 256 + 80 + half].any(), "windows that hear the body are free"
    assert not replace(part, trail_held=False).held_columns()[32:].any()


def test_a_short_body_still_fills_a_window() -> None:
    part = Part(0, 12_000, 0, 0, False)
    assert part.columns == 64
    sound = np.random.default_rng(0).standard_normal((12_000, 2)).astype(np.float32)
    padded = part.padded(sound)
    assert len(padded) == 64 * COLUMN
    assert np.array_equal(padded[:12_000], sound)


def test_sounds_cut_anywhere_are_spliced_without_a_click() -> None:
    left, right = np.ones((4800, 2), np.float32), -np.ones((4800, 2), np.float32)
    spliced = splice(left, right)
    assert len(spliced) == 9600
    assert np.array_equal(spliced[:4800], left)
    assert np.array_equal(spliced[4800 + 480 :], right[480:])
    assert np.abs(np.diff(spliced, axis=0)).max() < 0.01
    assert np.array_equal(splice(left[:0], right), right)


def test_regions_cover_the_picture_and_context_has_its_own_emotion() -> None:
    afraid = replace(cue(0, 2, Emotion.FEAR, 4), before=Emotion.SADNESS, prompt="no piano")
    layers = [[afraid, cue(2, 5, Emotion.ANGER, 5)]]
    part = Part(0, 5 * 48_000, 32 * COLUMN, 0, False)
    scores = dict(enumerate(map(compose, layers[0])))
    found = regions(part, layers, scores.__getitem__)
    assert [(r.start, r.stop) for r in found] == [(0, 32), (32, 57), (57, 94), (94, 95)]
    assert found[0].prompt == prompts.neighbour(Emotion.SADNESS).wished
    assert found[1].prompt == prompts.prompt_for(afraid, scores[0]).wished
    assert [r.negative for r in found] == ["", "piano", "", ""]
    assert found[-1].stop == part.columns


def test_prompts_pass_over_into_each_other_around_a_boundary() -> None:
    shares = window_shares((Region(0, 128, JOY, (0,)), Region(128, 256, FEAR, (1,))), 256)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, rtol=1e-6)
    by_start = dict(zip(window_starts(256), shares[:, 0], strict=True))
    assert by_start[64] == by_start[0] == 1.0
    assert by_start[96] == pytest.approx(0.5)
    assert by_start[128] == 0.0


def test_noise_belongs_to_its_region_whatever_is_around_it() -> None:
    alone = noise((Region(0, 64, JOY, (3,)),), 1, 64)
    beside = noise((Region(0, 10, FEAR, (9,)), Region(10, 74, JOY, (3,))), 1, 74)
    assert np.array_equal(alone, beside[..., 10:])
    assert abs(float(alone.std()) - 1) < 0.05


def job(columns: int, takes: int, steps: int = 20) -> PaintJob:
    pixels = np.zeros((takes, 512, columns * 8), np.uint8)
    held = np.zeros(columns, bool)
    return PaintJob(ModelKey(), pixels, held, (), DenoiseSettings(steps=steps))


def test_zerogpu_lends_the_gpu_for_as_long_as_the_work_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert estimated_seconds(job(64, 1)) < estimated_seconds(job(640, 1)) < estimated_seconds(job(640, 4))
    assert estimated_seconds(job(640, 1, steps=50)) > estimated_seconds(job(640, 1))
    assert 60 < estimated_seconds(job(1875, 2)) < 120, "a part of two takes of 150 s stays below ZeroGPU's two minutes"
    lent: list[Any] = []

    def gpu(duration: Any) -> Any:
        lent.append(duration)
        return lambda function: function

    monkeypatch.setitem(sys.modules, "spaces", SimpleNamespace(GPU=gpu))
    monkeypatch.delenv("SPACES_ZERO_GPU", raising=False)
    assert painting._lent_gpu(painting.painted) is painting.painted
    assert lent == []
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    painting._lent_gpu(painting.painted)
    assert lent == [estimated_seconds]
