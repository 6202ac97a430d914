"""What the browser may change: the timeline, the transcript's lines and the settings, with undo and redo.

A gesture is a small object such as ``{"op": "move", "id": "s2", "time": 4.5}``. Nothing in it is trusted. The limits
are those of the cards in bgm.settings and bgm.timeline, from which the page's controls are made too.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from bgm import engines
from bgm.engines import Stage
from bgm.errors import BadInput
from bgm.settings import AUTO, SETTINGS, Setting, Settings
from bgm.speech import lines
from bgm.speech.lines import Lines
from bgm.speech.words import Timed
from bgm.timeline import BOUNDED, CARDS, PROMPT_LENGTH, Emotion, Segment, Style, Timeline, Utterance

Gesture = Mapping[str, Any]
PAGE_SETTINGS = tuple(name for name, setting in SETTINGS.items() if setting.card.on_page)
"""The settings that the page lets a user change."""
_WISHES = tuple(name for name in PAGE_SETTINGS if not SETTINGS[name].card.of_export)
UNDO_DEPTH = 200
MAX_SEGMENTS = 2000
"""Up to which an edit may add one; each edit reads and writes them all."""


def _choose_alone(timeline: Timeline, segment_id: str, take_id: str) -> Timeline:
    return timeline.update(segment_id, chosen=take_id, source="user")


def _unknown(whole: Segment) -> Segment | None:
    return None


@dataclass(frozen=True, slots=True)
class WithTakes:
    """The edits that need more of the project than its timeline, to do all that they should."""

    split: Callable[[Timeline, str, float], Timeline] = Timeline.split
    """Cut a segment in two, of which the second part keeps its music."""
    insert: Callable[[Timeline, float, float, Emotion], Timeline] = Timeline.insert
    """Lay a new segment over others; what is left of them keeps its music."""
    earlier: Callable[[Segment], Segment | None] = _unknown
    """A segment as it was, if there was one that differed at most in its takes and in who set it."""
    choose: Callable[[Timeline, str, str], Timeline] = _choose_alone
    """Let a segment's take be heard, whatever it was made from."""


def apply(timeline: Timeline, gesture: Gesture, files: WithTakes = WithTakes()) -> Timeline:
    """The timeline after one gesture. Raises BadInput, in one sentence, when it is impossible."""
    op = str(gesture.get("op"))
    edit = partial(_WITH_TAKES[op], files) if op in _WITH_TAKES else _EDITS.get(op)
    if edit is None:
        raise BadInput(f"there is no edit {gesture.get('op')!r}; there are {', '.join([*_WITH_TAKES, *_EDITS])}")
    try:
        return edit(timeline, gesture)
    # Timeline's own KeyError carries a sentence; one without is a gesture that lacks a key.
    except KeyError as error:
        raise BadInput(str(error.args[0]) if error.args else "this segment does not exist") from error
    except ValueError as error:
        raise BadInput(str(error)) from error


@dataclass(frozen=True, slots=True)
class Revision:
    """Everything in a project that its creator edits, at one point in time."""

    timeline: Timeline
    utterances: tuple[Utterance, ...] = ()
    settings: Settings | None = None

    def wishes_in(self, now: Settings) -> Settings:
        """Current settings, with those that the page may change as they were then; what Export is set to stays."""
        then = self.settings or now
        return replace(now, **{name: getattr(then, name) for name in _WISHES})

    def words_in(self, now: Sequence[Utterance]) -> tuple[Utterance, ...]:
        """The lines as they were then; one that is unchanged keeps what was found out about it since."""
        # An undo of the text must not undo what was found out meanwhile: a line that reads the same now keeps its
        # scores, and needs no classifier.
        known = {_line(u): u for u in now}
        return tuple(known.get(_line(u), u) for u in self.utterances)


def _line(u: Utterance) -> tuple[object, ...]:
    return u.start, u.end, u.text, u.english


