"""Models share one GPU: who rests leaves when another needs the room, who works stays."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from bgm.device import SPARE_BYTES, Rooms, pick
from bgm.errors import EngineUnavailable

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

    def enter(self, rooms: Rooms) -> None:
        rooms.settle(self, self.size)
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
    rooms = Rooms(card.free)
    first, second = Model(card, 2 * GB), Model(card, 3 * GB)
    first.enter(rooms)
    second.enter(rooms)
    assert first.on_gpu
    assert second.on_gpu


def test_the_one_that_rested_longest_leaves_first_and_only_as_many_as_needed() -> None:
    card = Card()
    rooms = Rooms(card.free)
    old, young, new = Model(card, 3 * GB), Model(card, 3 * GB), Model(card, 4 * GB)
    for model in (old, young, new):
        model.enter(rooms)
    assert not old.on_gpu
    assert young.on_gpu
    assert card.taken <= 8 * GB - SPARE_BYTES


def test_a_model_at_work_is_not_moved() -> None:
    card = Card()
    rooms = Rooms(card.free)
    busy, resting, new = Model(card, 3 * GB, works=True), Model(card, 3 * GB), Model(card, 4 * GB)
    for model in (busy, resting, new):
        model.enter(rooms)
    assert busy.on_gpu
    assert not resting.on_gpu


def test_a_device_that_is_not_there_is_one_clear_line() -> None:
    import torch

    assert pick("cpu") == "cpu"
    if not torch.cuda.is_available():
        with pytest.raises(EngineUnavailable, match="no cuda device"):
            pick("cuda")
