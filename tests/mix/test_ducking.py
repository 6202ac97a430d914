"""The music makes room for the voice, in time, and comes back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bgm.mix.placement import MixPlan, MixSettings, Spans
from testing.mix_inputs import jfk as jfk_plan
from testing.mix_inputs import plan
from testing.mix_sounds import (
    Sound,
    ebur128,
    frames,
    level_db,
    level_lufs,
    real_speech,
    shaped_noise,
    stretches,
    under_voice_lu,
    voice,
)
from tests.mix.conftest import Mixer

PHRASES: Spans = ((3.0, 7.0), (12.0, 16.0), (16.4, 19.0))
"""A gap of 5 s, and a pause of 0.4 s inside a phrase."""
NOT_LIMITED = MixSettings(lufs=-23.0)


def steady(seconds: float, rms_db: float, seed: int = 5, low_hz: float = 300, high_hz: float = 1_200) -> Sound:
    """Music whose level can be read at any moment, outside the bands that the speech filter touches."""
    noise = shaped_noise(frames(seconds), low_hz, high_hz, seed) * 10 ** (rms_db / 20)
    return np.repeat(noise.astype(np.float32)[:, None], 2, axis=1)


@pytest.fixture
def talk(tmp_path: Path) -> MixPlan:
    """Spans as a detector gives them: a little wider than the words."""
    heard = tuple((start - 0.05, end + 0.1) for start, end in PHRASES)
    two_takes: list[Sound | float] = [steady(10, -12), steady(14, -30, seed=6)]
    return replace(plan(tmp_path, voice(24, PHRASES), heard, two_takes), settings=NOT_LIMITED)


def test_music_lies_18_to_20_lu_under_the_voice_in_every_segment(talk: MixPlan, mixed: Mixer) -> None:
    result, stem = mixed(talk), voice(24, PHRASES)
    for spans in (PHRASES, PHRASES[:1], PHRASES[1:]):
        assert 18 <= under_voice_lu(result.master, result.bgm, stem, spans) <= 20
    assert 18 <= (result.report.under_speech_lu or 0) <= 20


def test_music_under_real_speech(tmp_path: Path, jfk: Path, mixed: Mixer) -> None:
    result = mixed(replace(jfk_plan(tmp_path, jfk), settings=NOT_LIMITED))
    assert 18 <= under_voice_lu(result.master, result.bgm, real_speech(jfk, 11), ((0.4, 10.4),)) <= 20


def momentary(sound: Sound, start: float, end: float) -> float:
    """The loudest 400 ms between two times, LUFS by ffmpeg."""
    starts = np.arange(start, end - 0.4 + 1e-6, 0.1)
    return max(level_lufs(sound, at, at + 0.4) for at in starts)


def test_the_music_swings_by_6_to_10_lu_when_speech_stops(talk: MixPlan, mixed: Mixer) -> None:
    result = mixed(talk)
    for gap, bed in (((8.0, 11.4), (3.5, 6.5)), ((20.0, 23.0), (17.0, 18.5))):
        swing = level_lufs(result.bgm, *gap) - level_lufs(result.bgm, *bed)
        assert 6 <= swing <= 10


@pytest.mark.parametrize("thinner_db", [0, -6, -12])
def test_an_arrangement_that_thins_out_under_speech_swings_no_further(
    thinner_db: float, tmp_path: Path, mixed: Mixer
) -> None:
    take = steady(24, -20)
    for start, end in ((3.0, 7.0), (12.0, 19.0)):
        take[frames(start) : frames(end)] *= 10 ** (thinner_db / 20)
    result = mixed(replace(plan(tmp_path, voice(24, PHRASES), PHRASES, [take]), settings=NOT_LIMITED))
    assert 6 <= level_lufs(result.bgm, 8.0, 11.4) - level_lufs(result.bgm, 3.5, 6.5) <= 10


def test_in_a_short_gap_the_loudest_moment_stays_4_lu_below_the_phrases(tmp_path: Path, mixed: Mixer) -> None:
    spans: Spans = ((1.0, 5.0), (7.0, 11.0))
    take = steady(12, -30)
    take[frames(5.8) : frames(6.3)] *= 10 ** (20 / 20)
    result = mixed(replace(plan(tmp_path, voice(12, spans), spans, [take]), settings=NOT_LIMITED))
    phrases = ebur128(stretches(result.master - result.bgm, spans)).lufs
    assert momentary(result.bgm, 5.0, 7.0) < phrases - 4


def test_music_that_swells_in_a_long_gap_still_stays_below_the_voice(tmp_path: Path, mixed: Mixer) -> None:
    spans: Spans = ((1.0, 5.0), (11.0, 14.0))
    take = steady(15, -40)
    take[frames(5.5) : frames(10.5)] *= 8
    result = mixed(replace(plan(tmp_path, voice(15, spans), spans, [take]), settings=NOT_LIMITED))
    speaking = stretches(result.master - result.bgm, spans)
    assert ebur128(result.bgm[frames(7) : frames(10)]).lufs < ebur128(speaking).lufs + 0.5


def test_music_falls_over_300_to_500_ms_before_the_word_and_comes_back_slowly(talk: MixPlan, mixed: Mixer) -> None:
    bgm = mixed(talk).bgm
    under, open_ = level_db(bgm, 13, 15), level_db(bgm, 10.7, 11.3)
    assert level_db(bgm, 11.4, 11.55) == pytest.approx(open_, abs=1.0), "half a second before the word it is still up"
    assert level_db(bgm, 12.0, 12.1) == pytest.approx(under, abs=1.0), "when the word starts it is down"
    levels = [level_db(bgm, at, at + 0.05) for at in np.arange(11.4, 12.1, 0.05)]
    steepest = max(before - after for before, after in zip(levels, levels[2:], strict=False))
    assert steepest < 6, "dB in a tenth of a second"
    assert under + 1.5 < level_db(bgm, 7.25, 7.35) < level_db(bgm, 8.0, 8.2) - 1.5, "half-way after 0.3 s"


def test_no_pumping_in_a_pause_between_two_sentences(tmp_path: Path, mixed: Mixer) -> None:
    spans: Spans = ((2.0, 5.0), (5.8, 9.0))
    take = steady(11, -20)
    bgm = mixed(replace(plan(tmp_path, voice(11, spans), spans, [take]), settings=NOT_LIMITED)).bgm
    assert level_db(bgm, 5.1, 5.7) == pytest.approx(level_db(bgm, 3, 4.5), abs=1.5)


def test_no_pumping_in_a_pause_inside_a_phrase(talk: MixPlan, mixed: Mixer) -> None:
    bgm = mixed(talk).bgm
    levels = [level_db(bgm, t, t + 0.2) for t in np.arange(12.2, 18.8, 0.2)]
    assert max(levels) - min(levels) < 2.0


@pytest.mark.parametrize("depth_db", [-4.0, -8.0, -14.0])
def test_a_fixed_depth(depth_db: float, tmp_path: Path, mixed: Mixer) -> None:
    spans: Spans = ((4.0, 8.0), (9.4, 11.0))
    wanted = plan(tmp_path, voice(12, spans), spans, [steady(12, -20)])
    ducked, flat = (
        mixed(replace(wanted, settings=replace(NOT_LIMITED, depth_db=depth_db, duck=duck))).bgm
        for duck in (True, False)
    )
    under, open_ = (level_db(ducked, *t) - level_db(flat, *t) for t in ((5, 7), (8.65, 8.95)))
    assert under - open_ == pytest.approx(depth_db, abs=0.7)


def test_without_ducking_the_music_keeps_one_level(talk: MixPlan, mixed: Mixer) -> None:
    bgm = mixed(replace(talk, settings=MixSettings(lufs=-23, duck=False))).bgm
    levels = [level_db(bgm, t, t + 0.5) for t in np.arange(1, 9, 0.5)]
    assert max(levels) - min(levels) < 1.5


@pytest.mark.parametrize("stem", [None, np.zeros((frames(8), 1), np.float32)], ids=["no voice", "silent voice"])
def test_without_speech_the_music_is_whole(stem: Sound | None, tmp_path: Path, mixed: Mixer) -> None:
    take = steady(8, -30)
    result = mixed(replace(plan(tmp_path, stem, ((1.0, 6.0),), [take]), settings=NOT_LIMITED))
    inner = slice(frames(0.5), frames(7.5))
    gain = np.vdot(result.bgm[inner], take[inner]) / np.vdot(take[inner], take[inner])
    assert np.abs(result.bgm[inner] - gain * take[inner]).max() < 1e-5
    assert result.report.under_speech_lu is None


def test_the_presence_band_and_the_bass_give_way_only_under_speech(tmp_path: Path, mixed: Mixer) -> None:
    spans: Spans = ((4.0, 8.0),)
    bands = {"bass": (40, 70), "middle": (400, 900), "presence": (2_500, 3_200)}
    wide = sum(steady(12, -30, seed=i, low_hz=a, high_hz=b) for i, (a, b) in enumerate(bands.values()))
    bgm = mixed(replace(plan(tmp_path, voice(12, spans), spans, [wide]), settings=NOT_LIMITED)).bgm  # type: ignore[list-item]

    def band_db(name: str, start: float, end: float) -> float:
        part = bgm[frames(start) : frames(end), 0]
        hz = np.fft.rfftfreq(len(part), 1 / 48_000)
        inside = (hz > bands[name][0]) & (hz < bands[name][1])
        return float(10 * np.log10(np.sum(np.abs(np.fft.rfft(part)[inside]) ** 2) / len(part) ** 2))

    def given_way(name: str) -> float:
        under, open_ = (band_db(name, *t) - band_db("middle", *t) for t in ((5, 7), (9.5, 11.5)))
        return open_ - under

    assert 4 < given_way("presence") < 7
    assert given_way("bass") > 5


def test_voice_and_bgm_add_up_to_the_master(talk: MixPlan, mixed: Mixer) -> None:
    result, stem = mixed(talk), voice(24, PHRASES)
    rest = result.master - result.bgm
    gain = np.vdot(rest[:, :1], stem) / np.vdot(stem, stem)
    assert np.abs(rest - gain * stem).max() < 1e-5


def test_the_creators_gain_is_kept(talk: MixPlan, mixed: Mixer) -> None:
    first = mixed(talk).bgm
    louder = replace(talk, placements=(replace(talk.placements[0], gain_db=5.0), talk.placements[1]))
    second = mixed(louder).bgm
    change = [level_db(second, a, b) - level_db(first, a, b) for a, b in ((4, 6), (13, 15))]
    assert change[0] - change[1] == pytest.approx(5.0, abs=0.7)
