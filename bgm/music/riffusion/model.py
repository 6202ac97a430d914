"""The diffusion pipeline: where its weights and its LoRA come from, how they are loaded, one copy for all sessions.

Low-rank adapters (LoRA) are checked to have arrived: files of early 2023 (diffusers' ``save_attn_procs``, as
JD97/Riffusion_sentiment_LoRA) name their tensors from the U-Net down, without saying so, and today's diffusers skips
such names without a word. So they are put under ``unet.`` first.
"""

from __future__ import annotations

import json
import logging
import os
import pickle
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from bgm import weights
from bgm.device import Loaded, Shelf, pick, taken, why_no_device
from bgm.engines import EngineOptions
from bgm.errors import BadInput, EngineUnavailable
from bgm.progress import Progress, part

DEFAULT_LORA = weights.SENTIMENT_LORA
NO_LORA = "none"
BASE_SAMPLE = "base_model_sample"
"""In the metadata of the files that we train: :func:`sample_of` the U-Net that they were trained on, as JSON."""
_UNPREFIXED = ("down_blocks.", "mid_block.", "up_blocks.")


class NoWeights(BadInput):
    """A file that can be read but has no adapter in it."""


@dataclass(frozen=True, slots=True)
class LoraChoice:
    """Which adapter (hub id, file or folder; None for none) and how strongly: 1 is as it was trained."""

    source: str | None = DEFAULT_LORA
    weight: float = 1.0

    @classmethod
    def parse(cls, wanted: str | None) -> LoraChoice:
        """Parse ``HUB_ID|FILE|none``, optionally with ``@WEIGHT``; None is the default adapter."""
        if wanted is None:
            return cls()
        if wanted.lower() == NO_LORA:
            return cls(None)
        # An @ may be part of a path: a file that exists is taken as it is written.
        source, at, weight = wanted.rpartition("@")
        if Path(wanted).expanduser().exists():
            return cls(wanted)
        return cls(source, _lora_weight(weight)) if at else cls(wanted)


@dataclass(frozen=True, slots=True)
class ModelKey:
    """Everything that distinguishes loaded pipelines. Sent to ZeroGPU's worker instead of the pipeline."""

    source: str | None = None
    """Hub id or folder; None is the published checkpoint."""
    lora: LoraChoice = field(default_factory=LoraChoice)
    device: str = "auto"
    offline: bool = field(default=False, compare=False)
    """Affects whether it can be loaded, not the result."""

    @classmethod
    def of(cls, options: EngineOptions) -> ModelKey:
        return cls(options.model, LoraChoice.parse(options.lora), options.device, options.offline)


class Model(Loaded[Any]):
    """A loaded pipeline in evaluation mode; ``notes`` are sentences for the user's log."""

    instead = "--device cpu or --music embedded"

    def __init__(self, pipeline: Any, device: str, notes: tuple[str, ...]) -> None:
        super().__init__("Riffusion", pipeline, device)
        self.notes = notes

    def networks(self) -> Sequence[Any]:
        return networks(self.model)

    def move(self, device: str) -> None:
        with quiet():
            self.model.to(device)

    def is_lent(self) -> bool:
        return _zero_gpu()

    @property
    def sound_device(self) -> str:
        """Where spectrograms become sound: with the model on CUDA, unless the GPU is only lent for painting."""
        return "cuda" if self.device == "cuda" and not _zero_gpu() else "cpu"


_shelf: Shelf[Model] = Shelf(most=2)
"""Limited, because pipelines take several GB each and anybody may ask for another LoRA or weight."""
_gpu = threading.Lock()


def shared(key: ModelKey, progress: Progress) -> Model:
    """The one model of this key, loaded at the first call. Raises BadInput or EngineUnavailable when it can't be."""
    return _shelf.get(key, partial(_load, key, progress), partial(progress, 0.0, "waiting for the model"))


def gpu_turn(progress: Progress) -> AbstractContextManager[None]:
    """One job at a time on the accelerator."""
    return taken(_gpu, partial(progress, 0.0, "waiting for the GPU"))


def why_missing(key: ModelKey) -> str | None:
    """Why the weights or the device can't be used here, or None."""
    no_device = why_no_device(key.device)
    if no_device:
        return no_device
    return weights.why_no_model("riffusion", key.source, offline=key.offline)


def is_folder(key: ModelKey) -> bool:
    """Whether the user points to weights on this machine."""
    return key.source is not None and Path(key.source).expanduser().is_dir()


