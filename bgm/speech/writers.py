"""Utterances → subtitle files: SubRip and WebVTT (W3C)."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Iterable

from bgm.timeline import Utterance

LINE_CHARACTERS = 42
"""The usual width of a subtitle line."""


def to_srt(utterances: Iterable[Utterance]) -> str:
    """SubRip: numbered cues, ``HH:MM:SS,mmm``."""
    cues = (f"{number}\n{_times(u, ',')}\n{_wrapped(u.text)}\n" for number, u in enumerate(utterances, 1))
    return "\n".join(cues)


def to_vtt(utterances: Iterable[Utterance]) -> str:
    """WebVTT: a header, ``HH:MM:SS.mmm``, and ``& < >`` escaped (which keeps ``-->`` out of the text)."""
    cues = (f"{_times(u, '.')}\n{html.escape(_wrapped(u.text), quote=False)}\n" for u in utterances)
    return "\n".join(["WEBVTT\n", *cues])


def _times(utterance: Utterance, point: str) -> str:
    return f"{_clock(utterance.start, point)} --> {_clock(utterance.end, point)}"


def _clock(seconds: float, point: str) -> str:
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours:02}:{minute:02}:{second:02}{point}{milliseconds:03}"


def _wrapped(text: str) -> str:
    """Lines of at most LINE_CHARACTERS, no blank one: it would end the cue."""
    return "\n".join(textwrap.wrap(text, LINE_CHARACTERS, break_long_words=False, break_on_hyphens=False))
