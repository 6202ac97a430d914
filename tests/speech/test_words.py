from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bgm.speech.activity import LONGEST_S, together
from bgm.speech.words import PHRASE_SECONDS, Timed, group, heard, join, lay, lay_out, reads_as_english
from bgm.timeline import Utterance


def words(*texts: str, pause: float = 0.05) -> list[Timed]:
    return [Timed(i * 0.4, i * 0.4 + 0.4 - pause, f" {text}") for i, text in enumerate(texts)]


def test_a_sentence_ends_an_utterance_but_an_abbreviation_does_not() -> None:
    phrases = group(words("I", "met", "Mr.", "Green.", '"Really?"', "Yes..."), pause=0.5)
    assert [join(phrase) for phrase in phrases] == ["I met Mr. Green.", '"Really?"', "Yes..."]


def test_what_is_too_long_is_cut_at_its_widest_pause() -> None:
    long = words(*["word"] * 40)
    long = [Timed(w.start + 0.3 * (i >= 18), w.end + 0.3 * (i >= 18), w.text) for i, w in enumerate(long)]
    phrases = list(group(long, pause=0.5))
    assert [len(phrase) for phrase in phrases] == [18, 22]
    assert all(phrase[-1].end - phrase[0].start <= PHRASE_SECONDS for phrase in phrases)


def test_every_word_is_kept_once_and_in_order() -> None:
    texts = [str(i) for i in range(300)]
    phrases = group(words(*texts), pause=0.5)
    assert " ".join(join(phrase) for phrase in phrases).split() == texts


def test_no_words() -> None:
    assert list(group([], pause=0.5)) == []


def test_utterances_are_disjoint_inside_the_video_and_not_empty() -> None:
    laid = lay_out([Utterance(4, 9, "b"), Utterance(-1, 5, "a"), Utterance(4, 5, "inside"), Utterance(9, 10, " ")], 8.0)
    assert [(u.start, u.end, u.text) for u in laid] == [(0.0, 5, "a"), (5, 8.0, "b")]


def test_unlikely_words_are_believed_only_where_somebody_speaks() -> None:
    speech = ((1.0, 2.0),)
    assert heard(Timed(1.2, 1.6, " maybe", 0.1), speech)
    assert not heard(Timed(3.0, 3.4, " maybe", 0.1), speech)
    assert heard(Timed(3.0, 3.4, " surely", 0.9), speech)


def test_stretches_keep_inner_silences_and_stay_short() -> None:
    speech = ((1.0, 9.0), (10.0, 20.0), (25.0, 40.0), (50.0, 130.0))
    assert together(speech)[:2] == ((1.0, 20.0), (25.0, 40.0))
    assert all(end - start <= LONGEST_S for start, end in together(speech))
    assert together(speech)[-1][1] == 130.0


def test_regions_far_apart_stay_apart() -> None:
    assert together(((1.0, 2.0), (3.0, 4.0), (9.0, 10.0)), widest_gap=1.5) == ((1.0, 4.0), (9.0, 10.0))


def spoken(text: str, start: float, end: float) -> list[Timed]:
    words = text.split()
    step = (end - start) / len(words)
    return [Timed(start + i * step, start + (i + 1) * step, f" {word}") for i, word in enumerate(words)]


def test_sentences_go_to_the_phrases_that_are_spoken_then() -> None:
    words = [*spoken("I was so happy.", 0, 3), *spoken("Then he left.", 5, 7)]
    assert lay(words, [(0, 3.2), (4.8, 7)]) == ["I was so happy.", "Then he left."]


def test_a_cut_moves_to_the_end_of_a_clause() -> None:
    words = spoken("When the letter came, I was so happy that I cried.", 0, 6)
    assert lay(words, [(0, 1.8), (2.0, 6)]) == ["When the letter came,", "I was so happy that I cried."]


def test_few_words_are_shared_rather_than_missing() -> None:
    assert lay(spoken("Yes.", 0, 4), [(0, 1), (1, 2), (3, 4)]) == ["Yes."] * 3


def test_nothing_said_is_nothing() -> None:
    assert lay([], [(0, 1)]) == [""]


@given(count=st.integers(1, 40), lengths=st.lists(st.floats(0.3, 5), min_size=1, max_size=12))
def test_every_word_is_laid_once_and_no_phrase_is_without(count: int, lengths: list[float]) -> None:
    ends = [sum(lengths[: i + 1]) for i in range(len(lengths))]
    phrases = [(end - length, end - 0.1) for end, length in zip(ends, lengths, strict=True)]
    words = spoken(" ".join(map(str, range(count))), 0, ends[-1])
    texts = lay(words, phrases)
    assert all(texts)
    if count >= len(phrases):
        assert " ".join(texts).split() == [str(i) for i in range(count)]


def test_what_is_no_english_is_known() -> None:
    assert reads_as_english("I am home.", "집에 왔어요.")
    assert not reads_as_english("집에 왔어요.", "집에 왔어요.")
    assert not reads_as_english("Ich bin da.", "Ich bin da.")
    assert not reads_as_english("...", "네.")
