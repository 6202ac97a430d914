"""From a segment to its cue (the request to a music engine) and the take that answers it; missing and stale takes.

A take's id is the digest of everything that determines its sound. So a take is stale exactly when its id differs from
the id for the segment's current inputs; nothing else has to be recorded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path
from typing import Any

from bgm import engines
from bgm import project as projects
from bgm.digest import digest, seed_of
from bgm.emotion.smoothing import pace
from bgm.engines import Choice
from bgm.files import PART_PREFIX, beside, read_noted, write_text
from bgm.media import audio
from bgm.media.audio import SAMPLE_RATE, frames_of
from bgm.music.composer.moods import auto_style
from bgm.music.score import Cue, Piece
from bgm.progress import Progress
from bgm.project import Project
from bgm.settings import ENERGIES
from bgm.timeline import EMOTIONS, MAX_SECONDS, Emotion, Segment, Style, Take, Timeline

OWN_FILE = "file"
"""Engine name of a take from the creator's own file."""
LISTED = 64
"""Takes of one segment that are kept to be chosen from, whatever they were made for."""
MAX_TAKES = 64
"""Takes of one segment for the same inputs."""
_SPEECH_GRID_S = 0.05
_NOTED = re.compile(r"([a-z]+) (\d{1,4}\.\d{6})")
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
class Reading:
    """What the speech decides for the whole video: its style, and how long an emotion must last to count.

    It is noted before the first of its words is changed, so that a corrected line makes no other music elsewhere.
    """

    spoken: Emotion
    """The dominant emotion as classified, so that editing one segment doesn't change the music of another."""
    pace: float
    """Seconds (:func:`bgm.emotion.smoothing.pace`)."""

    @classmethod
    def of(cls, project: Project) -> Reading:
        """As it was noted, else of the project's lines."""
        return cls.noted(project) or cls(_spoken(project), pace(project.utterances, project.duration))

    @classmethod
    def noted(cls, project: Project) -> Reading | None:
        """None where it is still of the project's lines: who needs a part of it computes no more than that."""
        noted = _NOTED.fullmatch(project.state().get("reading", ""))
        return cls(Emotion(noted[1]), float(noted[2])) if noted and noted[1] in EMOTIONS else None

    @classmethod
    def note(cls, project: Project) -> None:
        """Keep it through changes of the lines, unless one is kept already or none of them has been classified."""
        if not project.state().get("reading") and any(u.scores for u in project.utterances):
            now = cls.of(project)
            project.mark("reading", f"{now.spoken} {now.pace:.6f}")

    @staticmethod
    def forget(project: Project) -> None:
        """The speech is read anew."""
        if project.state().get("reading"):
            project.mark("reading", "")


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
        # The digest must stay what it was: another order or field makes every take of every project stale. The
        # neighbours are left out on purpose, or editing one segment would make the music of both beside it again.
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
    # A silent neighbour still tells its emotion, but has no sound to join to (_chosen_path).
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
    # "auto" must give the same piece again on every machine: it follows from the video's fingerprint, never from chance
    # or time.
    seed, style = project.settings.seed, project.settings.style
    if seed == "auto":
        seed = seed_of("piece", project.state().get("video", ""))
    if style == "auto":
        noted = Reading.noted(project)
        return Piece(seed, project.duration, auto_style(seed, noted.spoken if noted else _spoken(project)))
    return Piece(seed, project.duration, Style(style))


def _spoken(project: Project) -> Emotion:
    totals = dict.fromkeys(EMOTIONS, 0.0)
    for utterance in project.utterances:
        for emotion, score in (utterance.scores or {}).items():
            totals[emotion] += score * (utterance.end - utterance.start)
    return max(totals, key=lambda emotion: (totals[emotion], emotion is Emotion.NEUTRAL))


def _inside(segment: Segment, speech: Spans) -> Spans:
    """The spans within the segment, relative to its start, on a grid so that a tiny change makes no new take."""
    clipped = ((max(s, segment.start) - segment.start, min(e, segment.end) - segment.start) for s, e in speech)
    # The detector's edges move by milliseconds with the version of a library; without the grid each such move would
    # make the music stale.
    on_grid = ((_to_grid(s), _to_grid(e)) for s, e in clipped if e > s)
    return tuple((s, e) for s, e in on_grid if e > s)


