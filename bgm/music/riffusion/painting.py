"""Spectrogram pictures in, painted pictures out: by this process or, where the operator gave one, by a GPU elsewhere.

``painted`` is the one function that needs a GPU. It takes and gives plain values, so that on a ZeroGPU Space it can run
in the worker process that is lent the GPU; it is a generator of progress, so that whoever listens can stop it between
two batches.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from bgm.device import free_gpu_bytes
from bgm.errors import BgmError
from bgm.music.riffusion import prompts
from bgm.music.riffusion.model import ModelKey, gpu_turn, quiet, shared
from bgm.music.riffusion.multidiffusion import (
    WINDOW,
    Batches,
    Canvas,
    DenoiseSettings,
    Overlap,
    denoise,
    ramp,
    scheduler_for,
    window_starts,
)
from bgm.music.riffusion.spectrogram import ROWS, Pixels
from bgm.progress import Progress, silent

if TYPE_CHECKING:
    import torch

Result = TypeVar("Result")

PIXELS_PER_COLUMN = 8
"""Frames of 10 ms under one column of the latent."""
VAE_STRIDE = 48
"""Columns from one tile of the autoencoder to the next; tiles are as wide as the pictures it was trained on."""
VAE_BATCH = 4
WINDOW_BYTES = 137_000_000
"""What the U-Net of SD 1.5 holds at its peak for one window (two samples of 64 × 64) beside its weights, in half
precision: 136.6 MB. Counted on a CPU by torch's memory tracker with fake tensors, not measured on a GPU
(``python -m benchmarks.riffusion --count``, which also gives the operations below)."""
HEADROOM = 2
"""For what the count leaves out: cuDNN's workspaces, the allocator's gaps. If it isn't enough, batches are halved."""
MOST_WINDOWS = 32
CPU_WINDOWS = 2
_ENCODED, _DENOISED = 0.05, 0.9
"""Share of the work done after each stage."""

WINDOW_TFLOP, TILE_TFLOP = 1.354, 1.082 + 2.480
"""Floating-point operations, in 10¹², of the U-Net for one window and step, and of the autoencoder for one tile (in and
out), as torch's FlopCounterMode counts them."""
CARD_TFLOPS = 312.0
"""An NVIDIA A100's dense half-precision peak by its data sheet: the slowest card that ZeroGPU has lent so far. A window
and step can't take less than 1.354 / 312 s, 4.3 ms, on it."""
SHARE_OF_PEAK = 0.15
"""How much of the peak is reached: an assumption on the safe side, to be replaced by a measurement."""
LOADING_S = 20
"""Until the weights are on the lent card: assumed too."""


@dataclass(frozen=True, slots=True)
class Region:
    """Latent columns ``start`` to ``stop`` with one prompt; ``seeds`` has one seed for each take."""

    start: int
    stop: int
    prompt: prompts.WeightedPrompt
    seeds: tuple[int, ...]
    negative: str = ""
    """The negative prompt; the model was trained with an empty one."""


@dataclass(frozen=True, slots=True)
class PaintJob:
    """Pictures of one stretch: ``pixels`` is (takes, 512, 8 · columns), ``held`` (columns,); regions cover them all."""

    key: ModelKey
    pixels: Pixels
    held: npt.NDArray[np.bool_]
    regions: tuple[Region, ...]
    settings: DenoiseSettings


def estimated_seconds(job: PaintJob) -> int:
    """How long ZeroGPU should lend the GPU: loading, then the operations at a share of a slow card's published peak.

    An estimate from counted operations; nothing was measured on ZeroGPU.
    """
    takes, _, width = job.pixels.shape
    columns = width // PIXELS_PER_COLUMN
    steps = max(1, int(job.settings.steps * job.settings.strength))
    tflop = WINDOW_TFLOP * steps * len(window_starts(columns)) + TILE_TFLOP * len(window_starts(columns, VAE_STRIDE))
    return LOADING_S + math.ceil(takes * tflop / (CARD_TFLOPS * SHARE_OF_PEAK))


def _lent_gpu(function: Callable[[PaintJob], Iterator[float | Pixels]]) -> Callable[[PaintJob], Any]:
    """``spaces.GPU`` on a ZeroGPU Space, the function itself everywhere else (as that decorator would do)."""
    if not os.environ.get("SPACES_ZERO_GPU"):
        return function
    import spaces

    decorated: Callable[[PaintJob], Any] = spaces.GPU(duration=estimated_seconds)(function)
    return decorated


