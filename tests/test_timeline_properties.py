"""Whatever a creator does, in whatever order: the timeline stays whole, and undo takes it back."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from bgm.errors import BadInput
from bgm.timeline import MIN_LENGTH, Emotion, Segment, Take, Timeline
from bgm.ui import edits
from bgm.ui.edits import History

NAMES = st.sampled_from([f"s{n}" for n in range(1, 8)])
TIMES = st.one_of(st.floats(-5, 70), st.sampled_from([0.0, MIN_LENGTH, 30.0, 59.999999999, 60.0]))
EMOTIONS = st.sampled_from(list(Emotion))
GESTURES = st.one_of(
    st.fixed_dictionaries({"op": st.just("move"), "id": NAMES, "time": TIMES}),
    st.fixed_dictionaries({"op": st.just("split"), "id": NAMES, "time": TIMES}),
    st.fixed_dictionaries({"op": st.just("merge"), "id": NAMES}),
    st.fixed_dictionaries({"op": st.just("insert"), "start": TIMES, "end": TIMES, "emotion": EMOTIONS}),
    st.fixed_dictionaries({"op": st.just("emotion"), "id": NAMES, "emotion": EMOTIONS}),
    st.fixed_dictionaries({"op": st.just("set"), "id": NAMES, "field": st.just("silent"), "value": st.booleans()}),
)
ANYTHING = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.just(10**400), st.text(max_size=5))
NONSENSE = st.dictionaries(
    st.sampled_from(["op", "id", "time", "start", "end", "emotion", "take", "field", "value"]),
    st.one_of(
        ANYTHING, NAMES, st.sampled_from(["move", "split", "merge", "insert", "choose", "set", "gain_db", "seed"])
    ),
)


@st.composite
def timelines(draw: st.DrawFn) -> Timeline:
    """Of 60 s, with segments of MIN_LENGTH and more, some with a take."""
    cuts = draw(st.lists(st.integers(1, 239), max_size=5, unique=True))
    edges = [0.0, *(cut * MIN_LENGTH for cut in sorted(cuts)), 60.0]
    take = Take("t", "embedded", 1, "takes/t.flac")
    segments = (Segment(f"s{n}", a, b, draw(EMOTIONS)) for n, (a, b) in enumerate(itertools.pairwise(edges), 1))
    return Timeline(60.0, tuple(replace(s, takes=(take,), chosen="t") if draw(st.booleans()) else s for s in segments))


def tried(timeline: Timeline, gesture: edits.Gesture) -> Timeline:
    try:
        return edits.apply(timeline, gesture)
    except BadInput as error:
        assert str(error).isprintable() and str(error)
        return timeline


def assert_whole(timeline: Timeline) -> None:
    """Told from the segments alone, not by the check that Timeline makes itself."""
    assert timeline.segments[0].start == 0.0 and timeline.segments[-1].end == timeline.duration
    assert all(a.end == b.start for a, b in itertools.pairwise(timeline.segments))
    assert all(s.length >= MIN_LENGTH - 1e-9 for s in timeline.segments)
    assert len({s.id for s in timeline.segments}) == len(timeline.segments)
    assert all(s.chosen is None or s.chosen_take is not None for s in timeline.segments)


@settings(max_examples=150, deadline=None)
@given(timelines(), st.lists(GESTURES, max_size=12))
def test_any_edits_leave_the_video_covered(timeline: Timeline, gestures: list[dict[str, Any]]) -> None:
    for gesture in gestures:
        timeline = tried(timeline, gesture)
        assert_whole(timeline)


@settings(max_examples=80, deadline=None)
@given(timelines(), st.lists(GESTURES, max_size=10))
def test_undo_goes_back_to_the_start_and_redo_to_the_end(timeline: Timeline, gestures: list[dict[str, Any]]) -> None:
    history, now = History(), timeline
    for gesture in gestures:
        history.remember(now)
        now = tried(now, gesture)
    end = now
    for _ in gestures:
        now = history.undo(now)
    assert now == timeline and history.undo(now) == timeline
    for _ in gestures:
        now = history.redo(now)
    assert now == end and history.redo(now) == end


@settings(max_examples=80, deadline=None)
@given(timelines(), st.floats(0, 60))
def test_a_split_that_is_merged_again_changes_no_time_and_no_emotion(timeline: Timeline, time: float) -> None:
    cut = timeline.at(time)
    split = tried(timeline, {"op": "split", "id": cut.id, "time": time})
    merged = split.merge(cut.id) if split != timeline else timeline
    kept = [(s.id, s.start, s.end, s.emotion, s.chosen) for s in timeline.segments]
    assert [(s.id, s.start, s.end, s.emotion, s.chosen) for s in merged.segments] == kept


@settings(max_examples=200, deadline=None)
@given(timelines(), NONSENSE)
@example(Timeline(60.0, (Segment("s1", 0.0, 60.0, Emotion.JOY),)), {"op": "split", "id": "s1", "time": 10**400})
@example(Timeline(60.0, (Segment("s1", 0.0, 60.0, Emotion.JOY),)), {"op": "split", "id": "s1", "time": float("nan")})
def test_nonsense_from_a_browser_is_refused_in_one_sentence(timeline: Timeline, gesture: dict[str, Any]) -> None:
    assert_whole(tried(timeline, gesture))