def _to_grid(seconds: float) -> float:
    return round(round(seconds / _SPEECH_GRID_S) * _SPEECH_GRID_S, 2)


def _chosen_path(project: Project, segment: Segment | None) -> Path | None:
    if segment is None or segment.silent or segment.chosen_take is None:
        return None
    return project.take_path(segment.chosen_take)


def missing(project: Project, music: Music, wanted: Collection[str] | None, *, another: bool = False) -> list[Order]:
    """The takes to make for the segments in ``wanted`` (None: all): those that don't exist yet, or one more of each.

    Locked and silent segments need none; one with the creator's own audio or choice needs one only with ``another``.
    """
    out: list[Order] = []
    piece = piece_of(project)
    for segment in project.segments:
        if wanted is not None and segment.id not in wanted:
            continue
        if segment.silent or segment.locked or (not another and _is_settled(project, piece, segment, music)):
            continue
        # Takes are numbered by their seeds. "Another" is the first number whose file is missing, so a deleted take is
        # made before a new one.
        count = MAX_TAKES if another else project.settings.takes
        absent = (o for n in range(count) if not _is_whole(project, o := order(project, piece, segment, n, music)))
        out += islice(absent, 1 if another else None)
    return out


def compose(
    project: Project, music: Music, todo: Sequence[Order], progress: Progress, *, choose: bool = False
) -> tuple[Project, tuple[str, ...]]:
    """Make the takes and return the project with the notes; it is saved after each take, with edits made meanwhile.

    ``choose`` selects each new take; otherwise a new take is selected only if the current one is stale.
    """
    if not todo:
        return project, ()
    notes: dict[str, None] = {}
    # With the prefix of parts: what a killed run leaves is swept when the project is next locked.
    parts = [project.take_path(o.take).with_name(f"{PART_PREFIX}{o.take.id}-{i}.flac") for i, o in enumerate(todo)]
    try:
        for made in engines.composer(music.choice).compose([o.cue for o in todo], parts, progress):
            arriving = todo[made.index]
            # The file first, then the project that names it: killed in between, the next run finds a whole take and
            # adopts it.
            parts[made.index].replace(project.take_path(arriving.take))
            project = projects.update(project, partial(_arrive, arriving=arriving, music=music, choose=choose))
            notes |= dict.fromkeys(made.notes)
    finally:
        for left in parts:
            left.unlink(missing_ok=True)
    return project, tuple(notes)


def adopt(project: Project, music: Music) -> Project:
    """Select an existing take for each segment whose current inputs it matches (after an undo, for example)."""
    piece = piece_of(project)
    for segment in project.segments:
        if is_stale(project, piece, segment, music):
            numbered = (order(project, piece, segment, n, music) for n in range(project.settings.takes))
            fitting = next((o for o in numbered if _is_whole(project, o)), None)
            project = _arrive(project, fitting, music) if fitting else project
    return project


def is_stale(project: Project, piece: Piece, segment: Segment, music: Music) -> bool:
    """Whether the segment's selected take is missing, or was neither made from its current inputs nor chosen by the
    creator for them."""
    take = segment.chosen_take
    if segment.silent or segment.locked:
        return False
    if take is None or not project.take_path(take).is_file():
        return True
    if _is_settled(project, piece, segment, music):
        return False
    # A take's seed is one of the segment's: else the creator has asked for another seed since, and the old take is out
    # of date although its other inputs agree.
    has_its_seed = any(take.seed == take_seed(segment, number) for number in range(MAX_TAKES))
    return not has_its_seed or take.id != music.take_id(cue_of(project, piece, segment, take.seed, music.activity))


def inputs(project: Project, piece: Piece, segment: Segment, music: Music) -> str:
    """The digest of a segment's current inputs: the name that its first take would have."""
    return order(project, piece, segment, 0, music).take.id


def numbers(takes: Sequence[Take]) -> dict[str, int]:
    """The number of each take, by its id; one without, of an older project, is counted by its place. The creator's own
    sound has none."""
    found: dict[str, int] = {}
    for take in takes:
        if take.engine != OWN_FILE:
            found[take.id] = take.number or max(found.values(), default=0) + 1
    return found


