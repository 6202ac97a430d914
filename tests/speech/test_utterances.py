from __future__ import annotations

from bgm.speech.stretches import LONGEST_S, together
from bgm.speech.utterances import MAX_SECONDS, Timed, group, heard, join, lay_out
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
    assert all(phrase[-1].end - phrase[0].start <= MAX_SECONDS for phrase in phrases)


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
