"""What the diffusion model is told: the creator's words without their refusals, and what the sketch plays."""

from __future__ import annotations

import re

import pytest

from bgm.music.composer.compose import compose
from bgm.music.riffusion.prompts import Prompt, neighbour, prompt_for
from bgm.music.score import Cue
from bgm.timeline import EMOTIONS, Emotion, Style
from tests.music.composing import cue


def prompt_of(cue: Cue) -> Prompt:
    return prompt_for(cue, compose(cue))


def told(emotion: Emotion = Emotion.FEAR, **changes: object) -> str:
    [(text, share)] = prompt_of(cue(emotion, 20.0, **changes)).wished
    assert share == 1.0
    return text


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_every_emotion_has_its_label_and_the_tempo_of_its_sketch(emotion: Emotion) -> None:
    text = told(emotion)
    assert text.startswith(emotion)
    assert re.findall(r"(\d+) bpm", text) == [f"{compose(cue(emotion, 20.0)).tempo:.0f}"]
    assert len(text.split()) < 40, "CLIP reads 77 tokens"
    assert neighbour(emotion).wished[0][0].startswith(emotion)


def test_the_creators_words_come_first_and_choose_the_instruments() -> None:
    text = told(Emotion.JOY, prompt="  solo  harp ")
    assert text.startswith("solo harp, joy")
    assert "guitar" not in text
    assert "drums" not in text


@pytest.mark.parametrize(
    ("words", "own", "refused"),
    [
        ("piano but no drums, 90 bpm", "piano, fear", "drums"),
        ("no brass please", "fear", "brass"),
        ("less busy lo-fi", "lo-fi, fear", "busy"),
        ("purple elephants, no reverb", "purple elephants, fear", "reverb"),
        ("no drums under speech", "fear", ""),
        ("느린 피아노, 드럼 없이", "fear", "drums"),
        ("슬프지 않게", "fear", "sadness"),
    ],
)
def test_what_is_refused_becomes_the_negative_prompt(words: str, own: str, refused: str) -> None:
    prompt = prompt_of(cue(Emotion.FEAR, 20.0, prompt=words))
    assert prompt.wished[0][0].startswith(f"{own}, ")
    assert prompt.refused == refused
    assert words not in prompt.wished[0][0]


def test_the_whole_videos_words_follow_but_those_that_the_segments_overrule() -> None:
    prompt = prompt_of(
        cue(Emotion.FEAR, 20.0, prompt="jazz with drums", whole="lo-fi vinyl crackle, no drums, no choir")
    )
    assert prompt.wished[0][0].startswith("jazz with drums, vinyl crackle, fear, ")
    assert prompt.refused == "choir"


def test_korean_words_are_told_in_english() -> None:
    text = told(prompt="어두운 피아노 왈츠")
    assert text.isascii()
    assert all(words in text for words in ("piano", "dark", "3/4", "orchestral"))


def test_the_style_is_told() -> None:
    assert "lo-fi" in told(style=Style.LOFI)
    assert "jazz" in told(style=Style.LOFI, prompt="재즈")


@pytest.mark.parametrize("confidence", [-1.0, 0.0, 0.3, 1.0, 7.0])
def test_shares_sum_to_one_and_grow_with_confidence(confidence: float) -> None:
    def shares(confidence: float) -> dict[str, float]:
        prompt = prompt_of(cue(Emotion.ANGER, 20.0, confidence=confidence))
        return {text.split(",")[0]: share for text, share in prompt.wished}

    found = shares(confidence)
    assert sum(found.values()) == pytest.approx(1.0)
    assert found["anger"] >= shares(0.0)["anger"]
    assert (found["anger"] == 1.0) == (confidence >= 1.0)


def test_neutral_is_neutral() -> None:
    assert [share for _, share in prompt_of(cue(Emotion.NEUTRAL, 20.0, confidence=0.1)).wished] == [1.0]