def has_accelerator() -> bool:
    """CUDA, Apple's Metal, or a ZeroGPU Space, which lends CUDA only while it works."""
    return _zero_gpu() or pick("auto") != "cpu"


def _zero_gpu() -> bool:
    return bool(os.environ.get("SPACES_ZERO_GPU"))


def _load(key: ModelKey, progress: Progress) -> Model:
    progress(0.0, "looking for Riffusion's weights")
    card = weights.card_for("riffusion", key.source)
    folder = weights.provide(card, offline=key.offline, progress=part(progress, 0.0, 0.6))
    file, note = locate_lora(key.lora, key.offline, part(progress, 0.6, 0.7))
    progress(0.7, "loading Riffusion")
    notes = [note] if note else []
    with quiet():
        pipeline = _pipeline(folder)
        notes += [_adapt(pipeline, file, key.lora)] if file else []
    place = "cuda" if _zero_gpu() else pick(key.device)
    with quiet():
        freeze(pipeline, place, compiled=_wants_compiling(place))
    progress(1.0, "Riffusion is loaded")
    return Model(pipeline, place, tuple(notes))


def _wants_compiling(place: str) -> bool:
    """Whether the operator asked for torch.compile (BGM_COMPILE). For CUDA only; ZeroGPU doesn't support it."""
    if place != "cuda" or _zero_gpu():
        return False
    from bgm import environment

    return environment.read().compile


def _adapt(pipeline: Any, file: Path, choice: LoraChoice) -> str:
    """Load the adapter; returns a note for the user."""
    other = other_base(pipeline, file)
    try:
        count = apply_lora(pipeline, file, choice.weight)
    except NoWeights as error:
        # The hub lists the published file with 521 bytes, which is room for no weights at all: nobody's fault here.
        if choice.source != DEFAULT_LORA:
            raise
        return f"the LoRA {choice.source} is empty ({error}): the plain checkpoint is used"
    return f"LoRA {choice.source}: {count} tensors, weight {choice.weight:g}" + (f"; {other}" if other else "")


