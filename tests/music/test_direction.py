"""The creator's own words are read as a person would mean them, and what is not understood is told."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bgm.music import vocabulary
from bgm.music.composer.compose import compose
from bgm.music.direction import Direction, notes, read
from bgm.music.score import GENERAL_MIDI, Role, Score
from bgm.music.vocabulary import Word
from bgm.timeline import Emotion, Style
from tests.music.composing import cue

TABLE = tomllib.loads(Path(__file__).with_name("directions.toml").read_text(encoding="utf-8"))


def program(score: Score, role: Role) -> int | None:
    return next((part.program for part in score.parts if part.role is role), None)


def listed(expected: dict[str, Any]) -> dict[str, Any]:
    """A row of the table as fields of a Direction."""
    return {name: as_tuple(value) for name, value in expected.items()}


def as_tuple(value: Any) -> Any:
    return tuple(as_tuple(item) for item in value) if isinstance(value, list) else value


@pytest.mark.parametrize(("phrase", "expected"), TABLE["asked"].items())
def test_a_phrase_asks_for_just_this(phrase: str, expected: dict[str, Any]) -> None:
    asked = read(phrase)
    assert asked.understood
    assert replace(asked, understood=()) == Direction(**listed(expected))


@pytest.mark.parametrize(("phrase", "unread"), TABLE["nonsense"].items())
def test_nonsense_changes_nothing_and_is_told(phrase: str, unread: list[str]) -> None:
    asked = read(phrase)
    assert unread
    assert asked == Direction(unread=tuple(unread))
    assert notes(phrase) == (f"not understood: {', '.join(f'“{words}”' for words in unread)}",)


@pytest.mark.parametrize(
    "phrase", ["", "  ", "some music please", "with a nice feel for my video", "음악 좀 넣어 주세요"]
)
def test_small_words_are_neither_understood_nor_told(phrase: str) -> None:
    assert read(phrase) == Direction()
    assert notes(phrase) == ()


@pytest.mark.parametrize(
    ("phrase", "understood"),
    [
        ("Warm STRINGS, slow, hopeful", ("Warm", "STRINGS", "slow", "hopeful")),
        ("electric piano without any drums", ("electric piano", "without any drums")),
        ("no drums, bass or brass", ("no drums, bass or brass",)),
        ("a bit less busy", ("a bit less busy",)),
        ("느린 피아노로, 드럼 없이", ("느린", "피아노로", "드럼 없이")),
        ("purple strings", ("strings",)),
    ],
)
def test_what_was_understood_is_told_in_the_creators_own_words(phrase: str, understood: tuple[str, ...]) -> None:
    assert read(phrase).understood == understood


def test_what_is_played_in_the_place_of_something_else_is_told() -> None:
    assert notes("saxophone in 7/8") == ("“saxophone” is played as clarinet", "“7/8” is played as 4/4")


def test_a_refused_mood_is_not_played_even_where_the_speech_has_it() -> None:
    assert read("not sad").feeling(Emotion.SADNESS) is Emotion.NEUTRAL
    assert read("not sad").feeling(Emotion.ANGER) is Emotion.ANGER
    assert read("scary").feeling(Emotion.JOY) is Emotion.FEAR


@pytest.mark.parametrize(
    ("own", "whole", "heard"),
    [
        ("drums", "no drums", True),
        ("with drums", "soft piano, no drums or bass", True),
        ("no drums", "drums", False),
        ("no drums", "loud drums", False),
        ("", "no drums", False),
        ("happy", "no drums", False),
        ("drums", "solo piano", True),
        ("no drums under speech", "drums", True),
    ],
)
def test_a_segments_word_on_the_drums_beats_the_whole_videos(own: str, whole: str, heard: bool) -> None:
    score = compose(cue(Emotion.JOY, 30, prompt=own, whole=whole))
    assert any(note.role is Role.DRUMS for note in score.notes) == heard


@pytest.mark.parametrize(
    ("own", "whole", "result"),
    [
        ("jazz", "lo-fi, warm strings, 90 bpm", "jazz, warm strings, 90 bpm"),
        ("120 bpm", "techno", "techno, 120 bpm"),
        ("slow", "90 bpm", "slow"),
        ("happy", "sad piano", "happy, piano"),
        ("not sad", "sad piano", "not sad, piano"),
        ("violin", "no strings", "violin, no viola, no cello"),
        ("no brass", "trumpet and piano", "no brass, piano"),
        ("double bass", "no bass", "double bass"),
        ("D minor", "in C major, 3/4", "D minor, 3/4"),
        ("energetic", "calm", "energetic"),
        ("end softly", "big finish, waltz", "end softly, waltz"),
        ("calm under speech", "no drums under speech", "calm under speech, no drums under speech"),
        ("", "piano, no drums", "piano, no drums"),
    ],
)
def test_a_segments_words_leave_of_the_whole_videos_what_they_do_not_speak_of(
    own: str, whole: str, result: str
) -> None:
    told, wanted = read(own, whole), read(result)
    if own == "violin":  # the family without it: more than words can say
        assert 40 not in told.without_programs and {41, 42, 48} <= set(told.without_programs)
        assert told.instruments == wanted.instruments
    else:
        assert replace(told, understood=()) == replace(wanted, understood=())


def test_every_style_can_be_asked_for_by_its_name_and_every_mood_by_its_label() -> None:
    for style in Style:
        assert read(style.value).style == style
    for emotion in Emotion:
        assert read(emotion.value).emotion == emotion


def test_no_word_of_the_vocabulary_stands_twice_and_all_instruments_can_be_played() -> None:
    rows = list(vocabulary.rows())
    english = [phrase for words, _, _ in rows for phrase in words.split("|") if phrase]
    korean = [phrase for _, words, _ in rows for phrase in words.split("|") if phrase]
    assert sorted(set(english)) == sorted(english)
    assert sorted(set(korean)) == sorted(korean)
    assert {word.program for _, _, word in rows} - {None} <= set(GENERAL_MIDI)


def test_any_text_is_read() -> None:
    for text in (
        "no",
        "no no no",
        "and, or but",
        "/ / 3/",
        "very",
        "under speech",
        "♭♭♭",
        "없이",
        "a" * 500,
        "\n\t,,,",
    ):
        read(text)


def test_each_word_of_the_vocabulary_is_understood_alone() -> None:
    for english, korean, word in vocabulary.rows():
        assert word != Word()
        for phrase in (*english.split("|"), *korean.split("|")):
            if phrase and not word.voice and not word.solo:
                assert read(phrase).understood, phrase
                assert not read(phrase).unread, phrase


@pytest.mark.parametrize("words", ["Slow piano, no drums", "느린 피아노, 드럼 없이"])
def test_the_words_reach_the_players(words: str) -> None:
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


def test_a_refused_instrument_does_not_play() -> None:
    plain, asked = (
        {part.program for part in compose(cue(style=Style.CINEMATIC_PIANO, prompt=p)).parts if part.role != Role.DRUMS}
        for p in ("", "no piano")
    )
    assert 0 in plain and 0 not in asked


def test_mood_words_change_the_mode() -> None:
    assert compose(cue(Emotion.NEUTRAL, 30, prompt="something sad and quiet")).mode == "aeolian"
    assert compose(cue(Emotion.NEUTRAL, 30, prompt="신나는 음악")).mode == "ionian"


def test_words_that_say_nothing_change_nothing() -> None:
    assert compose(cue(prompt="my cat's birthday video")) == compose(cue())


@pytest.mark.parametrize("phrase", TABLE["asked"])
def test_every_phrase_of_the_table_changes_the_notes(phrase: str) -> None:
    """In one at least of three cues with brass, piano, drums, speech and an ending (nobody ever sings in ours)."""
    speech = ((4.0, 12.0),)
    briefs: tuple[dict[str, Any], ...] = ({}, {"style": Style.TRAILER, "piece": 0}, {"style": Style.CINEMATIC_PIANO})
    changed = []
    for emotion, brief in zip((Emotion.JOY, Emotion.ANGER, Emotion.SADNESS), briefs, strict=True):
        plain, asked = (compose(cue(emotion, 16, ending=True, speech=speech, prompt=p, **brief)) for p in ("", phrase))
        changed.append((plain.notes, plain.parts) != (asked.notes, asked.parts))
    assert any(changed) == (phrase != "no vocals")


NOT_HEARD_HERE = {
    *("7/8", "no piano", "no brass please", "no cymbals", "not sad", "not sad, happy", "big finish", "no vocals"),
    "슬프지 않게",
}
"""What this joyful piece in 4/4, from the middle of a video, has or lacks anyway."""


def test_every_phrase_of_the_table_is_heard_in_the_notes() -> None:
    def piece(words: str) -> Score:
        return compose(cue(Emotion.JOY, 40, prompt=words, speech=((10.0, 25.0),)))

    plain = piece("")
    deaf = {phrase for phrase in TABLE["asked"] if piece(phrase) == plain}
    assert deaf == NOT_HEARD_HERE
