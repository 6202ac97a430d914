"""The service layer (Fowler, PoEAA, ch. 9): what users can do with their projects.

Below it is the studio; above it are the page's events and the API, which get views, and sentences for users.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path, PurePath

from bgm import project as projects
from bgm import snapshots, studio, takes
from bgm.errors import BadInput
from bgm.files import beside, full_disk_told
from bgm.media.probe import probe, vet
from bgm.progress import Listener
from bgm.project import Project
from bgm.settings import SETTINGS, Settings
from bgm.speech import words
from bgm.speech.subtitle_file import read as check_subtitles
from bgm.timeline import Timeline
from bgm.ui import archive, edits
from bgm.ui.edits import Gesture, Heard, History, Revision, Told, WithTakes
from bgm.ui.jobs import Job, Jobs
from bgm.ui.sample import Sample
from bgm.ui.steps import STEPS, StepOptions, made_by
from bgm.ui.view import View, job_view, project_view
from bgm.ui.workspace import Workspace, place_for_source

SUBTITLES = frozenset({".srt", ".vtt"})
MAX_GESTURES = 1000
MOST_RECENT = 200
"""Projects that a browser may ask about at once."""
VIEW_SECONDS = 0.4
"""Minimum time between two views of a project while a step runs: each view is the whole project."""
_HISTORIES = 500


@dataclass(frozen=True)
class Service:
    """The users' projects on this server and all that can be done with them. Knows no Gradio."""

    workspace: Workspace
    jobs: Jobs
    _histories: dict[str, History] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        """Of new projects."""
        return self.workspace.settings

    # Opening -------------------------------------------------------------------------------------------------------

    @full_disk_told()
    def begin(
        self,
        files: Sequence[Path],
        settings: Settings | None = None,
        *,
        copy: bool = False,
        names: Sequence[str] | None = None,
    ) -> str:
        """A new project of the uploaded video, with its subtitles if they were given too; its id.

        ``names`` are those of the files on the creator's disk, of which an upload keeps a part only.
        """
        videos = [f for f in files if f.suffix.lower() not in SUBTITLES]
        subtitles = [f for f in files if f.suffix.lower() in SUBTITLES]
        if len(videos) != 1 or len(subtitles) > 1:
            raise BadInput("please give one video or sound file, and at most one subtitle file (.srt or .vtt) with it")
        with self.workspace.new() as (project_id, folder):
            place = shutil.copyfile if copy else _keep
            own = dict(zip(files, names or (), strict=False)).get(videos[0], videos[0].name)
            video = place_for_source(folder, f"{PurePath(own).stem}{videos[0].suffix}")
            place(videos[0], video)
            if not copy:  # ours needs no look
                vet(video)
            for subtitle in subtitles:
                place(subtitle, video.with_suffix(subtitle.suffix.lower()))
            project = studio.open_video(video, folder, settings or self.settings)
            self._check_length(project.duration)
            title = projects.title_of(PurePath(own).stem)
            if title != project.name:
                replace(project, title=title).save()
        return project_id

    @full_disk_told()
    def begin_sample(self, sample: Sample) -> str:
        """A project of the bundled sample, with its analysis where that lies beside it; its id."""
        if not sample.is_analyzed():
            return self.begin(sample.files, copy=True)
        with self.workspace.new() as (project_id, folder):
            sample.open(folder, self.settings)
        return project_id

    @full_disk_told()
    def unpack(self, file: Path) -> str:
        """A project from a project file; its id."""
        with self.workspace.new() as (project_id, folder):
            limit = self.workspace.environment.max_bytes
            self._check_length(archive.unpack(file, folder, limit, self.settings).duration)
        return project_id

    def view(self, project_id: object) -> View:
        """The project as the page shows it."""
        rev = time.time_ns() // 1000  # before the reading: of two views the later one is the newer
        project = self.workspace.load(project_id)
        name = project.folder.name
        return {**project_view(name, project, self._histories.get(name), self.jobs.of(name)), "rev": rev}

    def recent(self, project_ids: object) -> dict[str, View | None]:
        """Of the projects that still exist: the step that goes on in each, or None. Asking keeps none any longer."""
        found: dict[str, View | None] = {}
        for project_id in project_ids[:MOST_RECENT] if isinstance(project_ids, list) else ():
            with suppress(BadInput):
                name = self.workspace.folder(project_id).name
                job = self.jobs.of(name)
                found[name] = None
                if job is not None and not job.finished.is_set():
                    found[name] = job_view(job, self.jobs.position(job))
        return found

    # Steps ---------------------------------------------------------------------------------------------------------

    def start(self, project_id: object, kind: object, options: StepOptions, *, join: bool = False) -> Job:
        """Queue a step of a project; with ``join`` the step that runs already, if there is one, will do."""
        if not (isinstance(kind, str) and kind in STEPS):
            raise BadInput(f"there is no step {kind!r}")
        queue, work = STEPS[kind]
        with self._alone(project_id) as project:  # an edit that is being saved comes first
            name = project.folder.name
            running = self.jobs.of(name)
            if join and running is not None and not running.finished.is_set():
                return running
            # What it will make is known before it is queued, so that the page can mark these segments while they wait.
            making = made_by(kind, project, options)
            self.workspace.check_room(project.folder)

            @full_disk_told()
            def run(listen: Listener) -> Project:
                before = projects.load(project.folder, project.settings)
                done = self._undoable(before, lambda now: work(now, options, listen))
                self._prune(name)
                return done

            queue = "music" if making else queue  # with the composers whenever it makes music
            return self.jobs.submit(name, kind, queue, run, making=making, more=options.another)

    async def watch(self, job: Job) -> AsyncIterator[tuple[View, View | None]]:
        """The job as it goes on, and the project whenever it has changed by it."""
        seen: object = None
        last = -VIEW_SECONDS
        async for now in self.jobs.follow(job):
            # By the file's time of change: a take that arrived shows at once, and a step that only counts up sends no
            # view.
            mark = (now.state, now.composes, self.workspace.changed(now.project_id))
            changed = mark != seen and time.monotonic() - last >= VIEW_SECONDS
            view = None
            if changed or now.finished.is_set():
                seen, last = mark, time.monotonic()
                view = await asyncio.to_thread(self.view, now.project_id)
            yield job_view(now, self.jobs.position(now)), view

    def stop(self, project_id: object) -> None:
        """Stop what runs for this project."""
        self.jobs.stop(self.workspace.folder(project_id).name)

    # Edits ---------------------------------------------------------------------------------------------------------

    @full_disk_told()
    def edit(self, project_id: object, gestures: Sequence[Gesture]) -> View:
        """Apply gestures in order, each with its own undo. Raises BadInput at the first impossible one.

        The view has, under ``told``, what became of those that changed many lines.
        """
        if len(gestures) > MAX_GESTURES or not all(isinstance(gesture, Mapping) for gesture in gestures):
            raise BadInput(f"edits are a list of at most {MAX_GESTURES} objects")
        with self._editing(project_id) as project:
            told = [self._gesture(project, gesture) for gesture in gestures]
        return {**self.view(project_id), "told": [found for found in told if found]}

    @full_disk_told()
    def set_settings(self, project_id: object, changes: Mapping[str, object]) -> View:
        """Change settings that the page offers."""
        with self._editing(project_id) as project:
            now = projects.update(project, lambda p: replace(p, settings=edits.change_settings(p.settings, changes)))
            # Without a timeline there is nothing to hear yet; what the finished file is to be is no edit.
            if project.timeline is not None and _revision(project).wishes_in(now.settings) != now.settings:
                self._history(project.folder.name).remember(_revision(project))
        return self.view(project_id)

    @full_disk_told()
    def save_snapshot(self, project_id: object, name: object) -> View:
        """Save the project's current state under a name."""
        with self._editing(project_id) as project:
            snapshots.save(project, str(name))
        return self.view(project_id)

    @full_disk_told()
    def restore_snapshot(self, project_id: object, name: object) -> View:
        """Return to a named state; can be undone."""
        with self._editing(project_id) as project:
            then = snapshots.get(project, str(name))
            wanted = Revision(_analyzed(then), then.utterances, edits.change_settings(project.settings, _heard(then)))
            if wanted != _revision(project):
                studio.edit(project, wanted.timeline, wanted.words_in, wanted.wishes_in)
                self._history(project.folder.name).remember(_revision(project))
        return self.view(project_id)

    @full_disk_told()
    def remove_snapshot(self, project_id: object, name: object) -> View:
        """Forget a named state; the project stays as it is."""
        with self._editing(project_id) as project:
            snapshots.remove(project, str(name))
        return self.view(project_id)

    @full_disk_told()
    def add_subtitles(self, project_id: object, file: Path) -> None:
        """Put a subtitle file beside the video, for the next analysis. One that can't be read changes nothing."""
        suffix = file.suffix.lower()
        if suffix not in SUBTITLES:
            raise BadInput("subtitles come as an .srt or .vtt file")
        with self._editing(project_id) as project:
            check_subtitles(file)
            with beside(project.video_path.with_suffix(suffix)) as part:
                shutil.copyfile(file, part)
            for other in SUBTITLES - {suffix}:
                project.video_path.with_suffix(other).unlink(missing_ok=True)

    @full_disk_told()
    def add_own_audio(self, project_id: object, segment_id: object, file: Path) -> View:
        """Let the user's own sound play in a segment."""
        with self._editing(project_id) as project:
            self.workspace.check_room(project.folder)
            vet(file)
            self._check_length(probe(file).duration)
            studio.add_own_audio(project, str(segment_id), file)
            self._history(project.folder.name).remember(_revision(project))
        return self.view(project_id)

    def is_busy(self, project_id: str) -> bool:
        return self.jobs.is_busy(project_id)

    def _gesture(self, project: Project, gesture: Gesture) -> Told:
        history = self._history(project.folder.name)
        key = gesture.get("key")
        if not isinstance(key, str) or len(key) > 64:
            return self._apply(history, project, gesture)
        if key in history.delivered:
            return {}  # the page didn't get the answer, and sent it again
        told = self._apply(history, project, gesture)
        history.delivered[key] = None
        while len(history.delivered) > MAX_GESTURES:
            del history.delivered[next(iter(history.delivered))]
        return told

    def _apply(self, history: History, project: Project, gesture: Gesture) -> Told:
        if gesture.get("op") in {"undo", "redo"}:
            _walk(history, project, back=gesture["op"] == "undo")
            return {}
        before: list[Revision] = []
        told: Told = {}

        def change(current: Project) -> Project:
            before.append(_revision(current))
            if str(gesture.get("op")) not in edits.LINE_EDITS:
                files = WithTakes(
                    partial(studio.split, current),
                    partial(studio.insert, current),
                    history.earlier,
                    partial(studio.choose, current),
                )
                timeline = edits.apply(before[0].timeline, gesture, files)
                return replace(current, timeline=timeline)
            takes.Reading.note(current)
            heard = Heard(partial(words.load, current.words), current.duration)
            lines, found = edits.apply_to_lines(current.utterances, gesture, heard)
            told.update(found)
            return replace(current, utterances=lines)

        project = projects.update(project, change)
        # A gesture that changed nothing is no step back: whoever presses Undo expects to see something.
        if _revision(project) != before[0]:
            history.remember(before[0], edits.run_of(gesture))
        return told

    def _prune(self, project_id: str) -> None:
        """Delete the takes that neither the timeline nor undo nor a snapshot names, while nobody edits."""
        with self._alone(project_id) as now:
            history = self._history(project_id)
            snapshots.prune(now, [revision.timeline for revision in (*history.past, *history.future)])

    def _undoable(self, before: Project, work: Callable[[Project], Project]) -> Project:
        """What ``work`` makes of the project; where it draws the timeline anew, that can be undone: together with the
        lines that were changed, if it follows from them."""
        history = self._history(before.folder.name)
        # 1. Edits that come while the work runs are steps of their own, and this one would lie across them. 2. New
        # lines (a new analysis) follow from the creator's edit of the words: one step back undoes both.
        known = history.changes
        follows = history.past and studio.unread(before)
        done = work(before)
        redrawn = before.timeline is not None and _shape(done.timeline) != _shape(before.timeline)
        if redrawn and not follows and history.changes == known and before.timeline:  # else edits came meanwhile
            history.remember(_revision(before))
        return done

    @contextmanager
    def _alone(self, project_id: object) -> Iterator[Project]:
        """The project; nobody else edits it or starts a step meanwhile."""
        with self.workspace.editing(self.workspace.folder(project_id).name):
            yield self.workspace.load(project_id)

    @contextmanager
    def _editing(self, project_id: object) -> Iterator[Project]:
        """The project, to be edited. Raises BadInput while its analysis runs, which would overwrite the edit."""
        with self._alone(project_id) as project:
            job = self.jobs.of(project.folder.name)
            if job is not None and not job.finished.is_set() and job.kind == "analyze":
                raise BadInput("the analysis is running; edit when it is done, or stop it")
            yield project

    def _history(self, project_id: str) -> History:
        # Oldest first: undo lives in memory only, and a server is visited by more people than it may remember.
        while len(self._histories) >= _HISTORIES and project_id not in self._histories:
            self._histories.pop(next(iter(self._histories)))
        return self._histories.setdefault(project_id, History())

    def _check_length(self, seconds: float) -> None:
        limit = self.workspace.environment.max_minutes
        if seconds > limit * 60:
            raise BadInput(f"this is {seconds / 60:.0f} minutes long; this server takes up to {limit:g}")


