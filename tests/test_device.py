"""Models share one GPU: who rests leaves when another needs the room, who works stays."""

from __future__ import annotations

import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bgm.device import SPARE_BYTES, Loaded, Residents, Shelf, pick, why_no_device
from bgm.emotion.distilroberta import DistilRoberta
from bgm.engines import EngineOptions
from bgm.errors import BgmError, Cancelled, EngineUnavailable
from bgm.music.riffusion.engine import Riffusion
from bgm.speech.whisper import Whisper

GB = 1 << 30


@dataclass
class Card:
    """A GPU of 8 GB."""

    taken: int = 0

    def free(self) -> int:
        return 8 * GB - self.taken


@dataclass(eq=False)
class Model:
    card: Card
    size: int
    works: bool = False
    on_gpu: bool = field(default=False)

    def enter(self, gpu: Residents) -> None:
        gpu.admit(self, self.size)
        self.on_gpu = True
        self.card.taken += self.size

    def leave(self) -> bool:
        if self.works:
            return False
        self.on_gpu = False
        self.card.taken -= self.size
        return True


def test_models_stay_together_where_there_is_room() -> None:
    card = Card()
    gpu = Residents(card.free)
    first, second = Model(card, 2 * GB), Model(card, 3 * GB)
    first.enter(gpu)
    second.enter(gpu)
    assert first.on_gpu
    assert second.on_gpu


def test_the_one_that_rested_longest_leaves_first_and_only_as_many_as_needed() -> None:
    card = Card()
    gpu = Residents(card.free)
    old, young, new = Model(card, 3 * GB), Model(card, 3 * GB), Model(card, 4 * GB)
    for model in (old, young, new):
        model.enter(gpu)
    assert not old.on_gpu
    assert young.on_gpu
    assert card.taken <= 8 * GB - SPARE_BYTES


def test_a_model_at_work_is_not_moved() -> None:
    card = Card()
    gpu = Residents(card.free)
    busy, resting, new = Model(card, 3 * GB, works=True), Model(card, 3 * GB), Model(card, 4 * GB)
    for model in (busy, resting, new):
        model.enter(gpu)
    assert busy.on_gpu
    assert not resting.on_gpu


def test_a_model_that_is_forgotten_is_not_kept_alive() -> None:
    card = Card()
    gpu = Residents(card.free)
    model = Model(card, 2 * GB)
    model.enter(gpu)
    gpu.forget(model)
    reference = weakref.ref(model)
    del model
    assert reference() is None


def test_a_device_that_is_not_there_is_one_clear_line() -> None:
    import torch

    assert pick("cpu") == "cpu"
    assert why_no_device("auto") is why_no_device("cpu") is None
    if not torch.cuda.is_available():
        with pytest.raises(EngineUnavailable, match="no cuda device"):
            pick("cuda")
        assert "no cuda device" in (why_no_device("cuda") or "")


@pytest.mark.parametrize("engine", [Whisper, DistilRoberta, Riffusion])
def test_an_engine_says_before_any_work_that_the_named_device_is_not_there(engine: Any, tmp_path: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    assert "no cuda device" in (engine.missing(EngineOptions(device="cuda", offline=True)) or "")


class Movable:
    """What a torch module is to a device."""

    def __init__(self) -> None:
        self.at = "cpu"

    def to(self, device: str) -> None:
        self.at = device

    def parameters(self) -> list[Any]:
        return []

    buffers = parameters


def test_one_works_with_a_model_at_a_time_and_who_waits_can_be_cancelled() -> None:
    loaded = Loaded("a model", Movable(), "mps")

    def stop() -> None:
        raise Cancelled("stopped")

    with loaded.at_work() as model:
        assert model.at == "mps"
        assert not loaded.leave(), "it is at work"
        with pytest.raises(Cancelled), loaded.at_work(stop):
            pass
    assert loaded.leave()
    assert loaded.model.at == "cpu"


def test_memory_that_runs_out_at_work_is_one_sentence_and_the_model_leaves() -> None:
    import torch

    loaded = Loaded("a model", Movable(), "mps")
    with pytest.raises(BgmError, match="too little free memory for a model"), loaded.at_work():
        raise torch.OutOfMemoryError("CUDA out of memory")
    assert loaded.model.at == "cpu"
    assert loaded.leave(), "nobody holds it"


def test_two_who_come_at_once_load_a_model_once() -> None:
    shelf: Shelf[Loaded[Movable]] = Shelf()
    loads: list[int] = []

    def load() -> Loaded[Movable]:
        loads.append(1)
        time.sleep(0.2)
        return Loaded("a model", Movable(), "cpu")

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: shelf.get("key", load), range(2))
    assert first is second
    assert len(loads) == 1
