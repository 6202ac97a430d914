"""Low-rank adapters (LoRA) for the diffusion model: found, read, loaded, and checked to have arrived.

Files of early 2023 (diffusers' ``save_attn_procs``, as JD97/Riffusion_sentiment_LoRA) name their tensors from the U-Net
down, without saying so. Today's diffusers skips such names without a word, so they are put under ``unet.`` first.
"""

from __future__ import annotations

import json
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bgm import weights
from bgm.errors import BadInput, EngineUnavailable
from bgm.progress import Progress

DEFAULT = weights.SENTIMENT_LORA
NONE = "none"
BASE_SAMPLE = "base_model_sample"
"""In the metadata of the files that we train: :func:`sample_of` the U-Net that they were trained on, as JSON."""
_UNPREFIXED = ("down_blocks.", "mid_block.", "up_blocks.")


class NoWeights(BadInput):
    """A file that can be read but has no adapter in it."""


@dataclass(frozen=True, slots=True)
class LoraChoice:
    """Which adapter (hub id, file or folder; None for none) and how strongly: 1 is as it was trained."""

    source: str | None = DEFAULT
    weight: float = 1.0

    @classmethod
    def parse(cls, wanted: str | None) -> LoraChoice:
        """``HUB_ID|FILE|none``, with ``@WEIGHT`` behind it if need be; None is the default adapter."""
        if wanted is None:
            return cls()
        if wanted.lower() == NONE:
            return cls(None)
        source, at, weight = wanted.rpartition("@")
        if Path(wanted).expanduser().exists():
            return cls(wanted)
        return cls(source, _weight(weight)) if at else cls(wanted)


def locate(choice: LoraChoice, offline: bool, progress: Progress) -> tuple[Path | None, str | None]:
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


def apply(pipeline: Any, file: Path, weight: float = 1.0) -> int:
    """Load the adapter into ``pipeline``, melt it into the weights, and return how many tensors it had.

    Raises NoWeights when there is nothing in the file, and BadInput when it is damaged or not all of it fits.
    """
    tensors = read(file)
    expected = sum("lora" in name and not name.endswith(".alpha") for name in tensors)
    if not expected:
        raise NoWeights(f"{file.name} holds no LoRA weights")
    try:
        _load(pipeline, file, tensors)
    except (ValueError, RuntimeError, KeyError, TypeError) as error:
        raise BadInput(f"the LoRA {file.name} doesn't fit this model: {_first_line(error)}") from error
    arrived = count_arrived(pipeline)
    if arrived != expected:
        raise BadInput(f"the LoRA {file.name} doesn't fit this model: {arrived} of its {expected} tensors arrived")
    pipeline.fuse_lora(lora_scale=weight)
    pipeline.unload_lora_weights()
    return expected


def sample_of(unet: Any) -> list[float]:
    """A few weights of each attention, to know a network by: half precision moves them by less than a hundredth."""
    queries = sorted((name, weight) for name, weight in unet.named_parameters() if name.endswith("attn1.to_q.weight"))
    return [
        round(value, 6)
        for _, weight in queries
        for value in weight.detach().flatten()[:4].float().nan_to_num().tolist()
    ]


def other_base(pipeline: Any, file: Path) -> str | None:
    """What is to be said of a file that was trained on another network of the same shapes, where it tells its own."""
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


def read(file: Path) -> dict[str, Any]:
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


def _load(pipeline: Any, file: Path, tensors: dict[str, Any]) -> None:
    """A file with its names in order is read by diffusers itself, which then sees the alphas in its metadata too."""
    if any(name.startswith(_UNPREFIXED) for name in tensors):
        pipeline.load_lora_weights(with_prefix(tensors))
    else:
        pipeline.load_lora_weights(str(file.parent), weight_name=file.name)


def _weight(text: str) -> float:
    try:
        weight = float(text)
    except ValueError as error:
        raise BadInput(f"a LoRA's weight is a number such as 0.8, not {text!r}") from error
    if not -4.0 <= weight <= 4.0:
        raise BadInput("a LoRA's weight must be between -4 and 4")
    return weight


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
