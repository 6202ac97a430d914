"""Fine-tuning Riffusion, with a tiny checkpoint: what the command writes, that it goes on, what it refuses."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open

from bgm.errors import BadInput, Cancelled
from bgm.music.riffusion import model
from bgm.music.riffusion.model import ModelKey
from bgm.progress import silent
from bgm.training import diffusion, examples, lora
from bgm.training.examples import Latents
from bgm.training.lora import Options
from testing.riffusion_checkpoint import write_checkpoint
from tests.music.riffusion.sounds import one_thread
from tests.training.pictures import write_set

__all__ = ["one_thread"]

ROOT = Path(__file__).resolve().parents[2]
BRIEF = "--steps 6 --every 2 --batch 1 --rank 2 --alpha 4 --rate 0.02 --samples 0 --device cpu --quiet".split()

pytestmark = [pytest.mark.checkpoint, pytest.mark.usefixtures("one_thread")]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("checkpoint") / "tiny")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_set(tmp_path_factory.mktemp("pictures") / "set", {"train": 2, "validation": 1})


@pytest.fixture(scope="module")
def trained(pictures: Path, checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("trained") / "lora.safetensors"
    assert lora.main([str(pictures), "--base", str(checkpoint), "-o", str(out), *BRIEF]) == 0
    return out


def base(checkpoint: Path) -> diffusion.Base:
    return diffusion.load(str(checkpoint), "cpu", silent)


def test_the_validation_loss_falls(trained: Path) -> None:
    log = [json.loads(line) for line in (trained.with_suffix(".training") / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in log] == [0, 2, 4, 6]
    assert log[-1]["validation"] < 0.99 * log[0]["validation"]


def test_the_product_takes_all_of_it_at_its_alpha_and_paints_otherwise(
    trained: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diffusion, "PAINTING_STEPS", 2)
    pipeline = base(checkpoint).pipeline
    before = {name: tensor.clone() for name, tensor in pipeline.unet.state_dict().items()}
    (plain,) = diffusion.paint(pipeline, ["joy"], 512)
    count = model.apply_lora(pipeline, trained)
    tensors = model.read_lora(trained)
    assert count == len(tensors) > 0
    name = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q"
    down, up = (next(t for key, t in tensors.items() if f"{name}.lora.{part}." in key) for part in ("down", "up"))
    change = pipeline.unet.state_dict()[f"{name}.weight"] - before[f"{name}.weight"]
    assert torch.allclose(change, 2 * up @ down, atol=1e-6) and change.abs().max() > 1e-4
    assert not np.array_equal(diffusion.paint(pipeline, ["joy"], 512)[0], plain)


def test_the_file_tells_base_licence_and_data_card(trained: Path) -> None:
    with safe_open(trained, "pt") as file:
        said = file.metadata()
    assert said["base_model"] == "tiny" and said["data_licence"] == "cc0-1.0" and "cc0-1.0" in said["modelspec.license"]
    assert "# Pictures of a test" in said["data_card"] and json.loads(said["training"])["alpha"] == 4
    assert trained.stat().st_mode & 0o044 == 0o044


def test_stopped_and_run_again_it_gives_the_same_file(
    trained: Path, pictures: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = [str(pictures), "--base", str(checkpoint), "-o", str(tmp_path / "lora.safetensors"), *BRIEF]
    real, steps = lora.stepped, iter(range(1, 4))

    def stepped(*given: Any) -> float:
        if next(steps, None) is None:
            raise Cancelled("stopped")
        return real(*given)

    with monkeypatch.context() as cut:
        cut.setattr(lora, "stepped", stepped)
        assert lora.main(arguments) != 0
    assert torch.load(tmp_path / "lora.training" / "state.pt", weights_only=True)["step"] == 2
    assert lora.main(arguments) == 0
    assert (tmp_path / "lora.safetensors").read_bytes() == trained.read_bytes()


@pytest.mark.slow
def test_killed_and_run_again_it_gives_the_same_file(
    trained: Path, pictures: Path, checkpoint: Path, tmp_path: Path
) -> None:
    out = tmp_path / "lora.safetensors"
    arguments = [str(pictures), "--base", str(checkpoint), "-o", str(out), *BRIEF]
    state = tmp_path / "lora.training" / "state.pt"
    command = [sys.executable, "-m", "bgm.training.lora", *arguments]
    with subprocess.Popen(command, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}) as process:
        while process.poll() is None and not state.exists():
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    step = torch.load(state, weights_only=True)["step"]
    assert step < 6
    assert lora.main(arguments) == 0
    assert out.read_bytes() == trained.read_bytes()
    log = [json.loads(line)["step"] for line in (state.parent / "log.jsonl").read_text().splitlines()]
    assert log == [0, 2, 4, 6]


def test_samples_are_painted_of_each_emotion(
    pictures: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diffusion, "PAINTING_STEPS", 2)
    out = tmp_path / "a.safetensors"
    brief = ["--steps", "1", "--batch", "1", "--samples", "2", "--device", "cpu", "--quiet"]
    assert lora.main([str(pictures), "--base", str(checkpoint), "-o", str(out), *brief]) == 0
    found = sorted((tmp_path / "a.training" / "samples").iterdir())
    assert [path.name for path in found] == ["000001-anger.png", "000001-disgust.png"]
    assert examples.pixels(found[0]).shape == (512, 512)


def test_other_options_do_not_go_on_from_anothers_state(
    trained: Path, pictures: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = trained.read_bytes()
    assert lora.main([str(pictures), "--base", str(checkpoint), "-o", str(trained), *BRIEF, "--seed", "1"]) == 2
    assert "another base, set or options" in capsys.readouterr().err
    assert trained.read_bytes() == before


def refused(folder: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The one sentence; nothing is written."""
    out = folder.parent / "refused.safetensors"
    assert lora.main([str(folder), "--base", str(checkpoint), "-o", str(out), *BRIEF]) == 2
    (sentence,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("bgm.training.lora: ")]
    assert not out.exists() and "Traceback" not in sentence
    return sentence