@dataclass
class History:
    """Undo and redo: earlier revisions of one project, and those that were undone."""

    past: list[Revision] = field(default_factory=list)
    future: list[Revision] = field(default_factory=list)
    changes: int = 0
    """How often either list changed."""
    delivered: dict[str, None] = field(default_factory=dict)
    """Keys of the latest gestures."""
    _run: object = None
    _at: dict[object, Segment] = field(default_factory=dict)
    _indexed: int = 0

    def remember(self, revision: Revision, run: object = None) -> None:
        """Record the revision before a gesture; gestures of one ``run`` are undone in one step."""
        # Only the first gesture of a run is a step back: a slider that was dragged sends dozens.
        if run is None or run != self._run:
            self.past = [*self.past, revision][-UNDO_DEPTH:]
        self.future = []
        self.changes += 1
        self._run = run

    def earlier(self, whole: Segment) -> Segment | None:
        """The segment as it was last, at these times; None if anything but its takes, and who set it, differed."""
        if self._indexed != self.changes:  # once for a gesture, which may merge thousands
            # Of equal keys the last one, the latest, stays.
            self._at = {_place(s): s for revision in self.past for s in revision.timeline.segments}
            self._indexed = self.changes
        then = self._at.get(_place(whole))
        return then if then and _without_takes(then) == _without_takes(whole) else None

    def undo(self, now: Revision) -> Revision:
        """What was before the last gesture; ``now`` where there is none."""
        if not self.past:
            return now
        self._run = None
        self.changes += 1
        self.future.append(now)
        return self.past.pop()

    def redo(self, now: Revision) -> Revision:
        """What the last undo took back; ``now`` where there is nothing."""
        if not self.future:
            return now
        self.changes += 1
        self.past.append(now)
        return self.future.pop()


def _place(segment: Segment) -> object:
    return segment.id, segment.start, segment.end


def _without_takes(segment: Segment) -> Segment:
    return replace(segment, takes=(), chosen=None, chosen_for=None, source="user")


MAX_TOGETHER = 4000
"""Edits in one gesture: twice as many as there may be segments."""


def _together(files: WithTakes, timeline: Timeline, gesture: Gesture) -> Timeline:
    """Several edits that are one step back, as of all the selected segments."""
    edits = gesture.get("edits")
    if not isinstance(edits, list) or len(edits) > MAX_TOGETHER or not all(isinstance(e, Mapping) for e in edits):
        raise BadInput(f"edits are a list of at most {MAX_TOGETHER} objects")
    for edit in edits:
        # Nested, the limit would hold for each level only.
        if edit.get("op") == "together":
            raise BadInput("edits that belong together hold no others that do")
        timeline = apply(timeline, edit, files)
    return timeline


def run_of(gesture: Gesture) -> object:
    """Which run a gesture belongs to: the steps of one slider or boundary, held without a break, count as one edit.

    None for a gesture that stands alone; the page numbers its runs.
    """
    run = gesture.get("run")
    return (*(gesture.get(key) for key in ("op", "id", "field", "index")), run) if isinstance(run, int) else None


def _move(timeline: Timeline, gesture: Gesture) -> Timeline:
    return timeline.move_boundary(timeline.index(_id(gesture)), _number(gesture, "time"))


def _split(files: WithTakes, timeline: Timeline, gesture: Gesture) -> Timeline:
    _check_count(timeline)
    return files.split(timeline, _id(gesture), _number(gesture, "time"))


def _merge(files: WithTakes, timeline: Timeline, gesture: Gesture) -> Timeline:
    merged = timeline.merge(_id(gesture))
    # Merging the halves of a split gives back what was there, although both have music of their own by now.
    whole = merged.at(timeline[_id(gesture)].start)
    then = files.earlier(whole)
    if then is None or all(take.id != then.chosen for take in whole.takes):
        return merged
    return merged.update(whole.id, source=then.source, chosen=then.chosen, chosen_for=then.chosen_for)


def _remove(timeline: Timeline, gesture: Gesture) -> Timeline:
    return timeline.remove(_id(gesture))


def _emotion(timeline: Timeline, gesture: Gesture) -> Timeline:
    return timeline.set_emotion(_id(gesture), _emotion_of(gesture))


def _insert(files: WithTakes, timeline: Timeline, gesture: Gesture) -> Timeline:
    _check_count(timeline)
    return files.insert(timeline, _number(gesture, "start"), _number(gesture, "end"), _emotion_of(gesture))


def _choose(files: WithTakes, timeline: Timeline, gesture: Gesture) -> Timeline:
    segment = timeline[_id(gesture)]
    take = str(gesture.get("take"))
    if take not in {t.id for t in segment.takes}:
        raise BadInput(f"segment {segment.id} has no such take")
    return files.choose(timeline, segment.id, take)


