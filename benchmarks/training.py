"""Fine-tuning at full size, with random weights: ``python -m benchmarks.training`` on a CUDA GPU, in under ten minutes.

Builds Stable Diffusion 1.5's networks from their configuration (nothing is downloaded) and takes LoRA steps as
``python -m bgm.training.lora`` does, in bfloat16: steps a second and peak memory at batch 4 and others, with and
without gradient checkpointing, and with and without the deterministic kernels that make a resumed training the same to
the bit; then the loss over 300 steps on latents in which each caption has a picture of its own.

``--small`` needs no GPU: with a tiny checkpoint and pieces of our composer it goes the whole way of a user, set, 200
steps and probe, and says how far the validation loss fell (about ten minutes on two cores).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import machine
from benchmarks.riffusion import networks
from bgm.timeline import EMOTIONS
from bgm.training import diffusion, lora
from bgm.training.diffusion import Objective
from bgm.training.examples import Latents
from bgm.training.lora import Options
from testing.riffusion_checkpoint import write_checkpoint

Figures = dict[str, Any]
BATCHES = (4, 8, 16)
STEPS, WARM_UP, LEARNING_STEPS = 30, 5, 300
MINUTES = 9.0
"""After which nothing new is begun."""


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--small", action="store_true", help="set, training and probe with a tiny model on the CPU")
    parser.add_argument("--pieces", type=int, default=70, help="… on so many composed pieces (default 70)")
    arguments = parser.parse_args(argv)
    if arguments.small:
        print(json.dumps(whole_way(arguments.pieces), indent=1))
        return 0
    import torch

    if not torch.cuda.is_available():
        print("there is no CUDA GPU here, so nothing was measured: run it on a machine that has one, or --small")
        return 1
    print(json.dumps({"device": torch.cuda.get_device_name(), "torch": torch.__version__}), flush=True)
    for line in on_the_card():
        print(json.dumps(line), flush=True)
    return 0


def on_the_card() -> Iterator[Figures]:
    """A line for each way to train, the issue's batch of 4 first; then how the loss fell."""
    began = time.monotonic()
    for batch in BATCHES:
        for checkpointing in (True, False):
            for deterministic in (True, False) if batch == BATCHES[0] else (True,):
                if time.monotonic() - began > MINUTES * 60:
                    return
                way = {"batch": batch, "checkpointing": checkpointing, "deterministic": deterministic}
                yield {**way, **_attempt(Options(batch=batch, checkpointing=checkpointing), deterministic)}
    if time.monotonic() - began < (MINUTES - 3) * 60:
        losses = _losses(Options(batch=4, steps=LEARNING_STEPS, checkpointing=False), LEARNING_STEPS)[0]
        yield {"steps": LEARNING_STEPS, "first_50": _mean(losses[:50]), "last_50": _mean(losses[-50:])}


def _attempt(options: Options, deterministic: bool) -> Figures:
    import torch

    try:
        _, seconds = _losses(options, STEPS, deterministic=deterministic)
    except torch.OutOfMemoryError:
        return {"memory": "too little"}
    finally:
        torch.cuda.empty_cache()
    peak = torch.cuda.max_memory_allocated() / 1e9
    return {
        "steps_a_second": round(1 / seconds, 2),
        "pictures_a_second": round(options.batch / seconds, 2),
        "peak_gb": round(peak, 2),
    }


def _losses(options: Options, steps: int, *, deterministic: bool = True) -> tuple[list[float], float]:
    """The losses of so many steps, and the seconds that one takes once it is warm."""
    import torch

    pipeline = _full_size()
    pipeline.unet.disable_gradient_checkpointing()
    if getattr(pipeline.unet, "peft_config", None):
        pipeline.unet.delete_adapters("default")
    torch.use_deterministic_algorithms(deterministic, warn_only=True)
    unet = lora.with_adapter(pipeline.unet, options)
    optimizer = torch.optim.AdamW(lora.trained(unet), lr=options.rate, fused=True)
    objective, latents, losses = Objective(pipeline, options.gamma), _latents(), list[float]()
    start = 0.0
    for step in range(steps):
        if step == WARM_UP:
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
            start = time.perf_counter()
        optimizer.param_groups[0]["lr"] = lora.rate(options, step)
        losses.append(lora.stepped(objective, optimizer, lora.drawn(latents, options, step), step))
    torch.cuda.synchronize()
    return losses, (time.perf_counter() - start) / (steps - WARM_UP)


