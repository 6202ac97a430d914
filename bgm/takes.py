"""Find missing and stale takes, and make takes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice

from bgm import engines
from bgm import project as projects
from bgm.cues import Music, Order, cue_of, order, piece_of, take_seed
from bgm.digest import digest
from bgm.files import PART_PREFIX, beside
from bgm.media import audio
from bgm.media.audio import SAMPLE_RATE, frames_of
from bgm.music.cue import Piece
from bgm.progress import Progress
from bgm.project import Project
from bgm.timeline import Segment, Take, Timeline

OWN_FILE = "file"
"""Engine name of a take from the creator's own file."""
MAX_TAKES = 64
"""Takes of one segment for the same inputs."""


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
    parts = [project.take_path(o.take).with_name(f"{PART_PREFIX}{o.take.id}-{i}.flac") for i, o in enumerate(todo)]
    try:
        for made in engines.composer(music.choice).compose([o.cue for o in todo], parts, progress):
            arriving = todo[made.index]
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
    has_its_seed = any(take.seed == take_seed(segment, number) for number in range(MAX_TAKES))
    return not has_its_seed or take.id != music.take_id(cue_of(project, piece, segment, take.seed, music.activity))


def inputs(project: Project, piece: Piece, segment: Segment, music: Music) -> str:
    """The digest of a segment's current inputs: the name that its first take would have."""
    return order(project, piece, segment, 0, music).take.id


def with_take(timeline: Timeline, segment_id: str, take: Take) -> Timeline:
    """Add the take to its segment's list; a take made again keeps its position, because the page numbers takes by
    it."""
    takes = timeline[segment_id].takes
    if any(t.id == take.id for t in takes):
        return timeline.update(segment_id, takes=tuple(take if t.id == take.id else t for t in takes))
    return timeline.update(segment_id, takes=(*takes, take))


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
    cut = frames_of(second.start) - frames_of(whole.start)
    is_repeated = frames < frames_of(whole.end) - frames_of(whole.start) - SAMPLE_RATE // 2
    cut = cut % frames if is_repeated else min(cut, frames - 1)
    identity = digest("rest", take.id, cut)
    rest = replace(take, id=identity, file=f"takes/{second.id}-{identity}.flac")
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