def with_take(timeline: Timeline, segment_id: str, take: Take) -> Timeline:
    """Add the take to its segment's list, under a number that no other has; one made again keeps place and number."""
    segment = timeline[segment_id]
    known = numbers(segment.takes)
    takes = tuple(replace(t, number=known.get(t.id, 0)) for t in segment.takes)
    if any(t.id == take.id for t in takes):
        again = replace(take, number=known.get(take.id, 0))
        return timeline.update(segment_id, takes=tuple(again if t.id == take.id else t for t in takes))
    if take.engine != OWN_FILE and (not take.number or take.number in known.values()):
        take = replace(take, number=max(known.values(), default=0) + 1)
    # The oldest goes, or a segment that is edited for hours would keep them all.
    droppable = (t for t in takes if t.id != segment.chosen and t.engine != OWN_FILE)
    old = next(droppable, None) if len(takes) >= LISTED else None
    return timeline.update(segment_id, takes=(*(t for t in takes if t is not old), take))


def with_takes_of(old: Sequence[Segment], timeline: Timeline) -> Timeline:
    """``timeline`` with the takes that segments of the same ids have in ``old``."""
    before = {segment.id: segment for segment in old}
    for segment in timeline.segments:
        known = before.get(segment.id)
        for take in known.takes if known else ():
            timeline = with_take(timeline, segment.id, take)
        if known and segment.chosen is None:
            timeline = timeline.update(segment.id, chosen=known.chosen, chosen_for=known.chosen_for)
    return timeline


def go_on_after(project: Project, whole: Segment, second: Segment) -> Take | None:
    """After a split, let the second part continue the current music until it is recomposed: a take of the remainder.

    ``second`` is the later part of ``whole``. The mix loops a sound that is shorter than its segment, so the copy
    starts in the middle and wraps around. None if there is no take. Writes the take's file.
    """
    take = whole.chosen_take
    source = project.take_path(take) if take else None
    if take is None or source is None or not source.is_file():
        return None
    frames = audio.length(source)
    # 1. Where the second part begins in the take that plays now.
    cut = frames_of(second.start) - frames_of(whole.start)
    # 2. A take that is shorter than its segment by more than half a second is looped by the mix (bgm.mix): the
    # remainder has to loop too, so it gets the take's start after its end.
    is_repeated = frames < frames_of(whole.end) - frames_of(whole.start) - SAMPLE_RATE // 2
    cut = cut % frames if is_repeated else min(cut, frames - 1)
    # 3. Named by what it was cut from: the same cut again finds the same file.
    identity = digest("rest", take.id, cut)
    number = numbers(whole.takes).get(take.id, 0)
    rest = replace(take, id=identity, file=f"takes/{second.id}-{identity}.flac", number=number)
    with beside(project.take_path(rest)) as part, audio.writer(part, audio.channels(source)) as out:
        for block in audio.blocks(source, start=cut):
            out.write(block)
        for block in audio.blocks(source, stop=cut) if is_repeated else ():
            out.write(block)
    return rest


def _arrive(project: Project, arriving: Order, music: Music, *, choose: bool = False) -> Project:
    """Add the take to its segment, if that still exists, and select it unless the selected take is current too."""
    timeline = project.timeline
    if timeline is None or all(s.id != arriving.segment_id for s in timeline.segments):
        return project
    # The project was read again just now: by the time that a take arrives, the creator may have chosen another or moved
    # the segment.
    keep = not choose and not is_stale(project, piece_of(project), timeline[arriving.segment_id], music)
    timeline = with_take(timeline, arriving.segment_id, arriving.take)
    if not keep:
        timeline = timeline.update(arriving.segment_id, chosen=arriving.take.id, chosen_for=None)
    return replace(project, timeline=timeline)


def _is_whole(project: Project, wanted: Order) -> bool:
    return audio.is_ours(project.take_path(wanted.take), wanted.cue.frames)


def _is_settled(project: Project, piece: Piece, segment: Segment, music: Music) -> bool:
    """Whether the selected take is the creator's own sound, or was chosen by hand for the segment's current inputs."""
    take = segment.chosen_take
    if take is None or take.engine == OWN_FILE:
        return take is not None
    return segment.chosen_for is not None and segment.chosen_for == inputs(project, piece, segment, music)
