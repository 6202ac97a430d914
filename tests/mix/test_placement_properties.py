"""Wherever the segments lie and however long their takes are: exactly as long, and the same in blocks as at once."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from bgm.mix.master import mix
from bgm.mix.placement import MixPlan, MixSettings, MusicBus, Placement
from testing.mix_sounds import RATE, shaped_noise, write

LENGTHS = (1, 700, 24_000, 70_000)
"""Of the takes, in frames: too short to repeat, short, and longer than most segments."""


@pytest.fixture(scope="module")
def takes(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("takes")
    noise = 0.1 * shaped_noise(max(LENGTHS), 100, 8_000, 3)[:, None]
    return [write(folder / f"{length}.flac", np.repeat(noise[:length], 2, axis=1)) for length in LENGTHS]


def placed(takes: list[Path], rows: list[tuple[int, int | None]]) -> tuple[Placement, ...]:
    starts = itertools.accumulate((frames for frames, _ in rows), initial=0)
    pairs = zip(starts, rows, strict=False)
    return tuple(Placement(s, frames, None if n is None else takes[n]) for s, (frames, n) in pairs)


ROWS = st.lists(st.tuples(st.integers(1, 60_000), st.none() | st.integers(0, len(LENGTHS) - 1)), min_size=1, max_size=6)


@settings(max_examples=40, deadline=None)
@given(rows=ROWS, data=st.data())
def test_the_bus_is_the_same_in_blocks_as_at_once(
    takes: list[Path], rows: list[tuple[int, int | None]], data: st.DataObject
) -> None:
    placements = placed(takes, rows)
    total = sum(frames for frames, _ in rows)
    bus, gains = MusicBus(placements), [1.0] * len(rows)
    whole = bus.read(0, total, gains)
    cuts = sorted({0, total, *data.draw(st.lists(st.integers(0, total), max_size=5))})
    blocks = [bus.read(a, b, gains) for a, b in itertools.pairwise(cuts)]
    assert whole.shape == (total, 2) and np.isfinite(whole).all()
    np.testing.assert_allclose(np.concatenate(blocks), whole, atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(rows=ROWS)
def test_silence_is_silent_and_nothing_sounds_outside(takes: list[Path], rows: list[tuple[int, int | None]]) -> None:
    placements = placed(takes, rows)
    total = sum(frames for frames, _ in rows)
    bus, gains = MusicBus(placements), [1.0] * len(rows)
    assert not bus.read(total, total + RATE, gains).any()
    assert not bus.read(-RATE, 0, gains).any()
    for placement in placements:
        if placement.take is None:
            end = placement.start_frame + placement.frames
            assert not bus.read(placement.start_frame, end, gains).any()


@settings(max_examples=10, deadline=None)
@given(rows=ROWS)
def test_a_mix_is_exactly_as_long_as_its_plan(
    takes: list[Path], tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, int | None]]
) -> None:
    folder = tmp_path_factory.mktemp("mix")
    total = sum(frames for frames, _ in rows)
    plan = MixPlan(total, placed(takes, rows), None, (), MixSettings(lufs=-20.0))
    mix(plan, folder / "bgm.flac", folder / "master.flac")
    for name in ("bgm.flac", "master.flac"):
        sound, rate = soundfile.read(folder / name)
        assert rate == RATE and len(sound) == total and np.isfinite(sound).all()
        assert np.abs(sound).max(initial=0) <= 1