@cache
def _full_size() -> Any:
    """SD 1.5's networks with random weights, placed as for training; a tokenizer of a few words. Made once."""
    from diffusers import PNDMScheduler, StableDiffusionPipeline
    from transformers import CLIPTokenizer

    unet, vae, text = networks(small=False)
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = CLIPTokenizer.from_pretrained(write_checkpoint(Path(folder)) / "tokenizer")
    scheduler = PNDMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", skip_prk_steps=True, steps_offset=1
    )
    pipeline = StableDiffusionPipeline(vae, text, tokenizer, unet, scheduler, None, None, requires_safety_checker=False)
    diffusion.place(pipeline, "cuda")
    return pipeline


def _latents() -> Latents:
    """Noise on a picture of its own for each of seven captions: something that can be learned."""
    chance = np.random.default_rng(0)
    pictures = np.repeat(np.repeat(chance.standard_normal((7, 4, 8, 8)), 8, axis=2), 8, axis=3)
    means = np.stack([pictures[n % 7] + 0.3 * chance.standard_normal((4, 64, 64)) for n in range(70)])
    spread = np.stack([means, np.full_like(means, 0.05)], axis=1).astype(np.float16)
    return Latents(spread, tuple(f"{EMOTIONS[n % 7]}, music" for n in range(70)))


def whole_way(pieces: int) -> Figures:
    """As a user would go it, each step a command of its own, with a tiny checkpoint."""
    with tempfile.TemporaryDirectory(prefix="bgm-training-") as name:
        folder = Path(name)
        base = unit_latents(write_checkpoint(folder / "tiny"))
        made, adapter = folder / "set", folder / "lora.safetensors"
        figures: Figures = {}
        figures["set_seconds"] = _timed("spectrograms", "--composed", pieces, "-o", made)
        brief = ["--steps", 200, "--batch", 2, "--every", 50, "--rate", 0.01, "--samples", 0, "--device", "cpu"]
        figures["training_seconds"] = _timed("lora", made, "--base", base, "-o", adapter, *brief)
        log = (folder / "lora.training" / "log.jsonl").read_text(encoding="utf-8").splitlines()
        losses = [json.loads(line)["validation"] for line in log]
        figures["validation_loss"] = losses
        figures["fall_percent"] = round(100 * (1 - losses[-1] / losses[0]), 1)
        probed = _run("probe", made, "--base", base, "--lora", adapter, "--each", 4, "--device", "cpu", "--json")
        return {**figures, "probe": json.loads(probed)}


def unit_latents(checkpoint: Path) -> Path:
    """The random autoencoder's latents deviate by 0.05, a real one's by 1 after its scale: bring them near it."""
    config = checkpoint / "vae" / "config.json"
    known = json.loads(config.read_text(encoding="utf-8"))
    config.write_text(json.dumps({**known, "scaling_factor": 20 * known["scaling_factor"]}), encoding="utf-8")
    return checkpoint


def _timed(command: str, *arguments: Any) -> float:
    began = time.perf_counter()
    _run(command, *arguments)
    return round(time.perf_counter() - began, 1)


def _run(command: str, *arguments: Any) -> str:
    words = [sys.executable, "-m", f"bgm.training.{command}", *map(str, arguments)]
    return subprocess.run(words, cwd=machine.ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def _mean(losses: list[float]) -> float:
    return round(float(np.mean(losses)), 4)


if __name__ == "__main__":
    sys.exit(main())
