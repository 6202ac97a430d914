"""The diffusion pipeline: where its weights come from, how it is loaded, one copy of it for all sessions."""

from __future__ import annotations

import logging
import os
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
from bgm.errors import BadInput
from bgm.music.riffusion import lora
from bgm.progress import Progress, part


@dataclass(frozen=True, slots=True)
class ModelKey:
    """All that makes one loaded pipeline differ from another. Travels to ZeroGPU's worker in place of the pipeline."""

    source: str | None = None
    """Hub id or folder; None is the published checkpoint."""
    lora: lora.LoraChoice = field(default_factory=lora.LoraChoice)
    device: str = "auto"
    offline: bool = field(default=False, compare=False)
    """Decides whether it can be loaded, not what it is then."""

    @classmethod
    def of(cls, options: EngineOptions) -> ModelKey:
        return cls(options.model, lora.LoraChoice.parse(options.lora), options.device, options.offline)


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
        """Where spectrograms become sound: beside the model on CUDA, unless the GPU is only lent for painting."""
        return "cuda" if self.device == "cuda" and not _zero_gpu() else "cpu"


_shelf: Shelf[Model] = Shelf(most=2)
"""Pipelines of several GB each: anybody may ask for another LoRA or weight."""
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
    file, note = lora.locate(key.lora, key.offline, part(progress, 0.6, 0.7))
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


def _adapt(pipeline: Any, file: Path, choice: lora.LoraChoice) -> str:
    """Load the adapter; what to tell the user of it."""
    other = lora.other_base(pipeline, file)
    try:
        count = lora.apply(pipeline, file, choice.weight)
    except lora.NoWeights as error:
        # The hub lists the published file with 521 bytes, which is room for no weights at all: nobody's fault here.
        if choice.source != lora.DEFAULT:
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
    """No gradients, half precision for CUDA, channels last, which its convolutions prefer; attention is torch's SDPA.

    Compiling is left to find out by itself that the batch's size varies: a fixed one would be compiled each time anew.
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
    """What has weights."""
    return pipeline.unet, pipeline.vae, pipeline.text_encoder
