"""Diffusion on spectrograms at full size, with random weights: ``python -m benchmarks.riffusion`` on a CUDA GPU.

Builds Stable Diffusion 1.5's architecture from its configuration (nothing is downloaded), paints a timeline as the
engine does (DPM-Solver++, 20 steps, strength 0.75, overlapping windows, takes in batches, half precision) and prints
seconds per 5.11 s clip, peak memory and times real time for several batch sizes, beside diffusers' own img2img loop
(50 steps, one clip at a time) on the same card. Without a GPU it says so; ``--small`` tries the command on a toy model.

Two figures need no GPU. ``--count``: operations and memory of the full-size networks, counted by torch on fake tensors,
without computing anything. ``--memory``: peak memory of ``python -m bgm make`` with a tiny checkpoint on videos of 1, 3
and 10 minutes (or of as many as are named), which shows whether what surrounds the model grows with the timeline.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.inputs import talking_video
from benchmarks.make import bgm
from bgm.music.riffusion.model import freeze
from bgm.music.riffusion.multidiffusion import Canvas, DenoiseSettings, denoise, scheduler_for, window_starts
from bgm.music.riffusion.painting import decoded, encoded
from testing.riffusion_checkpoint import finished, write_checkpoint

CLIP_S = 5.11
COLUMN_S = 0.08
Figures = dict[str, Any]


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.riffusion", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the timeline (default 60)")
    parser.add_argument("--takes", type=int, default=4)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4, 8, 16, 32], help="windows at once")
    parser.add_argument("--compile", action="store_true", help="torch.compile the U-Net")
    parser.add_argument("--small", action="store_true", help="a toy architecture, to try the command anywhere")
    parser.add_argument("--count", action="store_true", help="operations and memory by torch's own account, no GPU")
    parser.add_argument(
        "--memory", type=float, nargs="*", metavar="MINUTES", help="peak memory of make (1 3 10), no GPU"
    )
    arguments = parser.parse_args(argv)
    if arguments.count:
        print(json.dumps(counted(), indent=1))
    elif arguments.memory is not None:
        for minutes, figures in peaks(arguments.memory or [1, 3, 10]):
            print(f"{minutes:g} min: {json.dumps(figures)}", flush=True)
    else:
        on_the_card(arguments)


def on_the_card(arguments: argparse.Namespace) -> None:
    """Times and memory of whole timelines, ours beside diffusers' loop."""
    import torch

    if not torch.cuda.is_available() and not arguments.small:
        print("There is no CUDA GPU here: nothing was measured. Run this command on a machine that has one.")
        return
    device = "cuda" if torch.cuda.is_available() else "cpu"
    pipeline = build(arguments.small, device, compiled=arguments.compile)
    figures: Figures = {"device": torch.cuda.get_device_name() if device == "cuda" else "cpu"}
    width = max(64, round(arguments.seconds / COLUMN_S))
    for batch in arguments.batches:
        figures[f"ours, {batch} windows at once"] = _measured(
            lambda batch=batch: ours(pipeline, arguments.takes, width, batch), arguments.takes * width * COLUMN_S
        )
    figures["diffusers, 50 steps, one clip"] = _measured(lambda: theirs(pipeline), CLIP_S)
    print(json.dumps(figures, indent=1))


def peaks(minutes: list[float]) -> Iterator[tuple[float, Figures]]:
    """Minutes, then peak memory (MB) and seconds of ``make`` with our composer's sketches and a tiny Riffusion."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        checkpoint = write_checkpoint(folder / "checkpoint")
        music = ["--music", f"riffusion:{checkpoint}", "--lora", "none", "--device", "cpu"]
        for length in minutes:
            video = talking_video(folder, length * 60, subtitles=True)
            run = bgm("make", video, "-o", folder / "out.mp4", "--overwrite", "--separator", "original", *music)
            yield length, {"peak_mb": round(run.peak_mb), "seconds": round(run.seconds)}


def counted() -> Figures:
    """For one window (two samples, for guidance) and one tile: operations in 10¹², megabytes beside the weights."""
    import torch

    with _fake(torch.float16):
        unet, vae, _ = networks(small=False)
        text, timestep = torch.empty(2, 77, 768), torch.tensor(500)
        latent, picture = torch.empty(1, 4, 64, 64), torch.empty(1, 3, 512, 512)
        pair = latent.expand(2, -1, -1, -1)
        return {
            "unet": _count(lambda: unet(pair, timestep, encoder_hidden_states=text)),
            "unet, two windows": _count(lambda: unet(torch.cat([pair] * 2), timestep, torch.cat([text] * 2))),
            "encoder": _count(lambda: vae.encode(picture)),
            "decoder": _count(lambda: vae.decode(latent)),
            "unet_parameters": sum(p.numel() for p in unet.parameters()),
        }


@contextmanager
def _fake(dtype: Any) -> Iterator[None]:
    """Tensors have a shape and nothing in them: what is built here takes no memory and no time."""
    import torch
    from torch._subclasses.fake_tensor import FakeTensorMode

    usual = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with FakeTensorMode(), torch.no_grad():
            yield
    finally:
        torch.set_default_dtype(usual)


def _count(compute: Callable[[], Any]) -> dict[str, float]:
    import torch
    from torch.distributed._tools.mem_tracker import MemTracker
    from torch.utils.flop_counter import FlopCounterMode

    operations, tracker = FlopCounterMode(display=False), MemTracker()
    with operations, tracker:
        compute()
    held = {str(kind): size for kind, size in tracker.get_tracker_snapshot("peak")[torch.device("cpu")].items()}
    beside_weights = held["Total"] - held["_MemRefType.PARAM"]
    return {"tflop": round(operations.get_total_flops() / 1e12, 3), "megabytes": round(beside_weights / 1e6, 1)}


def networks(small: bool) -> tuple[Any, Any, Any]:
    """U-Net, autoencoder and text encoder with random weights, in SD 1.5's shape or a toy's."""
    import torch
    from diffusers import AutoencoderKL, UNet2DConditionModel
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
    return unet, vae, text


def build(small: bool, device: str, *, compiled: bool = False) -> Any:
    """The networks as a pipeline on the device, as the engine prepares and places it."""
    from diffusers import PNDMScheduler, StableDiffusionImg2ImgPipeline

    unet, vae, text = networks(small)
    scheduler = PNDMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", skip_prk_steps=True, steps_offset=1
    )
    pipeline = StableDiffusionImg2ImgPipeline(
        vae, text, None, unet, scheduler, None, None, requires_safety_checker=False
    )
    pipeline.set_progress_bar_config(disable=True)
    freeze(pipeline, device, compiled=compiled)
    return pipeline.to(device)


def ours(pipeline: Any, takes: int, columns: int, batch: int) -> None:
    """Pictures in, pictures out, as :func:`bgm.music.riffusion.painting.paint` does it."""
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