def _pipeline(folder: Path) -> Any:
    """riffusion-model-v1 is in the layout of diffusers 0.9: weights as .bin (read with weights_only by the libraries),
    a safety checker and a feature extractor of kinds that are gone, which a spectrogram has no use for.
    """
    from diffusers import StableDiffusionImg2ImgPipeline

    try:
        pipeline = StableDiffusionImg2ImgPipeline.from_pretrained(
            str(folder), safety_checker=None, feature_extractor=None, requires_safety_checker=False
        )
    except (OSError, ValueError, KeyError, RuntimeError, TypeError) as error:
        raise BadInput(f"the checkpoint in {folder} can't be loaded: {str(error).splitlines()[0]}") from error
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the libraries' bars, and remarks about old layouts and long prompts, off the user's screen.

    Errors too: diffusers logs one for each network of a checkpoint that is stored as .bin, then loads it. What really
    fails is raised.
    """
    from diffusers.utils import logging as diffusers_log
    from transformers.utils import logging as transformers_log

    libraries = (diffusers_log, transformers_log)
    levels = [library.get_verbosity() for library in libraries]
    for library in libraries:
        library.set_verbosity(logging.CRITICAL)
        library.disable_progress_bar()
    try:
        yield
    finally:
        for library, level in zip(libraries, levels, strict=True):
            library.set_verbosity(level)
            library.enable_progress_bar()


def freeze(pipeline: Any, device: str, *, compiled: bool = False) -> None:
    """No gradients, half precision on CUDA, channels last, which its convolutions prefer; attention is torch's SDPA.

    torch.compile finds out by itself that the batch size varies; with a fixed one it would compile each size anew.
    """
    import torch

    if device == "cuda":
        pipeline.to(torch.float16)
    for network in networks(pipeline):
        network.requires_grad_(False).eval()
    for network in (pipeline.unet, pipeline.vae):
        network.to(memory_format=torch.channels_last)
    if compiled:
        pipeline.unet.compile()


def networks(pipeline: Any) -> tuple[Any, ...]:
    """The modules that have weights."""
    return pipeline.unet, pipeline.vae, pipeline.text_encoder


def locate_lora(choice: LoraChoice, offline: bool, progress: Progress) -> tuple[Path | None, str | None]:
    """The adapter's file, or None and a sentence that says why the plain checkpoint is used.

    Raises BadInput for a file or folder that isn't there: only what should come from the hub may be done without.
    """
    if choice.source is None:
        return None, None
    card = weights.card_for("riffusion-lora", choice.source)
    if Path(choice.source).expanduser().exists():
        return weights.provide(card), None
    try:
        return weights.provide(card, offline=offline, progress=progress), None
    except EngineUnavailable as error:
        return None, f"the LoRA {choice.source}: {error}; the plain checkpoint is used"


def apply_lora(pipeline: Any, file: Path, weight: float = 1.0) -> int:
    """Load the adapter into ``pipeline``, fuse it with the weights, and return how many tensors it had.

    Raises NoWeights if the file has none, and BadInput if it is damaged or not all of it fits.
    """
    tensors = read_lora(file)
    expected = sum("lora" in name and not name.endswith(".alpha") for name in tensors)
    if not expected:
        raise NoWeights(f"{file.name} holds no LoRA weights")
    try:
        _load_lora(pipeline, file, tensors)
    except (ValueError, RuntimeError, KeyError, TypeError) as error:
        raise BadInput(f"the LoRA {file.name} doesn't fit this model: {_first_line(error)}") from error
    # diffusers skips what it can't place and only logs it: tensors are counted before and after.
    arrived = count_arrived(pipeline)
    if arrived != expected:
        raise BadInput(f"the LoRA {file.name} doesn't fit this model: {arrived} of its {expected} tensors arrived")
    # Fused: an adapter beside the weights would cost at every step.
    pipeline.fuse_lora(lora_scale=weight)
    pipeline.unload_lora_weights()
    return expected


def sample_of(unet: Any) -> list[float]:
    """A few weights of each attention, to identify a network; half precision changes them by less than a hundredth."""
    # The projections of self-attention: every network of this kind has them, and training an adapter leaves them be.
    queries = sorted((name, weight) for name, weight in unet.named_parameters() if name.endswith("attn1.to_q.weight"))
    return [
        round(value, 6)
        for _, weight in queries
        for value in weight.detach().flatten()[:4].float().nan_to_num().tolist()
    ]


def other_base(pipeline: Any, file: Path) -> str | None:
    """A warning if the file was trained on another network of the same shapes, as far as its metadata tells."""
    import numpy as np
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, "pt") as opened:
            told = opened.metadata() or {}
        trained = np.array(json.loads(told[BASE_SAMPLE]), float)
    except (SafetensorError, OSError, ValueError, TypeError, KeyError):
        return None
    here = np.array(sample_of(pipeline.unet))
    if here.shape == trained.shape and np.allclose(here, trained, rtol=0.01, atol=0.01 * float(np.abs(trained).mean())):
        return None
    return f"it was trained for another model ({told.get('base_model', 'unnamed')}) and may do little or harm here"


def count_arrived(pipeline: Any) -> int:
    """LoRA tensors in the pipeline's networks."""
    networks = (pipeline.unet, pipeline.text_encoder)
    return sum("lora_" in name for network in networks for name, _ in network.named_parameters())


def read_lora(file: Path) -> dict[str, Any]:
    """Name → tensor; nothing in the file is run. Raises BadInput for a damaged file."""
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if file.suffix == ".safetensors":
            return dict(load_file(file))
        loaded = torch.load(file, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, OSError) as error:
        raise BadInput(f"the LoRA {file.name} can't be read: {_first_line(error)}") from error
    if not isinstance(loaded, dict) or not all(isinstance(name, str) for name in loaded):
        raise BadInput(f"{file.name} holds no LoRA weights")
    return loaded


def with_prefix(tensors: dict[str, Any]) -> dict[str, Any]:
    """Put names of the 2023 format under ``unet.``; others stay."""
    return {f"unet.{name}" if name.startswith(_UNPREFIXED) else name: tensor for name, tensor in tensors.items()}


def _load_lora(pipeline: Any, file: Path, tensors: dict[str, Any]) -> None:
    """A file with its names in order is read by diffusers itself, which then sees the alphas in its metadata too."""
    if any(name.startswith(_UNPREFIXED) for name in tensors):
        pipeline.load_lora_weights(with_prefix(tensors))
    else:
        pipeline.load_lora_weights(str(file.parent), weight_name=file.name)


def _lora_weight(text: str) -> float:
    try:
        weight = float(text)
    except ValueError as error:
        raise BadInput(f"a LoRA's weight is a number such as 0.8, not {text!r}") from error
    if not -4.0 <= weight <= 4.0:
        raise BadInput("a LoRA's weight must be between -4 and 4")
    return weight


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
