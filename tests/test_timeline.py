"""Edits of the timeline: what a creator does, and what must never break."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgm.timeline import MIN_LENGTH, Emotion, Segment, Take, Timeline, overlay


def timeline(*cuts: float, duration: float = 30.0) -> Timeline:
    edges = (0.0, *cuts, duration)
    emotions = list(Emotion)
    pairs = itertools.pairwise(edges)
    return Timeline(duration, tuple(Segment(f"s{i + 1}", a, b, emotions[i % 7]) for i, (a, b) in enumerate(pairs)))


def test_moving_a_boundary_moves_both_neighbours() -> None:
    moved = timeline(10.0, 20.0).move_boundary(1, 12.5)
    assert [(s.start, s.end) for s in moved.segments] == [(0, 12.5), (12.5, 20), (20, 30)]
    assert [s.source for s in moved.segments] == ["user", "user", "auto"]


def test_a_boundary_stops_before_its_neighbours_end() -> None:
    assert timeline(10.0, 20.0).move_boundary(1, 99.0).segments[1].start == 20 - MIN_LENGTH


def test_a_boundary_needs_a_real_time() -> None:
    with pytest.raises(ValueError, match="needs a time"):
        timeline(10.0).move_boundary(1, float("nan"))


def test_split_and_merge_undo_one_another() -> None:
    before = timeline(10.0)
    after = before.split("s2", 15.0)
    assert [s.id for s in after.segments] == ["s1", "s2", "s3"]
    joined = after.merge("s2")
    assert [(s.id, s.start, s.end, s.emotion) for s in joined.segments] == [
        (s.id, s.start, s.end, s.emotion) for s in before.segments
    ]


def test_a_merged_segment_is_what_its_longer_part_was() -> None:
    before = timeline(3.0, 10.0).update("s2", emotion=Emotion.SADNESS, prompt="slow strings")
    first = before.merge("s1").segments[0]
    assert (first.id, first.emotion, first.prompt, first.start, first.end) == ("s2", "sadness", "slow strings", 0, 10)
    assert timeline(8.0, 10.0).update("s2", emotion=Emotion.SADNESS).merge("s1").segments[0].id == "s1"


def test_the_second_half_of_a_split_has_no_take() -> None:
    with_take = timeline(10.0).update("s1", takes=(Take("x", "embedded", 1, "takes/x.flac"),), chosen="x")
    halves = with_take.split("s1", 5.0)
    assert halves["s1"].chosen == "x"
    assert halves.segments[1].chosen is None


def test_the_last_segment_has_nothing_to_merge_with() -> None:
    with pytest.raises(ValueError, match="no next one"):
        timeline(10.0).merge("s2")


def test_an_inserted_segment_lies_over_what_was_there() -> None:
    new = timeline(10.0, 20.0).insert(5.0, 25.0, Emotion.FEAR)
    assert [(s.start, s.end, s.emotion) for s in new.segments] == [
        (0, 5, Emotion.ANGER),
        (5, 25, Emotion.FEAR),
        (25, 30, Emotion.FEAR),
    ]
    assert len({s.id for s in new.segments}) == 3


def test_what_an_insertion_leaves_has_fades_at_its_own_edges_only_and_no_id_that_was_used() -> None:
    before = timeline(10.0, 20.0).remove("s2").update("s1", fade_in=1.0, fade_out=2.0)
    new = before.insert(5.0, 10.0, Emotion.FEAR)
    assert [(s.id, s.start, s.fade_in, s.fade_out) for s in new.segments] == [
        ("s1", 0, 1, 0),
        ("s4", 5, 0, 0),
        ("s5", 10, 0, 2),
        ("s3", 20, 0, 0),
    ]


def test_what_is_kept_has_its_id_before_what_is_laid_under_it() -> None:
    kept = Segment("s2", 20.0, 30.0, Emotion.FEAR, chosen="x", takes=(Take("x", "embedded", 1, "takes/x.flac"),))
    new = overlay(timeline(5.0, 15.0), [kept])
    assert [(s.id, s.start) for s in new.segments] == [("s1", 0), ("s4", 5), ("s3", 15), ("s2", 20)]
    assert new["s2"] == kept


def test_an_inserted_segment_takes_the_sliver_that_it_leaves_of_an_edited_one() -> None:
    new = timeline().set_emotion("s1", Emotion.JOY).insert(0.0, 29.9, Emotion.FEAR)
    assert [(s.start, s.end, s.emotion) for s in new.segments] == [(0.0, 30.0, Emotion.FEAR)]


def test_inserting_into_one_segment_leaves_it_on_both_sides() -> None:
    new = timeline().insert(10.0, 20.0, Emotion.JOY)
    assert [s.emotion for s in new.segments] == [Emotion.ANGER, Emotion.JOY, Emotion.ANGER]
    assert len({s.id for s in new.segments}) == 3


def test_a_gap_is_refused_in_words() -> None:
    first, second = timeline(10.0).segments
    with pytest.raises(ValueError, match="where the one before it ends"):
        Timeline(30.0, (first, Segment("s2", 11.0, second.end, Emotion.JOY)))


@given(st.lists(st.tuples(st.floats(0, 30), st.floats(0, 30)), max_size=6), st.lists(st.floats(1, 29), max_size=6))
def test_kept_segments_stand_and_everything_is_covered(spans: list[tuple[float, float]], cuts: list[float]) -> None:
    edges = sorted({round(c) for c in cuts} - {0, 30})
    base = timeline(*map(float, edges))
    kept: list[Segment] = []
    for a, b in sorted((min(s), max(s)) for s in spans):
        if b - a >= MIN_LENGTH and (not kept or a >= kept[-1].end):
            kept.append(Segment(f"s{len(kept) + 1}", a, b, Emotion.SADNESS, source="user"))
    new = overlay(base, kept)
    assert [(s.id, s.emotion) for s in new.segments if s.source == "user"] == [(k.id, k.emotion) for k in kept]
    assert all(abs(n.start - k.start) < MIN_LENGTH for n in new.segments for k in kept if n.id == k.id)


def test_a_locked_segment_is_not_removed() -> None:
    locked = timeline(10.0, 20.0).update("s2", locked=True)
    with pytest.raises(ValueError, match="locked: unlock it first"):
        locked.remove("s2")
    assert [s.end for s in locked.update("s2", locked=False).remove("s2").segments] == [20.0, 30.0]
