"""Adapters in the format of early 2023 arrive whole, with the weight that was asked for, or it is said why not."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from bgm.errors import BadInput
from bgm.music.riffusion import model
from bgm.music.riffusion.model import LoraChoice, ModelKey
from bgm.progress import silent
from testing.riffusion_checkpoint import write_checkpoint, write_lora
from tests.fake_hub import put_in_cache
from tests.music.riffusion.sounds import one_thread

__all__ = ["one_thread"]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture(scope="module")
def adapter(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_lora(checkpoint, tmp_path_factory.mktemp("lora") / "pytorch_lora_weights.bin")


def load(checkpoint: Path) -> Any:
    from diffusers import StableDiffusionImg2ImgPipeline

    return StableDiffusionImg2ImgPipeline.from_pretrained(
        checkpoint, safety_checker=None, feature_extractor=None, requires_safety_checker=False
    )


def query_weights(pipeline: Any) -> torch.Tensor:
    name = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q.weight"
    return pipeline.unet.state_dict()[name].clone()


@pytest.mark.parametrize(
    ("wanted", "choice"),
    [
        (None, LoraChoice("JD97/Riffusion_sentiment_LoRA", 1.0)),
        ("none", LoraChoice(None, 1.0)),
        ("someone/else", LoraChoice("someone/else", 1.0)),
        ("someone/else@0.6", LoraChoice("someone/else", 0.6)),
        ("a folder/with@at.bin@-1", LoraChoice("a folder/with@at.bin", -1.0)),
    ],
)
def test_how_an_adapter_is_named(wanted: str | None, choice: LoraChoice) -> None:
    assert LoraChoice.parse(wanted) == choice


def test_a_file_with_an_at_in_its_name_is_that_file(tmp_path: Path) -> None:
    file = tmp_path / "mood@2.bin"
    file.touch()
    assert LoraChoice.parse(str(file)) == LoraChoice(str(file), 1.0)
    assert LoraChoice.parse(f"{file}@0.5") == LoraChoice(str(file), 0.5)


@pytest.mark.parametrize("wanted", ["a/b@strong", "a/b@9", "a/b@nan"])
def test_a_weight_that_is_none_is_refused(wanted: str) -> None:
    with pytest.raises(BadInput, match="weight"):
        LoraChoice.parse(wanted)


@pytest.mark.checkpoint
@pytest.mark.parametrize("weight", [1.0, 0.5, 0.0])
def test_the_2023_format_arrives_with_its_weight(checkpoint: Path, adapter: Path, weight: float) -> None:
    pipeline = load(checkpoint)
    plain = query_weights(pipeline)
    assert model.apply_lora(pipeline, adapter, weight) == len(torch.load(adapter, weights_only=True))
    base = "mid_block.attentions.0.transformer_blocks.0.attn1.processor.to_q_lora"
    tensors = torch.load(adapter, weights_only=True)
    expected = plain + weight * tensors[f"{base}.up.weight"] @ tensors[f"{base}.down.weight"]
    torch.testing.assert_close(query_weights(pipeline), expected)


@pytest.mark.checkpoint
def test_safetensors_with_the_networks_name_load_too(checkpoint: Path, adapter: Path, tmp_path: Path) -> None:
    target = tmp_path / "pytorch_lora_weights.safetensors"
    save_file(model.with_prefix(torch.load(adapter, weights_only=True)), target)
    pipeline = load(checkpoint)
    plain = query_weights(pipeline)
    assert model.apply_lora(pipeline, target) > 0
    assert not torch.equal(query_weights(pipeline), plain)


@pytest.mark.checkpoint
def test_an_adapter_that_does_not_fit_is_refused(checkpoint: Path, adapter: Path, tmp_path: Path) -> None:
    tensors = torch.load(adapter, weights_only=True)
    elsewhere = {f"up_blocks.7.{name}": tensor for name, tensor in tensors.items()}
    torch.save({**tensors, **elsewhere}, tmp_path / "elsewhere.bin")
    with pytest.raises(BadInput, match="doesn't fit this model"):
        model.apply_lora(load(checkpoint), tmp_path / "elsewhere.bin")
    wider = {name: torch.cat([tensor, tensor], dim=int("down" in name)) for name, tensor in tensors.items()}
    torch.save(wider, tmp_path / "wider.bin")
    with pytest.raises(BadInput, match="doesn't fit this model"):
        model.apply_lora(load(checkpoint), tmp_path / "wider.bin")


@pytest.mark.parametrize("content", [b"", b"not a file of tensors", b"PK\x03\x04 cut off"])
@pytest.mark.parametrize("suffix", [".bin", ".safetensors"])
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes, suffix: str) -> None:
    damaged = tmp_path / f"damaged{suffix}"
    damaged.write_bytes(content)
    with pytest.raises(BadInput, match=r"damaged\."):
        model.read_lora(damaged)


def test_code_in_a_file_is_not_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.write_text, (tmp_path / "sprung", "")

    torch.save({"weights": Trap()}, tmp_path / "trap.bin")
    with pytest.raises(BadInput, match=r"trap\.bin"):
        model.read_lora(tmp_path / "trap.bin")
    assert not (tmp_path / "sprung").exists()


def test_tensors_that_are_no_adapter_are_refused(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(2)}, tmp_path / "other.bin")
    with pytest.raises(BadInput, match="no LoRA weights"):
        model.apply_lora(object(), tmp_path / "other.bin")


def test_the_published_adapter_is_empty_and_it_is_said(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the hub lists it, its file has 521 bytes; one that the user names must still hold something."""
    empty = tmp_path / "pytorch_lora_weights.bin"
    torch.save({}, empty)
    monkeypatch.setattr(model, "locate_lora", lambda choice, offline, progress: (empty, None))
    key = ModelKey(str(checkpoint), LoraChoice.parse(None), "cpu")
    assert any("plain checkpoint" in note for note in model.shared(key, silent).notes)
    with pytest.raises(BadInput, match="holds no LoRA weights"):
        model.shared(ModelKey(str(checkpoint), LoraChoice("someone/else"), "cpu"), silent)


def test_where_an_adapter_is_looked_for(adapter: Path, tmp_path: Path, empty_cache: Path, no_network: None) -> None:
    assert model.locate_lora(LoraChoice(None), True, silent) == (None, None)
    assert model.locate_lora(LoraChoice(str(adapter)), True, silent) == (adapter, None)
    assert model.locate_lora(LoraChoice(str(adapter.parent)), True, silent) == (adapter, None)
    with pytest.raises(BadInput, match="there is no file"):
        model.locate_lora(LoraChoice("nowhere/lora.bin"), True, silent)
    with pytest.raises(BadInput, match="pytorch_lora_weights"):
        model.locate_lora(LoraChoice(str(tmp_path)), True, silent)
    put_in_cache(empty_cache, model.DEFAULT_LORA, lambda folder: shutil.copy(adapter, folder))
    found, note = model.locate_lora(LoraChoice(), True, silent)
    assert found is not None
    assert (found.name, note) == (adapter.name, None)


def test_without_the_hub_the_plain_checkpoint_is_used_and_it_is_said(empty_cache: Path) -> None:
    file, note = model.locate_lora(LoraChoice(), True, silent)
    assert file is None
    assert note is not None
    assert "plain checkpoint" in note
