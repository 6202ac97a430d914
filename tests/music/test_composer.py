"""What a listener would notice in a composed cue: length, form, theme, harmony, ending, variety, one score."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import replace

import pytest

from benchmarks import styles
from benchmarks.features import distance, piano_roll, repeats
from bgm.digest import stream
from bgm.music.composer.compose import compose
from bgm.music.composer.form import COMMON, NUDGE, Kind, grid, sections
from bgm.music.composer.harmony import home, key_for
from bgm.music.composer.moods import MOODS
from bgm.music.composer.motif import motif_for
from bgm.music.composer.sketch import sketch, tempo_of
from bgm.music.embedded import EmbeddedComposer
from bgm.music.score import GENERAL_MIDI, Role, Score
from bgm.timeline import EMOTIONS, Emotion
from testing.scores import seconds_of_bar
from tests.music.composing import cue

LENGTHS = (0.1, 0.3, 1.0, 1.99, 2.0, 2.7, 4.0, 7.3, 21.7, 60.0, 600.0)


@pytest.mark.parametrize("ending", [False, True])
@pytest.mark.parametrize("seconds", LENGTHS)
def test_any_length_is_filled_from_its_start_and_never_overrun(seconds: float, ending: bool) -> None:
    for emotion in (Emotion.SADNESS, Emotion.SURPRISE):
        score = compose(cue(emotion, seconds, ending=ending, opening=ending))
        assert score.notes[0].start < 0.1
        assert all(0 <= note.start < note.end <= score.seconds for note in score.notes)
        if not ending:
            last = max(note.end for note in score.notes)
            assert last > score.seconds - 0.6


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_the_music_never_falls_silent(emotion: Emotion) -> None:
    for seed in range(4):
        notes = compose(cue(emotion, 45, seed=seed, opening=True)).notes
        reached = 0.0
        for note in notes:
            assert note.start - reached < 1.5
            reached = max(reached, note.end)


def test_a_boundary_falls_on_a_beat_and_the_tempo_stays_near_its_own() -> None:
    for seconds in (3.0, 5.5, 9.1, 17.3, 44.4):
        beats = grid(seconds, 100, COMMON, ending=False)
        assert beats.seconds(beats.beats) == pytest.approx(seconds)
        assert seconds < 10 or 1 / NUDGE <= beats.tempo / 100 <= NUDGE


def test_a_long_piece_states_develops_and_brings_back_its_theme() -> None:
    form = [section.kind for section in sections(36, stream(1), opening=True)]
    assert form == [Kind.INTRO, Kind.STATEMENT, Kind.VARIATION, Kind.CONTRAST, Kind.RETURN]
    very_long = sections(400, stream(1), opening=True)
    assert sum(section.bars for section in very_long) == 400
    assert len({section.kind for section in very_long}) == len(Kind)
    assert very_long[-1].kind is Kind.RETURN


def contour(score: Score, start: float, end: float) -> list[int]:
    pitches = [note.pitch for note in score.notes if note.role is Role.LEAD and start <= note.start < end]
    return [(b > a) - (b < a) for a, b in itertools.pairwise(pitches)]


def test_the_theme_comes_back() -> None:
    drawing = cue(Emotion.NEUTRAL, 60)
    score, form = compose(drawing), sketch(drawing).sections
    bar = seconds_of_bar(score)
    opening = contour(score, -0.1, 0.9 * bar)
    assert opening, "the theme starts at once in a cue that doesn't open the video"
    phrases = [contour(score, b * bar - 0.1, (b + 0.9) * bar) for b in range(4 * len(form), form[-1].end)]
    assert opening in phrases


def test_the_piece_ends_on_its_tonic_and_an_inner_cue_does_not_stop() -> None:
    for emotion in EMOTIONS:
        score = compose(cue(emotion, 20, ending=True))
        last = [note for note in score.notes if note.start > score.seconds - 3.65 and note.role is not Role.DRUMS]
        assert min(last, key=lambda note: note.pitch).pitch % 12 == score.tonic
        assert 1.5 < score.fade < 3.6, "one fade, inside the last chord"
        assert not [c for c in score.controls if c.time > score.seconds - score.fade], "and no other under it"
        assert compose(cue(emotion, 20)).fade == 0


def test_drums_fill_before_a_section_changes() -> None:
    drawing = cue(Emotion.JOY, 60)
    score, form = compose(drawing), sketch(drawing).sections
    bar = seconds_of_bar(score)

    def drums(number: int) -> set[tuple[int, int]]:
        hits = [n for n in score.notes if n.role is Role.DRUMS and number <= (n.start + 0.03) / bar < number + 1]
        return {(n.pitch, round((n.start / bar - number) * 16)) for n in hits}

    *before, boundary = (drums(bar) for bar in range(form[0].first, form[0].end))
    assert {stroke for stroke in boundary if stroke[1] >= 8} - set().union(*before)


def test_no_eight_bars_are_heard_three_times_in_a_minute() -> None:
    for emotion in EMOTIONS:
        for seed in range(3):
            assert repeats(compose(cue(emotion, 60, seed=seed))) <= 2


def test_every_instrument_stays_in_its_range() -> None:
    for emotion, seed in itertools.product(EMOTIONS, range(6)):
        score = compose(cue(emotion, 30, seed=seed, piece=seed, ending=True))
        ranges = {part.role: GENERAL_MIDI[part.program] for part in score.parts if part.role is not Role.DRUMS}
        for note in score.notes:
            if note.role is not Role.DRUMS:
                assert ranges[note.role].low <= note.pitch <= ranges[note.role].high
            assert 1 <= note.velocity <= 127


def test_chords_move_by_small_steps() -> None:
    moves = []
    for emotion in EMOTIONS:
        score = compose(cue(emotion, 40))
        chords: dict[int, set[int]] = {}
        for note in score.notes:
            if note.role is Role.PAD:
                for beat in range(round(note.start * score.tempo / 60), round(note.end * score.tempo / 60)):
                    chords.setdefault(beat, set()).add(note.pitch)
        for beat, after in itertools.pairwise(sorted(chords)):
            moves += [min(abs(pitch - old) for old in chords[beat]) for pitch in chords[after]]
    assert sum(moves) / len(moves) < 1.5
    assert max(moves) <= 12


def test_hands_are_not_a_machine() -> None:
    score = compose(cue(Emotion.NEUTRAL, 30))
    sixteenth = 60 / score.tempo / 4
    errors = [note.start - sixteenth * round(note.start / sixteenth) for note in score.notes if note.role is Role.COMP]
    assert 0.002 < sum(abs(error) for error in errors) / len(errors) < 0.02
    assert len({note.velocity for note in score.notes if note.role is Role.COMP}) > 5


def test_same_seed_same_notes_other_seed_another_piece() -> None:
    scores = [compose(cue(Emotion.JOY, 30, seed=seed)) for seed in range(5)]
    assert compose(cue(Emotion.JOY, 30, seed=0)) == scores[0]
    assert min(distance(a, b) for a, b in itertools.combinations(scores, 2)) > 0.25
    assert compose(cue(Emotion.JOY, 30, seed=0, piece=8)) != scores[0]


def digest(**moments: object) -> str:
    """Of the notes of all moods, times to the microsecond."""
    cues = [cue(emotion, 25, ending=True, **moments) for emotion in EMOTIONS]
    notes = [[(round(1e6 * n.start), n.pitch, n.velocity, n.role.value) for n in compose(c).notes] for c in cues]
    return hashlib.sha256(repr(notes).encode()).hexdigest()[:16]


def test_the_notes_are_those_of_this_revision_on_every_machine() -> None:
    """If you meant to change the music, raise EmbeddedComposer.revision and put the new digest here."""
    plain, synced = digest(), digest(speech=((3.0, 8.0),), hits=(2.0, 12.0))
    assert (EmbeddedComposer.revision, plain, synced) == ("8", "a8a5e0e2eeaab0cf", "7c250b4f0b71c2c7")


def test_neighbours_never_change_a_cue() -> None:
    alone = cue(Emotion.FEAR, 20)
    beside = replace(alone, before=Emotion.JOY, after=Emotion.ANGER)
    assert compose(alone) == compose(beside)


def test_all_cues_of_a_piece_share_tones_pulse_and_motif() -> None:
    common = {(home(5) + step) % 12 for step in (0, 2, 4, 5, 7, 9, 11)}
    for emotion in EMOTIONS:
        key = key_for(5, MOODS[emotion].modes[1])
        tones = {key.pitch_class(degree) for degree in range(7)}
        assert len(tones & common) >= 5
        request = cue(emotion, 40, piece=5)
        ratio = compose(request).tempo / tempo_of(request.piece)
        assert min(abs(ratio / simple - 1) for simple in (1 / 2, 1, 3 / 2, 2)) < NUDGE - 1
        assert sketch(request).motif == motif_for(5, sketch(request).grid.meter)


def test_accents_land_on_cuts_that_fall_on_the_beat() -> None:
    plain = compose(cue(Emotion.ANGER, 20))
    beat = 60 / plain.tempo
    cuts = (8 * beat + 0.03, 20.25 * beat)
    marked = compose(cue(Emotion.ANGER, 20, hits=cuts))
    struck = [note.start for note in marked.notes if note.role is Role.BOOM]
    assert cuts[0] in struck and cuts[1] not in struck


@pytest.mark.parametrize("emotion", [Emotion.SADNESS, Emotion.ANGER])
def test_no_two_of_twenty_videos_have_a_piece_alike(emotion: Emotion) -> None:
    rolls = [piano_roll(styles.of_video(number, emotion)) > 0 for number in range(20)]
    assert max(styles.overlap(a, b) for a, b in itertools.combinations(rolls, 2)) < 0.4
