"""One wide latent, denoised in overlapping windows whose predictions are averaged at every step.

Bar-Tal, Yariv, Lipman, Dekel: MultiDiffusion, ICML 2023 (arXiv 2302.08113), along time only, with text embeddings per
window and columns that are held. Several takes of the same stretch are one batch.
Latents are (takes, 4, 64, columns): a column is 8 pixels, 80 ms of sound.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bgm.errors import BgmError

if TYPE_CHECKING:
    import torch

WINDOW = 64
"""Latent columns that the model sees at once: 512 pixels, 5.12 s."""
STRIDE = 32
"""Columns from one window to the next: every column is seen by two."""


@dataclass(frozen=True, slots=True)
class DenoiseSettings:
    """The seed project's strength and guidance; 20 steps of DPM-Solver++ (Lu et al., 2022) in place of 50 of PNDM."""

    steps: int = 20
    strength: float = 0.75
    guidance: float = 7.0
    batch: int = 16
    """Windows that go through the U-Net at once (twice as many samples, for classifier-free guidance)."""


@dataclass(frozen=True, slots=True)
class Canvas:
    """What is to be denoised. ``start`` and ``noise`` are (takes, 4, 64, columns), in float32 whatever the model uses.

    ``positive`` is (windows, tokens, width): one text embedding for each window of :func:`window_starts`, shared by
    the takes; ``negative`` is (1, tokens, width); ``held`` is (columns,), True for columns that stay as in ``start``.
    """

    start: torch.Tensor
    noise: torch.Tensor
    positive: torch.Tensor
    negative: torch.Tensor
    held: torch.Tensor


def window_starts(columns: int, stride: int = STRIDE) -> tuple[int, ...]:
    """First columns of the windows that cover ``columns`` (at least one window wide); the last one ends at the end."""
    last = columns - WINDOW
    if last < 0:
        raise ValueError(f"a latent must be at least {WINDOW} columns wide, this one is {columns}")
    return (*range(0, last, stride), last)


def ramp(length: int) -> tuple[float, ...]:
    """Triangular weights of a window: its middle counts most, its ends least (never zero)."""
    return tuple(float(min(i + 1, length - i)) for i in range(length))


class Overlap:
    """The average of overlapping windows along the last axis, with triangular weights, gathered one by one."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._total: torch.Tensor | None = None
        self._norm: torch.Tensor | None = None

    def add(self, start: int, window: torch.Tensor) -> None:
        """Lay a window (…, length) over columns ``start`` to ``start + length``."""
        if self._total is None or self._norm is None:
            self._total = window.new_zeros((*window.shape[:-1], self._width))
            self._norm = window.new_zeros(self._width)
        stop = start + window.shape[-1]
        weights = window.new_tensor(ramp(window.shape[-1]))
        self._total[..., start:stop] += window * weights
        self._norm[start:stop] += weights

    def mean(self) -> torch.Tensor:
        """(…, width); every column must have been covered."""
        if self._total is None or self._norm is None:
            raise ValueError("there are no windows to average")
        return self._total / self._norm


def scheduler_for(pipeline: Any) -> Any:
    """A fresh DPM-Solver++ with the model's own noise schedule; schedulers remember, so each run has its own.

    Raises BgmError for a model that predicts something else than the noise.
    """
    from diffusers import DPMSolverMultistepScheduler

    config = pipeline.scheduler.config
    if config.get("prediction_type", "epsilon") != "epsilon":
        raise BgmError(f"this checkpoint predicts {config['prediction_type']}; Riffusion's kind predicts the noise")
    return DPMSolverMultistepScheduler.from_config(config, algorithm_type="dpmsolver++", use_karras_sigmas=False)


def denoise(
    unet: Any, scheduler: Any, canvas: Canvas, settings: DenoiseSettings
) -> Generator[float, None, torch.Tensor]:
    """Yield the fraction done after every batch; return the denoised latents (takes, 4, 64, columns), float32.

    Held columns are given the very noise that they carry as their prediction. The solver, which remembers its last
    outputs, then keeps them on the noised path of ``start`` and looks back on the held columns themselves; at the end
    they are ``start``, bit for bit.
    """
    import torch

    model = _Guided(unet, canvas, settings)
    timesteps = _timesteps(scheduler, settings, canvas.start.device)
    latents = scheduler.add_noise(canvas.start, canvas.noise, timesteps[:1])
    for i, timestep in enumerate(timesteps):
        scaled = scheduler.scale_model_input(latents, timestep)
        averaged = Overlap(latents.shape[-1])
        for fraction, start, prediction in model.windows(scaled, timestep):
            averaged.add(start, prediction)
            yield (i + fraction) / len(timesteps)
        noise = torch.where(canvas.held, canvas.noise, averaged.mean())
        latents = scheduler.step(noise, timestep, latents, return_dict=False)[0]
    return torch.where(canvas.held, canvas.start, latents)


def _timesteps(scheduler: Any, settings: DenoiseSettings, device: Any) -> torch.Tensor:
    """The last ``strength`` share of the schedule, counted as diffusers' img2img pipeline does."""
    if not 0.0 < settings.strength <= 1.0 or settings.steps < 1:
        raise ValueError("denoising needs a strength in (0, 1] and at least one step")
    scheduler.set_timesteps(settings.steps, device=device)
    skipped = settings.steps - max(1, int(settings.steps * settings.strength))
    scheduler.set_begin_index(skipped * scheduler.order)
    timesteps: torch.Tensor = scheduler.timesteps[skipped * scheduler.order :]
    return timesteps


@dataclass(frozen=True, slots=True)
class _Guided:
    """The U-Net with classifier-free guidance (Ho and Salimans, 2022), window by window."""

    unet: Any
    canvas: Canvas
    settings: DenoiseSettings

    def windows(self, latents: torch.Tensor, timestep: torch.Tensor) -> Iterator[tuple[float, int, torch.Tensor]]:
        """For every window and take: the fraction done, the window's first column, the prediction, float32.

        Takes are told apart by their place: a prediction is (takes, 4, 64, 64).
        """
        starts = window_starts(latents.shape[-1])
        together = max(1, self.settings.batch // len(latents))
        for first in range(0, len(starts), together):
            some = starts[first : first + together]
            predictions = self._predict([latents[..., a : a + WINDOW] for a in some], timestep, first)
            done = (first + len(some)) / len(starts)
            yield from ((done, a, p) for a, p in zip(some, predictions, strict=True))

    def _predict(self, windows: list[torch.Tensor], timestep: torch.Tensor, first: int) -> tuple[torch.Tensor, ...]:
        import torch

        takes = len(windows[0])
        positive = self.canvas.positive[first : first + len(windows)].repeat_interleave(takes, dim=0)
        text = torch.cat([self.canvas.negative.expand_as(positive), positive])
        doubled = torch.cat([*windows, *windows]).to(text.dtype)
        if doubled.is_cuda:
            doubled = doubled.contiguous(memory_format=torch.channels_last)
        output = self.unet(doubled, timestep, encoder_hidden_states=text, return_dict=False)[0]
        without, with_text = output.float().chunk(2)
        guided: torch.Tensor = without + self.settings.guidance * (with_text - without)
        return guided.split(takes)
