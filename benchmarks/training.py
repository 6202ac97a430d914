"""Fine-tuning at full size, with random weights: ``python -m benchmarks.training`` on a CUDA GPU, in under ten minutes.

Builds Stable Diffusion 1.5's networks from their configuration (nothing is downloaded) and takes LoRA steps as
``python -m bgm.training.lora`` does, in bfloat16: steps a second and peak memory at batch 4 and others, with and
without gradient checkpointing, and with and without the deterministic kernels that make a resumed training the same to
the bit; then the loss over 300 steps on latents in which each caption has a picture of its own. ``--rehearse`` prints
the same lines from toy networks on the CPU: what it says of speed means nothing, but it shows that the script runs.

``--small`` needs no GPU: with a tiny checkpoint and pieces of our composer it goes the whole way of a user, set, 200
steps and probe, and says how far the validation loss fell (about ten minutes on two cores).

``--memory`` builds sets of few, many and long tracks and gives the peak memory of the builder (some minutes).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import machine, make
from benchmarks.riffusion import networks
from bgm.timeline import EMOTIONS
from bgm.training import diffusion, lora
from bgm.training.diffusion import Objective
from bgm.training.examples import Latents
from bgm.training.lora import Options
from testing.riffusion_checkpoint import write_checkpoint

Figures = dict[str, Any]
MUSIC = {"few": (20, 12), "many": (200, 12), "long": (4, 1200)}
"""Tracks and their seconds, for the set builder's memory."""
MINUTES = 9.0
"""After which nothing new is begun."""


@dataclass(frozen=True)
class Run:
    """Where and with what the steps are taken: ``small`` networks are toys."""

    device: str
    small: bool
    batches: tuple[int, ...]
    steps: int
    warm_up: int
    learning_steps: int


FULL = Run("cuda", small=False, batches=(4, 8, 16), steps=30, warm_up=5, learning_steps=300)
REHEARSAL = Run("cpu", small=True, batches=(1, 2), steps=3, warm_up=1, learning_steps=6)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--small", action="store_true", help="set, training and probe with a tiny model on the CPU")
    parser.add_argument("--pieces", type=int, default=70, help="… on so many composed pieces (default 70)")
    parser.add_argument("--rehearse", action="store_true", help="the GPU's script with toy networks on the CPU")
    parser.add_argument("--memory", action="store_true", help="peak memory of the set builder, few, many, long tracks")
    arguments = parser.parse_args(argv)
    if arguments.memory:
        print(json.dumps(builders_memory(), indent=1))
        return 0
    if arguments.small:
        print(json.dumps(whole_way(arguments.pieces), indent=1))
        return 0
    import torch

    run = REHEARSAL if arguments.rehearse else FULL
    if run is FULL and not torch.cuda.is_available():
        print("there is no CUDA GPU here, so nothing was measured: run it on a machine that has one, or --small")
        return 1
    name = "rehearsal on the CPU" if run is REHEARSAL else torch.cuda.get_device_name()
    print(json.dumps({"device": name, "torch": torch.__version__}), flush=True)
    for line in ways(run):
        print(json.dumps(line), flush=True)
    return 0


