"""Nothing is seen where windows, tiles or segments meet: the step there is one of the steps that are everywhere.

A random U-Net's pictures are noise, in which no seam could show. In its place stands a model that is known: the ideal
denoiser of smooth random pictures (a Gaussian process along time around its prompt's level). It sees its window only,
so neighbouring windows disagree, most where they end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import DPMSolverMultistepScheduler

from bgm.music.riffusion import multidiffusion, painting
from bgm.music.riffusion.model import ModelKey, shared
from bgm.music.riffusion.multidiffusion import WINDOW, Canvas, Carry, DenoiseSettings, Overlap, denoise, window_starts
from bgm.music.riffusion.painting import PIXELS_PER_COLUMN, VAE_STRIDE, Region, decoded, window_shares
from bgm.music.riffusion.prompts import WeightedPrompt
from bgm.progress import silent
from testing.riffusion_checkpoint import finished, write_checkpoint
from tests.music.riffusion.sounds import one_thread

__all__ = ["one_thread"]
COLUMNS, ROWS = 256, 16
SEGMENT = 140
"""Where the prompt changes: not at a window's edge."""
SEEDS = range(5)
LEVELS = (-0.1, 0.1)


def scheduler() -> DPMSolverMultistepScheduler:
    return DPMSolverMultistepScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", algorithm_type="dpmsolver++", steps_offset=1
    )


def smoothness(columns: int) -> torch.Tensor:
    """(columns, columns): how alike columns of the model's pictures are."""
    at = torch.arange(float(columns), dtype=torch.float64)
    return torch.exp(-(((at[:, None] - at) / 8) ** 2) / 2) + 1e-4 * torch.eye(columns, dtype=torch.float64)


def smooth(seed: int, rows: int, columns: int) -> torch.Tensor:
    """A picture of the kind that the model knows, (1, 4, rows, columns)."""
    white = torch.randn(1, 4, rows, columns, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (white @ torch.linalg.cholesky(smoothness(columns)).T).float()


def unet(latents: torch.Tensor, timestep: torch.Tensor, encoder_hidden_states: torch.Tensor, **_: Any) -> Any:
    """The noise between what is shown and the picture to be expected behind it; a prompt is a level."""
    kept = scheduler().alphas_cumprod[int(timestep)]
    alike = smoothness(latents.shape[-1])
    gain = torch.linalg.solve(alike + (1 - kept) / kept * torch.eye(len(alike)), alike).float()
    level = encoder_hidden_states.mean(dim=(1, 2))[:, None, None, None]
    expected = level + (latents / kept.sqrt() - level) @ gain
    return ((latents - kept.sqrt() * expected) / (1 - kept).sqrt(),)


def canvas(seed: int) -> Canvas:
    regions = (Region(0, SEGMENT, prompt("a"), (0,)), Region(SEGMENT, COLUMNS, prompt("b"), (0,)))
    shares = torch.from_numpy(window_shares(regions, COLUMNS))
    return Canvas(
        start=smooth(seed, ROWS, COLUMNS),
        noise=torch.randn(1, 4, ROWS, COLUMNS, generator=torch.Generator().manual_seed(seed)),
        positive=(shares @ torch.tensor(LEVELS))[:, None, None],
        negative=torch.zeros(1, 1, 1),
        held=torch.zeros(COLUMNS, dtype=torch.bool),
    )


def prompt(text: str) -> WeightedPrompt:
    return ((text, 1.0),)


def painted(what: Canvas) -> torch.Tensor:
    return finished(denoise(unet, scheduler(), what, DenoiseSettings()))


def seam(pictures: Sequence[torch.Tensor], borders: set[int]) -> float:
    """How far it is across a border, on average over the pictures, at the worst border; 1 is the 99th percentile of
    all steps elsewhere. Borders are the columns that begin something.
    """
    steps = torch.stack([p.float().diff(dim=-1).abs().mean(dim=tuple(range(p.ndim - 1))) for p in pictures])
    at_border = torch.zeros(steps.shape[-1], dtype=torch.bool)
    at_border[[border - 1 for border in borders]] = True
    return float(steps[:, at_border].mean(dim=0).max() / steps[:, ~at_border].quantile(0.99))


def window_borders() -> set[int]:
    starts = window_starts(COLUMNS)
    return {*starts, *(start + WINDOW for start in starts), SEGMENT} - {0, COLUMNS}


def side_by_side(columns: int, stride: int = WINDOW) -> tuple[int, ...]:
    """Windows that touch and share nothing."""
    return tuple(range(0, columns, WINDOW))


def test_no_seam_where_windows_and_segments_meet() -> None:
    assert seam([painted(canvas(seed)) for seed in SEEDS], window_borders()) <= 1.0


def test_windows_side_by_side_would_show(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (multidiffusion, painting):
        monkeypatch.setattr(module, "window_starts", side_by_side)
    assert seam([painted(canvas(seed)) for seed in SEEDS], window_borders()) > 3.0


def test_an_average_in_which_windows_ends_count_fully_would_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multidiffusion, "ramp", lambda length: (1.0,) * length)
    assert seam([painted(canvas(seed)) for seed in SEEDS], window_borders()) > 1.5


FREE = slice(100, 170)


def made_again(seed: int, before: torch.Tensor) -> torch.Tensor:
    """The stretch FREE from other noise, all else held."""
    held = torch.ones(COLUMNS, dtype=torch.bool)
    held[FREE] = False
    after = painted(replace(canvas(seed + 100), start=before, held=held))
    assert torch.equal(after[..., held], before[..., held])
    assert (after - before)[..., FREE].abs().mean() > 0.1
    return after


def test_no_seam_around_a_segment_that_is_made_again() -> None:
    pictures = [made_again(seed, painted(canvas(seed))) for seed in SEEDS]
    assert seam(pictures, {FREE.start, FREE.stop}) <= 1.0


def test_holding_the_neighbours_alone_would_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Carry, "correct", lambda self, predicted, noise: predicted)
    pictures = [made_again(seed, painted(canvas(seed))) for seed in SEEDS]
    assert seam(pictures, {FREE.start, FREE.stop}) > 1.5


