"""The seven moods stand where the circumplex puts them, and weak feelings stand between them and neutral."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from benchmarks.circumplex import CIRCUMPLEX
from benchmarks.features import Features, features
from bgm.music.composer.compose import compose
from bgm.music.composer.moods import NEUTRAL, character, strength
from bgm.timeline import EMOTIONS, Emotion
from tests.music.composing import cue

SEEDS = range(6)
CLEAR = 0.2
"""Points of the circumplex nearer than this are not ordered by it."""


@pytest.fixture(scope="module")
def measured() -> dict[Emotion, list[Features]]:
    return {
        emotion: [features(compose(cue(emotion, 40, seed=seed, piece=100 + seed))) for seed in SEEDS]
        for emotion in EMOTIONS
    }


def mean(rows: list[Features], name: str) -> float:
    return float(np.mean([getattr(row, name) for row in rows]))


def clear_pairs(axis: str) -> list[tuple[Emotion, Emotion]]:
    """Pairs (higher, lower) that the circumplex orders on an axis."""
    pairs = itertools.permutations(EMOTIONS, 2)
    return [(a, b) for a, b in pairs if getattr(CIRCUMPLEX[a], axis) - getattr(CIRCUMPLEX[b], axis) > CLEAR]


def test_arousal_is_heard_in_tempo_and_density(measured: dict[Emotion, list[Features]]) -> None:
    energy = {e: mean(rows, "log_tempo") + mean(rows, "log_density") for e, rows in measured.items()}
    wrong = [(a, b) for a, b in clear_pairs("arousal") if energy[a] <= energy[b]]
    assert clear_pairs("arousal") and not wrong


def test_valence_is_heard_in_mode_and_consonance(measured: dict[Emotion, list[Features]]) -> None:
    brightness = {e: mean(rows, "majorness") - 0.5 * mean(rows, "dissonance") for e, rows in measured.items()}
    wrong = [(a, b) for a, b in clear_pairs("valence") if brightness[a] <= brightness[b]]
    assert clear_pairs("valence") and not wrong


def test_moods_are_told_apart_by_notes_alone(measured: dict[Emotion, list[Features]]) -> None:
    table = {e: np.array([row.vector() for row in rows]) for e, rows in measured.items()}
    spread = np.mean([rows.std(axis=0) for rows in table.values()], axis=0)
    centres = {e: rows[:3].mean(axis=0) for e, rows in table.items()}
    held_out = [(e, row) for e, rows in table.items() for row in rows[3:]]
    right = [e == min(centres, key=lambda c: float((((row - centres[c]) / spread) ** 2).sum())) for e, row in held_out]
    assert np.mean(right) >= 0.9


def test_a_weak_feeling_lies_between_neutral_and_the_full_one() -> None:
    for emotion in set(EMOTIONS) - {Emotion.NEUTRAL}:
        weak, full = character(emotion, strength(0.3)), character(emotion, 1.0)
        for name in ("pulse", "density", "register", "loudness"):
            low, high = sorted((getattr(NEUTRAL, name), getattr(full, name)))
            assert low <= getattr(weak, name) <= high, (emotion, name)
        assert abs(weak.loudness - NEUTRAL.loudness) < abs(full.loudness - NEUTRAL.loudness)


def test_a_weakly_angry_piece_is_slower_and_softer_than_an_angry_one() -> None:
    weak, full = (features(compose(cue(Emotion.ANGER, 40, confidence=c))) for c in (0.2, 1.0))
    assert weak.log_tempo < full.log_tempo - 0.2
    assert weak.loudness < full.loudness - 15


def test_no_confidence_at_all_sounds_neutral() -> None:
    for emotion in EMOTIONS:
        assert character(emotion, 0.0) == NEUTRAL
