"""The one function that needs a GPU: spectrogram pictures in, painted pictures out.

It takes and gives plain values, so that on a ZeroGPU Space it can run in the worker process that is lent the GPU; it is
a generator of progress, so that whoever listens can stop it between two batches.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from bgm.music import prompts, riffusion_model
from bgm.music.multidiffusion import (
    WINDOW,
    Canvas,
    DenoiseSettings,
    Overlap,
    denoise,
    ramp,
    scheduler_for,
    window_starts,
)
from bgm.music.spectrogram import Pixels
from bgm.progress import silent

if TYPE_CHECKING:
    import torch

Result = TypeVar("Result")

PIXELS_PER_COLUMN = 8
"""Frames of 10 ms under one column of the latent."""
VAE_STRIDE = 48
"""Columns from one tile of the autoencoder to the next; tiles are as wide as the pictures it was trained on."""
VAE_BATCH = 4
MEMORY_PER_WINDOW = 1_000_000_000
"""Bytes of GPU memory that a window's two samples may take on their way through the U-Net, generously."""
MOST_WINDOWS = 32
CPU_WINDOWS = 2
_ENCODED, _DENOISED = 0.05, 0.9
"""Share of the work done after each stage."""


@dataclass(frozen=True, slots=True)
class Region:
    """Latent columns ``start`` to ``stop`` with one prompt; ``seeds`` has one seed for each take."""

    start: int
    stop: int
    prompt: prompts.WeightedPrompt
    seeds: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PaintJob:
    """Pictures of one stretch: ``pixels`` is (takes, 512, 8 · columns), ``held`` (columns,); regions cover them all."""

    key: riffusion_model.ModelKey
    pixels: Pixels
    held: npt.NDArray[np.bool_]
    regions: tuple[Region, ...]
    settings: DenoiseSettings


