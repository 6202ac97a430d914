"""When the GPU's memory is short, less goes through it at once, and the music is the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from bgm import device
from bgm.errors import BgmError
from bgm.music.riffusion import model, painting
from bgm.music.riffusion.model import Model, ModelKey, shared
from bgm.music.riffusion.multidiffusion import Batches, Canvas, DenoiseSettings, denoise, scheduler_for, window_starts
from bgm.music.riffusion.painting import HEADROOM, WINDOW_BYTES, decoded, encoded
from bgm.progress import silent
from testing.riffusion_checkpoint import finished, write_checkpoint
from tests.music.riffusion.sounds import one_thread

__all__ = ["one_thread"]


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder: Path = write_checkpoint(tmp_path_factory.mktemp("checkpoint"))
    with shared(ModelKey(str(folder), device="cpu"), silent).at_work() as at_work:
        yield at_work


class Card:
    """Stands before a network and has memory for ``room`` samples; remembers how many were tried at once."""

    def __init__(self, network: Callable[..., Any], room: int) -> None:
        self._network, self._room = network, room
        self.tried: list[int] = []

    def __call__(self, samples: torch.Tensor, *rest: Any, **more: Any) -> Any:
        self.tried.append(len(samples))
        if len(samples) > self._room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return self._network(samples, *rest, **more)


def painted(pipeline: Any, unet: Callable[..., Any], takes: int = 2, batch: int = 8) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    shape = (takes, 4, 64, 100)
    positive, negative = pipeline.encode_prompt(["joy", ""], "cpu", 1, False)[0].split(1)
    each = positive.expand(len(window_starts(100)), -1, -1) * torch.linspace(0.5, 2, 3)[:, None, None]
    start, noise = torch.randn(shape, generator=generator), torch.randn(shape, generator=generator)
    canvas = Canvas(start, noise, each, negative, torch.arange(100) < 20)
    return finished(denoise(unet, scheduler_for(pipeline), canvas, DenoiseSettings(steps=2, strength=1.0, batch=batch)))


def test_a_batch_that_does_not_fit_is_halved_and_stays_so() -> None:
    def doubled(some: Any) -> list[int]:
        tried.append(len(some))
        if len(some) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return [2 * i for i in some]

    tried: list[int] = []
    batches = Batches(16)
    found = [result for _, results in batches.of(range(10), doubled) for result in results]
    assert found == [2 * i for i in range(10)]
    assert tried == [10, 5, 2, 2, 2, 2, 2]
    assert batches.size == 2


@pytest.mark.checkpoint
@pytest.mark.parametrize("room", [2, 6])
def test_short_memory_changes_the_batches_and_not_the_music(pipeline: Any, room: int) -> None:
    usual = painted(pipeline, pipeline.unet)
    card = Card(pipeline.unet, room)
    torch.testing.assert_close(painted(pipeline, card), usual, rtol=1e-3, atol=1e-4)
    assert card.tried[0] == 12, "3 windows of 2 takes, with the prompt and without"
    assert sum(samples > room for samples in card.tried) <= 3, "what didn't fit is not tried at every step"
    assert max(card.tried[4:]) <= room


@pytest.mark.checkpoint
def test_where_not_even_one_window_fits_it_is_said_in_one_sentence(pipeline: Any) -> None:
    with pytest.raises(BgmError, match="too little free memory even for one window"):
        painted(pipeline, Card(pipeline.unet, 1))


@pytest.mark.checkpoint
def test_the_autoencoder_gets_along_with_short_memory_too(pipeline: Any) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 512, 70 * 8), np.uint8)
    vae = pipeline.vae
    short = SimpleNamespace(
        encode=Card(vae.encode, 1), decode=Card(vae.decode, 1), config=vae.config, dtype=vae.dtype, device=vae.device
    )
    latents = finished(encoded(pipeline, pixels))
    torch.testing.assert_close(finished(encoded(SimpleNamespace(vae=short), pixels)), latents, rtol=1e-3, atol=1e-4)
    pictures = finished(decoded(pipeline, latents)).astype(int)
    again = finished(decoded(SimpleNamespace(vae=short), latents)).astype(int)
    assert np.abs(again - pictures).max() <= 1
    assert max(short.encode.tried[1:]) == max(short.decode.tried[1:]) == 1


def test_as_many_windows_go_at_once_as_the_free_memory_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    free = 10 * HEADROOM * WINDOW_BYTES + 1
    monkeypatch.setattr(painting, "free_gpu_bytes", lambda: free)
    assert painting._batch("cuda") == 10
    monkeypatch.setattr(painting, "free_gpu_bytes", lambda: 0)
    assert painting._batch("cuda") == 1
    assert painting._batch("cpu") == 2


class Pipeline:
    """Moves at a word; a GPU of this many networks' size has room for it."""

    def __init__(self, fits: bool = True) -> None:
        self.unet = self.vae = self.text_encoder = torch.nn.Linear(2, 2)
        self.fits = fits
        self.at = "cpu"

    def to(self, where: str) -> None:
        if where == "cuda" and not self.fits:
            raise torch.OutOfMemoryError("CUDA out of memory")
        self.at = where


@pytest.fixture
def rooms(monkeypatch: pytest.MonkeyPatch) -> device.Residents:
    """A GPU on which there is never enough room."""
    full = device.Residents(free=lambda: 0)
    monkeypatch.setattr(device, "gpu", full)
    monkeypatch.delenv("SPACES_ZERO_GPU", raising=False)
    return full


def test_a_resting_model_leaves_for_another_and_one_at_work_stays(rooms: device.Residents) -> None:
    first, second, third = (Model(Pipeline(), "cuda", ()) for _ in range(3))
    with first.at_work():
        pass
    with second.at_work():
        assert (first.model.at, second.model.at) == ("cpu", "cuda")
        with third.at_work():
            assert (second.model.at, third.model.at) == ("cuda", "cuda")
    with first.at_work():
        assert (first.model.at, third.model.at) == ("cuda", "cpu")


def test_weights_that_do_not_fit_are_one_sentence_and_go_back(rooms: device.Residents) -> None:
    model = Model(Pipeline(fits=False), "cuda", ())
    with pytest.raises(BgmError, match="too little free memory for Riffusion"), model.at_work():
        pass
    assert model.model.at == "cpu"
    model.model.fits = True
    with model.at_work() as pipeline:
        assert pipeline.at == "cuda"


@pytest.mark.parametrize(
    ("asked", "place", "lent", "compiled"),
    [("1", "cuda", "", True), ("0", "cuda", "", False), ("1", "cpu", "", False), ("1", "cuda", "true", False)],
)
def test_the_operator_may_have_it_compiled_where_that_works(
    monkeypatch: pytest.MonkeyPatch, asked: str, place: str, lent: str, compiled: bool
) -> None:
    monkeypatch.setenv("BGM_COMPILE", asked)
    monkeypatch.setenv("SPACES_ZERO_GPU", lent)
    assert model._wants_compiling(place) is compiled


def test_other_loras_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch, rooms: device.Residents) -> None:
    import weakref

    monkeypatch.setattr(model, "_shelf", device.Shelf())
    monkeypatch.setattr(model, "_load", lambda key, progress: Model(Pipeline(), "cuda", ()))
    kept = []
    for name in ("a", "b", "c", "d"):
        one = shared(ModelKey(name), silent)
        with one.at_work():
            pass
        assert shared(ModelKey(name, offline=True), silent) is one, "offline or not, it's the same model"
        kept.append(weakref.ref(one.model))
        del one
    assert [reference() is not None for reference in kept] == [False, False, True, True]
