"""Subtitles that we write can be read again; subtitles that anybody wrote are read in time or refused."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bgm.errors import BadInput
from bgm.speech import language, subtitle_file
from bgm.speech.subtitle_file import Subtitle, to_srt, to_vtt
from bgm.timeline import Utterance

WORDS = st.lists(st.text("abcdefgàéßñ한국어日本語АБВ", min_size=1, max_size=12), min_size=1, max_size=15)
TALK = "1\n00:00:01,000 --> 00:00:03,000\n"


@st.composite
def transcripts(draw: st.DrawFn) -> list[Utterance]:
    """On milliseconds, in order, 0.1 s or more long and apart: what a subtitle file can say exactly."""
    steps = draw(st.lists(st.integers(100, 100_000), min_size=2, max_size=20))
    times = [ms / 1000 for ms in itertools.accumulate(steps)]
    pairs = zip(times[::2], times[1::2], strict=False)
    return [Utterance(a, b, f"{n} " + " ".join(draw(WORDS))) for n, (a, b) in enumerate(pairs)]


@settings(max_examples=60, deadline=None)
@given(transcripts(), st.sampled_from([to_srt, to_vtt]))
def test_what_is_written_is_read_again(talk: list[Utterance], write) -> None:  # type: ignore[no-untyped-def]
    """A long phrase may be several cues one after another: together they say it, from its start to its end."""
    left = list(subtitle_file.parse(write(talk), "talk").cues)
    for phrase in talk:
        own = [left.pop(0)]
        while left and left[0].end <= phrase.end:
            assert left[0].start == own[-1].end
            own.append(left.pop(0))
        assert (own[0].start, own[-1].end, " ".join(c.text for c in own)) == (phrase.start, phrase.end, phrase.text)
    assert not left


MARKUP = st.sampled_from([*"[]{}<>♪#-:&;\\()%\n\r\t\u00a0\u200b", "-->", "<i>", "{\\p1}", "00:00:01,000", "WEBVTT"])
ODD_TEXT = st.lists(MARKUP | st.text(max_size=3), max_size=20).map("".join)


@settings(max_examples=150, deadline=None)
@given(st.lists(ODD_TEXT, min_size=1, max_size=5), st.sampled_from([to_srt, to_vtt]))
def test_any_text_can_be_written_and_its_times_survive(texts: list[str], write) -> None:  # type: ignore[no-untyped-def]
    talk = [Utterance(10.0 * n, 10.0 * n + 5, text) for n, text in enumerate(texts) if text.strip()]
    assert_in_order(parsed(write(talk)))


def parsed(text: str) -> Subtitle:
    try:
        return subtitle_file.parse(text, "talk.srt")
    except BadInput as error:
        assert str(error).startswith("talk.srt") and str(error).isprintable()
        return Subtitle((), 0, None)


def assert_in_order(subtitle: Subtitle) -> None:
    assert all(c.start < c.end and c.text.strip() and "\n" not in c.text for c in subtitle.cues)
    assert all(a.end <= b.start for a, b in itertools.pairwise(subtitle.cues))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["", TALK, "WEBVTT\n\n00:01.000 --> 00:02.000\n", "[Script Info]\n[V4+ Styles]\n"]), ODD_TEXT)
@example("", '{"info": ' + "[" * 100_000)
@example("", '<tt xmlns="http://www.w3.org/ns/ttml"><p>')
@example("", "{1}{2}frames without a rate")
@example("[V4+ Styles]\n", "Style: a,b,nan,&Hzz")
def test_any_text_is_read_or_refused(start: str, text: str) -> None:
    assert_in_order(parsed(start + text))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_text_or_none(data: bytes) -> None:
    text = language.decode(data)
    assert text is None or "\0" not in text


SIZE = 400_000
ASS = "[Script Info]\n[V4+ Styles]\n[Events]\n"
DIALOGUE = ASS + "Dialogue: 0,0:00:00.20,0:00:00.90,Default,,0,0,0,,"
NEXT = "\n\n2\n00:00:03,000 --> 00:00:04,000\n"
HOSTILE = {
    "open brackets": TALK + "[" * SIZE,
    "open braces": TALK + "{" * SIZE,
    "open tags": TALK + "<a" * (SIZE // 2),
    "blank lines": TALK + "a" + "\n" * SIZE + "b",
    "the same words": TALK + "a " * SIZE + NEXT + "b " + "a " * SIZE,
    "the same lines": TALK + "a\n" * (SIZE // 4) + NEXT + "a\n" * (SIZE // 4) + "b",
    "a heading without end": ASS + "[" + "a" * SIZE,
    "braces in dialogue": DIALOGUE + "{" * SIZE,
    "changes of style": DIALOGUE + "{\\i1}a" * (SIZE // 6),
    "arrows": "WEBVTT\n\n" + "--> \n" * (SIZE // 5),
    "one long header": "WEBVTT\n" + "a\n" * (SIZE // 2),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_no_text_takes_longer_than_its_size(kind: str) -> None:
    """Each of these once took minutes or hours."""
    started = time.process_time()
    parsed(HOSTILE[kind])
    assert time.process_time() - started < 4


def test_too_many_subtitles_are_refused(tmp_path: Path) -> None:
    (path := tmp_path / "many.srt").write_text("00:00:01,000 --> 00:00:02,000\nx\n" * (subtitle_file.MAX_CUES + 1))
    with pytest.raises(BadInput, match="are the most"):
        subtitle_file.read(path)