def estimated_seconds(job: PaintJob) -> int:
    """How long ZeroGPU should lend the GPU: loading, then a twentieth of a second for each window, take and step.

    The rate is a cautious guess for one H200 slice in half precision, not a measurement.
    """
    takes, _, width = job.pixels.shape
    windows = len(window_starts(width // PIXELS_PER_COLUMN))
    steps = max(1, round(job.settings.steps * job.settings.strength))
    return 20 + round(0.05 * takes * windows * steps)


def _lent_gpu(function: Callable[[PaintJob], Iterator[float | Pixels]]) -> Callable[[PaintJob], Any]:
    """``spaces.GPU`` on a ZeroGPU Space, the function itself everywhere else (as that decorator would do)."""
    if not os.environ.get("SPACES_ZERO_GPU"):
        return function
    import spaces

    decorated: Callable[[PaintJob], Any] = spaces.GPU(duration=estimated_seconds)(function)
    return decorated


@_lent_gpu
def paint(job: PaintJob) -> Iterator[float | Pixels]:
    """Yield the fraction done, several times a step, and at last the painted pixels, shaped as the job's."""
    model = riffusion_model.shared(job.key, silent)
    pipeline = model.place()
    settings = replace(job.settings, batch=_batch(model.device))
    start = yield from _stretch(encoded(pipeline, job.pixels), 0.0, _ENCODED)
    painting = denoise(pipeline.unet, scheduler_for(pipeline), _canvas(pipeline, job, start), settings)
    latents = yield from _stretch(painting, _ENCODED, _DENOISED)
    yield (yield from _stretch(decoded(pipeline, latents), _DENOISED, 1.0))


def window_shares(regions: tuple[Region, ...], columns: int) -> npt.NDArray[np.float32]:
    """(windows, regions): how much of each region's prompt a window hears.

    A region counts by the columns that it has in the window, the middle ones most, so prompts pass over into each
    other around a boundary as the windows do.
    """
    weights = np.array(ramp(WINDOW))
    shares = [
        [weights[max(0, r.start - a) : max(0, min(WINDOW, r.stop - a))].sum() for r in regions]
        for a in window_starts(columns)
    ]
    table = np.array(shares, np.float32)
    return table / table.sum(axis=1, keepdims=True)


def noise(regions: tuple[Region, ...], takes: int, columns: int) -> npt.NDArray[np.float32]:
    """(takes, 4, 64, columns) of normal noise: each region's from its own seed, the same on every machine."""
    out = np.zeros((takes, 4, 64, columns), np.float32)
    for region in regions:
        for take in range(takes):
            generator = np.random.default_rng(region.seeds[take])
            drawn = generator.standard_normal((region.stop - region.start, 4, 64), np.float32)
            out[take, :, :, region.start : region.stop] = drawn.transpose(1, 2, 0)
    return out


def _canvas(pipeline: Any, job: PaintJob, start: torch.Tensor) -> Canvas:
    import torch

    columns = start.shape[-1]
    positive, negative = _embeddings(pipeline, job.regions)
    shares = torch.from_numpy(window_shares(job.regions, columns)).to(positive)
    return Canvas(
        start=start,
        noise=torch.from_numpy(noise(job.regions, len(start), columns)).to(start.device),
        positive=torch.einsum("wr,rtd->wtd", shares, positive),
        negative=negative,
        held=torch.from_numpy(job.held).to(start.device),
    )


def _embeddings(pipeline: Any, regions: tuple[Region, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    """(regions, tokens, width) and the unconditional (1, tokens, width); every text is encoded once."""
    import torch

    texts = sorted({text for region in regions for text, _ in region.prompt} | {prompts.NEGATIVE})
    encoded, _ = pipeline.encode_prompt(texts, pipeline.device, 1, False)
    known = dict(zip(texts, encoded, strict=True))
    mixed = [sum(share * known[text] for text, share in region.prompt) for region in regions]
    return torch.stack(mixed), known[prompts.NEGATIVE][None]


def encoded(pipeline: Any, pixels: Pixels) -> Generator[float, None, torch.Tensor]:
    """Pictures (takes, 512, pixels) → latents (takes, 4, 64, columns), float32, tile by tile, telling the progress."""
    import torch

    vae = pipeline.vae
    columns = pixels.shape[-1] // PIXELS_PER_COLUMN
    starts = window_starts(columns, VAE_STRIDE)
    latents = Overlap(columns)
    for i, a in enumerate(starts):
        tile = pixels[..., a * PIXELS_PER_COLUMN : (a + WINDOW) * PIXELS_PER_COLUMN]
        signal = torch.from_numpy(np.ascontiguousarray(tile)).to(vae.device, torch.float32) / 127.5 - 1.0
        rgb = signal[:, None].expand(-1, 3, -1, -1).to(vae.dtype)
        means = torch.cat([vae.encode(some).latent_dist.mode() for some in rgb.split(VAE_BATCH)])
        latents.add(a, means.float() * vae.config.scaling_factor)
        yield (i + 1) / len(starts)
    return latents.mean()


def decoded(pipeline: Any, latents: torch.Tensor) -> Generator[float, None, Pixels]:
    """Latents → pictures, take by take and tile by tile, so that only one is in memory as floats."""
    import torch

    vae = pipeline.vae
    takes, _, _, columns = latents.shape
    starts = window_starts(columns, VAE_STRIDE)
    pictures = np.empty((takes, 512, columns * PIXELS_PER_COLUMN), np.uint8)
    scaled = (latents / vae.config.scaling_factor).to(vae.dtype)
    for take in range(takes):
        picture = Overlap(columns * PIXELS_PER_COLUMN)
        for first in range(0, len(starts), VAE_BATCH):
            some = starts[first : first + VAE_BATCH]
            tiles = vae.decode(torch.stack([scaled[take, ..., a : a + WINDOW] for a in some])).sample
            for a, tile in zip(some, tiles.float().mean(dim=1), strict=True):
                picture.add(a * PIXELS_PER_COLUMN, tile)
            yield (take + (first + len(some)) / len(starts)) / takes
        grey = (picture.mean() * 127.5 + 127.5).clamp(0, 255).round()
        pictures[take] = grey.to(torch.uint8).cpu().numpy()
    return pictures


def _stretch(work: Generator[float, None, Result], start: float, stop: float) -> Generator[float, None, Result]:
    """Map the fractions that ``work`` yields onto ``start``..``stop`` and return what it returns."""
    while True:
        try:
            done = next(work)
        except StopIteration as end:
            result: Result = end.value
            return result
        yield start + (stop - start) * done


def _batch(device: str) -> int:
    """Windows at once: what the GPU's free memory holds."""
    import torch

    if device != "cuda":
        return CPU_WINDOWS
    free, _ = torch.cuda.mem_get_info()
    return max(1, min(MOST_WINDOWS, free // MEMORY_PER_WINDOW))
