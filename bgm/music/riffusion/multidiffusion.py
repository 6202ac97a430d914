"""One wide latent, denoised in overlapping windows whose predictions are averaged at every step.

Bar-Tal, Yariv, Lipman, Dekel: MultiDiffusion, ICML 2023 (arXiv 2302.08113), along time only, with text embeddings per
window and columns that are held. Several takes of the same stretch are one batch.
Latents are (takes, 4, 64, columns): a column is 8 pixels, 80 ms of sound.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from bgm.errors import BgmError

if TYPE_CHECKING:
    import torch

TOO_SMALL = (
    "the GPU has too little free memory even for one window of the music: "
    "close what else uses it, or choose --device cpu or --music embedded"
)

Item = TypeVar("Item")
Result = TypeVar("Result")
log = logging.getLogger(__name__)

WINDOW = 64
"""Latent columns that the model sees at once: 512 pixels, 5.12 s."""
STRIDE = 32
"""Columns from one window to the next: every column is seen by two."""
REACH = 8
"""Columns beyond the edge of a held stretch, 0.64 s, that are corrected by the model's error inside it."""


@dataclass(frozen=True, slots=True)
class DenoiseSettings:
    """The seed project's strength and guidance; 20 steps of DPM-Solver++ (Lu et al., 2022) instead of 50 of PNDM."""

    steps: int = 20
    strength: float = 0.75
    guidance: float = 7.0
    batch: int = 16
    """Windows, counted for every take, that go through the U-Net at once (twice as many samples, for guidance)."""


@dataclass(frozen=True, slots=True)
class Canvas:
    """The input of denoising. ``start`` and ``noise`` are (takes, 4, 64, columns), in float32 whatever the model uses.

    ``positive`` is (windows, tokens, width): one text embedding for each window of :func:`window_starts`, shared by
    the takes; ``negative`` is the same, or (1, tokens, width) for all windows; ``held`` is (columns,), True for columns
    that stay as in ``start``.
    """

    start: torch.Tensor
    noise: torch.Tensor
    positive: torch.Tensor
    negative: torch.Tensor
    held: torch.Tensor


class Batches:
    """``size`` items at once, halved for the rest of the work whenever CUDA runs out of memory.

    An item's result must not depend on the others in its batch, so that it is the same whatever fits.
    """

    def __init__(self, size: int) -> None:
        self.size = max(1, size)

    def of(
        self, items: Sequence[Item], compute: Callable[[Sequence[Item]], Result]
    ) -> Iterator[tuple[Sequence[Item], Result]]:
        """Apply ``compute`` to all items in order: each batch with its result. Raises BgmError if not even one fits."""
        first = 0
        while first < len(items):
            some = items[first : first + self.size]
            results = self._attempt(some, compute)
            for result in results:
                yield some, result
            first += len(some) * len(results)

    def _attempt(self, some: Sequence[Item], compute: Callable[[Sequence[Item]], Result]) -> list[Result]:
        """The result, or none if it didn't fit and a smaller batch has to be tried."""
        import torch

        try:
            return [compute(some)]
        except torch.OutOfMemoryError as error:
            if len(some) == 1:
                raise BgmError(TOO_SMALL) from error
        # Only here, past the handler, is the traceback gone that kept the failed batch's tensors alive.
        self.size = len(some) // 2
        log.info("riffusion: the GPU is short of memory, going on with batches of %d", self.size)
        torch.cuda.empty_cache()
        return []


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
        """Add a window (…, length) at columns ``start`` to ``start + length``."""
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


