"""Lines of a transcript under edits: by their times, words, English and what must be read again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bgm.errors import BadInput
from bgm.speech import lines, words
from bgm.speech.words import Timed
from bgm.timeline import EMOTIONS, Utterance

EVEN = dict.fromkeys(EMOTIONS, 1 / 7)
HEARD = (
    *(Timed(1.0, 1.4, " Good"), Timed(1.4, 2.0, " morning"), Timed(2.0, 2.5, " everyone.")),
    *(Timed(4.0, 4.3, " We"), Timed(4.3, 4.8, " maid"), Timed(4.8, 5.0, " it,")),
    *(Timed(6.0, 6.5, " at"), Timed(6.5, 7.0, " last.")),
    *(Timed(9.0, 9.5, " Thank"), Timed(9.5, 10.0, " you.")),
)


def line(start: float, end: float, text: str, english: str | None = None) -> Utterance:
    return Utterance(start, end, text, text if english is None else english, EVEN)


LINES = (
    line(1.0, 2.5, "Good morning everyone."),
    line(4.0, 7.0, "We maid it, at last."),
    line(9.0, 10.0, "Thank you."),
)


def spans(new: lines.Lines) -> list[tuple[float, float, str]]:
    return [(u.start, u.end, u.text) for u in new]


def test_other_words_are_read_again_and_keep_their_times() -> None:
    new = lines.retold(LINES, 1, text="  We made   it, at last. ")
    assert spans(new)[1] == (4.0, 7.0, "We made it, at last.")
    assert (new[1].english, new[1].scores) == ("We made it, at last.", None)
    assert new[0] is LINES[0] and new[2].scores == EVEN
    assert lines.retold(LINES, 1, text=LINES[1].text) is LINES
    korean = (line(0, 1, "안녕", "hello"),)
    assert lines.retold(korean, 0, text="안녕!")[0].english == "hello"
    assert lines.retold(korean, 0, english="hi")[0].text == "안녕"


@pytest.mark.parametrize(
    ("wanted", "found"),
    [((3.0, 8.0), (3.0, 8.0)), ((0.0, 99.0), (2.5, 9.0)), ((6.0, 5.0), (6.0, 6.1)), ((99.0, 0.0), (8.9, 9.0))],
)
def test_times_stop_at_the_neighbours(wanted: tuple[float, float], found: tuple[float, float]) -> None:
    new = lines.timed(LINES, 1, *wanted, duration=12.0)
    assert (new[1].start, new[1].end) == pytest.approx(found)
    assert new[1].scores is None, "when it is said decides which segment it belongs to"
    assert lines.timed(LINES, 2, 9.0, 99.0, duration=12.0)[2].end == 12.0
    assert lines.timed(LINES, 0, -1.0, 2.0, duration=12.0)[0].start == 0.0


def test_a_line_is_cut_where_its_words_are() -> None:
    new = lines.split(LINES, 1, "We made it,", "at last.", HEARD)
    assert spans(new)[1:3] == [(4.0, 5.0, "We made it,"), (6.0, 7.0, "at last.")], "the pause stays one"
    assert all(u.scores is None and u.english == u.text for u in new[1:3])
    whole = lines.merge(new, 1)
    assert spans(whole)[1] == (4.0, 7.0, "We made it, at last.")
    again = lines.split(whole, 1, "We made", "it, at last.", HEARD)
    assert spans(again)[1:3] == [(4.0, 4.8, "We made"), (4.8, 7.0, "it, at last.")], "the words' times survived"


def test_a_line_without_words_times_is_cut_by_its_letters() -> None:
    new = lines.split((line(0.0, 4.0, "aaaa bbbb cccc dddd"),), 0, "aaaa bbbb", "cccc dddd", ())
    assert new[0].end == pytest.approx(2.0, abs=0.1) and new[1].start == pytest.approx(2.0, abs=0.1)


def test_a_translation_is_cut_with_its_line() -> None:
    (first, second) = lines.split((line(0.0, 4.0, "가나 다라", "one two three four"),), 0, "가나", "다라", ())
    assert (first.english, second.english) == ("one two", "three four")
    assert first.unsure and second.unsure, "somebody should look at it"


def test_lines_are_joined() -> None:
    new = lines.merge(LINES, 0)
    assert spans(new) == [(1.0, 7.0, "Good morning everyone. We maid it, at last."), (9.0, 10.0, "Thank you.")]
    assert lines.merge(LINES, 0, "Good morning everyone, we made it.")[0].text == "Good morning everyone, we made it."
    mixed = (line(0, 1, "안녕", "hello"), line(1, 2, "세상", "world"))
    assert lines.merge(mixed, 0)[0].english == "hello world"


def test_a_line_is_found_by_its_words_whatever_spaces_they_have() -> None:
    spaced = (Utterance(0.0, 2.0, "これは\u3000犬です。"), Utterance(2.0, 4.0, "two  spaces"))
    assert lines.found(spaced, 0.1, 1.9, "これは\u3000犬です。") == 0
    assert lines.found(spaced, 2.0, 4.0, "two spaces") == 1
    assert lines.found(spaced, 0.0, 1.5, "two spaces") is None, "at another time it is another line"


def test_a_word_is_replaced_everywhere() -> None:
    new, count = lines.replaced(LINES, "IT", "them")
    assert count == 1 and new[1].text == "We maid them, at last."
    new, count = lines.replaced(LINES, "o", "oo")
    assert [u.text for u in new] == ["Good morning everyone.".replace("o", "oo"), LINES[1].text, "Thank yoou."]
    assert count == 5 and [u.scores for u in new] == [None, EVEN, None]
    assert lines.replaced(LINES, "thank", "bless")[0][2].text == "Bless you."
    assert lines.replaced(LINES, "a.*", "x") == (LINES, 0), "no pattern, only words"
    assert lines.replaced(LINES, "maid", "\\1 made")[0][1].text == "We \\1 made it, at last."


@pytest.mark.parametrize(
    ("text", "find", "wanted"),
    [
        ("The Netherlands, the end.", "the", "X Netherlands, x end."),
        ("A_the 'the' other", "THE", "A_x 'x' other"),
        ("학교에 갔다. 학교, 좋다", "학교", "학교에 갔다. x, 좋다"),
        ("où ou oùi", "où", "x ou oùi"),
        ("हिन्दी हिन्", "हिन्", "हिन्दी x"),
        ("aa a a", "a a", "aa x"),
        ("C++ and C", "c++", "x and C"),
    ],
)
def test_a_whole_word_is_replaced_in_any_script(text: str, find: str, wanted: str) -> None:
    new, count = lines.replaced((line(0, 1, text),), find, "x", whole=True)
    assert (new[0].text, count > 0) == (wanted, True)


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (lambda: lines.retold(LINES, 3, text="x"), "does not exist any more"),
        (lambda: lines.retold(LINES, -1, text="x"), "does not exist any more"),
        (lambda: lines.retold(LINES, 0, text=" "), "1 to 2000 characters"),
        (lambda: lines.split(LINES, 0, "", "all", HEARD), "1 to 2000 characters"),
        (lambda: lines.split((line(0, 0.1, "a b"),), 0, "a", "b", ()), "can't be split"),
        (lambda: lines.merge(LINES, 2), "no next one"),
        (lambda: lines.replaced(LINES, " ", "x"), "nothing to look for"),
        (lambda: lines.replaced(LINES, "Thank you.", ""), "line 3 would have no words left"),
        (lambda: lines.scripted(LINES, "\n \n", HEARD, 12), "no words in this script"),
        (lambda: lines.scripted((), "Hello", (), 12), "nobody was heard"),
        (lambda: lines.scripted(LINES, "Nothing of all this fits whatever they say.", HEARD, 12), "something else"),
    ],
)
def test_nonsense_is_refused_in_one_sentence(edit: object, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        edit()  # type: ignore[operator]


def test_a_script_takes_the_times_of_the_words() -> None:
    script = (
        "Chapter One\n\nGood morning, everyone!\nWe made it at last. Thank you, thank you.\nThe End: roll credits now"
    )
    laid = lines.scripted(LINES, script, HEARD, 12.0)
    assert spans(laid.lines) == [
        (1.0, 2.5, "Good morning, everyone!"),
        (4.0, 7.0, "We made it at last."),
        (9.0, 10.0, "Thank you, thank you."),
    ]
    assert laid.unplaced == ("Chapter One", "The End: roll credits now")
    assert (laid.placed, laid.kept) == (3, 0)
    assert all(u.scores is None and u.english == u.text for u in laid.lines)


def test_what_the_script_lacks_stays() -> None:
    laid = lines.scripted(LINES, "Thank you.\n", HEARD, 12.0)
    assert laid.lines == LINES, "and a line that is the same keeps what was read from it"
    assert (laid.placed, laid.kept) == (1, 2)


def test_a_line_that_nobody_says_takes_nobody_elses_place() -> None:
    said = [*HEARD[:3], *(Timed(3 + i, 3.8 + i, f" other{i}") for i in range(40))]
    old = (*LINES[:1], line(3.0, 43.0, "other things for a long time"))
    laid = lines.scripted(old, "Good morning everyone. This was never ever said.", said, 60.0)
    assert laid.lines == old and laid.unplaced == ("This was never ever said.",)


def test_a_script_is_cut_into_sentences_and_nowhere_else() -> None:
    said = words.evenly(0.0, 20.0, LONG)
    laid = lines.scripted((), f"{LONG} Mr. J. K. Lee came to the U.S. army. \"Stop!\" he said. So do I. 2. Last.", [
        *said, *words.evenly(20.0, 30.0, "Mr. J. K. Lee came to the U.S. army. Stop! he said. So do I. 2. Last.")
    ], 40.0)  # fmt: skip
    wanted = [LONG, "Mr. J. K. Lee came to the U.S. army.", '"Stop!" he said.', "So do I.", "2. Last."]
    assert [u.text for u in laid.lines] == wanted
    rambling = " ".join(f"word{i}" + ("," if i % 9 == 8 else "") for i in range(200))
    parts = lines.scripted((), rambling, words.evenly(0.0, 90.0, rambling), 90.0).lines
    assert " ".join(u.text for u in parts) == rambling
    assert all(10 <= len(u.text.split()) <= lines.SENTENCE_WORDS for u in parts)
    assert all(u.text.endswith(",") for u in parts[:-1]), "at a clause"
    unspaced = "字" * 4500
    assert "".join(u.text for u in lines.scripted((), unspaced, [Timed(0, 900, unspaced)], 900.0).lines) == unspaced


LONG = (
    "Printing, in the only sense with which we are at present concerned, differs from most if not from all the arts "
    "and crafts represented in the Exhibition."
)


def test_speakers_names_are_no_part_of_what_is_said() -> None:
    script = "ANNA: Good morning, everyone.\n\nMr. Bob Lee: We made it, at last!\n[laughs] Thank you."
    laid = lines.scripted(LINES, script, HEARD, 12.0)
    assert [text for *_, text in spans(laid.lines)] == ["Good morning, everyone.", "We made it, at last!", "Thank you."]
    assert (laid.labels, laid.unplaced) == (3, ())
    said = lines.scripted(LINES, "Good: morning everyone.", HEARD, 12.0)
    assert (said.lines[0].text, said.labels) == ("Good: morning everyone.", 0), "it is heard"


def test_a_word_that_reaches_over_a_pause_goes_to_its_line() -> None:
    """As Whisper gave them: ``in`` was spoken at 10.86 s, after the pause."""
    said = (
        Timed(8.78, 9.4, " exhibition"),
        Timed(9.4, 9.846, " in"),
        Timed(10.96, 11.14, " being"),
        Timed(11.14, 12, " modern."),
    )
    laid = lines.scripted((), "Exhibition\nin being modern.", said, 12.0)
    assert laid.lines[0].end == 9.4 and laid.lines[1].start == pytest.approx(10.86, abs=0.05)
    other = (Timed(1.0, 1.5, " One"), Timed(3.0, 3.2, " two"), Timed(3.2, 3.6, " three"), Timed(3.6, 4.0, " four"))
    laid = lines.scripted((), "One two\nthree four", other, 12.0)
    assert laid.lines[0].end == pytest.approx(1.7, abs=0.1) and laid.lines[1].start == 3.2


def test_words_that_were_not_recognised_take_of_the_pause() -> None:
    laid = lines.scripted((), "Good morning everyone, dear.\nOh we maid it, at last.", HEARD, 12.0)
    assert spans(laid.lines) == [
        (1.0, pytest.approx(2.5 + 5 * lines.LETTER_SECONDS), "Good morning everyone, dear."),
        (pytest.approx(4.0 - 2 * lines.LETTER_SECONDS), 7.0, "Oh we maid it, at last."),
    ]


def test_subtitles_that_are_pasted_lose_their_numbers_and_times() -> None:
    laid = lines.scripted(LINES, "1\n00:00:01,000 --> 00:00:02,000\nGood morning everyone\n", HEARD, 12.0)
    assert laid.lines[0].text == "Good morning everyone" and not laid.unplaced


def test_a_script_in_another_language_takes_the_english_of_its_times() -> None:
    old = (line(0.0, 2.0, "안녕하세요 여러분", "hello everyone"), line(3.0, 5.0, "정말 기뻐요", "so glad"))
    heard = words.spread(old)
    laid = lines.scripted(old, "안녕하세요, 여러분! 정말 정말 기뻐요.", heard, 6.0)
    assert [(u.text, u.english) for u in laid.lines] == [
        ("안녕하세요, 여러분!", "hello everyone"),
        ("정말 정말 기뻐요.", "so glad"),
    ]
    assert all(u.unsure for u in laid.lines)


def test_a_script_without_spaces_is_laid_by_characters() -> None:
    old = (line(0.0, 2.0, "今日はとても嬉しい"), line(3.0, 5.0, "ありがとう"))
    laid = lines.scripted(old, "今日はとっても嬉しい。ありがとう。", words.spread(old), 6.0)
    assert [u.text for u in laid.lines] == ["今日はとっても嬉しい。", "ありがとう。"]
    assert laid.lines[1].start == pytest.approx(3.0, abs=0.3)


def test_any_script_gives_lines_in_order() -> None:
    """Words heard twice, at one moment, or all misheard: no line overlaps another."""
    said = [
        Timed(i * 0.3, i * 0.3 + (0.0 if i % 5 == 0 else 0.3), f" {'la' if i % 3 else 'word'}{i % 7}")
        for i in range(300)
    ]
    script = "\n".join(
        " ".join(f"{'la' if i % 3 else 'word'}{i % 7}" for i in range(n, n + 4)) for n in range(0, 300, 4)
    )
    laid = lines.scripted((), script, said, 100.0)
    assert len(laid.lines) > 60
    assert all(u.end > u.start for u in laid.lines)
    assert all(a.end <= b.start for a, b in zip(laid.lines, laid.lines[1:], strict=False))


def test_words_are_noted_and_read_back(tmp_path: Path) -> None:
    file = tmp_path / "words.json"
    assert words.load(file) == ()
    words.save(file, HEARD)
    assert words.load(file) == tuple(replace(w, probability=1.0) for w in HEARD)
    file.write_text('[[0, "x"]]')
    with pytest.raises(BadInput, match=r"words\.json is damaged"):
        words.load(file)
