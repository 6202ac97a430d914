"""The diffusion pipeline: where its weights come from, how it is loaded, one copy of it for all sessions."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bgm import hub
from bgm.device import gpu, pick, weight_bytes
from bgm.engines import EngineOptions
from bgm.errors import BadInput
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

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ModelKey:
    """All that makes one loaded pipeline differ from another. Travels to ZeroGPU's worker in place of the pipeline."""

    source: str = DEFAULT
    lora: lora.LoraChoice = field(default_factory=lora.LoraChoice)
    device: str = "auto"
    offline: bool = False
    compiled: bool = False

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

    def place(self) -> Any:
        """The pipeline on its device (half precision and channels last on CUDA)."""
        import torch

        if self._placed != self.device:
            half = torch.float16 if self.device == "cuda" else torch.float32
            if self.device == "cuda" and not _zero_gpu():
                gpu.settle(self, sum(weight_bytes(m) for m in self._networks()) // 2)
            with _quiet():
                self.pipeline.to(self.device, half)
            self._placed = self.device
        return self.pipeline

    def _networks(self) -> tuple[Any, ...]:
        return self.pipeline.unet, self.pipeline.vae, self.pipeline.text_encoder

    def leave(self) -> bool:
        """Make room on the GPU for another model, unless a job is on it."""
        if not _gpu.acquire(blocking=False):
            return False
        try:
            self.unload()
        finally:
            _gpu.release()
        return True

    @property
    def sound_device(self) -> str:
        """Where spectrograms become sound: beside the model on CUDA, unless the GPU is only lent for painting."""
        return "cuda" if self.device == "cuda" and not _zero_gpu() else "cpu"

    def unload(self) -> None:
        """Leave the accelerator's memory to others; :meth:`place` comes back."""
        import torch

        if self._placed != "cpu":
            with _quiet():
                self.pipeline.to("cpu")
            self._placed = "cpu"
            torch.cuda.empty_cache()


_loaded: dict[ModelKey, Model] = {}
_loading = threading.Lock()
_gpu = threading.Lock()


def shared(key: ModelKey, progress: Progress) -> Model:
    """The one model of this key, loaded at the first call. Raises BadInput or EngineUnavailable when it can't be."""
    with taken(_loading, progress, "waiting for the model"):
        if key not in _loaded:
            _loaded[key] = _load(key, progress)
        return _loaded[key]


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


def unload(key: ModelKey) -> None:
    """Move the model of this key off the accelerator, once the job on it is done."""
    with _gpu:
        if key in _loaded:
            _loaded[key].unload()


def why_missing(key: ModelKey) -> str | None:
    """Why the weights can't be used here, or None."""
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
    with _quiet():
        pipeline = _pipeline(folder)
        count = lora.apply(pipeline, file, key.lora.weight) if file else 0
    if file:
        notes.append(f"LoRA {key.lora.source}: {count} tensors, weight {key.lora.weight:g}")
    for sentence in notes:
        log.info("riffusion: %s", sentence)
    _freeze(pipeline, key.compiled)
    progress(1.0, "Riffusion is loaded")
    device = "cuda" if _zero_gpu() else pick(key.device)
    return Model(pipeline, device, tuple(notes))


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
def _quiet() -> Iterator[None]:
    """Keep the libraries' bars and remarks about old layouts off the user's screen."""
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


def _freeze(pipeline: Any, compiled: bool) -> None:
    """No gradients; channels last, which convolutions on CUDA prefer. Attention is torch's own SDPA by default."""
    import torch

    for network in (pipeline.unet, pipeline.vae, pipeline.text_encoder):
        network.requires_grad_(False).eval()
    for network in (pipeline.unet, pipeline.vae):
        network.to(memory_format=torch.channels_last)
    if compiled:
        pipeline.unet.compile(mode="max-autotune-no-cudagraphs", dynamic=False)


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
