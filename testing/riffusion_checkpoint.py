"""Tiny random checkpoints in the real formats, written by the libraries' own ``save``.

``write_checkpoint`` gives what riffusion-model-v1 has: the layout of diffusers 0.9, weights as .bin, a safety checker
and a CLIPFeatureExtractor. ``write_lora`` gives an adapter as diffusers' ``save_attn_procs`` wrote it in early 2023.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, PNDMScheduler, UNet2DConditionModel
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from transformers import CLIPConfig, CLIPTextConfig, CLIPTextModel

WIDTH = 16
"""Of a text embedding."""
MERGES = [("j", "o"), ("jo", "y</w>"), ("f", "e"), ("a", "r</w>"), ("fe", "ar</w>")]
START, END = "<|startoftext|>", "<|endoftext|>"


def write_checkpoint(folder: Path) -> Path:
    """Seeded, so that every run tests the same weights."""
    torch.manual_seed(0)
    vocabulary = _write_tokenizer(folder / "tokenizer")
    for name, model in (("text_encoder", _text_encoder(vocabulary)), ("unet", _unet()), ("vae", _vae())):
        model.save_pretrained(folder / name, safe_serialization=False)
    _safety_checker().save_pretrained(folder / "safety_checker", safe_serialization=False)
    scheduler = PNDMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", skip_prk_steps=True, steps_offset=1
    )
    scheduler.save_pretrained(folder / "scheduler")
    _write_json(folder / "feature_extractor" / "preprocessor_config.json", _FEATURE_EXTRACTOR)
    _write_json(folder / "model_index.json", _MODEL_INDEX)
    return folder


def finished(work: Generator[float, None, Any]) -> Any:
    """What a generator of progress returns."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


def write_lora(checkpoint: Path, target: Path, rank: int = 2, scale: float = 0.3) -> Path:
    """Names run from the U-Net down, as ``….attn1.processor.to_q_lora.down.weight``."""
    unet = UNet2DConditionModel.from_pretrained(checkpoint / "unet", use_safetensors=False)
    generator = torch.Generator().manual_seed(1)
    tensors = {}
    for name, module in unet.named_modules():
        if name.endswith(("attn1", "attn2")):
            for layer, linear in (
                ("to_q", module.to_q), ("to_k", module.to_k), ("to_v", module.to_v), ("to_out", module.to_out[0])
            ):  # fmt: skip
                base = f"{name}.processor.{layer}_lora"
                tensors[f"{base}.down.weight"] = scale * torch.randn(rank, linear.in_features, generator=generator)
                tensors[f"{base}.up.weight"] = scale * torch.randn(linear.out_features, rank, generator=generator)
    torch.save(tensors, target)
    return target


def _text_encoder(vocabulary: int) -> CLIPTextModel:
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=vocabulary,
            hidden_size=WIDTH,
            intermediate_size=2 * WIDTH,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=77,
            projection_dim=WIDTH,
            bos_token_id=vocabulary - 2,
            eos_token_id=vocabulary - 1,
            pad_token_id=1,
            hidden_act="quick_gelu",
        )
    )


def _unet() -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=64,
        block_out_channels=(16, 16, 32, 32),
        layers_per_block=1,
        norm_num_groups=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=WIDTH,
        attention_head_dim=1,
    )


def _vae() -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(4, 8, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=4,
        norm_num_groups=4,
        layers_per_block=1,
        sample_size=512,
    )


def _safety_checker() -> StableDiffusionSafetyChecker:
    layers = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = CLIPConfig(
        text_config={**layers, "vocab_size": 99, "projection_dim": 16},
        vision_config={**layers, "image_size": 224, "patch_size": 32, "projection_dim": 16},
        projection_dim=16,
    )
    return StableDiffusionSafetyChecker(config)


def _write_tokenizer(folder: Path) -> int:
    """A byte-level vocabulary in CLIP's order; returns its size."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = [chr(byte) for byte in printable] + [chr(256 + n) for n in range(len(others))]
    tokens = [*letters, *(f"{c}</w>" for c in letters), *(a + b for a, b in MERGES), START, END]
    _write_json(folder / "vocab.json", {token: i for i, token in enumerate(tokens)})
    lines = ["#version: 0.2", *(" ".join(pair) for pair in MERGES), ""]
    (folder / "merges.txt").write_text("\n".join(lines), encoding="utf-8")
    special = {"lstrip": False, "normalized": True, "rstrip": False, "single_word": False}
    names = {
        "bos_token": {"content": START, **special},
        "eos_token": {"content": END, **special},
        "unk_token": {"content": END, **special},
        "pad_token": END,
    }
    _write_json(folder / "special_tokens_map.json", names)
    config = {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "do_lower_case": True, "errors": "replace"}
    _write_json(folder / "tokenizer_config.json", {**config, "add_prefix_space": False, **names})
    return len(tokens)


def _write_json(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


_FEATURE_EXTRACTOR = {
    "crop_size": 224,
    "do_center_crop": True,
    "do_convert_rgb": True,
    "do_normalize": True,
    "do_resize": True,
    "feature_extractor_type": "CLIPFeatureExtractor",
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
    "resample": 3,
    "size": 224,
}
_MODEL_INDEX = {
    "_class_name": "StableDiffusionPipeline",
    "_diffusers_version": "0.9.0",
    "feature_extractor": ["transformers", "CLIPFeatureExtractor"],
    "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
    "scheduler": ["diffusers", "PNDMScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
}
