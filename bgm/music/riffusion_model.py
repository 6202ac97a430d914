"""The diffusion pipeline: where its weights come from, how it is loaded, one copy of it for all sessions."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bgm import hub
from bgm.device import gpu, pick, weight_bytes, why_no_device
from bgm.engines import EngineOptions
from bgm.errors import BadInput, BgmError
from bgm.music import lora
from bgm.progress import Progress, part

DEFAULT = "riffusion/riffusion-model-v1"
_CONFIGS = ("model_index.json", "scheduler/*.json", "tokenizer/*", "text_encoder/*.json", "unet/*.json", "vae/*.json")
FILES: tuple[hub.FileChoice, ...] = (
    "model_index.json",
    ("text_encoder/model.safetensors", "text_encoder/pytorch_model.bin"),
    ("unet/diffusion_pytorch_model.safetensors", "unet/diffusion_pytorch_model.bin"),
    ("vae/diffusion_pytorch_model.safetensors", "vae/diffusion_pytorch_model.bin"),
    "tokenizer/vocab.json",
    "tokenizer/merges.txt",
)
"""What decides whether a repository's weights are all here; riffusion-model-v1 has the second of each pair."""

MOST_LOADED = 2
"""Pipelines in memory at once, each of several GB: anybody may ask for another LoRA or weight."""
_NO_ROOM = (
    "the GPU has too little free memory for Riffusion, whose weights take {:.1f} GB: "
    "close what else uses it, or choose --device cpu or --music embedded"
)


@dataclass(frozen=True, slots=True)
class ModelKey:
    """All that makes one loaded pipeline differ from another. Travels to ZeroGPU's worker in place of the pipeline."""

    source: str = DEFAULT
    lora: lora.LoraChoice = field(default_factory=lora.LoraChoice)
    device: str = "auto"
    offline: bool = field(default=False, compare=False)
    """Decides whether it can be loaded, not what it is then."""

    @classmethod
    def of(cls, options: EngineOptions) -> ModelKey:
        source = options.model or DEFAULT
        return cls(source, lora.LoraChoice.parse(options.lora), options.device, options.offline)


@dataclass(slots=True)
class Model:
    """A loaded pipeline in evaluation mode; ``notes`` are sentences for the user's log."""

    pipeline: Any
    device: str
    notes: tuple[str, ...]
    _placed: str = field(default="cpu", init=False)
    _busy: threading.Lock = field(default_factory=threading.Lock, init=False)

    @contextmanager
    def at_work(self) -> Iterator[Any]:
        """The pipeline on its device, where it stays meanwhile. Raises BgmError where the GPU has no room for it."""
        with self._busy:
            self._place()
            yield self.pipeline

    def leave(self) -> bool:
        """Make room on the GPU for another model, unless this one is at work; :meth:`at_work` comes back."""
        if not self._busy.acquire(blocking=False):
            return False
        try:
            self._move("cpu")
        finally:
            self._busy.release()
        return True

    def _place(self) -> None:
        import torch

        if self._placed == self.device:
            return
        size = sum(map(weight_bytes, networks(self.pipeline)))
        if self.device == "cuda" and not _zero_gpu():
            gpu.settle(self, size)
        try:
            self._move(self.device)
        except torch.OutOfMemoryError as error:
            self._move("cpu")
            raise BgmError(_NO_ROOM.format(size / 1e9)) from error

    def _move(self, device: str) -> None:
        import torch

        with quiet():
            self.pipeline.to(device)
        self._placed = device
        if device == "cpu":
            torch.cuda.empty_cache()

    @property
    def sound_device(self) -> str:
        """Where spectrograms become sound: beside the model on CUDA, unless the GPU is only lent for painting."""
        return "cuda" if self.device == "cuda" and not _zero_gpu() else "cpu"


_loaded: dict[ModelKey, Model] = {}
_loading = threading.Lock()
_gpu = threading.Lock()


def shared(key: ModelKey, progress: Progress) -> Model:
    """The one model of this key, loaded at the first call. Raises BadInput or EngineUnavailable when it can't be.

    Of the models that nobody works with only the last ones stay loaded.
    """
    known = _loaded.get(key)  # before the lock: a ZeroGPU worker is forked, perhaps while another session holds it
    if known:
        return known
    with taken(_loading, progress, "waiting for the model"):
        if key not in _loaded:
            _forget_oldest()
            _loaded[key] = _load(key, progress)
        return _loaded[key]


def _forget_oldest() -> None:
    while len(_loaded) >= MOST_LOADED:
        oldest = _loaded.pop(next(iter(_loaded)))
        oldest.leave()
        gpu.forget(oldest)


def gpu_turn(progress: Progress) -> Any:
    """One job at a time on the accelerator."""
    return taken(_gpu, progress, "waiting for the GPU")


@contextmanager
def taken(lock: threading.Lock, progress: Progress, note: str) -> Iterator[None]:
    """Hold a lock; whoever waits for it can still be cancelled."""
    while not lock.acquire(timeout=0.25):
        progress(0.0, note)
    try:
        yield
    finally:
        lock.release()


def why_missing(key: ModelKey) -> str | None:
    """Why the weights or the device can't be used here, or None."""
    no_device = why_no_device(key.device)
    if no_device:
        return no_device
    folder = Path(key.source).expanduser()
    if folder.is_dir():
        return None if (folder / "model_index.json").is_file() else f"{key.source} holds no diffusers checkpoint"
    return hub.why_missing(key.source, FILES, key.offline)


def is_folder(key: ModelKey) -> bool:
    """Whether the user points to weights on this machine."""
    return Path(key.source).expanduser().is_dir()


def has_accelerator() -> bool:
    """CUDA, Apple's Metal, or a ZeroGPU Space, which lends CUDA only while it works."""
    return _zero_gpu() or pick("auto") != "cpu"


def _zero_gpu() -> bool:
    return bool(os.environ.get("SPACES_ZERO_GPU"))


def _load(key: ModelKey, progress: Progress) -> Model:
    progress(0.0, "looking for Riffusion's weights")
    folder = _folder(key, part(progress, 0.0, 0.6))
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
    try:
        count = lora.apply(pipeline, file, choice.weight)
    except lora.NoWeights as error:
        # The hub lists the published file with 521 bytes, which is room for no weights at all: nobody's fault here.
        if choice.source != lora.DEFAULT:
            raise
        return f"the LoRA {choice.source} is empty ({error}): the plain checkpoint is used"
    return f"LoRA {choice.source}: {count} tensors, weight {choice.weight:g}"


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
    """Keep the libraries' bars, and remarks about old layouts and long prompts, off the user's screen."""
    from diffusers.utils import logging as diffusers_log
    from transformers.utils import logging as transformers_log

    libraries = (diffusers_log, transformers_log)
    levels = [library.get_verbosity() for library in libraries]
    for library in libraries:
        library.set_verbosity_error()
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


def _folder(key: ModelKey, progress: Progress) -> Path:
    """Where the weights are; the hub is asked only for what the cache lacks."""
    if is_folder(key):
        return Path(key.source).expanduser()
    index = hub.cached(key.source, "model_index.json")
    if index and hub.why_missing(key.source, FILES, offline=True) is None:
        return index.parent
    pairs = [choice for choice in FILES if not isinstance(choice, str)]
    pickled = hub.why_missing(key.source, [safe for safe, _ in pairs], key.offline) is not None
    return hub.download(key.source, (*_CONFIGS, *(pair[pickled] for pair in pairs)), progress)