def _keep(upload: Path, place: Path) -> None:
    """Link the file, or copy it: Gradio keeps equal uploads once, and somebody else may need this one now."""
    try:
        place.hardlink_to(upload)
    except OSError:
        shutil.copyfile(upload, place)


def _walk(history: History, project: Project, *, back: bool) -> None:
    """Undo or redo; if saving fails, neither has happened."""
    # The history moves first, as only it knows the other revision; where saving fails it is moved back.
    step, opposite = (history.undo, history.redo) if back else (history.redo, history.undo)
    now = _revision(projects.load(project.folder))
    then = step(now)
    if then is now:
        return
    try:
        studio.edit(project, then.timeline, then.words_in, then.wishes_in)
    except BaseException:
        opposite(then)
        raise


def _shape(timeline: Timeline | None) -> list[tuple[object, ...]]:
    """A timeline without its takes: new music is not an edit."""
    return [(s.start, s.end, s.emotion) for s in timeline.segments] if timeline else []


def _revision(project: Project) -> Revision:
    return Revision(_analyzed(project), project.utterances, project.settings)


def _analyzed(project: Project) -> Timeline:
    if project.timeline is None:
        raise BadInput("this video was not analyzed yet")
    return project.timeline


def _heard(project: Project) -> dict[str, object]:
    """The settings that decide what is heard, of those that the page may change; engines are the server's to say, and
    what Export is set to is the creator's."""
    cards = {name: SETTINGS[name].card for name in edits.PAGE_SETTINGS}
    heard = {name: card for name, card in cards.items() if card.group in {"music", "mix"} and not card.of_export}
    wanted = (name for name, card in heard.items() if not card.engine)
    return {name: getattr(project.settings, name) for name in wanted}
