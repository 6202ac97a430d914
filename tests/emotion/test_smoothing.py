"""Utterances to timeline: timelines worked out by hand, and properties that hold for every input."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bgm.emotion import smoothing
from bgm.emotion.smoothing import fitting_threshold, heard, ignored
from bgm.errors import BadInput
from bgm.timeline import EMOTIONS, Emotion, Timeline, Utterance

JOY, ANGER, FEAR, SADNESS, NEUTRAL = Emotion.JOY, Emotion.ANGER, Emotion.FEAR, Emotion.SADNESS, Emotion.NEUTRAL


def scores(**given: float) -> dict[Emotion, float]:
    """The named probabilities; the rest is shared by the other emotions."""
    rest = (1 - sum(given.values())) / (len(EMOTIONS) - len(given))
    return {e: given.get(e.value, rest) for e in EMOTIONS}


def said(start: float, end: float, emotion: Emotion, probability: float = 0.9, **also: float) -> Utterance:
    return Utterance(start, end, "words", "words", scores(**{emotion.value: probability, **also}))


def segment(speech: Sequence[Utterance], duration: float, min_segment: float = 5.0) -> Timeline:
    """The seed's rule, with its threshold in seconds."""
    return smoothing.segment(speech, duration, min_segment)


def told(timeline: Timeline) -> list[tuple[float, float, str]]:
    return [(s.start, s.end, s.emotion.value) for s in timeline.segments]


def test_short_emotion_between_two_equal_ones_is_filled() -> None:
    timeline = segment([said(0, 8, JOY), said(8, 11, ANGER, 0.99), said(11, 20, JOY)], 20)
    assert told(timeline) == [(0, 20, "joy")]


def test_short_emotion_does_not_survive_by_borrowing_from_short_neighbours() -> None:
    joyful = [said(t, t + 2, JOY, 0.5) for t in (0, 2, 4, 6, 11, 13, 15)]
    timeline = segment([*joyful, said(8, 11, ANGER, 0.99)], 17)
    assert told(timeline) == [(0, 17, "joy")]


@pytest.mark.parametrize(
    ("likelier", "expected"),
    [
        ({"joy": 0.3, "sadness": 0.05}, [(0, 10, "joy"), (10, 18, "sadness")]),
        ({"joy": 0.05, "sadness": 0.3}, [(0, 7, "joy"), (7, 18, "sadness")]),
    ],
)
def test_short_emotion_between_different_ones_goes_to_the_likelier_neighbour(
    likelier: dict[str, float], expected: list[tuple[float, float, str]]
) -> None:
    timeline = segment([said(0, 7, JOY), said(7, 10, FEAR, 0.6, **likelier), said(10, 18, SADNESS)], 18)
    assert told(timeline) == expected


def test_last_utterance_counts_when_it_changes_the_emotion_and_when_it_keeps_it() -> None:
    start = [said(0, 6, JOY), said(6, 12, SADNESS)]
    assert told(segment([*start, said(12, 18, ANGER)], 18))[-1] == (12, 18, "anger")
    assert told(segment([*start, said(12, 18, SADNESS)], 18)) == [(0, 6, "joy"), (6, 18, "sadness")]


def test_neutral_ends_an_emotion() -> None:
    timeline = segment([said(0, 6, JOY), said(6, 12, NEUTRAL), said(12, 18, JOY)], 18)
    assert told(timeline) == [(0, 6, "joy"), (6, 12, "neutral"), (12, 18, "joy")]


def test_short_pauses_belong_to_their_neighbours_and_are_cut_in_the_middle() -> None:
    timeline = segment([said(2, 8, JOY), said(10, 16, SADNESS)], 19)
    assert told(timeline) == [(0, 9, "joy"), (9, 19, "sadness")]


def test_long_silences_at_start_middle_and_end_are_neutral() -> None:
    timeline = segment([said(7, 13, JOY), said(20, 26, JOY)], 40)
    assert told(timeline) == [
        (0, 7, "neutral"),
        (7, 13, "joy"),
        (13, 20, "neutral"),
        (20, 26, "joy"),
        (26, 40, "neutral"),
    ]


def test_silence_carries_the_mood_of_speech_that_is_too_short_by_itself() -> None:
    timeline = segment([said(0, 4, FEAR), said(9.5, 13.5, FEAR)], 13.5)
    assert told(timeline) == [(0, 13.5, "fear")]


