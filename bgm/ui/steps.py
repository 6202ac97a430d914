"""The steps that a project goes through, as jobs: what each calls in the studio and what is noted afterwards."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path

from bgm import engines, studio
from bgm import project as projects
from bgm.errors import BadInput
from bgm.progress import Listener, over
from bgm.project import Project
from bgm.ui import records
from bgm.ui.jobs import Queue
from bgm.ui.records import Records, Result

PREVIEW_AT_ONCE_SECONDS = 300.0
"""Up to this length a preview is mixed right after the music was made; a longer video's on request, because each mix is
of all of it. Its music is made at once all the same."""
_ROUNDS = 5
"""How often the music is brought up to edits that came while it was made; those after that wait for the next step."""
_MUSIC_SHARE = 0.85
_COMPOSED = 0.6
"""How much of a mix or a video is done when the music that it lacked is made."""


@dataclass(frozen=True, slots=True)
class StepOptions:
    """What a step was asked for: ``segments`` None for all."""

    segments: tuple[str, ...] | None = None
    another: bool = False


Work = Callable[[Project, StepOptions, Listener], Project]


def analyze(project: Project, options: StepOptions, listen: Listener) -> Project:
    return studio.analyze(project, listen)


def read_emotions(project: Project, options: StepOptions, listen: Listener) -> Project:
    return studio.read_emotions(project, listen)


def compose(project: Project, options: StepOptions, listen: Listener) -> Project:
    """Make the missing takes; a short video's preview is mixed at once, so that it can be heard without waiting."""
    project = _read(project, listen)
    if project.duration > PREVIEW_AT_ONCE_SECONDS:
        return studio.compose(project, listen, options.segments, another=options.another)
    project = studio.compose(project, over(listen, 0, _MUSIC_SHARE), options.segments, another=options.another)
    return preview(project, options, over(listen, _MUSIC_SHARE, 1))


def preview(project: Project, options: StepOptions, listen: Listener) -> Project:
    """Mix what would be heard, without the remux; music that is quickly made is made first where it is out of date."""
    project = _read(project, listen)
    if is_quick(project):
        project, listen = _with_current_music(project, listen)
    key = records.mix_key(project)
    if records.load(project.folder).preview == key and project.master.is_file():
        return project
    studio.mix_preview(project, listen)
    records.save(project.folder, replace(records.load(project.folder), preview=key))
    return project


def render(project: Project, options: StepOptions, listen: Listener) -> Project:
    """Make the finished video and note what it was made from; what is missing or out of date is made first."""
    project, listen = _with_current_music(_read(project, listen), listen)
    if any(s.chosen is None and not s.silent for s in project.segments):
        raise BadInput("a locked segment has no music yet; unlock it, or make it silent")
    out = _result_path(project)
    preview, key = records.mix_key(project), records.result_key(project)
    done = studio.render(project, out, listen, overwrite=True)
    result = Result(out.name, key, done.lufs, done.true_peak_db, done.under_speech_lu)
    records.save(project.folder, Records(preview=preview, result=result))
    return done.project


def is_quick(project: Project) -> bool:
    """Whether music is made while one waits; a slow engine's waits for the user's word."""
    try:
        engine = studio.next_composer(project) or engines.composer_class(studio.composer(project).name)
    except BadInput:  # it is said when music is asked for
        return False
    return engine.is_quick


def made_by(kind: str, project: Project, options: StepOptions) -> tuple[str, ...]:
    """The segments whose music a step would make."""
    composes = kind in {"compose", "render"} or (kind == "preview" and is_quick(project))
    if not composes or (options.another and options.segments is not None):
        return options.segments or () if composes else ()
    try:
        return tuple(s for s in studio.stale(project) if options.segments is None or s in options.segments)
    except OSError:  # the job will run into it too, and tells it under its reference
        return ()


def _read(project: Project, listen: Listener) -> Project:
    """With the emotions of the words that were changed."""
    return studio.read_emotions(project, over(listen, 0, 0)) if studio.unread(project) else project


def _with_current_music(project: Project, listen: Listener) -> tuple[Project, Listener]:
    """The project with the music that it lacked, edits that came meanwhile included, and who listens to the rest."""
    done = 0.0
    for _ in range(_ROUNDS):
        lacking = studio.stale(project)
        if not lacking:
            break
        studio.compose(project, over(listen, done, _COMPOSED), lacking)
        project, done = projects.load(project.folder, project.settings), _COMPOSED
    return project, over(listen, done, 1)


STEPS: dict[str, tuple[Queue, Work]] = {
    "analyze": ("studio", analyze),
    "read_emotions": ("studio", read_emotions),
    "compose": ("music", compose),
    "preview": ("studio", preview),
    "render": ("studio", render),
}


def options_of(segments: object, another: object) -> StepOptions:
    """Options from what a browser or a client sent. Raises BadInput when they make no sense."""
    if segments is None:
        return StepOptions(None, bool(another))
    if not (isinstance(segments, Collection) and all(isinstance(s, str) for s in segments)):
        raise BadInput("segments must be a list of segment ids")
    return StepOptions(tuple(segments), bool(another))


def _result_path(project: Project) -> Path:
    """Named after the video, in its own container where that can hold the result."""
    from bgm.media.forms import check_output, suggest_suffix
    from bgm.media.probe import probe

    info = probe(project.video_path)
    folder = project.folder / records.RESULTS
    folder.mkdir(exist_ok=True)
    out = folder / f"{Path(project.video).stem} - BGM{suggest_suffix(info)}"
    try:
        check_output(info, out, overwrite=True, keep_original=project.settings.keep_original)
    except BadInput:
        return out.with_suffix(".mkv")
    return out