def _set(timeline: Timeline, gesture: Gesture) -> Timeline:
    name = str(gesture.get("field"))
    check = _FIELDS.get(name)
    if check is None:
        raise BadInput(f"there is no field {name!r}; there are {', '.join(_FIELDS)}")
    return timeline.update(_id(gesture), **{name: check(gesture.get("value"))}, source="user")


def _check_count(timeline: Timeline) -> None:
    if len(timeline.segments) >= MAX_SEGMENTS:
        raise BadInput(f"a timeline is edited up to {MAX_SEGMENTS} segments; merge some first")


def _id(gesture: Gesture) -> str:
    return str(gesture.get("id"))


def _emotion_of(gesture: Gesture) -> Emotion:
    try:
        return Emotion(str(gesture.get("emotion")))
    except ValueError as error:
        raise BadInput(f"there is no emotion {gesture.get('emotion')!r}; there are {', '.join(Emotion)}") from error


def _number(gesture: Gesture, name: str) -> float:
    return _finite(gesture.get(name), name)


def _finite(value: object, name: str) -> float:
    # One comparison for three traps: NaN compares false with everything, infinity is larger, and so is an int of 400
    # digits, which float() would refuse with an OverflowError.
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
        raise BadInput(f"{name} must be a number")
    return float(value)


def _prompt(value: object) -> str:
    if not isinstance(value, str) or len(value) > PROMPT_LENGTH:
        raise BadInput(f"a prompt is a text of at most {PROMPT_LENGTH} characters")
    return " ".join(value.split())


def _page_bounds(name: str) -> tuple[float, float]:
    low, high = BOUNDED[name].get("page_bounds", BOUNDED[name]["bounds"])
    return low, high


def _bounded(name: str, value: object) -> float:
    known = BOUNDED[name]
    number = _finite(value, f"the {known['called']}")
    low, high = _page_bounds(name)
    if not low <= number <= high:
        raise BadInput(f"the {known['called']} must be between {low} and {high}")
    return number


def _seed(value: object) -> int:
    seed = _bounded("seed", value)
    if not seed.is_integer():
        raise BadInput("the seed must be a whole number")
    return int(seed)


def _style(value: object) -> Style | None:
    if value is None or value == "":
        return None
    try:
        return Style(str(value))
    except ValueError as error:
        raise BadInput(f"there is no style {str(value)[:40]!r}; there are {', '.join(Style)}") from error


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise BadInput("a switch is on or off")
    return value


_WITH_TAKES: dict[str, Callable[[WithTakes, Timeline, Gesture], Timeline]] = {
    "split": _split,
    "merge": _merge,
    "insert": _insert,
    "choose": _choose,
    "together": _together,
}
_EDITS: dict[str, Callable[[Timeline, Gesture], Timeline]] = {
    "move": _move,
    "remove": _remove,
    "emotion": _emotion,
    "set": _set,
}
_FIELDS: dict[str, Callable[[object], Any]] = {
    "prompt": _prompt,
    "seed": _seed,
    "style": _style,
    **{name: partial(_bounded, name) for name in ("gain_db", "fade_in", "fade_out")},
    "locked": _flag,
    "silent": _flag,
}


Told = dict[str, Any]
"""The outcome of an edit of many lines, for the page to report."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What edits of lines need from the project: its duration in seconds and the recognised words, read on demand."""

    words: Callable[[], Sequence[Timed]]
    duration: float


def apply_to_lines(now: Lines, gesture: Gesture, heard: Heard) -> tuple[Lines, Told]:
    """The transcript's lines after one gesture, which names a line by its number, counted from 0.

    ``was`` lists the line (for a merge both) as known to who sends it: start, end, text and, where that is changed,
    english. Raises BadInput, in one sentence, when it is impossible.
    """
    try:
        return LINE_EDITS[str(gesture["op"])](now, gesture, heard)
    except ValueError as error:
        raise BadInput(str(error)) from error


def _line_text(now: Lines, gesture: Gesture, heard: Heard) -> tuple[Lines, Told]:
    name = gesture.get("name")
    if name not in {"text", "english"}:
        raise BadInput("this line of the transcript does not exist any more")
    return lines.retold(now, _index(now, gesture), **{name: _written(gesture, "text")}), {}


def _line_times(now: Lines, gesture: Gesture, heard: Heard) -> tuple[Lines, Told]:
    start, end = _number(gesture, "start"), _number(gesture, "end")
    return lines.timed(now, _index(now, gesture), start, end, heard.duration), {}