@_lent_gpu
def painted(job: PaintJob) -> Iterator[float | Pixels]:
    """Yield the fraction done, several times a step, and at last the painted pixels, shaped as the job's."""
    import torch

    model = shared(job.key, silent)
    with model.at_work() as pipeline:
        # 1. The picture of the sketch becomes a latent, tile by tile.
        start = yield from _stretch(encoded(pipeline, job.pixels), 0.0, _ENCODED)
        # 2. Each window gets the prompts of the regions that it shows; each region has its own noise.
        positive, negative = _embeddings(pipeline, job.regions)
        shares = torch.from_numpy(window_shares(job.regions, start.shape[-1])).to(positive)
        canvas = Canvas(
            start=start,
            noise=torch.from_numpy(noise(job.regions, len(start), start.shape[-1])).to(start.device),
            positive=torch.einsum("wr,rtd->wtd", shares, positive),
            negative=negative if len(negative) == 1 else torch.einsum("wr,rtd->wtd", shares, negative),
            held=torch.from_numpy(job.held).to(start.device),
        )
        # 3. Overlapping windows are denoised together; what is held stays as it was.
        settings = replace(job.settings, batch=_batch(model.device))
        painting = denoise(pipeline.unet, scheduler_for(pipeline), canvas, settings)
        latents = yield from _stretch(painting, _ENCODED, _DENOISED)
        # 4. The latent becomes a picture again.
        yield (yield from _stretch(decoded(pipeline, latents), _DENOISED, 1.0))


def window_shares(regions: tuple[Region, ...], columns: int) -> npt.NDArray[np.float32]:
    """(windows, regions): the share of each region's prompt in a window.

    A region counts by its columns in the window, the middle ones most, so prompts blend around a boundary.
    """
    weights = np.array(ramp(WINDOW))
    shares = [
        [weights[max(0, r.start - a) : max(0, min(WINDOW, r.stop - a))].sum() for r in regions]
        for a in window_starts(columns)
    ]
    table = np.array(shares, np.float32)
    return table / table.sum(axis=1, keepdims=True)


def noise(regions: tuple[Region, ...], takes: int, columns: int) -> npt.NDArray[np.float32]:
    """(takes, 4, 64, columns) of normal noise, for each region from its own seed, the same on every machine."""
    out = np.zeros((takes, 4, 64, columns), np.float32)
    for region in regions:
        for take in range(takes):
            # numpy's and not torch's: that differs between CPU and GPU for the same seed.
            generator = np.random.default_rng(region.seeds[take])
            # Column by column, so that a longer region begins with the noise of a shorter one.
            drawn = generator.standard_normal((region.stop - region.start, 4, 64), np.float32)
            out[take, :, :, region.start : region.stop] = drawn.transpose(1, 2, 0)
    return out