def test_one_short_word_in_a_long_silence_is_ignored() -> None:
    timeline = segment([said(20, 22, JOY)], 60)
    assert told(timeline) == [(0, 60, "neutral")]
    assert timeline.segments[0].confidence < 0.1, "the only speech says otherwise"


def test_one_utterance() -> None:
    timeline = segment([said(2, 9, SADNESS, 0.8)], 12)
    assert told(timeline) == [(0, 12, "sadness")]
    assert timeline.segments[0].confidence == pytest.approx(0.8)


def test_no_utterance_is_one_neutral_segment_without_confidence() -> None:
    timeline = segment([], 33.3)
    assert told(timeline) == [(0, 33.3, "neutral")]
    assert timeline.segments[0].confidence == 0
    unscored = segment([Utterance(0, 30, "not scored")], 33.3)
    assert told(unscored) == [(0, 33.3, "neutral")]


def test_threshold_is_the_creators_to_change() -> None:
    speech = [said(0, 6, JOY), said(6, 9, ANGER), said(9, 20, JOY)]
    assert len(segment(speech, 20, min_segment=3).segments) == 3
    assert len(segment(speech, 20, min_segment=3.5).segments) == 1
    every = [said(0, 0.4, JOY), said(0.4, 0.5, ANGER), said(0.5, 1, JOY)]
    assert told(segment(every, 1, min_segment=0)) == [(0, 0.4, "joy"), (0.4, 0.5, "anger"), (0.5, 1, "joy")]


def test_threshold_of_zero_does_not_make_every_breath_a_segment() -> None:
    timeline = segment([said(0, 3, JOY), said(3.5, 6, JOY), said(7, 9, JOY)], 10, min_segment=0)
    assert told(timeline) == [(0, 10, "joy")]


def test_emotion_of_exactly_the_threshold_stays_despite_rounding() -> None:
    step = 0.1
    angry = [said(10 + k * step, 10 + (k + 1) * step, ANGER) for k in range(50)]
    timeline = segment([said(0, 10, JOY), *angry, said(15, 25, JOY)], 25)
    assert [s.emotion for s in timeline.segments] == [JOY, ANGER, JOY]


def test_video_shorter_than_the_threshold_is_one_segment_of_the_likeliest_emotion() -> None:
    timeline = segment([said(0, 1, ANGER), said(1, 3, JOY)], 3)
    assert told(timeline) == [(0, 3, "joy")]


def test_where_no_emotion_lasts_the_likeliest_over_all_wins() -> None:
    timeline = segment([said(0, 4, ANGER), said(4, 8.5, FEAR), said(8.5, 12, SADNESS)], 12)
    assert told(timeline) == [(0, 12, "fear")]


def test_one_oversure_utterance_does_not_outvote_the_rest() -> None:
    speech = [said(0, 3, ANGER, 1 - 6e-12), said(3, 30, JOY, 0.6)]
    timeline = segment(speech, 30, min_segment=60)
    assert told(timeline) == [(0, 30, "joy")]


def test_overlapping_and_stray_utterances_are_settled() -> None:
    speech = [said(0, 10, JOY), said(8, 20, SADNESS), said(-5, -1, ANGER), said(19, 99, SADNESS), said(50, 60, FEAR)]
    assert told(segment(speech, 20)) == [(0, 9, "joy"), (9, 20, "sadness")]


def test_ids_are_in_order_and_prompts_are_left_to_the_music_stage() -> None:
    timeline = segment([said(0, 6, JOY), said(6, 12, ANGER), said(12, 18, FEAR)], 18)
    assert [s.id for s in timeline.segments] == ["s1", "s2", "s3"]
    assert {(s.prompt, s.source) for s in timeline.segments} == {("", "auto")}


def test_third_phrase_of_eleven_seconds_is_not_lost() -> None:
    speech = [said(0, 3.6, NEUTRAL), said(3.75, 7.25, NEUTRAL), said(7.75, 10.75, JOY)]
    assert told(smoothing.segment(speech, 11)) == [(0, 7.5, "neutral"), (7.5, 11, "joy")]


def test_four_emotions_in_twenty_seconds_are_four_segments() -> None:
    speech = [said(5 * k, 5 * k + 4.9, e) for k, e in enumerate((JOY, SADNESS, ANGER, FEAR))]
    assert [s.emotion for s in smoothing.segment(speech, 20).segments] == [JOY, SADNESS, ANGER, FEAR]
    assert len(segment(speech, 20).segments) < 4, "the seed's rule, as it is worded"