def ways(run: Run) -> Iterator[Figures]:
    """A line for each way to train, the smallest batch first; then how the loss fell."""
    began = time.monotonic()
    for batch in run.batches:
        for checkpointing in (True, False):
            for deterministic in (True, False) if batch == run.batches[0] else (True,):
                if time.monotonic() - began > MINUTES * 60:
                    return
                way = {"batch": batch, "checkpointing": checkpointing, "deterministic": deterministic}
                options = Options(batch=batch, steps=run.steps, checkpointing=checkpointing)
                yield {**way, **_attempt(run, options, deterministic)}
    if time.monotonic() - began < (MINUTES - 3) * 60:
        losses, _ = _losses(run, Options(batch=run.batches[0], steps=run.learning_steps, checkpointing=False))
        few = max(1, run.learning_steps // 6)
        yield {"steps": run.learning_steps, f"first_{few}": _mean(losses[:few]), f"last_{few}": _mean(losses[-few:])}


def _attempt(run: Run, options: Options, deterministic: bool) -> Figures:
    import torch

    try:
        _, seconds = _losses(run, options, deterministic=deterministic)
    except torch.OutOfMemoryError:
        return {"memory": "too little"}
    finally:
        torch.cuda.empty_cache()
    return {
        "steps_a_second": round(1 / seconds, 2),
        "pictures_a_second": round(options.batch / seconds, 2),
        **lora.peak_memory(run.device),
    }


def _losses(run: Run, options: Options, *, deterministic: bool = True) -> tuple[list[float], float]:
    """The losses of ``options.steps`` steps, and the seconds that one takes once it is warm."""
    import torch

    pipeline = _placed(run)
    pipeline.unet.disable_gradient_checkpointing()
    if getattr(pipeline.unet, "peft_config", None):
        pipeline.unet.delete_adapters("default")
    torch.use_deterministic_algorithms(deterministic, warn_only=True)
    unet = lora.with_adapter(pipeline.unet, options)
    optimizer = torch.optim.AdamW(lora.trained(unet), lr=options.rate, fused=run.device == "cuda")
    objective, latents, losses = Objective(pipeline, options.gamma), _latents(), list[float]()
    start = 0.0
    for step in range(options.steps):
        if step == run.warm_up:
            _wait_for(run.device)
            if run.device == "cuda":
                torch.cuda.reset_peak_memory_stats()
            start = time.perf_counter()
        optimizer.param_groups[0]["lr"] = lora.rate(options, step)
        losses.append(lora.stepped(objective, optimizer, lora.drawn(latents, options, step), step))
    _wait_for(run.device)
    return losses, (time.perf_counter() - start) / (options.steps - run.warm_up)


def _wait_for(device: str) -> None:
    """Kernels run on while Python is ahead of them."""
    import torch

    if device == "cuda":
        torch.cuda.synchronize()


@cache
def _placed(run: Run) -> Any:
    """The networks with random weights, placed as for training; full size is SD 1.5's, the rest a tiny checkpoint's."""
    from diffusers import PNDMScheduler, StableDiffusionPipeline

    with tempfile.TemporaryDirectory() as folder:
        tiny = StableDiffusionPipeline.from_pretrained(
            write_checkpoint(Path(folder)), safety_checker=None, feature_extractor=None, requires_safety_checker=False
        )
    unet, vae, text = (tiny.unet, tiny.vae, tiny.text_encoder) if run.small else networks(small=False)
    scheduler = PNDMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", skip_prk_steps=True, steps_offset=1
    )
    pipeline = StableDiffusionPipeline(
        vae, text, tiny.tokenizer, unet, scheduler, None, None, requires_safety_checker=False
    )
    diffusion.place(pipeline, run.device)
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


def builders_memory() -> Figures:
    """Peak resident megabytes of the largest process that builds a set, for each kind of MUSIC."""
    figures: Figures = {}
    for name, (tracks, seconds) in MUSIC.items():
        with tempfile.TemporaryDirectory(prefix="bgm-training-") as folder:
            music = _tones(Path(folder) / "music" / "happy", tracks, seconds).parent
            words = [music, "-o", Path(folder) / "set", "--licence", "own", "--crops", 1, "--processes", 2, "--quiet"]
            command = [sys.executable, "-m", "bgm.training.spectrograms", *map(str, words)]
            figures[name] = {"tracks": tracks, "seconds_each": seconds, "peak_mb": round(make.run(command).peak_mb)}
    return figures


def _tones(folder: Path, tracks: int, seconds: int) -> Path:
    """So many names of one sound: a tone in noise."""
    import soundfile

    folder.mkdir(parents=True)
    rate, chance = 22_050, np.random.default_rng(0)
    one, first = 0.2 * np.sin(2 * np.pi * 220 * np.arange(rate) / rate), folder / "0.flac"
    with soundfile.SoundFile(first, "w", rate, 1) as file:
        for _ in range(seconds):
            file.write(one + 0.02 * chance.standard_normal(rate))
    for n in range(1, tracks):
        os.link(first, folder / f"{n}.flac")
    return folder


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
