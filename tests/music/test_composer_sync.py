"""Sections start with the picture's cuts, or with the pauses of the speech, where one is near."""

from __future__ import annotations

from random import Random
from statistics import mean

import pytest

from bgm.music.composer.compose import compose
from bgm.music.composer.form import COMMON, HIT_NUDGE, SHORTEST_INTRO, SHORTEST_SECTION, Kind, grid, landmarks
from bgm.music.composer.sketch import Sketch, sketch
from bgm.music.score import Cue
from bgm.timeline import EMOTIONS, Emotion
from tests.music.composing import cue

SECONDS = 60.0
SEEDS = range(6)


def cuts(seed: int, count: int = 4) -> tuple[float, ...]:
    rng = Random(seed)
    return tuple(sorted(round(rng.uniform(3.0, SECONDS - 5.0), 3) for _ in range(count)))


def pauses(seed: int) -> tuple[float, ...]:
    """Where the pauses of ``speech(seed)`` start."""
    rng = Random(seed)
    return tuple(round(12.0 * i + rng.uniform(-3.0, 3.0), 2) for i in range(1, 5))


def speech(seed: int) -> tuple[tuple[float, float], ...]:
    ends = pauses(seed)
    return tuple(zip((0.0, *(end + 2.0 for end in ends[:-1])), ends, strict=True))


def pairs(what: str, seed: int, **changes: object) -> list[tuple[Cue, Cue]]:
    """For each mood a cue with nothing to land on, and the same with cuts or with speech."""
    moments = {"hits": cuts(seed)} if what == "hits" else {"speech": speech(seed)}
    fields = {"seed": seed, "piece": seed} | changes
    return [(cue(e, SECONDS, **fields), cue(e, SECONDS, **fields, **moments)) for e in EMOTIONS]


def bar_lines(plan: Sketch) -> list[float]:
    return [plan.grid.seconds(plan.bar * bar) for bar in range(plan.grid.bars + 1)]


def section_starts(plan: Sketch) -> list[float]:
    return [plan.grid.seconds(plan.bar * section.first) for section in plan.sections[1:]]


def away(times: list[float] | tuple[float, ...], marks: list[float] | tuple[float, ...]) -> float:
    """Mean distance of ``times`` from the nearest mark, seconds."""
    return mean(min(abs(time - mark) for mark in marks) for time in times)


def test_the_tempo_brings_bar_lines_to_the_cuts() -> None:
    found = [
        [away(cuts(seed), bar_lines(sketch(each))) for each in pair] for seed in SEEDS for pair in pairs("hits", seed)
    ]
    assert all(synced <= plain + 1e-9 for plain, synced in found)
    before, after = (mean(column) for column in zip(*found, strict=True))
    assert after < 0.75 * before


@pytest.mark.parametrize("what", ["hits", "speech"])
def test_sections_start_with_cuts_or_pauses(what: str) -> None:
    found = []
    for seed in SEEDS:
        moments = cuts(seed) if what == "hits" else pauses(seed)
        found += [[away(section_starts(sketch(each)), moments) for each in pair] for pair in pairs(what, seed)]
    before, after = (mean(column) for column in zip(*found, strict=True))
    assert after < 0.8 * before


def test_a_section_starts_on_the_bar_of_a_lone_cut_near_it() -> None:
    for emotion in EMOTIONS:
        usual = section_starts(sketch(cue(emotion, SECONDS)))[0]
        for late in (-1.0, -0.4, 0.4, 1.0):
            plan = sketch(cue(emotion, SECONDS, hits=(usual + late,)))
            nearest = min(bar_lines(plan), key=lambda line: abs(line - usual - late))
            assert nearest in section_starts(plan)


@pytest.mark.parametrize("what", ["hits", "speech"])
@pytest.mark.parametrize("opening", [False, True])
def test_no_section_becomes_too_short_and_every_bar_has_one(what: str, opening: bool) -> None:
    for seed in SEEDS:
        for _, synced in pairs(what, seed, opening=opening, ending=opening):
            plan = sketch(synced)
            assert plan.sections[0].first == 0
            assert [s.end for s in plan.sections] == [*(s.first for s in plan.sections[1:]), plan.grid.bars]
            for section in plan.sections:
                assert section.bars >= (SHORTEST_INTRO if section.kind is Kind.INTRO else SHORTEST_SECTION)


@pytest.mark.parametrize("ending", [False, True])
@pytest.mark.parametrize("seconds", [0.3, 2.0, 2.7, 5.5, 9.1, 21.7, 44.4, 600.0])
def test_cuts_leave_the_length_exact_and_the_tempo_near_its_own(seconds: float, ending: bool) -> None:
    usual = grid(seconds, 100, COMMON, ending=ending)
    for seed in SEEDS:
        rng = Random(seed)
        hits = tuple(rng.uniform(0, seconds) for _ in range(3))
        synced = grid(seconds, 100, COMMON, ending=ending, hits=hits)
        assert synced.seconds(synced.beats) == pytest.approx(usual.seconds(usual.beats))
        assert synced == usual or 1 / HIT_NUDGE - 1e-9 <= synced.tempo / 100 <= HIT_NUDGE * 1.02
        assert synced.beats % 4 == 0 or usual.beats % 4 != 0, "whole bars stay whole bars"
        score = compose(cue(Emotion.JOY, min(seconds, 45.0), seed=seed, ending=ending, hits=hits))
        assert all(0 <= note.start < note.end <= score.seconds for note in score.notes)


def test_the_same_cue_gives_the_same_notes() -> None:
    for what in ("hits", "speech"):
        found = [(compose(plain), compose(synced), compose(synced)) for plain, synced in pairs(what, 3)]
        assert all(synced == again for _, synced, again in found)
        assert sum(plain != synced for plain, synced, _ in found) >= 5


def test_short_pauses_are_breaths_and_cuts_go_before_pauses() -> None:
    words = ((1.0, 9.0), (3.0, 5.0), (10.4, 14.0), (15.5, 29.0))
    assert landmarks((), words, 30.0) == (14.0,)
    assert landmarks((), words, 30.5) == (14.0, 29.0)
    assert landmarks((2.0,), words, 30.5) == (2.0,)
    assert landmarks((), (), 30.0) == ()
