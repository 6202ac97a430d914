"""The creator's own words reach the players."""

from __future__ import annotations

import pytest

from bgm.music.composer.compose import compose
from bgm.music.score import Role, Score
from bgm.music.steering import Wishes, understood, wishes
from bgm.timeline import Emotion
from tests.music.composing import cue


def program(score: Score, role: Role) -> int | None:
    return next((part.program for part in score.parts if part.role is role), None)


@pytest.mark.parametrize("words", ["Slow piano, no drums", "느린 피아노, 드럼 없이"])
def test_slow_piano_without_drums(words: str) -> None:
    plain, asked = (compose(cue(Emotion.JOY, 30, prompt=prompt)) for prompt in ("", words))
    assert program(asked, Role.COMP) == 0
    assert not [note for note in asked.notes if note.role is Role.DRUMS]
    assert asked.tempo < 0.9 * plain.tempo


@pytest.mark.parametrize("words", ["strings", "with a string orchestra", "현악 오케스트라로"])
def test_strings(words: str) -> None:
    assert program(compose(cue(Emotion.NEUTRAL, 30, prompt=words)), Role.PAD) == 48


def test_solo_leaves_one_instrument() -> None:
    score = compose(cue(Emotion.SADNESS, 30, prompt="solo piano"))
    assert {part.program for part in score.parts} == {0}
    assert Role.DRUMS not in {note.role for note in score.notes}


def test_no_strings_is_not_strings() -> None:
    assert wishes("no strings attached").instruments == ()
    assert wishes("no strings").silenced == (Role.PAD,)


def test_mood_words_change_the_mode() -> None:
    assert compose(cue(Emotion.NEUTRAL, 30, prompt="something sad and quiet")).mode == "aeolian"
    assert compose(cue(Emotion.NEUTRAL, 30, prompt="신나는 음악")).mode == "ionian"


def test_words_that_say_nothing_change_nothing() -> None:
    assert wishes("") == wishes("my cat's birthday video") == Wishes()
    assert compose(cue(prompt="my cat's birthday video")) == compose(cue())


def test_what_was_understood_is_told_in_the_creators_own_words() -> None:
    assert understood("Warm STRINGS, slow, hopeful") == ("STRINGS", "slow")
    assert understood("electric piano without any drums") == ("electric piano", "without any drums")
    assert understood("느린 피아노로, 드럼 없이") == ("느린", "피아노", "드럼 없이")
    assert understood("like a walk in the rain") == ()
