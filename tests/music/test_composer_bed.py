"""Under a voice the music steps back; in the gaps it may speak up."""

from __future__ import annotations

from statistics import mean

import pytest

from bgm.music.composer.compose import compose
from bgm.music.score import Note, Role, Score
from bgm.timeline import EMOTIONS, Emotion, Style
from tests.music.composing import cue

SPEECH = ((1.0, 9.0), (11.5, 18.0), (18.4, 24.0), (34.0, 40.0))


def inside(score: Score, spans: tuple[tuple[float, float], ...], margin: float = 0.1) -> list[Note]:
    return [n for n in score.notes if any(a + margin <= n.start < b - margin for a, b in spans)]


def test_no_melody_and_nothing_in_the_voices_band_under_speech() -> None:
    for emotion in EMOTIONS:
        for seed in range(3):
            notes = inside(compose(cue(emotion, 40, seed=seed, speech=SPEECH)), SPEECH)
            assert notes
            assert not [note for note in notes if note.role in (Role.LEAD, Role.COUNTER)]
            assert max(note.pitch for note in notes if note.role is not Role.DRUMS) <= 69


def test_melody_notes_are_over_when_the_voice_returns() -> None:
    for emotion in EMOTIONS:
        score = compose(cue(emotion, 40, speech=SPEECH))
        for note in score.notes:
            if note.role is Role.LEAD:
                assert not any(start + 0.1 < note.end and note.start < start for start, _ in SPEECH)


@pytest.mark.parametrize("style", Style)
def test_the_bed_keeps_its_groove_and_is_softer(style: Style) -> None:
    busy, bed = (compose(cue(Emotion.JOY, 40, style=style, speech=spans)) for spans in ((), ((0.0, 40.0),)))
    for role in (Role.COMP, Role.BASS, Role.DRUMS, Role.ARP):
        full, kept = ([note for note in score.notes if note.role is role] for score in (busy, bed))
        assert len(kept) >= 0.6 * len(full), role
        if full:
            assert mean(note.velocity for note in kept) < mean(note.velocity for note in full)


def test_the_motif_answers_in_a_gap_and_the_theme_in_a_long_one() -> None:
    score = compose(cue(Emotion.JOY, 40, speech=SPEECH))
    lead = [note.start for note in score.notes if note.role is Role.LEAD]
    assert [t for t in lead if 9 <= t < 11.5]
    assert len([t for t in lead if 24 <= t < 34]) > 6
    assert not [t for t in lead if 18.0 <= t < 18.5], "a breath is not a gap"


def test_speech_all_the_way_still_has_music_to_its_end() -> None:
    score = compose(cue(Emotion.SADNESS, 30, speech=((0.0, 30.0),)))
    assert max(note.end for note in score.notes) > 29.4
