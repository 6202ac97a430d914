"""What a listener would notice of the lines: phrases, layers that don't cover each other, one growing whole."""

from __future__ import annotations

from statistics import mean

import pytest

from benchmarks.features import (
    distinct_rhythms,
    harmonic_rhythms,
    lead_above,
    low_seconds,
    parallels,
    repeated_rhythms,
)
from bgm.music.composer.compose import compose
from bgm.music.composer.sketch import sketch
from bgm.music.score import Role, Score
from bgm.timeline import EMOTIONS, Emotion, Style
from testing.scores import seconds_of_bar
from tests.music.composing import cue


@pytest.fixture(scope="module")
def scores() -> dict[tuple[Style, Emotion], Score]:
    return {
        (style, emotion): compose(cue(emotion, 60, seed=seed, piece=seed, style=style))
        for style in Style
        for seed, emotion in enumerate(EMOTIONS)
    }


Scores = dict[tuple[Style, Emotion], Score]


def test_the_melody_is_made_of_phrases_and_not_of_a_stamped_bar(scores: Scores) -> None:
    assert mean(repeated_rhythms(score) for score in scores.values()) < 0.15
    assert mean(distinct_rhythms(score) for score in scores.values()) >= 7


def test_melody_broken_chords_and_chords_do_not_cover_each_other(scores: Scores) -> None:
    assert min(lead_above(score) for score in scores.values()) > 0.95
    strikes, rubbing = (sum(column) for column in zip(*map(low_seconds, scores.values()), strict=True))
    assert strikes > 1000 and rubbing == 0


def test_melody_and_bass_do_not_run_in_octaves_or_fifths(scores: Scores) -> None:
    moved, parallel = (sum(column) for column in zip(*map(parallels, scores.values()), strict=True))
    assert moved > 300 and parallel <= 0.04 * moved


def test_a_mood_moves_in_its_own_way_in_every_style_and_a_walking_bass_walks_on() -> None:
    def bass(style: Style, emotion: Emotion) -> set[float]:
        score = compose(cue(emotion, 30, style=style))
        starts = (4 * n.start / seconds_of_bar(score) % 4 for n in score.notes if n.role is Role.BASS)
        return {round(2 * start) / 2 % 4 for start in starts}

    for style in (Style.LOFI, Style.CORPORATE, Style.ELECTRONIC, Style.TRAILER):
        assert len(bass(style, Emotion.ANGER)) > len(bass(style, Emotion.SADNESS))
    assert bass(Style.JAZZ, Emotion.ANGER) >= {0, 1, 2, 3}


def test_chords_do_not_all_last_one_bar(scores: Scores) -> None:
    assert mean(harmonic_rhythms(score) for score in scores.values()) > 2


def test_no_note_is_too_short_for_its_instrument(scores: Scores) -> None:
    assert min(note.end - note.start for score in scores.values() for note in score.notes) >= 0.08


@pytest.mark.parametrize("style", Style)
def test_players_stay_and_the_pulse_is_one_from_mood_to_mood(style: Style) -> None:
    moods = [compose(cue(emotion, 24, style=style)) for emotion in EMOTIONS]
    players = [{(part.role, part.program) for part in score.parts} for score in moods]
    for one in players:
        for other in players:
            assert len(one & other) >= 3
    slowest = min(score.tempo for score in moods)
    for score in moods:
        assert min(abs(score.tempo / slowest / ratio - 1) for ratio in (1, 1.5, 2, 3, 4)) < 0.05


def test_the_whole_grows_by_layers_to_one_climax() -> None:
    for style in Style:
        early, late = (cue(Emotion.JOY, 20, style=style, start=start) for start in (0.0, 90.0))
        assert max(sketch(late).energies) > max(sketch(early).energies) + 0.2
        first, last = compose(early), compose(late)
        assert last.level > first.level + 1.5
        assert {part.role for part in last.parts} >= {part.role for part in first.parts}


def test_the_piece_ends_after_the_last_word_where_there_is_room() -> None:
    for emotion in EMOTIONS:
        score = compose(cue(emotion, 20, ending=True, speech=((2.0, 17.6),)))
        final = score.changes[-1]
        assert 17.6 < final < 19.0
        bed = [n.velocity for n in score.notes if n.role is Role.PAD and 8 < n.start < 16]
        chord = [n.velocity for n in score.notes if abs(n.start - final) < 0.3 and n.role in (Role.PAD, Role.COMP)]
        assert mean(chord) > 1.15 * mean(bed or [0]), "it is heard over the bed"
    crowded = compose(cue(Emotion.JOY, 20, ending=True, speech=((2.0, 19.9),)))
    assert crowded.changes[-1] == pytest.approx(20 - 3.6, abs=0.1), "no room: where it usually falls"


@pytest.mark.parametrize("seconds", [0.3, 2.5])
def test_very_short_segments_sound_in_every_style(seconds: float) -> None:
    for style in Style:
        assert compose(cue(Emotion.JOY, seconds, style=style)).notes