@pytest.mark.parametrize(("phrase", "threshold"), [(1, 2), (4.9, 2.45), (8, 4), (30, 5)])
def test_threshold_follows_the_phrases_between_two_and_five_seconds(phrase: float, threshold: float) -> None:
    speech = [said(phrase * k, phrase * (k + 1), JOY) for k in range(5)]
    assert fitting_threshold(speech) == pytest.approx(threshold)


def test_a_boundary_stays_where_it_was_for_as_long_as_nobody_speaks_there() -> None:
    old = smoothing.segment([said(0, 4, JOY), said(6, 10, SADNESS)], 10).segments
    assert old[0].end == 5

    def drawn(first: Utterance, second: Utterance) -> list[tuple[float, float, str]]:
        speech = [first, second]
        return told(smoothing.settled(smoothing.segment(speech, 10), old, speech))

    assert drawn(said(0, 4.6, JOY), said(6, 10, SADNESS)) == [(0, 5, "joy"), (5, 10, "sadness")]
    assert drawn(said(0, 5.4, JOY), said(6, 10, SADNESS)) == [(0, 5.7, "joy"), (5.7, 10, "sadness")], "spoken over"
    assert drawn(said(0, 4.6, JOY), said(6, 10, FEAR)) == [(0, 5.3, "joy"), (5.3, 10, "fear")], "another one"


def test_ignored_feeling_is_told_with_its_place() -> None:
    speech = [
        said(0, 6, SADNESS),
        said(6, 7.5, JOY),
        said(8, 14, SADNESS),
        said(14, 15, NEUTRAL),
        said(15, 20, SADNESS),
    ]
    timeline = smoothing.segment(speech, 20)
    assert told(timeline) == [(0, 20, "sadness")]
    (mark,) = ignored(speech, timeline)["s1"]
    assert (mark.start, mark.end, mark.emotion, mark.confidence) == (6, 7.75, JOY, pytest.approx(0.9))
    assert told(timeline.insert(mark.start, mark.end, mark.emotion))[1] == (6, 7.75, "joy"), "one click away"


def test_doubtful_change_is_no_segment_but_by_the_seeds_rule() -> None:
    speech = [said(0, 8, SADNESS), said(8, 12, JOY, 0.5, sadness=0.3), said(12, 20, SADNESS)]
    assert len(smoothing.segment(speech, 20).segments) == 1
    assert len(segment(speech, 20, min_segment=3).segments) == 3


def test_doubtful_or_neutral_interludes_are_not_told_and_nothing_is_where_all_is_shown() -> None:
    speech = [said(0, 6, SADNESS), said(6, 7.5, JOY, 0.4), said(8, 14, SADNESS), said(14, 15.5, NEUTRAL)]
    assert ignored(speech, smoothing.segment(speech, 16)) == {}
    assert ignored([], smoothing.segment([], 16)) == {}
    whole = [said(0, 6, SADNESS), said(6, 12, JOY)]
    assert ignored(whole, smoothing.segment(whole, 12)) == {}


def test_confidence_is_what_is_heard_in_the_segment() -> None:
    speech = [said(0, 6, JOY, 0.6), said(6, 12, JOY, 0.8), said(12, 18, SADNESS, 0.7)]
    timeline = segment(speech, 18)
    for found in timeline.segments:
        scores = heard(speech, found.start, found.end)
        assert scores is not None and sum(scores.values()) == pytest.approx(1)
        assert found.confidence == pytest.approx(scores[found.emotion])


def test_utterances_that_agree_are_surer_than_one_and_those_that_do_not_are_less_sure() -> None:
    (alone,) = segment([said(0, 6, JOY, 0.7)], 6).segments
    (agreed,) = segment([said(0, 6, JOY, 0.7), said(6, 12, JOY, 0.7)], 12).segments
    (mixed,) = segment([said(0, 9, JOY, 0.7), said(9, 12, ANGER, 0.7)], 12).segments
    assert alone.confidence == pytest.approx(0.7)
    assert mixed.confidence < alone.confidence < agreed.confidence < 1


def test_confidence_of_the_timeline_and_of_the_page_is_that_of_the_same_reader() -> None:
    speech = [said(0, 6, JOY, 0.6), said(6, 12, JOY, 0.6)]
    (by_mpnet,) = smoothing.segment(speech, 12, reader="mpnet").segments
    scores = heard(speech, 0, 12, "mpnet")
    assert scores is not None and scores[JOY] == by_mpnet.confidence > segment(speech, 12).segments[0].confidence


