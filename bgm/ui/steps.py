"""The steps of a project, as jobs: what each calls in the studio, and the note of the timeline that it worked from.

The note (``page.json`` beside the project) tells whether the mix and the finished video are out of date.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from bgm import engines, studio
from bgm import project as projects
from bgm.digest import digest
from bgm.errors import BadInput
from bgm.files import write_text
from bgm.progress import Listener, over
from bgm.project import Project
from bgm.timeline import Segment
from bgm.ui.jobs import Queue

RECORDS = "page.json"
RESULTS = "result"

PREVIEW_AT_ONCE_SECONDS = 300.0
"""Up to this length a preview is mixed right after the music was made; a longer video's on request, because each mix is
of all of it. Its music is made at once all the same."""
_ROUNDS = 5
"""How often the music is remade for edits that arrive meanwhile; later edits wait for the next step."""
_PAINTED = 0.95
"""How much of a step is done when a slow engine has made its music; the rest is the mix."""
_COMPOSED = 0.55
"""The same of an engine that is quick."""


@dataclass(frozen=True, slots=True)
class Result:
    """The last finished video: its file name in the folder ``result``, what it was made from, what the mix reached."""

    file: str
    key: str
    lufs: float | None = None
    true_peak_db: float | None = None
    under_speech_lu: float | None = None

    def path(self, project: Project) -> Path:
        return project.folder / RESULTS / Path(self.file).name


@dataclass(frozen=True, slots=True)
class Records:
    """``preview`` is the key of the mix in the project's master stem."""

    preview: str | None = None
    result: Result | None = None

    @classmethod
    def load(cls, folder: Path) -> Records:
        """Of the project in ``folder``; empty where the note is missing or from another version."""
        try:
            noted: dict[str, Any] = json.loads((folder / RECORDS).read_text(encoding="utf-8"))
            result = noted["result"]
            return cls(noted["preview"], _result(**result) if result else None)
        except (FileNotFoundError, ValueError, KeyError, TypeError, RecursionError):
            return cls()

    def save(self, folder: Path) -> None:
        write_text(folder / RECORDS, json.dumps(asdict(self), ensure_ascii=False, indent=1))


def _result(file: object, **more: Any) -> Result:
    """Raises ValueError where no file can have that name."""
    if not isinstance(file, str) or len(file.encode()) > 255:
        raise ValueError("not a file's name")
    return Result(file, **more)


def mix_key(project: Project) -> str:
    """Stands for all that is heard in the mix: another key means that the mix is out of date."""
    # A part that is added here makes every mix out of date that was made before: what has its default adds nothing
    # (_fades).
    s = project.settings
    heard = [(x.start, x.end, None if x.silent else x.chosen, x.gain_db, *_fades(x)) for x in project.segments]
    return digest("mix", heard, s.lufs, s.duck, s.duck_depth_db)


def _fades(segment: Segment) -> tuple[float, ...]:
    """Nothing for none, so that mixes from before there were fades are still known."""
    return (segment.fade_in, segment.fade_out) if segment.fade_in or segment.fade_out else ()


def result_key(project: Project) -> str:
    """Stands for all that is in the finished file: its mix, and the tracks beside it."""
    lines = [(u.start, u.end, u.text) for u in project.utterances] if project.settings.subtitle_track else None
    return digest("result", mix_key(project), project.settings.keep_original, lines)


@dataclass(frozen=True, slots=True)
class StepOptions:
    """The options of a step; ``segments`` None: all."""

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
    share = _COMPOSED if is_quick(project) else _PAINTED
    project = studio.compose(project, over(listen, 0, share), options.segments, another=options.another)
    return preview(project, options, over(listen, share, 1))


def preview(project: Project, options: StepOptions, listen: Listener) -> Project:
    """Mix what would be heard, without the remux; music that is quickly made is made first where it is out of date."""
    project = _read(project, listen)
    if is_quick(project):
        project, listen = _with_current_music(project, listen)
    key = mix_key(project)
    if Records.load(project.folder).preview == key and project.master.is_file():
        return project
    studio.mix_preview(project, listen)
    replace(Records.load(project.folder), preview=key).save(project.folder)
    return project


def render(project: Project, options: StepOptions, listen: Listener) -> Project:
    """Make the finished video and note what it was made from; what is missing or out of date is made first."""
    project, listen = _with_current_music(_read(project, listen), listen)
    if any(s.chosen is None and not s.silent for s in project.segments):
        raise BadInput("a locked segment has no music yet; unlock it, or make it silent")
    out = _result_path(project)
    # Before the render: an edit that comes while it runs is not in the file, and must show the result as out of date.
    preview, key = mix_key(project), result_key(project)
    done = studio.render(project, out, listen, overwrite=True)
    result = Result(out.name, key, done.lufs, done.true_peak_db, done.under_speech_lu)
    Records(preview=preview, result=result).save(project.folder)
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
    """The project with the music that it lacked, edits that came meanwhile included, and the listener for the rest."""
    done = 0.0
    for _ in range(_ROUNDS):
        lacking = studio.stale(project)
        if not lacking:
            break
        studio.compose(project, over(listen, done, _COMPOSED), lacking)
        # From disk: the page may have been edited while the takes were made, and the next round makes what those edits
        # lack. After the first round the bar stays at _COMPOSED, since nobody knows how many more there are.
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
    folder = project.folder / RESULTS
    folder.mkdir(exist_ok=True)
    out = folder / f"{Path(project.video).stem} - BGM{suggest_suffix(info)}"
    try:
        check_output(info, out, overwrite=True, keep_original=project.settings.keep_original)
    except BadInput:
        # Matroska takes every codec and track that we can read.
        return out.with_suffix(".mkv")
    return out