def test_a_set_too_small_to_learn_from_is_one_sentence(
    tmp_path: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "none").mkdir()
    assert "is no set" in refused(tmp_path / "none", checkpoint, capsys)
    empty = write_set(tmp_path / "empty", {"train": 0, "validation": 0})
    assert "no pictures in train" in refused(empty, checkpoint, capsys)
    one = write_set(tmp_path / "one", {"train": 1, "validation": 1}, emotions=1)
    assert "only 1 picture in train" in refused(one, checkpoint, capsys)
    unjudged = write_set(tmp_path / "unjudged", {"train": 2, "validation": 0})
    assert "no pictures in validation" in refused(unjudged, checkpoint, capsys)


def test_a_picture_of_the_wrong_size_or_damaged_is_named(
    tmp_path: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = write_set(tmp_path / "wrong", {"train": 1, "validation": 1}, size=(300, 200))
    assert "0.png is 300 × 200 pixels" in refused(wrong, checkpoint, capsys)
    mixed = write_set(tmp_path / "mixed", {"train": 1, "validation": 1})
    Image.new("RGB", (1024, 512)).save(mixed / "train" / "1.png")
    assert "1.png is not 512 pixels wide" in refused(mixed, checkpoint, capsys)
    (mixed / "train" / "1.png").write_bytes(b"no picture")
    assert "1.png can't be read as a picture" in refused(mixed, checkpoint, capsys)


def poisoned(checkpoint: Path, target: Path, network: str) -> Path:
    """The checkpoint with weights that are no numbers."""
    shutil.copytree(checkpoint, target)
    file = target / network / "diffusion_pytorch_model.bin"
    weights = torch.load(file, weights_only=True)
    torch.save({name: torch.full_like(tensor, torch.nan) for name, tensor in weights.items()}, file)
    return target


def test_weights_that_are_no_numbers_are_one_sentence(
    tmp_path: Path, pictures: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = shutil.copytree(pictures, tmp_path / "set")
    assert "0.png" in refused(copy, poisoned(checkpoint, tmp_path / "vae", "vae"), capsys)
    assert "step 1: the loss is no number" in refused(copy, poisoned(checkpoint, tmp_path / "unet", "unet"), capsys)


def test_a_lora_of_another_base_is_one_sentence(trained: Path, tmp_path: Path) -> None:
    from diffusers import UNet2DConditionModel

    other = base(write_checkpoint(tmp_path / "other")).pipeline
    config = {**other.unet.config, "block_out_channels": (16, 32, 64, 64)}
    other.unet = UNet2DConditionModel.from_config(config)
    with pytest.raises(BadInput, match="doesn't fit this model"):
        model.apply_lora(other, trained)


def test_of_another_base_with_the_same_shapes_the_product_says_so(
    trained: Path, checkpoint: Path, tmp_path: Path
) -> None:
    def told(folder: Path) -> str:
        key = ModelKey(str(folder), model.LoraChoice(str(trained)), "cpu", offline=True)
        (note,) = model.shared(key, silent).notes
        return note

    other = shutil.copytree(checkpoint, tmp_path / "other")
    file = other / "unet" / "diffusion_pytorch_model.bin"
    weights = torch.load(file, weights_only=True)
    torch.save({name: tensor * 1.1 for name, tensor in weights.items()}, file)
    assert "it was trained for another model (tiny)" in told(other)
    torch.save({name: tensor.bfloat16().float() for name, tensor in weights.items()}, file)
    half = Path(shutil.copytree(other, tmp_path / "half"))
    assert "another model" not in told(half) and "another model" not in told(checkpoint)


@pytest.mark.parametrize("wrong", [["--rate", "0"], ["--steps", "0"], ["--dropout", "1"], ["--gamma", "-1"]])
def test_options_that_make_no_sense_are_refused_before_anything_is_loaded(
    wrong: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert lora.main(["nowhere", *wrong, "--quiet"]) == 2
    assert wrong[0] in capsys.readouterr().err


def test_half_precision_and_checkpointing_give_the_same_step_but_for_rounding(checkpoint: Path) -> None:
    """As on CUDA: the frozen weights in bfloat16 under autocast, the adapter in float32."""
    chance = np.random.default_rng(0)
    latents = Latents(chance.standard_normal((3, 2, 4, 64, 64)).astype(np.float16), ("joy", "fear", "joy"))
    losses, gradients = [], []
    for half in (False, True):
        pipeline = base(checkpoint).pipeline
        if half:
            pipeline.unet.to(torch.bfloat16)
            pipeline.text_encoder.to(torch.bfloat16)
        unet = lora.with_adapter(pipeline.unet, Options(rank=2))
        if half:
            unet.enable_gradient_checkpointing()
        loss = diffusion.Objective(pipeline).loss(lora.drawn(latents, Options(batch=2, dropout=0.0), 0))
        loss.backward()
        losses.append(loss.item())
        gradients.append(torch.cat([p.grad.flatten() for p in lora.trained(unet) if p.grad is not None]))
    assert losses[1] == pytest.approx(losses[0], rel=0.02) and losses[1] != losses[0]
    assert gradients[1].dtype == torch.float32
    assert torch.nn.functional.cosine_similarity(*gradients, dim=0) > 0.98


def test_each_step_draws_its_own_whatever_came_before() -> None:
    latents = Latents(np.random.default_rng(0).random((5, 2, 4, 64, 64)).astype(np.float16), tuple("abcde"))
    first, again, next_ = (lora.drawn(latents, Options(), step) for step in (3, 3, 4))
    assert torch.equal(first.latents, again.latents) and first.texts == again.texts
    assert not torch.equal(first.noise, next_.noise)


def test_the_rate_rises_then_falls_to_nothing() -> None:
    options = Options(steps=100, warmup=10)
    rates = [lora.rate(options, step) for step in range(100)]
    assert max(rates) == options.rate == rates[9] and rates[0] < rates[5] and rates[-1] < 0.001 * options.rate