def test_what_is_heard_counts_by_how_long_it_lies_inside_and_is_nothing_in_a_pause() -> None:
    speech = [said(0, 10, JOY), said(10, 20, ANGER), Utterance(20, 30, "not read yet")]
    scores = heard(speech, 8, 11)
    assert scores is not None and max(scores, key=scores.__getitem__) == JOY
    assert heard(speech, 20, 30) is None
    assert heard(speech, 40, 50) is None


@pytest.mark.parametrize(("duration", "threshold"), [(0, 5), (math.nan, 5), (10, -1), (10, math.inf), (10, math.nan)])
def test_senseless_lengths_are_refused(duration: float, threshold: float) -> None:
    with pytest.raises(BadInput):
        segment([], duration, threshold)


def test_transcript_of_three_hours_takes_no_time() -> None:
    cycle = itertools.cycle(EMOTIONS)
    speech = [said(2.1 * k, 2.1 * k + 2, next(cycle), 0.4) for k in range(5000)]
    started = time.process_time()
    segment(speech, 3 * 3600)
    assert time.process_time() - started < 1.0


@st.composite
def transcripts(draw: st.DrawFn, most: int = 12) -> tuple[list[Utterance], float]:
    clock, speech = 0.0, []
    for _ in range(draw(st.integers(0, most))):
        start = clock + draw(st.sampled_from([0.0, 0.0, 0.5, 2.0, 7.0]))
        clock = start + draw(st.sampled_from([0.3, 1.0, 2.0, 3.0, 5.0, 9.0]))
        winner = draw(st.sampled_from([JOY, ANGER, NEUTRAL]))
        speech.append(said(start, clock, winner, draw(st.sampled_from([0.4, 0.6, 0.95]))))
    return speech, clock + draw(st.sampled_from([0.0, 1.0, 8.0])) + 0.01


@settings(max_examples=200, deadline=None)
@given(transcripts(), st.sampled_from([0.0, 1.0, 3.3, 5.0, 12.0]))
def test_every_timeline_keeps_the_rule(transcript: tuple[list[Utterance], float], threshold: float) -> None:
    speech, duration = transcript
    timeline = segment(speech, duration, threshold)
    assert (timeline.segments[0].start, timeline.segments[-1].end) == (0, duration)
    assert all(a.emotion != b.emotion for a, b in itertools.pairwise(timeline.segments))
    assert all(0 <= s.confidence <= 1 for s in timeline.segments)
    if len(timeline.segments) > 1:
        assert min(s.length for s in timeline.segments) >= threshold - 1e-6
    edges = {t for u in speech for t in (u.start, u.end)}
    for boundary in [s.start for s in timeline.segments[1:]]:
        assert boundary in edges or not any(u.start < boundary < u.end for u in speech), "no utterance is cut"


@settings(max_examples=150, deadline=None)
@given(transcripts(most=6))
def test_no_segmentation_that_keeps_the_rule_is_likelier(transcript: tuple[list[Utterance], float]) -> None:
    speech, _ = transcript
    joined, clock = [], 0.0
    for u in speech:
        joined.append(Utterance(clock, clock + u.end - u.start, "", "", u.scores))
        clock = joined[-1].end
    if joined:
        found = segment(joined, clock)
        labels = [found.at((u.start + u.end) / 2).emotion for u in joined]
        assert _likelihood(joined, labels) == pytest.approx(_best_by_brute_force(joined, 5.0))


def _likelihood(speech: Sequence[Utterance], labels: Sequence[Emotion]) -> float:
    return sum((u.end - u.start) * math.log(max(0.01, u.scores[e])) for u, e in zip(speech, labels, strict=True))


def _best_by_brute_force(speech: Sequence[Utterance], threshold: float) -> float:
    """Try every labelling whose runs of one emotion are won by that emotion for ``threshold`` seconds."""
    kept = []
    for labels in itertools.product((JOY, ANGER, NEUTRAL), repeat=len(speech)):
        runs = itertools.groupby(zip(labels, speech, strict=True), key=lambda pair: pair[0])
        won = [
            sum(u.end - u.start for _, u in run if max(u.scores, key=u.scores.get) == emotion) for emotion, run in runs
        ]
        if min(won) >= threshold - 1e-6:
            kept.append(_likelihood(speech, labels))
    return max(kept) if kept else max(_likelihood(speech, [e] * len(speech)) for e in EMOTIONS)
