"""Gestures on the lines of the transcript. A line is meant by its number, counted from 0; nothing in it is trusted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bgm.errors import BadInput
from bgm.speech import lines
from bgm.speech.lines import Lines
from bgm.speech.utterances import Timed
from bgm.ui.edits import Gesture, number

Told = dict[str, Any]
"""What became of an edit of many lines, for the page to say."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What the edits of lines need of the project: the words that were heard, read when needed, and its seconds."""

    words: Callable[[], Sequence[Timed]]
    duration: float


def apply(now: Lines, gesture: Gesture, heard: Heard) -> tuple[Lines, Told]:
    """The lines after one gesture. Raises BadInput, in one sentence, when it is impossible."""
    try:
        return OPS[str(gesture["op"])](now, gesture, heard)
    except ValueError as error:
        raise BadInput(str(error)) from error


def _text(now: Lines, gesture: Gesture, heard: Heard) -> tuple[Lines, Told]:
    name = gesture.get("name")
    if name not in {"text", "english"}:
        raise BadInput("this line of the transcript does not exist any more")
    return lines.retold(now, _index(gesture), **{name: _written(gesture, "text")}), {}


def _times(now: Lines, gesture: Gesture, heard: Heard) -> tuple[Lines, Told]:
    start, end = number(gesture, "start"), number(gesture, "end")
    return lines.timed(now, _index(gesture), start, end, heard.duration), {}


def _split(now: Lines, gesture: Gesture, heard: Heard) -> tuple[Lines, Told]:
    left, right = _written(gesture, "left"), _written(gesture, "right")
    return lines.split(now, _index(gesture), left, right, heard.words()), {}


def _merge(now: Lines, gesture: Gesture, heard: Heard) -> tuple[Lines, Told]:
    text = None if gesture.get("text") is None else _written(gesture, "text")
    return lines.merge(now, _index(gesture), text), {}


def _replace(now: Lines, gesture: Gesture, heard: Heard) -> tuple[Lines, Told]:
    new, count = lines.replaced(now, _written(gesture, "find"), _written(gesture, "put"))
    return new, {"replaced": count}


def _script(now: Lines, gesture: Gesture, heard: Heard) -> tuple[Lines, Told]:
    laid = lines.scripted(now, _written(gesture, "text"), heard.words(), heard.duration)
    return laid.lines, {"placed": laid.placed, "kept": laid.kept, "unplaced": list(laid.unplaced)}


def _index(gesture: Gesture) -> int:
    index = gesture.get("index")
    if isinstance(index, bool) or not isinstance(index, int):
        raise BadInput("this line of the transcript does not exist any more")
    return index


def _written(gesture: Gesture, name: str) -> str:
    text = gesture.get(name)
    if not isinstance(text, str):
        raise BadInput(f"{name} must be a text")
    return text


OPS: dict[str, Callable[[Lines, Gesture, Heard], tuple[Lines, Told]]] = {
    "line_text": _text,
    "line_times": _times,
    "line_split": _split,
    "line_merge": _merge,
    "replace": _replace,
    "script": _script,
}
