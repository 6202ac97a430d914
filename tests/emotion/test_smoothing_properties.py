"""Whatever utterances an engine gives, in whatever order and however they overlap, a timeline comes of them."""

from __future__ import annotations

import itertools
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from bgm.emotion.smoothing import segment
from bgm.timeline import EMOTIONS, Utterance

SCORES = st.lists(st.floats(0, 1), min_size=7, max_size=7).map(lambda values: dict(zip(EMOTIONS, values, strict=True)))
SPOKEN = st.builds(
    lambda start, length, scores: Utterance(start, start + length, "w", "w", scores),
    st.floats(-20, 200),
    st.floats(0, 60),
    st.none() | SCORES,
)


@settings(max_examples=150, deadline=None)
@given(st.lists(SPOKEN, max_size=12), st.floats(0.01, 150), st.floats(0, 30))
def test_any_utterances_give_a_whole_timeline(spoken: list[Utterance], duration: float, least: float) -> None:
    timeline = segment(spoken, duration, least)
    assert timeline.segments[0].start == 0 and timeline.segments[-1].end == duration
    assert all(a.end == b.start and a.emotion != b.emotion for a, b in itertools.pairwise(timeline.segments))
    assert all(0 <= s.confidence <= 1 for s in timeline.segments)
    assert len(timeline.segments) == 1 or min(s.length for s in timeline.segments) >= least - 1e-6


@settings(max_examples=60, deadline=None)
@given(st.lists(SPOKEN, max_size=10, unique_by=lambda u: u.start), st.randoms(use_true_random=False))
def test_the_order_in_which_they_come_is_no_matter(spoken: list[Utterance], rng: random.Random) -> None:
    mixed = rng.sample(spoken, len(spoken))
    for least in ("auto", 5.0):
        assert segment(mixed, 100, least) == segment(spoken, 100, least)