@dataclass(frozen=True, slots=True)
class Carry:
    """The model's error in held columns, mirrored across their edge and faded out beyond it.

    Without it the error is on both sides of the edge; the held side is then corrected, the free one isn't, and a step
    remains. (Replacing the known part alone is known not to harmonise: Lugmayr et al., RePaint, 2022.)
    Index tensors (n,): free columns, the held ones that they mirror, and how much counts.
    """

    free: torch.Tensor
    mirrored: torch.Tensor
    share: torch.Tensor

    @classmethod
    def across(cls, held: torch.Tensor) -> Carry:
        """Over all edges of ``held`` (columns,), as far as REACH and as both sides go."""
        import torch

        is_held = held.tolist()
        found: list[tuple[int, int, float]] = []
        # For each edge outwards, column by column, as long as one side is held and the other free.
        for edge in (i for i in range(1, len(is_held)) if is_held[i - 1] != is_held[i]):
            for k in range(min(REACH, edge, len(is_held) - edge)):
                before, after = edge - 1 - k, edge + k
                inside, beside = (before, after) if is_held[edge - 1] else (after, before)
                if not is_held[inside] or is_held[beside]:
                    break
                found.append((beside, inside, 0.5 + 0.5 * math.cos(math.pi * k / REACH)))
        free, mirrored = (torch.tensor([pair[side] for pair in found], dtype=torch.long) for side in (0, 1))
        share = torch.tensor([pair[2] for pair in found])
        return cls(*(tensor.to(held.device) for tensor in (free, mirrored, share)))

    def correct(self, predicted: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """The predicted noise (…, columns), corrected by the true one where that is known."""
        error = (noise - predicted)[..., self.mirrored]
        return predicted.index_add(-1, self.free, error * self.share)


def scheduler_for(pipeline: Any) -> Any:
    """A fresh DPM-Solver++ with the model's own noise schedule; schedulers remember, so each run has its own.

    Raises BgmError for a model that predicts something other than the noise.
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
    they are ``start``, bit for bit. How wrong the model was about them is known, and :class:`Carry` tells it to the
    columns beside them.
    """
    import torch

    # 1. The model and what is known before the first step.
    model = _Guided(unet, canvas, settings, Batches(settings.batch))
    carry = Carry.across(canvas.held)
    timesteps = _timesteps(scheduler, settings, canvas.start.device)
    # 2. The sketch, noised as far as the first step's level: img2img.
    latents = scheduler.add_noise(canvas.start, canvas.noise, timesteps[:1])
    for i, timestep in enumerate(timesteps):
        scaled = scheduler.scale_model_input(latents, timestep)
        # 3. Each window predicts the noise on its own; where windows overlap, the predictions are averaged (the paper's
        #    closed form, with triangular weights).
        averaged = Overlap(latents.shape[-1])
        for fraction, predicted in model.windows(scaled, timestep):
            for start, prediction in predicted:
                averaged.add(start, prediction)
            yield (i + fraction) / len(timesteps)
        # 4. Held columns know the true noise, and tell their neighbours how far the model was off.
        noise = carry.correct(averaged.mean(), canvas.noise)
        noise = torch.where(canvas.held, canvas.noise, noise)
        latents = scheduler.step(noise, timestep, latents, return_dict=False)[0]
    return torch.where(canvas.held, canvas.start, latents)


def _timesteps(scheduler: Any, settings: DenoiseSettings, device: Any) -> torch.Tensor:
    """The last ``strength`` share of the schedule, counted as diffusers' img2img pipeline does."""
    if not 0.0 < settings.strength <= 1.0 or settings.steps < 1:
        raise ValueError("denoising needs a strength in (0, 1] and at least one step")
    scheduler.set_timesteps(settings.steps, device=device)
    skipped = settings.steps - max(1, int(settings.steps * settings.strength))
    # Without it the solver would look for its place by the timestep's value, which may occur twice.
    scheduler.set_begin_index(skipped * scheduler.order)
    timesteps: torch.Tensor = scheduler.timesteps[skipped * scheduler.order :]
    return timesteps


_Unit = tuple[int, int]
"""A window, by its number, of a take."""


@dataclass(frozen=True, slots=True)
class _Guided:
    """The U-Net with classifier-free guidance (Ho and Salimans, 2022), window by window."""

    unet: Any
    canvas: Canvas
    settings: DenoiseSettings
    batches: Batches

    def windows(
        self, latents: torch.Tensor, timestep: torch.Tensor
    ) -> Iterator[tuple[float, list[tuple[int, torch.Tensor]]]]:
        """After every batch the fraction done, and of each window that is now predicted for all takes its first column
        and the prediction, (takes, 4, 64, 64), float32.
        """
        import torch

        starts, takes = window_starts(latents.shape[-1]), len(latents)
        units = [(number, take) for number in range(len(starts)) for take in range(takes)]
        waiting: list[torch.Tensor] = []
        done = 0
        for some, predictions in self.batches.of(units, partial(self._predict, latents, starts, timestep)):
            waiting += predictions
            done += len(some)
            whole = len(waiting) // takes
            first = (done - len(waiting)) // takes
            stacked = [torch.stack(waiting[i * takes : (i + 1) * takes]) for i in range(whole)]
            waiting = waiting[whole * takes :]
            yield done / len(units), list(zip(starts[first:], stacked, strict=False))

    def _predict(
        self, latents: torch.Tensor, starts: tuple[int, ...], timestep: torch.Tensor, units: Sequence[_Unit]
    ) -> tuple[torch.Tensor, ...]:
        """The noise in each unit, (4, 64, 64), float32."""
        import torch

        windows = torch.stack([latents[take, ..., starts[n] : starts[n] + WINDOW] for n, take in units])
        numbers = [n for n, _ in units]
        positive = self.canvas.positive[numbers]
        negative = self.canvas.negative[numbers] if len(self.canvas.negative) > 1 else self.canvas.negative
        # With and without the prompt in one batch: the U-Net is called once, and both see the same noise.
        text = torch.cat([negative.expand_as(positive), positive])
        doubled = torch.cat([windows, windows]).to(text.dtype)
        if doubled.is_cuda:
            doubled = doubled.contiguous(memory_format=torch.channels_last)
        output = self.unet(doubled, timestep, encoder_hidden_states=text, return_dict=False)[0]
        without, with_text = output.float().chunk(2)
        guided: torch.Tensor = without + self.settings.guidance * (with_text - without)
        return guided.unbind()