def _embeddings(pipeline: Any, regions: tuple[Region, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    """Positive embeddings (regions, tokens, width), and negative ones: the same, or (1, tokens, width) for all regions.

    Every text is encoded once. CLIP reads 77 tokens: of a longer prompt the creator's words, which come first, count.
    """
    import torch

    negatives = [region.negative for region in regions]
    texts = sorted({text for region in regions for text, _ in region.prompt} | set(negatives))
    with quiet():
        encoded, _ = pipeline.encode_prompt(texts, pipeline.device, 1, False)
    known = dict(zip(texts, encoded, strict=True))
    # Embeddings are mixed, not prompts: shares count, which words for them would not.
    mixed = [sum(share * known[text] for text, share in region.prompt) for region in regions]
    refused = negatives[:1] if len(set(negatives)) == 1 else negatives
    return torch.stack(mixed), torch.stack([known[text] for text in refused])


def encoded(pipeline: Any, pixels: Pixels) -> Generator[float, None, torch.Tensor]:
    """Pictures (takes, 512, pixels) → latents (takes, 4, 64, columns), float32, tile by tile, telling the progress."""
    import torch

    columns = pixels.shape[-1] // PIXELS_PER_COLUMN
    starts = window_starts(columns, VAE_STRIDE)
    latents = Overlap(columns)
    batches = Batches(VAE_BATCH)
    for i, start in enumerate(starts):
        tile = pixels[..., start * PIXELS_PER_COLUMN : (start + WINDOW) * PIXELS_PER_COLUMN]
        means = [mean for _, mean in batches.of(list(tile), partial(_encode, pipeline.vae))]
        latents.add(start, torch.cat(means))
        yield (i + 1) / len(starts)
    return latents.mean()


def decoded(pipeline: Any, latents: torch.Tensor) -> Generator[float, None, Pixels]:
    """Latents → pictures, take by take and tile by tile, so that only one is in memory as floats."""
    takes, _, _, columns = latents.shape
    starts = window_starts(columns, VAE_STRIDE)
    pictures = np.empty((takes, ROWS, columns * PIXELS_PER_COLUMN), np.uint8)
    batches = Batches(VAE_BATCH)
    for take in range(takes):
        picture = Overlap(columns * PIXELS_PER_COLUMN)
        done = 0
        for some, tiles in batches.of(starts, partial(_decode, pipeline.vae, latents[take])):
            for start, tile in zip(some, tiles, strict=True):
                picture.add(start * PIXELS_PER_COLUMN, tile)
            done += len(some)
            yield (take + done / len(starts)) / takes
        pictures[take] = _grey(picture.mean())
    return pictures


def _encode(vae: Any, tiles: Sequence[Pixels]) -> torch.Tensor:
    """Tiles (512, 512) → the means of their latents (n, 4, 64, 64), float32."""
    import torch

    signal = torch.from_numpy(np.stack(tiles)).to(vae.device, torch.float32) / 127.5 - 1.0
    rgb = signal[:, None].expand(-1, 3, -1, -1).to(vae.dtype)
    # The mode, not a sample: the same picture gives the same latent.
    means: torch.Tensor = vae.encode(rgb).latent_dist.mode().float()
    return means * vae.config.scaling_factor


def _decode(vae: Any, latents: torch.Tensor, starts: Sequence[int]) -> torch.Tensor:
    """The tiles of (4, 64, columns) that begin at ``starts``, as grey signals (n, 512, 512), float32, -1..1."""
    import torch

    tiles = torch.stack([latents[..., start : start + WINDOW] for start in starts]) / vae.config.scaling_factor
    signal: torch.Tensor = vae.decode(tiles.to(vae.dtype)).sample.float().mean(dim=1)
    return signal


def _grey(signal: torch.Tensor) -> Pixels:
    """-1..1 → 0..255."""
    import torch

    pixels: Pixels = (signal * 127.5 + 127.5).clamp(0, 255).round().to(torch.uint8).cpu().numpy()
    return pixels


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
    """Windows at once: what the GPU's free memory holds by count, at least one."""
    if device != "cuda":
        return CPU_WINDOWS
    return max(1, min(MOST_WINDOWS, free_gpu_bytes() // (HEADROOM * WINDOW_BYTES)))


ELSEWHERE_SOUND = "cpu"
"""Where pictures become sound if the GPU is remote."""


class Painter(Protocol):
    """A remote GPU. Both calls report progress, and stop the remote work if that raises."""

    def ready(self, key: ModelKey, progress: Progress) -> tuple[str, ...]:
        """Load the model; sentences for the log. Raises BgmError, in one sentence, when it can't be."""

    def paint(self, job: PaintJob, progress: Progress) -> Pixels:
        """The painted pixels, shaped as the job's. Raises BgmError, in one sentence, if the painter is lost."""


_employed: list[Painter] = []
"""At most one. It is the operator's choice for the whole process and holds no user's data."""


def employ(painter: Painter | None) -> None:
    """Let ``painter`` paint for this process from now on; None: this process itself."""
    _employed[:] = [painter] if painter else []


def is_elsewhere() -> bool:
    """Whether a remote GPU paints."""
    return bool(_employed)


def ready(key: ModelKey, progress: Progress) -> tuple[tuple[str, ...], str]:
    """Load the model where it is needed: its notes for the log, and the device on which pictures become sound."""
    if _employed:
        progress(0.0, "waiting for the painter")
        return _employed[0].ready(key, progress), ELSEWHERE_SOUND
    model = shared(key, progress)
    return model.notes, model.sound_device


def paint(job: PaintJob, progress: Progress) -> Pixels:
    """Paint, here or remotely; an exception from ``progress`` stops it."""
    return _employed[0].paint(job, progress) if _employed else here(job, progress)


def here(job: PaintJob, progress: Progress) -> Pixels:
    """Wait for this process' GPU and paint."""
    with gpu_turn(progress):
        for result in painted(job):
            if not isinstance(result, float):
                return np.asarray(result)
            # An exception here closes the generator, so the GPU is free after the current batch.
            progress(result, "painting the music")
    raise BgmError("the GPU's time ran out before the music was painted")
