"""What the diffusion model is told: our words for each emotion, joined with the creator's own."""

from __future__ import annotations

from dataclasses import dataclass

from bgm.timeline import Emotion

NEGATIVE = ""
"""The unconditional prompt; riffusion was trained with an empty one."""
WEAKEST = 0.4
"""Share of its own words that an emotion keeps when the classifier is not at all confident; the rest is neutral's."""

WeightedPrompt = tuple[tuple[str, float], ...]
"""Texts and their shares of the embedding, which sum to 1."""


@dataclass(frozen=True, slots=True)
class Words:
    """An emotion in music: its label (which the emotion LoRA was trained on), mood, instruments and tempo."""

    mood: str
    instruments: str
    tempo: str


WORDS: dict[Emotion, Words] = {
    Emotion.ANGER: Words(
        "furious, aggressive", "distorted electric guitar, pounding drums, low brass", "fast, 150 bpm"
    ),
    Emotion.DISGUST: Words("queasy, sour, uneasy", "detuned synth, bassoon, plucked low strings", "limping, 85 bpm"),
    Emotion.FEAR: Words(
        "tense, eerie, suspenseful", "tremolo strings, dark drone, distant bells", "slow pulse, 75 bpm"
    ),
    Emotion.JOY: Words(
        "happy, bright, uplifting", "acoustic guitar, piano, hand claps, light drums", "upbeat, 120 bpm"
    ),
    Emotion.NEUTRAL: Words("calm, unobtrusive, warm", "soft electric piano, mellow synth pad", "relaxed, 92 bpm"),
    Emotion.SADNESS: Words("sad, tender, melancholic", "solo piano, cello, quiet strings", "slow, 65 bpm"),
    Emotion.SURPRISE: Words("wondrous, playful, sparkling", "glockenspiel, pizzicato strings", "lively, 132 bpm"),
}


def default(emotion: Emotion) -> str:
    """The whole prompt of an emotion; the page offers it for editing."""
    words = WORDS[emotion]
    return f"{emotion}, {words.mood}, {words.instruments}, {words.tempo}, instrumental background music"


def merged(emotion: Emotion, own: str) -> str:
    """The creator's words come first and choose instruments and tempo; the emotion keeps its mood."""
    own = " ".join(own.split())
    return f"{own}, {emotion}, {WORDS[emotion].mood}" if own else default(emotion)


def weighted(emotion: Emotion, own: str, confidence: float) -> WeightedPrompt:
    """The prompt for an emotion felt with ``confidence`` (0..1): a weakly angry segment is partly neutral."""
    share = WEAKEST + (1.0 - WEAKEST) * min(1.0, max(0.0, confidence))
    if emotion is Emotion.NEUTRAL or share >= 1.0:
        return ((merged(emotion, own), 1.0),)
    return ((merged(emotion, own), share), (merged(Emotion.NEUTRAL, own), 1.0 - share))
