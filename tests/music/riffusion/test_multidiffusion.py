"""The wide latent: equal to diffusers where it is one window, seamless where it is more, unmoved where it is held."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from bgm.errors import BgmError
from bgm.music.riffusion.model import ModelKey, shared
from bgm.music.riffusion.multidiffusion import (
    Canvas,
    DenoiseSettings,
    Overlap,
    denoise,
    scheduler_for,
    window_starts,
)
from bgm.progress import silent
from testing.riffusion_checkpoint import finished, write_checkpoint
from tests.music.riffusion.sounds import one_thread

__all__ = ["one_thread"]
FAST = DenoiseSettings(steps=6, batch=4)


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder: Path = write_checkpoint(tmp_path_factory.mktemp("checkpoint"))
    with shared(ModelKey(str(folder), device="cpu", offline=True), silent).at_work() as at_work:
        yield at_work


def prompts(pipeline: Any, *texts: str) -> torch.Tensor:
    return pipeline.encode_prompt(list(texts), "cpu", 1, False)[0]


def canvas(pipeline: Any, columns: int, seed: int = 0, takes: int = 1, held: slice = slice(0)) -> Canvas:
    generator = torch.Generator().manual_seed(seed)
    shape = (takes, 4, 64, columns)
    mask = torch.zeros(columns, dtype=torch.bool)
    mask[held] = True
    joy = prompts(pipeline, "joy").expand(len(window_starts(columns)), -1, -1)
    return Canvas(
        torch.randn(shape, generator=generator),
        torch.randn(shape, generator=generator),
        joy,
        prompts(pipeline, ""),
        mask,
    )


def painted(pipeline: Any, what: Canvas, settings: DenoiseSettings = FAST) -> torch.Tensor:
    return finished(denoise(pipeline.unet, scheduler_for(pipeline), what, settings))


@pytest.mark.checkpoint
def test_what_is_refused_may_differ_from_window_to_window(pipeline: Any) -> None:
    what = canvas(pipeline, 256)
    each = what.negative.repeat(len(what.positive), 1, 1)
    plain = painted(pipeline, what)
    torch.testing.assert_close(painted(pipeline, replace(what, negative=each)), plain)
    each[-1] = 5 * prompts(pipeline, "piano")[0]
    other = painted(pipeline, replace(what, negative=each))
    assert torch.equal(other[..., :64], plain[..., :64])
    assert not torch.equal(other[..., -32:], plain[..., -32:])


def test_windows_cover_everything_and_overlap() -> None:
    assert window_starts(64) == (0,)
    assert window_starts(65) == (0, 1)
    assert window_starts(200) == (0, 32, 64, 96, 128, 136)
    with pytest.raises(ValueError, match="at least 64"):
        window_starts(63)


def test_overlapping_windows_are_averaged_with_most_weight_in_their_middle() -> None:
    average = Overlap(6)
    average.add(0, torch.zeros(1, 4))
    average.add(2, torch.ones(1, 4))
    expected = torch.tensor([[0.0, 0.0, 1 / 3, 2 / 3, 1.0, 1.0]])
    torch.testing.assert_close(average.mean(), expected)


@pytest.mark.checkpoint
@pytest.mark.parametrize(("steps", "strength"), [(20, 0.75), (7, 0.5), (4, 1.0)])
def test_one_window_is_diffusers_own_loop(pipeline: Any, steps: int, strength: float) -> None:
    latents = torch.randn(1, 4, 64, 64, generator=torch.Generator().manual_seed(5))
    joy, nothing = prompts(pipeline, "joy"), prompts(pipeline, "")
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(7))
    what = Canvas(latents, noise, joy, nothing, torch.zeros(64, dtype=torch.bool))
    ours = painted(pipeline, what, DenoiseSettings(steps=steps, strength=strength))
    own_scheduler, pipeline.scheduler = pipeline.scheduler, scheduler_for(pipeline)
    try:
        theirs = pipeline(
            image=latents,
            prompt_embeds=joy,
            negative_prompt_embeds=nothing,
            strength=strength,
            num_inference_steps=steps,
            guidance_scale=7.0,
            generator=torch.Generator().manual_seed(7),
            output_type="latent",
        ).images
    finally:
        pipeline.scheduler = own_scheduler
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
    assert (ours - latents).abs().mean() > 0.05


@pytest.mark.checkpoint
def test_takes_of_a_batch_are_what_they_are_alone(pipeline: Any) -> None:
    both = canvas(pipeline, 100, takes=2)
    together = painted(pipeline, both)
    assert (together[0] - together[1]).abs().mean() > 0.1
    for take in (0, 1):
        alone = Canvas(both.start[[take]], both.noise[[take]], both.positive, both.negative, both.held)
        torch.testing.assert_close(painted(pipeline, alone)[0], together[take], rtol=1e-3, atol=1e-3)


@pytest.mark.checkpoint
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_regenerating_a_stretch_leaves_the_rest_bit_for_bit(pipeline: Any, seed: int) -> None:
    before = painted(pipeline, canvas(pipeline, 192))
    again = canvas(pipeline, 192, seed=10 + seed)
    held = torch.ones(192, dtype=torch.bool)
    held[64:128] = False
    noise = again.noise
    after = painted(pipeline, Canvas(before, noise, again.positive, again.negative, held))
    assert torch.equal(after[..., held], before[..., held])
    assert (after - before)[..., ~held].abs().mean() > 0.1


@pytest.mark.checkpoint
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_model_sees_held_columns_as_the_noised_original_at_every_step(pipeline: Any, seed: int) -> None:
    what = canvas(pipeline, 64, seed=seed, held=slice(0, 40))
    schedule = scheduler_for(pipeline)
    schedule.set_timesteps(12)
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []

    def unet(latents: torch.Tensor, timestep: torch.Tensor, **more: Any) -> Any:
        seen.append((timestep, latents[:1, ..., :40]))
        return pipeline.unet(latents, timestep, **more)

    finished(denoise(unet, scheduler_for(pipeline), what, DenoiseSettings(steps=12)))
    assert len(seen) == 9
    for timestep, latents in seen:
        noised = schedule.add_noise(what.start, what.noise, timestep[None])[..., :40]
        torch.testing.assert_close(latents, noised, rtol=1e-3, atol=1e-3)


@pytest.mark.checkpoint
def test_the_prompt_of_a_window_changes_that_window_most(pipeline: Any) -> None:
    what = canvas(pipeline, 256)
    usual = painted(pipeline, what)
    other = what.positive.clone()
    other[-1] = 5 * prompts(pipeline, "fear")[0]
    changed = (painted(pipeline, Canvas(what.start, what.noise, other, what.negative, what.held)) - usual).abs()
    assert changed[..., 200:].mean() > 3 * changed[..., :64].mean()


@pytest.mark.checkpoint
def test_progress_is_told_often_and_a_listener_can_stop(pipeline: Any) -> None:
    work = denoise(pipeline.unet, scheduler_for(pipeline), canvas(pipeline, 160), DenoiseSettings(steps=4, batch=1))
    first = [next(work) for _ in range(5)]
    assert first == sorted(first)
    assert first[-1] < 1.0
    work.close()


@pytest.mark.checkpoint
def test_a_model_of_another_kind_and_impossible_settings_are_refused(pipeline: Any) -> None:
    with pytest.raises(ValueError, match="strength"):
        painted(pipeline, canvas(pipeline, 64), DenoiseSettings(strength=0.0))
    usual = pipeline.scheduler
    pipeline.scheduler = type(usual).from_config(usual.config, prediction_type="v_prediction")
    try:
        with pytest.raises(BgmError, match="v_prediction"):
            scheduler_for(pipeline)
    finally:
        pipeline.scheduler = usual
