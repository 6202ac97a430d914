from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bgm.speech.translation import lay, reads_as_english
from bgm.speech.utterances import Timed


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
