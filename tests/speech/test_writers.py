from __future__ import annotations

import pysubs2
from hypothesis import given
from hypothesis import strategies as st

from bgm.speech.writers import to_srt, to_vtt
from bgm.timeline import Utterance

LONG = Utterance(3725.0, 3727.9996, "It was the best thing that has ever happened to anybody in this whole small town.")
SHORT = Utterance(0.5, 2.0, "Fish & chips --> <now>")


def test_srt_to_the_letter() -> None:
    assert to_srt([SHORT, LONG]) == (
        "1\n00:00:00,500 --> 00:00:02,000\nFish & chips --> <now>\n\n"
        "2\n01:02:05,000 --> 01:02:08,000\n"
        "It was the best thing that has ever\nhappened to anybody in this whole small\ntown.\n"
    )


def test_vtt_to_the_letter() -> None:
    assert to_vtt([SHORT, LONG]) == (
        "WEBVTT\n\n00:00:00.500 --> 00:00:02.000\nFish &amp; chips --&gt; &lt;now&gt;\n\n"
        "01:02:05.000 --> 01:02:08.000\n"
        "It was the best thing that has ever\nhappened to anybody in this whole small\ntown.\n"
    )


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
