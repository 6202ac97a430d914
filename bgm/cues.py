"""From a segment to its cue (the request to a music engine) and the name of the take that answers it.

A take's id is the digest of everything that determines its sound. So a take is stale exactly when its id differs from
the id for the segment's current inputs; nothing else has to be recorded.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

from bgm import engines
from bgm.digest import digest, seed_of
from bgm.engines import Choice
from bgm.files import read_noted, write_text
from bgm.media.audio import frames_of
from bgm.music.composer.moods import auto_style
from bgm.music.cue import Cue, Piece
from bgm.project import Project
from bgm.settings import ENERGIES
from bgm.timeline import EMOTIONS, MAX_SECONDS, Emotion, Segment, Style, Take

_SPEECH_GRID_S = 0.05
Spans = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Activity:
    """What the music responds to: where the voice speaks and where the picture cuts (seconds)."""

    speech: Spans = ()
    cuts: tuple[float, ...] = ()
    background: tuple[tuple[float, float], ...] = ()
    """Level of the old background relative to the speech (seconds, dB), in order; empty if unknown."""

    @classmethod
    def load(cls, file: Path) -> Activity:
        """Read ``file``, as saved by the analysis; empty if there is no file. Raises BadInput if it is damaged."""
        return cls(**read_noted(file, _schema) or {})

    def save(self, file: Path) -> None:
        """Write it to ``file``."""
        write_text(file, json.dumps({f.name: getattr(self, f.name) for f in fields(self)}))


@lru_cache(maxsize=1)
def _schema() -> Any:
    from typing import Annotated, NotRequired

    from pydantic import ConfigDict, Field, TypeAdapter
    from typing_extensions import TypedDict

    seconds = Annotated[float, Field(ge=0, le=MAX_SECONDS)]

    class Noted(TypedDict):
        __pydantic_config__ = ConfigDict(extra="forbid", allow_inf_nan=False)  # type: ignore[misc]

        speech: tuple[tuple[seconds, seconds], ...]
        cuts: NotRequired[tuple[seconds, ...]]
        background: NotRequired[tuple[tuple[seconds, float], ...]]

    return TypeAdapter(Noted)


@dataclass(frozen=True, slots=True)
class Music:
    """The engine that makes the takes, and the activity it responds to."""

    choice: Choice
    fingerprint: str
    activity: Activity

    @classmethod
    def of(cls, choice: Choice, activity: Activity) -> Music:
        return cls(choice, engines.composer_class(choice.name).fingerprint(choice.options), activity)

    def take_id(self, cue: Cue) -> str:
        """The digest of what determines a take's sound; the context (its neighbours) is excluded on purpose."""
        c, engine = cue, (self.choice.label, self.fingerprint, self.choice.options.lora)
        brief = (c.frames, c.emotion, c.confidence, c.prompt, c.whole, c.seed, c.opening, c.ending, c.speech, c.hits)
        return digest(engine, (c.piece.seed, c.piece.style, c.style, c.piece.duration, c.start), brief)


@dataclass(frozen=True, slots=True)
class Order:
    """One take to make: its segment, its cue and its name."""

    segment_id: str
    take: Take
    cue: Cue


def order(project: Project, piece: Piece, segment: Segment, number: int, music: Music) -> Order:
    """Take ``number`` of ``segment`` for its current inputs."""
    cue = cue_of(project, piece, segment, take_seed(segment, number), music.activity)
    identity = music.take_id(cue)
    take = Take(identity, music.choice.label, cue.seed, f"takes/{segment.id}-{identity}.flac")
    return Order(segment.id, take, cue)


def take_seed(segment: Segment, number: int) -> int:
    """The segment's own seed for the first take; the others are derived from it."""
    return segment.seed if number == 0 else seed_of(segment.seed, number)


def cue_of(project: Project, piece: Piece, segment: Segment, seed: int, activity: Activity) -> Cue:
    """The brief for one take of ``segment``; ``piece`` is :func:`piece_of` the project, computed once for all
    segments."""
    segments, i = project.segments, project.segments.index(segment)
    before = segments[i - 1] if i else None
    after = segments[i + 1] if i + 1 < len(segments) else None
    return Cue(
        piece=piece,
        style=segment.style or piece.style,
        frames=frames_of(segment.end) - frames_of(segment.start),
        emotion=segment.emotion,
        confidence=round(segment.confidence, 3),
        prompt=segment.prompt,
        whole=words_for_all(project),
        seed=seed,
        opening=before is None,
        ending=after is None,
        speech=_inside(segment, activity.speech),
        hits=tuple(round(t - segment.start, 3) for t in activity.cuts if segment.start <= t < segment.end),
        start=segment.start,
        before=before.emotion if before else None,
        after=after.emotion if after else None,
        before_take=_chosen_path(project, before),
        after_take=_chosen_path(project, after),
    )


def words_for_all(project: Project) -> str:
    """The creator's description of the whole video's music, and its energy as a word."""
    asked = project.settings
    energy = asked.energy if asked.energy in ENERGIES else ""
    return ". ".join(filter(None, (asked.words, energy)))


def piece_of(project: Project) -> Piece:
    """What all cues of the video share; an ``auto`` seed or style is derived from the video and its speech."""
    seed, style = project.settings.seed, project.settings.style
    if seed == "auto":
        seed = seed_of("piece", project.state().get("video", ""))
    chosen = auto_style(seed, _spoken(project)) if style == "auto" else Style(style)
    return Piece(seed, project.duration, chosen)


def _spoken(project: Project) -> Emotion:
    """The dominant emotion of the speech as classified, so that editing one segment doesn't change the music of
    another."""
    totals = dict.fromkeys(EMOTIONS, 0.0)
    for utterance in project.utterances:
        for emotion, score in (utterance.scores or {}).items():
            totals[emotion] += score * (utterance.end - utterance.start)
    return max(totals, key=lambda emotion: (totals[emotion], emotion is Emotion.NEUTRAL))


def _inside(segment: Segment, speech: Spans) -> Spans:
    """The spans within the segment, relative to its start, on a grid so that a tiny change makes no new take."""
    clipped = ((max(s, segment.start) - segment.start, min(e, segment.end) - segment.start) for s, e in speech)
    on_grid = ((_to_grid(s), _to_grid(e)) for s, e in clipped if e > s)
    return tuple((s, e) for s, e in on_grid if e > s)


def _to_grid(seconds: float) -> float:
    return round(round(seconds / _SPEECH_GRID_S) * _SPEECH_GRID_S, 2)


def _chosen_path(project: Project, segment: Segment | None) -> Path | None:
    if segment is None or segment.silent or segment.chosen_take is None:
        return None
    return project.take_path(segment.chosen_take)