def _line_split(now: Lines, gesture: Gesture, heard: Heard) -> tuple[Lines, Told]:
    left, right = _written(gesture, "left"), _written(gesture, "right")
    return lines.split(now, _index(now, gesture), left, right, heard.words()), {}


def _line_merge(now: Lines, gesture: Gesture, heard: Heard) -> tuple[Lines, Told]:
    text = None if gesture.get("text") is None else _written(gesture, "text")
    return lines.merge(now, _index(now, gesture), text), {}


def _replace(now: Lines, gesture: Gesture, heard: Heard) -> tuple[Lines, Told]:
    whole = _flag(gesture.get("whole", False))
    new, count = lines.replaced(now, _written(gesture, "find"), _written(gesture, "put"), whole=whole)
    return new, {"replaced": count}


def _script(now: Lines, gesture: Gesture, heard: Heard) -> tuple[Lines, Told]:
    laid = lines.scripted(now, _written(gesture, "text"), heard.words(), heard.duration)
    told = {"placed": laid.placed, "kept": laid.kept, "unplaced": list(laid.unplaced), "labels": laid.labels}
    return laid.lines, told


def _index(now: Lines, gesture: Gesture) -> int:
    index, was = gesture.get("index"), gesture.get("was")
    if isinstance(index, bool) or not isinstance(index, int):
        raise BadInput("this line of the transcript does not exist any more")
    if was is None:
        return index
    if not isinstance(was, list) or not was or not all(isinstance(line, Mapping) for line in was):
        raise BadInput("this line of the transcript does not exist any more")
    spans = [(_number(w, "start"), _number(w, "end"), _written(w, "text"), w.get("english")) for w in was]
    places = [lines.found(now, *span) for span in spans]
    first = places[0]
    if first is None or places != [*range(first, first + len(places))]:
        # Another tab was faster; what was typed over its edit is told, so that it can be typed again.
        words = " ".join(str(gesture[name]) for name in ("text", "left", "right") if name in gesture)
        if not words:
            raise BadInput("this line was changed elsewhere meanwhile and stays as it is now")
        raise BadInput(f"this line was changed elsewhere meanwhile and stays as it is now; you wrote: {words}")
    return first


def _written(gesture: Gesture, name: str) -> str:
    text = gesture.get(name)
    if not isinstance(text, str):
        raise BadInput(f"{name} must be a text")
    return text


LINE_EDITS: dict[str, Callable[[Lines, Gesture, Heard], tuple[Lines, Told]]] = {
    "line_text": _line_text,
    "line_times": _line_times,
    "line_split": _line_split,
    "line_merge": _line_merge,
    "replace": _replace,
    "script": _script,
}


def change_settings(settings: Settings, changes: Mapping[str, object]) -> Settings:
    """``settings`` with the changes. Raises BadInput, in one sentence, for an unknown name or an impossible value."""
    unknown = set(changes) - set(PAGE_SETTINGS)
    if unknown:
        raise BadInput(f"there is no setting {', '.join(sorted(unknown))}")
    return replace(settings, **{name: _setting(SETTINGS[name], value) for name, value in changes.items()})


def controls() -> dict[str, dict[str, Any]]:
    """What the page's controls offer, by setting (and by the segment's field): ``choices``, ``min`` and
    ``max``, or a text's ``longest``."""
    offered: dict[str, dict[str, Any]] = {}
    for name in PAGE_SETTINGS:
        card = SETTINGS[name].card
        bounds = card.page_bounds or card.bounds
        if card.engine or (card.words and not bounds):
            offered[name] = {"choices": _choices(SETTINGS[name])}
        elif bounds:
            offered[name] = {"min": bounds[0], "max": bounds[1]}
        elif card.longest:
            offered[name] = {"longest": card.longest}
    numbers = {name: dict(zip(("min", "max"), _page_bounds(name), strict=True)) for name in BOUNDED}
    texts = {name: {"longest": known["longest"]} for name, known in CARDS.items() if "longest" in known}
    return {**offered, "segment": numbers | texts}


def _setting(setting: Setting, value: object) -> Any:
    """An engine by its name only: a model could be a path on the server."""
    if setting.card.engine and value not in _choices(setting):
        raise BadInput(f"{setting.flag} must be one of {', '.join(_choices(setting))}")
    return setting.from_page(value)


def _choices(setting: Setting) -> list[str]:
    card = setting.card
    return [AUTO, *(spec.name for spec in engines.specs(Stage(card.engine)))] if card.engine else list(card.words)
