"""Takes lie where they belong and join without a click."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bgm.errors import BadInput
from bgm.mix.master import mix
from bgm.mix.placement import MixPlan, MixSettings, Placement
from testing.mix_inputs import plan
from testing.mix_sounds import RATE, Sound, frames, in_a_row, shaped_noise, write
from tests.mix.conftest import Mixer

AS_IT_COMES = MixSettings(lufs=None)


def tone(seconds: float, hz: float, rms: float = 0.1) -> Sound:
    """Breaks off at whatever phase it has."""
    wave = rms * np.sqrt(2) * np.cos(2 * np.pi * hz * np.arange(frames(seconds)) / RATE + hz)
    return np.repeat(wave.astype(np.float32)[:, None], 2, axis=1)


def noise(seconds: float, seed: int) -> Sound:
    left, right = (shaped_noise(frames(seconds), 100, 8_000, seed + i) * 0.1 for i in (0, 1000))
    return np.stack([left, right], axis=1).astype(np.float32)


def played(folder: Path, mixed: Mixer, *takes: Sound | float) -> Sound:
    return mixed(replace(plan(folder, None, (), list(takes)), settings=AS_IT_COMES)).bgm


def roughness(sound: Sound, at: float, around: float = 0.3) -> float:
    """The largest step between samples near a moment; a click sticks out."""
    part = sound[max(0, frames(at - around)) : frames(at + around)]
    return float(np.abs(np.diff(part, n=2, axis=0)).max())


def rms_db(sound: Sound, start: float, end: float) -> float:
    return float(20 * np.log10(sound[frames(start) : frames(end)].std()))


def test_no_click_at_any_boundary(tmp_path: Path, mixed: Mixer) -> None:
    lengths, pitches = (3.0, 0.3, 0.25, 2.0, 4.0, 1.0), (220.0, 331.0, 441.7, 277.0, 523.0, 392.0)
    takes: list[Sound | float] = [tone(s, hz) for s, hz in zip(lengths, pitches, strict=True)]
    takes.insert(4, 1.5)
    bgm = played(tmp_path, mixed, *takes)
    interior = max(roughness(tone(1, hz), 0.5) for hz in pitches)
    edges = np.cumsum([take if isinstance(take, float) else len(take) / RATE for take in takes])
    for at in (0.0, *edges):
        assert roughness(bgm, at) < 1.5 * interior, f"a click at {at:.2f} s"
    assert np.abs(bgm[[0, -1]]).max() < 0.002, "begins and ends at rest"


def test_the_check_for_clicks_hears_a_hard_cut() -> None:
    cut = np.concatenate([tone(1, 220), tone(1, 331)])
    assert roughness(cut, 1.0) > 5 * roughness(cut, 0.5)


def test_a_crossfade_keeps_the_power(tmp_path: Path, mixed: Mixer) -> None:
    bgm = played(tmp_path, mixed, noise(6, 1), noise(6, 2))
    inside = rms_db(bgm, 1, 5)
    for start in np.arange(5.7, 6.25, 0.05):
        assert rms_db(bgm, start, start + 0.1) == pytest.approx(inside, abs=0.9)


def test_takes_lie_on_their_sample(tmp_path: Path, mixed: Mixer) -> None:
    takes = [np.zeros((n, 2), np.float32) for n in (48_007, 33_333, 100_001)]
    for take in takes:
        take[20_000] = 0.5
    bgm = played(tmp_path, mixed, *takes)
    assert np.flatnonzero(bgm[:, 0] > 0.4).tolist() == [20_000, 68_007, 101_340]


def test_a_silent_segment_is_silent_and_the_take_before_dies_away(tmp_path: Path, mixed: Mixer) -> None:
    bgm = played(tmp_path, mixed, noise(4, 1), 2.0, noise(4, 2))
    assert not bgm[frames(4) : frames(6)].any()
    assert rms_db(bgm, 3.95, 4) < rms_db(bgm, 3, 3.5) - 8
    assert rms_db(bgm, 6.02, 6.3) == pytest.approx(rms_db(bgm, 7, 9), abs=1.5), "it starts with its attack"


def test_a_fade_that_is_asked_for_parts_the_neighbours(tmp_path: Path, mixed: Mixer) -> None:
    joined = replace(plan(tmp_path, None, (), [noise(4, 1), noise(4, 2)]), settings=AS_IT_COMES)
    first, second = joined.placements
    faded = replace(second, fade_in=frames(2), fade_out=frames(1))
    bgm = mixed(replace(joined, placements=(first, faded))).bgm
    level = rms_db(bgm, 6, 7)
    assert rms_db(bgm, 4.0, 4.1) < level - 30, "it comes from silence, and the one before has gone"
    assert rms_db(bgm, 4.95, 5.05) == pytest.approx(level - 6, abs=1), "half in the middle"
    assert rms_db(bgm, 7.95, 8.0) < level - 30
    assert rms_db(bgm, 3.95, 4.0) < rms_db(bgm, 2, 3) - 8
    assert np.abs(mixed(joined).bgm[frames(4)]).max() > 0.001, "without one they are joined"


def test_a_fade_is_of_the_segment_and_not_of_each_repeat(tmp_path: Path, mixed: Mixer) -> None:
    take = write(tmp_path / "own.flac", noise(2, 4))
    placement = Placement(0, frames(10), take, fade_in=frames(6))
    bgm = mixed(MixPlan(frames(10), (placement,), None, (), AS_IT_COMES)).bgm
    levels = [rms_db(bgm, t, t + 0.5) for t in np.arange(0.5, 6, 0.5)]
    assert levels == sorted(levels) and rms_db(bgm, 0.5, 1) < rms_db(bgm, 7, 9) - 18


def test_a_shorter_file_goes_round_without_a_gap(tmp_path: Path, mixed: Mixer) -> None:
    take = write(tmp_path / "own.flac", noise(3.1, 4))
    placement = Placement(0, frames(10), take)
    bgm = mixed(MixPlan(frames(10), (placement,), None, (), AS_IT_COMES)).bgm
    levels = [rms_db(bgm, t, t + 0.1) for t in np.arange(0.1, 9.8, 0.1)]
    assert max(levels) - min(levels) < 3


def test_a_file_too_short_to_repeat_is_heard_once(tmp_path: Path, mixed: Mixer) -> None:
    take = write(tmp_path / "own.flac", noise(0.2, 4))
    bgm = mixed(MixPlan(frames(5), (Placement(0, frames(5), take),), None, (), AS_IT_COMES)).bgm
    assert bgm[: frames(0.2)].any() and not bgm[frames(0.2) :].any()


def test_a_longer_file_is_cut(tmp_path: Path, mixed: Mixer) -> None:
    long = write(tmp_path / "own.flac", tone(9, 220))
    short = write(tmp_path / "next.flac", tone(3, 331))
    bgm = mixed(MixPlan(frames(6), in_a_row([(long, 3.0), (short, 3.0)]), None, (), AS_IT_COMES)).bgm
    assert roughness(bgm, 3.0) < 1.5 * roughness(tone(1, 331), 0.5)
    assert np.corrcoef(bgm[frames(4) : frames(5), 0], tone(3, 331)[frames(1) : frames(2), 0])[0, 1] > 0.999


def test_a_mono_take_is_heard_on_both_sides(tmp_path: Path, mixed: Mixer) -> None:
    bgm = played(tmp_path, mixed, noise(2, 1)[:, :1])
    assert bgm.any() and np.array_equal(bgm[:, 0], bgm[:, 1])


@pytest.mark.parametrize("count", [1, 3, 100, 1_000])
def test_segments_of_a_few_samples(count: int, tmp_path: Path, mixed: Mixer) -> None:
    mixed(plan(tmp_path, None, (), [noise(1, 1), noise(1, 2)[:count], noise(1, 3)]))
    mixed(plan(tmp_path, None, (), [noise(1, 2)[:count]]))


def test_a_damaged_take_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    take = tmp_path / "take.flac"
    take.write_bytes(b"not sound")
    with pytest.raises(BadInput, match=r"take\.flac"):
        mix(MixPlan(RATE, (Placement(0, RATE, take),), None, ()), tmp_path / "bgm.flac", tmp_path / "master.flac")
    assert [file.name for file in tmp_path.iterdir()] == ["take.flac"]


def test_another_sample_rate_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "take.flac", noise(1, 1), 44_100)
    wanted = MixPlan(RATE, (Placement(0, RATE, tmp_path / "take.flac"),), None, ())
    with pytest.raises(BadInput, match="44100"):
        mix(wanted, tmp_path / "bgm.flac", tmp_path / "master.flac")


def test_placements_must_cover_the_plan(tmp_path: Path) -> None:
    for placements in ((), (Placement(0, 10, None),), (Placement(5, RATE, None),)):
        with pytest.raises(ValueError, match="placement"):
            mix(MixPlan(RATE, placements, None, ()), tmp_path / "bgm.flac", tmp_path / "master.flac")
