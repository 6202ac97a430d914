"""Write utterances as subtitle files: SubRip and WebVTT (W3C), at most two lines of the usual width at a time."""

from __future__ import annotations

import html
import math
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import accumulate, pairwise

from bgm.timeline import Utterance

LINE_CHARACTERS = 42
MOST_LINES = 2
"""The usual width and height of a subtitle."""
SHORTEST_S = 1.0
"""A cue shown for less can't be read: a hurried phrase gets more lines instead."""


def to_srt(utterances: Iterable[Utterance]) -> str:
    """SubRip: numbered cues, ``HH:MM:SS,mmm``."""
    cues = (f"{number}\n{_times(u, ',')}\n{u.text}\n" for number, u in enumerate(_cues(utterances), 1))
    return "\n".join(cues)


def to_vtt(utterances: Iterable[Utterance]) -> str:
    """WebVTT: a header, ``HH:MM:SS.mmm``, and ``& < >`` escaped (which keeps ``-->`` out of the text)."""
    cues = (f"{_times(u, '.')}\n{html.escape(u.text, quote=False)}\n" for u in _cues(utterances))
    return "\n".join(["WEBVTT\n", *cues])


def _cues(utterances: Iterable[Utterance]) -> Iterator[Utterance]:
    """Split each utterance into displayable cues, its time divided in proportion to their letters."""
    for u in utterances:
        shown = _in_parts(u.text, max(1, int((u.end - u.start) / SHORTEST_S)))
        letters = [0, *accumulate(map(len, shown))]
        edges = [u.start + (u.end - u.start) * at / max(1, letters[-1]) for at in letters]
        for text, (start, end) in zip(shown, pairwise([*edges[:-1], u.end]), strict=True):
            yield replace(u, start=start, end=end, text=text)


def _in_parts(text: str, most: int) -> list[str]:
    """Split a text into up to ``most`` wrapped parts, of MOST_LINES lines if that suffices and of about equal
    length."""
    fewest = max(1, math.ceil(len(_lines(text)) / MOST_LINES))
    for count in range(min(most, fewest), most + 1):
        width = max(1, math.ceil(len(text) / count))
        while len(parts := _lines(text, width)) > count:
            width += 1
        wrapped = [_lines(part) for part in parts]
        if count == most or all(len(lines) <= MOST_LINES for lines in wrapped):
            return ["\n".join(lines) for lines in wrapped]
    return [""]


def _times(utterance: Utterance, point: str) -> str:
    return f"{_clock(utterance.start, point)} --> {_clock(utterance.end, point)}"


def _clock(seconds: float, point: str) -> str:
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours:02}:{minute:02}:{second:02}{point}{milliseconds:03}"


def _lines(text: str, width: int = LINE_CHARACTERS) -> list[str]:
    """Wrap, without blank lines: one would end the cue."""
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
