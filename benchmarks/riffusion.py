"""Diffusion on spectrograms at full size, with random weights: ``python -m benchmarks.riffusion`` on a CUDA GPU.

Builds Stable Diffusion 1.5's architecture from its configuration (nothing is downloaded), paints a timeline as the
engine does (DPM-Solver++, 20 steps, strength 0.75, overlapping windows, takes in batches, half precision) and prints
seconds per 5.11 s clip, peak memory and times real time for several batch sizes, beside diffusers' own img2img loop
(50 steps, one clip at a time) on the same card. Without a GPU it says so; ``--small`` tries the command on a toy model.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Generator
from typing import Any

import numpy as np

from bgm.music.multidiffusion import Canvas, DenoiseSettings, denoise, scheduler_for, window_starts
from bgm.music.riffusion_paint import decoded, encoded

CLIP_S = 5.11
COLUMN_S = 0.08


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.riffusion", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the timeline (default 60)")
    parser.add_argument("--takes", type=int, default=4)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4, 8, 16, 32], help="windows at once")
    parser.add_argument("--compile", action="store_true", help="torch.compile the U-Net")
    parser.add_argument("--small", action="store_true", help="a toy architecture, to try the command anywhere")
    arguments = parser.parse_args(argv)

    import torch

    if not torch.cuda.is_available() and not arguments.small:
        print("There is no CUDA GPU here: nothing was measured. Run this command on a machine that has one.")
        return
    device = "cuda" if torch.cuda.is_available() else "cpu"
    pipeline = build(arguments.small, device)
    if arguments.compile:
        pipeline.unet.compile()
    figures: dict[str, Any] = {"device": torch.cuda.get_device_name() if device == "cuda" else "cpu"}
    width = max(64, round(arguments.seconds / COLUMN_S))
    for batch in arguments.batches:
        figures[f"ours, {batch} windows at once"] = _measured(
            lambda batch=batch: ours(pipeline, arguments.takes, width, batch), arguments.takes * width * COLUMN_S
        )
    figures["diffusers, 50 steps, one clip"] = _measured(lambda: theirs(pipeline), CLIP_S)
    print(json.dumps(figures, indent=1))


def build(small: bool, device: str) -> Any:
    """Random weights in SD 1.5's shape, on the device, in half precision on CUDA, as the engine places them."""
    import torch
    from diffusers import AutoencoderKL, PNDMScheduler, StableDiffusionImg2ImgPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    torch.manual_seed(0)
    wide, heads, groups = (8, 1, 4) if small else (64, 8, 32)
    unet = UNet2DConditionModel(
        sample_size=64, cross_attention_dim=12 * wide, attention_head_dim=heads, norm_num_groups=groups,
        block_out_channels=(5 * wide, 10 * wide, 20 * wide, 20 * wide), layers_per_block=1 if small else 2,
    )  # fmt: skip
    vae = AutoencoderKL(
        block_out_channels=(2 * wide, 4 * wide, 8 * wide, 8 * wide), layers_per_block=1 if small else 2,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=4, norm_num_groups=groups, sample_size=512,
    )  # fmt: skip
    text = CLIPTextModel(CLIPTextConfig(hidden_size=12 * wide, intermediate_size=48 * wide, num_attention_heads=12))
    scheduler = PNDMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", skip_prk_steps=True, steps_offset=1
    )
    pipeline = StableDiffusionImg2ImgPipeline(
        vae, text, None, unet, scheduler, None, None, requires_safety_checker=False
    )
    for network in (unet, vae, text):
        network.requires_grad_(False).eval()
    for network in (unet, vae):
        network.to(memory_format=torch.channels_last)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to(device, torch.float16 if device == "cuda" else torch.float32)


def ours(pipeline: Any, takes: int, columns: int, batch: int) -> None:
    """Pictures in, pictures out, as :func:`bgm.music.riffusion_paint.paint` does it."""
    import torch

    pixels = np.random.default_rng(0).integers(0, 255, (takes, 512, columns * 8), np.uint8)
    start = finished(encoded(pipeline, pixels))
    embedding = _embedding(pipeline)
    canvas = Canvas(
        start=start,
        noise=torch.randn_like(start),
        positive=embedding.expand(len(window_starts(columns)), -1, -1),
        negative=embedding,
        held=torch.zeros(columns, dtype=torch.bool, device=start.device),
    )
    latents = finished(denoise(pipeline.unet, scheduler_for(pipeline), canvas, DenoiseSettings(batch=batch)))
    finished(decoded(pipeline, latents))


def theirs(pipeline: Any) -> None:
    """The seed project's way: 50 steps of the checkpoint's own scheduler, one clip."""
    import torch

    embedding = _embedding(pipeline)
    image = torch.rand(1, 3, 512, 512, device=pipeline.device, dtype=embedding.dtype)
    pipeline(
        image=image, prompt_embeds=embedding, negative_prompt_embeds=embedding, strength=0.75, num_inference_steps=50,
        guidance_scale=7.0, output_type="np",
    )  # fmt: skip


def finished(work: Generator[float, None, Any]) -> Any:
    """What a generator of progress returns."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


def _embedding(pipeline: Any) -> Any:
    import torch

    width = pipeline.unet.config.cross_attention_dim
    return torch.randn(1, 77, width, device=pipeline.device, dtype=pipeline.unet.dtype)


def _measured(work: Callable[[], None], sound_s: float) -> dict[str, float]:
    """After one run that warms up: seconds per clip of 5.11 s, times real time, peak gigabytes on the card."""
    import torch

    on_gpu = torch.cuda.is_available()
    work()
    if on_gpu:
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    start = time.perf_counter()
    work()
    if on_gpu:
        torch.cuda.synchronize()
    wall = time.perf_counter() - start
    peak = torch.cuda.max_memory_allocated() / 1e9 if on_gpu else 0.0
    figures = {"seconds_per_clip": wall * CLIP_S / sound_s, "times_real_time": sound_s / wall, "peak_gb": peak}
    return {name: round(value, 3) for name, value in figures.items()}


if __name__ == "__main__":
    main()
