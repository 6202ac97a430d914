"""The diffusion model to fine-tune: loading it, its training loss, and text-to-image sampling."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bgm import weights
from bgm.errors import BadInput
from bgm.music.riffusion.model import quiet, sample_of
from bgm.music.riffusion.multidiffusion import scheduler_for
from bgm.music.riffusion.spectrogram import ROWS, Pixels
from bgm.progress import Progress

if TYPE_CHECKING:
    import torch

PAINTING_STEPS = 20
GUIDANCE = 7.0
"""Guidance scale of the samples: the product's."""
JUDGED_TIMES = (100, 300, 500, 700, 900)
"""Timesteps (of 1000) at which the validation loss is evaluated."""


@dataclass(frozen=True, slots=True)
class Base:
    """A frozen StableDiffusionPipeline on its device, with its source and licence."""

    pipeline: Any
    device: str
    source: str
    licence: str
    sample: list[float]
    """A few weights of its U-Net that identify it (:func:`bgm.music.riffusion.model.sample_of`)."""


def load(source: str, device: str, progress: Progress, *, offline: bool = False) -> Base:
    """``source``: hub id or folder of an epsilon-prediction Stable Diffusion 1 model such as riffusion-model-v1.

    Raises BadInput or EngineUnavailable if it is unavailable or of another kind.
    """
    card = weights.card_for("riffusion", source)
    folder = weights.provide(card, offline=offline, progress=progress)
    try:
        with quiet():
            from diffusers import StableDiffusionPipeline  # its import warns of packages that it does without

            pipeline = StableDiffusionPipeline.from_pretrained(
                str(folder), safety_checker=None, feature_extractor=None, requires_safety_checker=False
            )
    except (OSError, ValueError, KeyError, RuntimeError, TypeError, AttributeError) as error:
        raise BadInput(f"the base in {folder} can't be loaded: {str(error).splitlines()[0]}") from error
    scheduler_for(pipeline)  # raises for another prediction type
    pipeline.set_progress_bar_config(disable=True)
    sample = sample_of(pipeline.unet)
    place(pipeline, device)
    if Path(source).expanduser().is_dir():
        return Base(pipeline, device, folder.name, "not named (a folder)", sample)
    return Base(pipeline, device, source, card.licence, sample)


def place(pipeline: Any, device: str) -> None:
    """Freeze and move to the device: U-Net and text encoder in bfloat16 on CUDA, everything else in float32.

    On CUDA deterministic kernels are selected where they exist.
    """
    import torch

    if device == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        # warn_only: some kernels of attention have no deterministic form, and a training with them is better than none.
        torch.use_deterministic_algorithms(True, warn_only=True)
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    with quiet():
        for network in (pipeline.unet, pipeline.vae, pipeline.text_encoder):
            network.requires_grad_(False)
            # The VAE runs once per picture: there float32 costs nothing that counts.
            network.to(device, torch.float32 if network is pipeline.vae else dtype)


@dataclass(frozen=True, slots=True)
class Batch:
    """Latents and noise (n, 4, 64, columns / 8), timesteps (n,) of 1000, and captions."""

    latents: torch.Tensor
    noise: torch.Tensor
    times: torch.Tensor
    texts: Sequence[str]


class Objective:
    """Noise-prediction MSE with min-SNR-``gamma`` weighting (Hang et al. 2023, arXiv 2303.09556)."""

    def __init__(self, pipeline: Any, gamma: float = 5.0) -> None:
        from diffusers import DDPMScheduler

        self._pipeline = pipeline
        self._gamma = gamma
        with quiet():
            kept: torch.Tensor = DDPMScheduler.from_config(pipeline.scheduler.config).alphas_cumprod
        self._kept = kept.to(pipeline.unet.device)

    def loss(self, batch: Batch) -> torch.Tensor:
        """The weighted mean, in which low-noise timesteps don't dominate."""
        kept = self._kept[batch.times.to(self._kept.device)]
        # Signal-to-noise ratio of each time. For a model that predicts noise the weight is min(SNR, gamma) / SNR.
        ratio = kept / (1 - kept)
        return (self.errors(batch) * (ratio.clamp(max=self._gamma) / ratio)).mean()

    def errors(self, batch: Batch) -> torch.Tensor:
        """(n,) float32: mean squared error of the predicted noise per example."""
        import torch

        device, number = self._kept.device, self._pipeline.text_encoder.dtype
        latents, noise, times = (x.to(device) for x in (batch.latents, batch.noise, batch.times))
        kept = self._kept[times][:, None, None, None]
        # The forward process in closed form (Ho et al. 2020, arXiv 2006.11239, eq. 4).
        noisy = kept.sqrt() * latents + (1 - kept).sqrt() * noise
        with torch.autocast(device.type, torch.bfloat16, enabled=number == torch.bfloat16):
            words = embedded(self._pipeline, batch.texts)
            predicted = self._pipeline.unet(noisy, times, encoder_hidden_states=words).sample
        return (predicted.float() - noise).square().mean(dim=(1, 2, 3))


def embedded(pipeline: Any, texts: Sequence[str]) -> torch.Tensor:
    """(n, 77, width) without gradients. Not cached: encoding is a hundredth of a step's work."""
    import torch

    with quiet(), torch.no_grad():
        vectors: torch.Tensor = pipeline.encode_prompt(list(texts), pipeline.device, 1, False)[0]
    return vectors


def paint(pipeline: Any, texts: Sequence[str], columns: int, *, seed: int = 0) -> list[Pixels]:
    """One greyscale picture (512, columns) per text; the ``i``-th from seed ``seed + i``, the same on any device.

    Raises BadInput if the output isn't finite (damaged weights).
    """
    import torch

    schedule = pipeline.scheduler
    number = pipeline.text_encoder.dtype
    pictures = []
    try:
        pipeline.scheduler = scheduler_for(pipeline)
        for i, text in enumerate(texts):
            with (
                quiet(),
                torch.no_grad(),
                torch.autocast(pipeline.device.type, number, enabled=number != torch.float32),
            ):
                made = pipeline(
                    text, ROWS, columns, num_inference_steps=PAINTING_STEPS, guidance_scale=GUIDANCE,
                    generator=torch.Generator().manual_seed(seed + i), output_type="np",
                )  # fmt: skip
            # The three channels of a grey picture differ by the decoder's error; their mean has the least of it.
            picture = made.images[0].mean(axis=2)
            if not np.isfinite(picture).all():
                raise BadInput("the model paints what is no number (NaN): its weights or the LoRA's are damaged")
            pictures.append((picture * 255).round().astype(np.uint8))
    finally:
        pipeline.scheduler = schedule
    return pictures
