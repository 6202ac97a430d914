"""The voice put together: mix and vocals blended as the background asks for, pauses turned down around the speech.

What is nearly all voice stays, too: nothing that clearly sounds is deleted because one detector heard no speech in it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bgm.files import beside
from bgm.media import audio
from bgm.progress import Progress
from bgm.voice.background import Background, Curve
from bgm.voice.separation import Spans

PAD_SECONDS = 0.25
"""Fully open this long before and after each stretch of speech: breaths and word ends live here."""
FADE_SECONDS = 0.15


def write_voice(source: Path, vocals: Path, background: Background, voice: Path, progress: Progress) -> None:
    """Write the voice block by block; an exception from ``progress`` passes through and leaves no file."""
    total, start = audio.length(source), 0
    with beside(voice) as unfinished, audio.writer(unfinished, audio.channels(source)) as out:
        for mix, sung in zip(audio.blocks(source), audio.blocks(vocals), strict=True):
            progress(start / total, "turning down the pauses")
            moments = (start + np.arange(len(mix))) / audio.SAMPLE_RATE
            strength = background.strength_at(moments)[:, None]
            open_share = opening((*background.speech, *background.voiced), moments)
            gain = open_share + (1 - open_share) * background.gap_gain_at(moments)
            out.write(np.asarray((mix + strength * (sung - mix)) * gain[:, None], np.float32))
            start += len(mix)
        progress(1.0, "the voice is done")


def opening(speech: Spans, seconds: Curve) -> Curve:
    """0 (pause) … 1 (speech and its surroundings) at each moment (ascending), with raised-cosine flanks."""
    linear = np.zeros(len(seconds))
    margin = PAD_SECONDS + FADE_SECONDS
    for start, end in speech:
        first, last = np.searchsorted(seconds, (start - margin, end + margin))
        near = seconds[first:last]
        rise = (near - (start - margin)) / FADE_SECONDS
        fall = ((end + margin) - near) / FADE_SECONDS
        linear[first:last] = np.maximum(linear[first:last], np.minimum(rise, fall))
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * np.clip(linear, 0.0, 1.0)))
