"""The data model: Emotion, Utterance, Take, Segment, Timeline.

Everything here is immutable; each edit returns a new Timeline, so undo is a list. This module imports no other of ours.
Times are float seconds from the start of the video.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any, ClassVar, Literal, get_args, get_type_hints

MAX_SECONDS = 24 * 3600.0
"""The longest video accepted; a damaged or hostile file may claim to last years."""
MIN_LENGTH = 0.25
"""Shortest segment that an edit may leave, in seconds (a video shorter than this is one segment)."""

SEEDS = (0, 2**32 - 1)
"""Least and most."""

FADES, PAGE_FADES = (0, 60), (0, 10)
"""Minimum and maximum seconds, in a project and on the page; no fade is longer than its segment."""
PROMPT_LENGTH = 500
"""Maximum characters of a description of music typed on the page."""


class Emotion(StrEnum):
    """The seven labels of j-hartmann/emotion-english-distilroberta-base, in its order."""

    ANGER = "anger"
    DISGUST = "disgust"
    FEAR = "fear"
    JOY = "joy"
    NEUTRAL = "neutral"
    SADNESS = "sadness"
    SURPRISE = "surprise"


class Style(StrEnum):
    """How the music is played, independent of the emotion: the cards are in ``bgm.music.composer.styles``."""

    LOFI = "lofi"
    ACOUSTIC = "acoustic"
    CORPORATE = "corporate"
    AMBIENT = "ambient"
    CINEMATIC_PIANO = "cinematic-piano"
    TRAILER = "trailer"
    QUIRKY = "quirky"
    JAZZ = "jazz"
    ELECTRONIC = "electronic"
    ORCHESTRAL = "orchestral"


EMOTIONS: tuple[Emotion, ...] = tuple(Emotion)
Scores = Mapping[Emotion, float]
"""One probability for each of the seven emotions; they sum to 1."""
Source = Literal["auto", "user"]
_STRICT: dict[str, Any] = {"extra": "forbid", "strict": True, "allow_inf_nan": False}
"""Read by pydantic, where a project file is read: a misspelt field is an error, not a lost edit."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """A stretch of speech. ``text`` is in the original language, ``english`` is what the classifier reads."""

    start: float
    end: float
    text: str
    english: str = ""
    scores: Scores | None = None
    unsure: bool = False
    """Its language or its English is a guess that a person should look at."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT


@dataclass(frozen=True, slots=True)
class Take:
    """One generated clip. ``id`` is the digest of all that it was made from; ``file`` is relative to the project;
    ``number`` is what its segment's list calls it, from 1, for as long as it exists (:func:`bgm.takes.numbers`)."""

    id: str
    engine: str
    seed: int
    file: str
    number: int = 0

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT


def _card(help: str, default: Any, **known: Any) -> Any:
    return field(default=default, metadata={"help": help, **known})


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of the timeline with one emotion; each field carries what it means and may be.

    A number's ``bounds`` hold wherever it comes from (``called`` so in messages), ``page_bounds`` on the page, as does
    ``longest``, the most characters of a text.
    """

    id: str = field(metadata={"help": "names the segment in the shell", "may_be": "letters, digits, `-` and `_`"})
    start: float = field(metadata={"help": "seconds"})
    end: float = field(metadata={"help": "seconds"})
    emotion: Emotion = field(metadata={"help": "what the music expresses"})
    confidence: float = _card(
        "the model's confidence in this emotion, of all speech of the segment, when it got it; 1 if a person set it",
        1.0,
        called="confidence",
        bounds=(0, 1),
    )
    source: Source = field(default="auto", metadata={"help": "`user` segments survive a new analysis"})
    prompt: str = _card("your own description of the music; empty: the emotion's", "", longest=PROMPT_LENGTH)
    seed: int = _card("another seed, another take", 0, called="seed", bounds=SEEDS)
    gain_db: float = _card(
        "gain of this segment's music in dB", 0.0, called="gain", bounds=(-60, 24), page_bounds=(-24, 12)
    )
    locked: bool = _card("its takes are not changed", False)
    silent: bool = _card("no music here", False)
    chosen: str | None = _card("`id` of the take in use", None)
    takes: tuple[Take, ...] = _card(
        "`id` (digest of all the take's inputs), `engine`, `seed`, `file` (in `takes/`), `number` (on the page; "
        "0: by its place)",
        (),
        may_be="list",
    )
    style: Style | None = field(default=None, metadata={"help": "of the music here; null: the video's"})
    fade_in: float = _card(
        "seconds in which the music comes up from silence; 0: it joins the music before it",
        0.0,
        called="fade in",
        bounds=FADES,
        page_bounds=PAGE_FADES,
    )
    fade_out: float = _card(
        "seconds in which the music goes down to silence; 0: it joins the music after it",
        0.0,
        called="fade out",
        bounds=FADES,
        page_bounds=PAGE_FADES,
    )
    chosen_for: str | None = _card(
        "digest of the segment's inputs for which a person picked `chosen`: it stays until they change; null: the "
        "studio's choice",
        None,
    )

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    @property
    def length(self) -> float:
        """Seconds."""
        return self.end - self.start

    @property
    def chosen_take(self) -> Take | None:
        """The take that will be heard, if one is chosen."""
        return next((take for take in self.takes if take.id == self.chosen), None)


CARDS: Mapping[str, Mapping[str, Any]] = {f.name: f.metadata for f in fields(Segment)}
BOUNDED: Mapping[str, Mapping[str, Any]] = {name: card for name, card in CARDS.items() if "bounds" in card}
"""The numbers of a segment that have bounds, and what their fields say of them."""
_TYPES = {float: "number", str: "text", bool: "true or false", type(None): "null"}


def table() -> str:
    """The fields of a segment as the Markdown table of docs/project.md."""
    rows = ["| field | may be | meaning |", "|---|---|---|"]
    for name, hint in ((name, get_type_hints(Segment)[name]) for name in CARDS):
        card = CARDS[name]
        may_be = card.get("may_be") or " or ".join(_in_words(part, card) for part in get_args(hint) or (hint,))
        rows.append(f"| `{name}` | {may_be} | {card['help']} |")
    return "\n".join(rows)


def _in_words(part: Any, card: Mapping[str, Any]) -> str:
    """Of a type, or of one that is part of a union or literal."""
    if "bounds" in card:
        return "{} to {}".format(*card["bounds"])
    if isinstance(part, str):
        return f"`{part}`"
    return _TYPES[part] if part in _TYPES else f"one of {', '.join(part)}"


@dataclass(frozen=True, slots=True)
class Timeline:
    """Ordered segments that cover [0, duration] with no gap and no overlap.

    Raises ValueError, in one sentence, when they don't.
    """

    duration: float
    segments: tuple[Segment, ...] = field(default=())

    def __post_init__(self) -> None:
        problem = _problem(self.duration, self.segments)
        if problem:
            raise ValueError(problem)

    def index(self, segment_id: str) -> int:
        """Position of a segment; KeyError when there is none of that id."""
        for i, segment in enumerate(self.segments):
            if segment.id == segment_id:
                return i
        raise KeyError(f"there is no segment {segment_id!r}")

    def __getitem__(self, segment_id: str) -> Segment:
        return self.segments[self.index(segment_id)]

    def at(self, time: float) -> Segment:
        """The segment at ``time`` (the last one at the very end)."""
        return next((s for s in self.segments if s.start <= time < s.end), self.segments[-1])

    def update(self, segment_id: str, **changes: Any) -> Timeline:
        """Change fields of one segment (not its times)."""
        i = self.index(segment_id)
        return self._put(i, i + 1, replace(self.segments[i], **changes))

    def set_emotion(self, segment_id: str, emotion: Emotion) -> Timeline:
        """Relabel a segment: its source becomes user and its confidence 1; its prompt stays."""
        return self.update(segment_id, emotion=Emotion(emotion), source="user", confidence=1.0)

    def move_boundary(self, index: int, time: float) -> Timeline:
        """Move the boundary between segments ``index - 1`` and ``index``; it stops MIN_LENGTH before either end."""
        if not 0 < index < len(self.segments):
            raise ValueError(f"there is no boundary {index}")
        if not math.isfinite(time):
            raise ValueError("a boundary needs a time")
        left, right = self.segments[index - 1], self.segments[index]
        # Clamped, not refused: a drag goes beyond the end all the time.
        low, high = left.start + MIN_LENGTH, right.end - MIN_LENGTH
        if low > high:
            raise ValueError("these segments are too short to move the boundary between them")
        time = min(max(time, low), high)
        moved = replace(left, end=time, source="user"), replace(right, start=time, source="user")
        return self._put(index - 1, index + 1, *moved)

    def split(self, segment_id: str, time: float) -> Timeline:
        """Cut a segment in two; the first part keeps the id and takes, both keep emotion and settings.

        The second has no take yet; :func:`bgm.takes.go_on_after` makes it continue the current music.
        """
        i = self.index(segment_id)
        whole = self.segments[i]
        if not (whole.start + MIN_LENGTH <= time <= whole.end - MIN_LENGTH):
            raise ValueError(f"a segment can be split only {MIN_LENGTH} s or more from its ends")
        mine = replace(whole, source="user")
        # merge() takes the outer fades back, which makes it the inverse.
        first, second = _cut(mine, whole.start, time), _cut(mine, time, whole.end)
        return self._put(i, i + 1, first, *_renamed([second], self.free_id()))

    def merge(self, segment_id: str) -> Timeline:
        """Join a segment with the next one: the longer of the two stays, with its id, emotion, settings and takes.

        Where both have the same emotion and prompt the first stays, so that merging undoes a split.
        """
        i = self.index(segment_id)
        if i + 1 >= len(self.segments):
            raise ValueError("the last segment has no next one to merge with")
        first, second = self.segments[i : i + 2]
        differs = (first.emotion, first.prompt) != (second.emotion, second.prompt)
        # By length, because the longer one is what the creator hears most of; but of equals the first, whose id and
        # takes a split has kept.
        stays = second if differs and second.length > first.length else first
        whole = replace(stays, start=first.start, end=second.end, source="user")
        return self._put(i, i + 2, replace(whole, fade_in=first.fade_in, fade_out=second.fade_out))

    def remove(self, segment_id: str) -> Timeline:
        """Remove a segment: the previous one extends to its end, or, if it is the first, the next one to its start. The
        neighbour keeps its emotion, settings and takes."""
        i = self.index(segment_id)
        if len(self.segments) == 1:
            raise ValueError("the only segment can't be removed: it is the whole video")
        gone = self.segments[i]
        if gone.locked:
            raise ValueError("this segment is locked: unlock it first")
        if i == 0:
            return self._put(0, 2, replace(self.segments[1], start=gone.start, source="user"))
        return self._put(i - 1, i + 1, replace(self.segments[i - 1], end=gone.end, source="user"))

    def insert(self, start: float, end: float, emotion: Emotion) -> Timeline:
        """Lay a new segment over [start, end]; segments covered entirely go, those covered in part shrink."""
        if not 0.0 <= start < end <= self.duration or end - start < min(MIN_LENGTH, self.duration):
            raise ValueError(f"a new segment needs {MIN_LENGTH} s or more inside the video")
        new = Segment(self.free_id(), start, end, Emotion(emotion), source="user")
        return overlay(self, [new])

    def free_id(self) -> str:
        """An id that no segment has: s1, s2, …"""
        return f"s{_highest(self.segments) + 1}"

    def _put(self, first: int, last: int, *segments: Segment) -> Timeline:
        return replace(self, segments=(*self.segments[:first], *segments, *self.segments[last:]))


def overlay(base: Timeline, kept: Sequence[Segment], known: Sequence[Segment] = ()) -> Timeline:
    """Lay ``kept`` (disjoint, in order) over ``base``: the creator's segments survive a new analysis.

    Slivers shorter than MIN_LENGTH that would be left of the base go to the kept segment beside them. What is left of
    a segment on both sides is two: the first keeps the id and the takes. The base gets no id of a ``known`` segment.
    """
    ids = map("s{}".format, itertools.count(_highest([*base.segments, *kept, *known]) + 1))
    reserved = {segment.id for segment in (*kept, *known)}
    pieces = list(kept)
    for segment in base.segments:
        left = _uncovered(segment, kept)
        # The kept ones have the first choice: their takes are named by their ids.
        pieces += _renamed(left, next(ids)) if left and segment.id in reserved else left
    pieces.sort(key=lambda s: s.start)
    return Timeline(base.duration, tuple(_unique_ids(_without_slivers(pieces, kept), ids)))


def _uncovered(segment: Segment, kept: Sequence[Segment]) -> list[Segment]:
    spans = [(segment.start, segment.end)]
    for k in kept:
        # Each kept segment cuts what is left of the base into the part before and the part after it; empty parts are
        # dropped.
        spans = [(a, b) for s, e in spans for a, b in ((s, min(e, k.start)), (max(s, k.end), e)) if b > a]
    return [_cut(segment, a, b) for a, b in spans]


def _cut(segment: Segment, start: float, end: float) -> Segment:
    """A part of a segment. Fades belong to its outer edges: at a cut the music goes on."""
    rise = segment.fade_in if start == segment.start else 0.0
    fall = segment.fade_out if end == segment.end else 0.0
    return replace(segment, start=start, end=end, fade_in=rise, fade_out=fall)


def _without_slivers(pieces: list[Segment], kept: Sequence[Segment]) -> list[Segment]:
    out: list[Segment] = []
    for i, piece in enumerate(pieces):
        # A sliver could not be edited (MIN_LENGTH) and would get music of its own, a fraction of a second of it.
        sliver = piece.length < MIN_LENGTH and piece not in kept and len(pieces) > 1
        if sliver and out:
            out[-1] = replace(out[-1], end=piece.end)
        elif sliver:
            pieces[i + 1] = replace(pieces[i + 1], start=piece.start)
        else:
            out.append(piece)
    return out


def _unique_ids(pieces: Sequence[Segment], ids: Iterator[str]) -> list[Segment]:
    seen: set[str] = set()
    out: list[Segment] = []
    for piece in pieces:
        out += _renamed([piece], next(ids)) if piece.id in seen else [piece]
        seen.add(piece.id)
    return out


def _renamed(pieces: Sequence[Segment], own: str) -> list[Segment]:
    """Under another id, hence without takes."""
    return [replace(piece, id=own, chosen=None, chosen_for=None, takes=()) for piece in pieces]


def _highest(segments: Sequence[Segment]) -> int:
    """The highest number n of an id of the form sn."""
    # New ids are above it, never in a gap: takes follow a segment by its id (bgm.takes.with_takes_of), and a gap may be
    # the id of one that an undo brings back.
    numbers = [int(m[1]) for s in segments if (m := re.fullmatch(r"s(\d+)", s.id))]
    return max(numbers, default=0)


def _problem(duration: float, segments: Sequence[Segment]) -> str | None:
    if not (math.isfinite(duration) and duration > 0):
        return "a timeline needs a duration above zero"
    if not segments:
        return "a timeline needs at least one segment"
    checks: tuple[tuple[Callable[[], bool], str], ...] = (
        (lambda: len({s.id for s in segments}) == len(segments), "two segments have the same id"),
        # Exact comparisons of floats on purpose: neighbours share one number, no edit computes it twice. A tolerance
        # would let a gap of a sample grow.
        (lambda: segments[0].start == 0, "the first segment must start at 0"),
        (lambda: segments[-1].end == duration, "the last segment must end where the video ends"),
        (lambda: all(s.end > s.start for s in segments), "a segment must end after it starts"),
        (
            lambda: all(a.end == b.start for a, b in itertools.pairwise(segments)),
            "each segment must start where the one before it ends",
        ),
    )
    return next((sentence for holds, sentence in checks if not holds()), None)
