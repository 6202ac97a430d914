"""The separator that is always there: three masks averaged, used only as far as the background asks for it."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from bgm.engines import EngineOptions
from bgm.progress import Progress, part
from bgm.voice import rnnoise
from bgm.voice.background import Background, measure
from bgm.voice.cleaning import Cleaner
from bgm.voice.plain import NO_SPEECH, copy_sound, write_silence
from bgm.voice.separation import Separation, Spans

_MEASURED = 0.05
"""Share of the work that goes into measuring the background."""
_WHOLE = 0.95


class EmbeddedSeparator:
    """Keeps speech, reduces music and noise behind it, leaves clean speech alone. Needs no download."""

    name: ClassVar[str] = "embedded"

    def __init__(self, options: EngineOptions) -> None:
        """Needs nothing from ``options``."""

    @classmethod
    def missing(cls, options: EngineOptions) -> str | None:
        """Nothing: it always runs."""
        return None

    def separate(self, source: Path, speech: Spans, voice: Path, progress: Progress) -> Separation:
        """Write the voice of ``source``; see :class:`bgm.voice.separation.Separator`.

        Where nobody speaks for the whole length the voice is silence. Where no pause shows what the background is, or
        it lies so low that a mask would do more harm than good, the sound is copied.
        """
        background = measure(source, speech, part(progress, 0.0, _MEASURED))
        rest = part(progress, _MEASURED, 1.0)
        if not speech:
            write_silence(source, voice, rest)
            return Separation(None, 1.0, (NO_SPEECH,) if background.sounding else ())
        if background.leaves_alone():
            copy_sound(source, voice, rest)
            return Separation(background.overall_db, 0.0, (_why_left_alone(background),))
        Cleaner(source, speech, background).write(voice, rest)
        strength = _mean_strength(background, speech)
        return Separation(background.overall_db, strength, _cleaned_notes(background, strength))


def _mean_strength(background: Background, speech: Spans) -> float:
    """Of all speech, each stretch weighed by its length and judged at its middle."""
    starts, ends = np.array(speech).T
    return float(np.average(background.strength_at((starts + ends) / 2), weights=ends - starts))


def _why_left_alone(background: Background) -> str:
    if background.overall_db is None:
        return "There is no pause in the speech that shows what lies behind it, so the sound is left as it is."
    return f"The background lies {-background.overall_db:.0f} dB below the speech, so the sound is left as it is."


def _cleaned_notes(background: Background, strength: float) -> tuple[str, ...]:
    level = background.overall_db or 0.0
    where = f"{-level:.0f} dB below" if level < 0 else f"{level:.0f} dB above"
    notes = [f"The background lies {where} the speech: {_what_was_done(strength)}, and pauses are turned down."]
    if not rnnoise.available():
        notes.append("RNNoise can't be loaded on this machine: two masks are averaged instead of three.")
    return tuple(notes)


def _what_was_done(strength: float) -> str:
    if strength < 1 - _WHOLE:
        return "the speech is left as it is"
    return "the voice is separated wholly" if strength > _WHOLE else f"the voice is separated to {strength:.0%}"