def test_what_is_carried_stays_beside_the_edge_and_inside_both_stretches() -> None:
    held = torch.tensor([True] * 3 + [False] * 20 + [True] * 20)
    carry = Carry.across(held)
    assert sorted(carry.free.tolist()) == [3, 4, 5, *range(15, 23)]
    by_free = dict(zip(carry.free.tolist(), carry.mirrored.tolist(), strict=True))
    assert (by_free[3], by_free[5], by_free[22], by_free[15]) == (2, 0, 23, 30)
    assert carry.share.max() == 1.0
    noise = torch.randn(1, 4, 2, len(held))
    wrong = torch.where(held, noise + 0.5, noise)
    corrected = carry.correct(wrong, noise) - noise
    assert corrected[..., 3].mean() == pytest.approx(-0.5, abs=1e-6)
    assert corrected[..., 6:15].abs().max() == 0
    nowhere = Carry.across(torch.zeros(9, dtype=torch.bool))
    assert torch.equal(nowhere.correct(wrong, noise), wrong)


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder: Path = write_checkpoint(tmp_path_factory.mktemp("checkpoint"))
    with shared(ModelKey(str(folder), device="cpu"), silent).at_work() as at_work:
        yield at_work


def tile_seam(pipeline: Any, starts: tuple[int, ...]) -> float:
    borders = {x * PIXELS_PER_COLUMN for start in starts for x in (start, start + WINDOW)} - {0, 160 * 8}
    pictures = [torch.from_numpy(finished(decoded(pipeline, smooth(seed, 64, 160)))) for seed in range(2)]
    return seam(pictures, borders)


@pytest.mark.checkpoint
def test_no_seam_where_the_autoencoders_tiles_meet(pipeline: Any) -> None:
    assert tile_seam(pipeline, window_starts(160, VAE_STRIDE)) <= 1.0


@pytest.mark.checkpoint
def test_tiles_side_by_side_would_show(pipeline: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Last(Overlap):
        """Where tiles overlap, the last one counts alone."""

        def add(self, start: int, window: torch.Tensor) -> None:
            if self._total is None:
                self._total = window.new_zeros((*window.shape[:-1], self._width))
                self._norm = window.new_ones(self._width)
            self._total[..., start : start + window.shape[-1]] = window

    monkeypatch.setattr(painting, "Overlap", Last)
    assert tile_seam(pipeline, window_starts(160, VAE_STRIDE)) > 1.5
