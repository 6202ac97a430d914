"""Loudness and true peak as ffmpeg's ebur128 reads them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bgm.media.signal import Meter
from bgm.mix.placement import MixPlan, MixSettings
from testing.mix_inputs import INPUTS, hot_voice, loud_music, plan
from testing.mix_inputs import jfk as jfk_plan
from testing.mix_sounds import RATE, ebur128, frames, music, shaped_noise
from tests.mix.conftest import Mixer

METER_TOLERANCE_DB = 0.1


@pytest.mark.parametrize("name", INPUTS)
def test_ten_inputs_reach_the_target(name: str, tmp_path: Path, mixed: Mixer) -> None:
    reaches(INPUTS[name](tmp_path), mixed)


def test_the_tenth_input_reaches_the_target(tmp_path: Path, jfk: Path, mixed: Mixer) -> None:
    reaches(jfk_plan(tmp_path, jfk), mixed)


def reaches(wanted: MixPlan, mixed: Mixer) -> None:
    result = mixed(wanted)
    heard = ebur128(result.master_file)
    assert wanted.settings.lufs is not None
    assert heard.lufs == pytest.approx(wanted.settings.lufs, abs=0.5)
    assert heard.true_peak_db <= wanted.settings.true_peak_db + METER_TOLERANCE_DB
    assert result.report.lufs == pytest.approx(heard.lufs, abs=0.15)
    assert result.report.notes == ()


@pytest.mark.parametrize(("lufs", "source"), [(-9.0, loud_music), (-16.0, loud_music), (-23.0, hot_voice)])
def test_other_targets(lufs: float, source: Callable[[Path], MixPlan], tmp_path: Path, mixed: Mixer) -> None:
    reaches(replace(source(tmp_path), settings=MixSettings(lufs=lufs)), mixed)


def test_without_a_target_only_the_peaks_change(tmp_path: Path, mixed: Mixer) -> None:
    take = music(6, -25, seed=20)
    result = mixed(replace(plan(tmp_path, None, (), [take]), settings=MixSettings(lufs=None)))
    inner = slice(RATE, -RATE)
    assert np.abs(result.master[inner] - take[inner]).max() < 1e-6


def test_silence_stays_silence(tmp_path: Path, mixed: Mixer) -> None:
    silent_take = np.zeros((frames(2), 2), np.float32)
    result = mixed(plan(tmp_path, np.zeros((frames(4), 1), np.float32), (), [silent_take, 2.0]))
    assert not result.master.any() and not result.bgm.any()
    assert result.report.lufs is None and result.report.true_peak_db is None
    assert "nothing to hear" in result.report.notes[0]


def test_faint_noise_is_not_blown_up_and_the_report_says_so(tmp_path: Path, mixed: Mixer) -> None:
    hiss = (shaped_noise(frames(5), 200, 10_000, 3) * 10 ** (-60 / 20)).astype(np.float32)[:, None]
    result = mixed(plan(tmp_path, hiss, (), [5.0]))
    gain_db = 20 * np.log10(result.master.std() / hiss.std())
    assert gain_db == pytest.approx(24, abs=0.1)
    assert result.report.lufs is not None and result.report.lufs < -30
    (note,) = result.report.notes
    assert note.startswith(f"The target of -14 LUFS was not reached (it is {result.report.lufs:.1f}), because")
    assert "so quiet that 24 dB more are too little" in note


def test_a_target_that_the_peaks_do_not_allow(tmp_path: Path, mixed: Mixer) -> None:
    (note,) = mixed(replace(loud_music(tmp_path), settings=MixSettings(lufs=-5.0))).report.notes
    assert "because its peaks are so high" in note


def test_a_clip_shorter_than_a_measuring_block(tmp_path: Path, mixed: Mixer) -> None:
    result = mixed(plan(tmp_path, None, (), [music(0.3, -30)]))
    assert result.report.lufs == pytest.approx(-14, abs=0.5)
    assert np.abs(result.master).max() < 10 ** (-1 / 20)


def test_our_meter_agrees_with_pyloudnorm() -> None:
    import pyloudnorm

    sound = np.concatenate([music(8, -20, seed=1), music(5, -50, seed=2), music(7, -12, seed=3, drums=2)])
    meter = Meter()
    for block in np.split(sound, [4_800, 48_000, 480_000]):
        meter.push(block)
    assert meter.lufs() == pytest.approx(pyloudnorm.Meter(RATE).integrated_loudness(sound), abs=0.1)
