from __future__ import annotations

import pytest

from bgm.music import prompts
from bgm.timeline import EMOTIONS, Emotion


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_every_emotion_has_its_own_prompt_with_its_label(emotion: Emotion) -> None:
    text = prompts.default(emotion)
    assert text.startswith(emotion)
    assert "bpm" in text
    assert len(text.split()) < 40, "CLIP reads 77 tokens"
    assert len({prompts.default(e) for e in EMOTIONS}) == 7


def test_the_creators_words_come_first_and_choose_the_instruments() -> None:
    text = prompts.merged(Emotion.JOY, "  solo  harp ")
    assert text.startswith("solo harp, joy")
    assert "guitar" not in text
    assert prompts.merged(Emotion.JOY, "   ") == prompts.default(Emotion.JOY)


@pytest.mark.parametrize("confidence", [-1.0, 0.0, 0.3, 1.0, 7.0])
def test_shares_sum_to_one_and_grow_with_confidence(confidence: float) -> None:
    shares = dict(prompts.weighted(Emotion.ANGER, "", confidence))
    assert sum(shares.values()) == pytest.approx(1.0)
    angry = shares[prompts.default(Emotion.ANGER)]
    assert angry >= dict(prompts.weighted(Emotion.ANGER, "", 0.0))[prompts.default(Emotion.ANGER)]
    assert (angry == 1.0) == (confidence >= 1.0)


def test_neutral_is_neutral() -> None:
    assert prompts.weighted(Emotion.NEUTRAL, "", 0.1) == ((prompts.default(Emotion.NEUTRAL), 1.0),)
