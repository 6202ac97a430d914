from __future__ import annotations

import itertools

import pysubs2
from hypothesis import given
from hypothesis import strategies as st

from bgm.speech.subtitle_file import to_srt, to_vtt
from bgm.timeline import Utterance

LONG = Utterance(3725.0, 3727.9996, "It was the best thing that has ever happened to anybody in this whole small town.")
SHORT = Utterance(0.5, 2.0, "Fish & chips --> <now>")


def test_srt_to_the_letter() -> None:
    assert to_srt([SHORT, LONG]) == (
        "1\n00:00:00,500 --> 00:00:02,000\nFish & chips --> <now>\n\n"
        "2\n01:02:05,000 --> 01:02:06,650\nIt was the best thing that has ever\nhappened\n\n"
        "3\n01:02:06,650 --> 01:02:08,000\nto anybody in this whole small town.\n"
    )


def test_vtt_to_the_letter() -> None:
    assert to_vtt([SHORT, LONG]) == (
        "WEBVTT\n\n00:00:00.500 --> 00:00:02.000\nFish &amp; chips --&gt; &lt;now&gt;\n\n"
        "01:02:05.000 --> 01:02:06.650\nIt was the best thing that has ever\nhappened\n\n"
        "01:02:06.650 --> 01:02:08.000\nto anybody in this whole small town.\n"
    )


@given(st.lists(st.text("abcdefgh", min_size=1, max_size=12), min_size=1, max_size=70), st.floats(0.3, 40))
def test_two_lines_at_a_time_and_no_word_lost(words: list[str], seconds: float) -> None:
    """Where there is a second for each cue; a hurried phrase has more lines and flashes no word."""
    events = list(pysubs2.SSAFile.from_string(to_srt([Utterance(1, 1 + seconds, " ".join(words))]), "srt"))
    assert " ".join(event.plaintext for event in events).split() == words
    assert all(a.end == b.start for a, b in itertools.pairwise(events))
    if seconds >= len(words):
        assert max(event.plaintext.count("\n") for event in events) <= 1


def test_no_utterances() -> None:
    assert to_srt([]) == ""
    assert to_vtt([]) == "WEBVTT\n"


def test_lines_and_blank_lines_in_the_text_do_not_end_the_cue() -> None:
    assert to_srt([Utterance(0, 1, "one\n\ntwo")]).count("\n\n") == 0


@given(st.lists(st.tuples(st.floats(0, 86_000), st.floats(0.01, 60)), min_size=1, max_size=5))
def test_another_reader_gets_the_same_times(times: list[tuple[float, float]]) -> None:
    utterances = [Utterance(start, start + length, "words") for start, length in times]
    events = pysubs2.SSAFile.from_string(to_srt(utterances), "srt")
    read = [(event.start, event.end) for event in events]
    assert read == [(round(u.start * 1000), round(u.end * 1000)) for u in utterances]
