"""What Gradio calls: the page's events, the functions of its scripts, and the endpoints of the API.

Events and functions are private. The endpoints take files and give files, for programs; the README has an example.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial, wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import gradio as gr

from bgm import engines
from bgm import project as projects
from bgm.engines import EngineOptions
from bgm.errors import BadInput, BgmError
from bgm.ui.edits import change_settings
from bgm.ui.jobs import Job
from bgm.ui.sample import Sample
from bgm.ui.service import SUBTITLES, Service
from bgm.ui.steps import Records, StepOptions, options_of
from bgm.ui.view import View, error_view, job_view, packed, without_folders

_P = ParamSpec("_P")
_R = TypeVar("_R")
Document = dict[str, Any]
Shown = tuple[Any, Any]
"""What the steps and the studio are told next: each names its project, and a page that shows another one passes it
over."""
SKIP = gr.skip()
CLOSED: Shown = ({"state": "idle"}, packed({"id": None}))
_SESSIONS = 2000
"""Tabs of which we know what they show."""


class Handlers:
    """One method per event; an error is shown next to what caused it."""

    def __init__(self, service: Service, sample: Sample) -> None:
        self._service = service
        self._sample = sample
        self._shown: dict[str | None, object] = {}
        """By session: the project that a tab shows. What goes on in another isn't told there: its news would take the
        place of those that were not read yet."""
        self.visited = threading.Event()
        """Somebody has loaded the page."""

    def upload(self, files: list[str] | None, names: object) -> Shown:
        """A video was dropped on the page, perhaps with its subtitles; ``names`` as the creator's disk has them."""
        if not files:
            return SKIP, SKIP
        known = [str(name) for name in names] if isinstance(names, list) else []
        return self._begin(lambda: self._service.begin([Path(f) for f in files], names=known), "start")

    def sample(self) -> Shown:
        """The bundled sample was asked for."""
        return self._begin(lambda: self._service.begin_sample(self._sample), "start")

    def unpack(self, file: str | None) -> Shown:
        """A project file was given."""
        if not file:
            return SKIP, SKIP
        return self._begin(lambda: self._service.unpack(Path(file)), "start")

    def close(self, request: gr.Request) -> Shown:
        """The user goes back to the start; the project stays on the server for its time."""
        self._show(request, None)
        return CLOSED

    async def restore(self, project_id: str | None, request: gr.Request) -> AsyncIterator[Shown]:
        """The page was loaded: find the project that this browser had, and the step that runs."""
        self.visited.set()
        if not project_id:
            yield SKIP, SKIP  # a new page is closed already; what was opened since must not be closed again
            return
        self._show(request, project_id)
        try:
            view = await asyncio.to_thread(self._service.view, project_id)
        except BgmError as error:
            yield error_view(str(error), "start", project_id), SKIP
            return
        job = self._service.jobs.of(project_id)
        yield {"project": project_id, **job_view(job)}, packed(view)
        if job is not None and not job.finished.is_set():
            async for shown in self._follow(job, request):
                yield shown
        else:
            # Its outcome was shown just now; shown again after the next reload, it would be news of yesterday.
            self._service.jobs.forget(project_id)

    async def open(self, event: gr.EventData, request: gr.Request) -> AsyncIterator[Shown]:
        """One of the projects that this browser remembers was asked for."""
        async for shown in self.restore(event._data.get("id"), request):
            yield shown

    async def run(self, event: gr.EventData, request: gr.Request) -> AsyncIterator[Shown]:
        """A step was asked for."""
        data = event._data
        kind, project_id = data.get("step"), data.get("project")
        self._show(request, project_id)
        try:
            options = options_of(data.get("segments"), data.get("another"))
            begin = partial(self._service.start, project_id, kind, options, join=bool(data.get("by_itself")))
            job = await asyncio.to_thread(begin)
        except BgmError as error:
            yield error_view(str(error), str(kind), project_id), SKIP
            return
        async for shown in self._follow(job, request):
            yield shown

    def subtitles(self, project_id: str | None, segment: str | None, file: str | None) -> Shown:
        """A subtitle file takes the transcript's place; the page asks for the analysis next."""
        return self._change(partial(self._service.add_subtitles, project_id), file, project_id, "transcript")

    def own_audio(self, project_id: str | None, segment: str | None, file: str | None) -> Shown:
        """The user's own sound takes a segment's place."""
        return self._change(partial(self._service.add_own_audio, project_id, segment), file, project_id, "segment")

    async def _follow(self, job: Job, request: gr.Request) -> AsyncIterator[Shown]:
        """For as long as the tab shows its project; the job goes on."""
        async for steps, view in self._service.watch(job):
            if self._shown.get(request.session_hash, job.project_id) != job.project_id:
                return
            yield steps, SKIP if view is None else packed(view)

    def _show(self, request: gr.Request, project_id: object) -> None:
        self._shown.pop(request.session_hash, None)  # so that the latest is the last
        while len(self._shown) >= _SESSIONS:
            self._shown.pop(next(iter(self._shown)))
        self._shown[request.session_hash] = project_id

    def _begin(self, begin: Callable[[], str], place: str) -> Shown:
        """``is_new`` tells the page that it is to show a project that it didn't know of."""
        try:
            project_id = begin()
            view = {**self._service.view(project_id), "is_new": True}
            return {"project": project_id, "state": "idle"}, packed(view)
        except BgmError as error:
            return error_view(str(error), place), SKIP

    def _change(self, change: Callable[[Path], Any], file: str | None, project_id: str | None, place: str) -> Shown:
        if not file:
            return SKIP, SKIP
        try:
            change(Path(file))
            return {"project": project_id, "state": "idle", "kind": place}, packed(self._service.view(project_id))
        except BgmError as error:
            return error_view(str(error), place, project_id), SKIP


def recent_function(service: Service) -> Callable[..., Any]:
    """What the start page calls of its projects: ``{projects}`` gives what goes on in those that are still here."""

    def recent(call: Mapping[str, Any]) -> dict[str, View | None]:
        return service.recent(call.get("projects"))

    return recent


def server_functions(service: Service) -> list[Callable[..., Any]]:
    """What the scripts call directly, in order and once each: edits need no queue."""

    def edit(call: Mapping[str, Any]) -> View:
        """``{project, gestures}`` gives ``{view, error}``."""
        return _answer(service, call, lambda p: service.edit(p, list(call.get("gestures") or ())))

    def set_settings(call: Mapping[str, Any]) -> View:
        """``{project, changes}``."""
        return _answer(service, call, lambda p: service.set_settings(p, dict(call.get("changes") or {})))

    def snapshot(call: Mapping[str, Any]) -> View:
        """``{project, act, name}``; ``act`` is save, restore or remove."""
        acts = {"save": service.save_snapshot, "restore": service.restore_snapshot, "remove": service.remove_snapshot}
        act = acts.get(str(call.get("act")), service.restore_snapshot)
        return _answer(service, call, lambda p: act(p, call.get("name")))

    def stop(call: Mapping[str, Any]) -> View:
        """``{project}``."""

        def work(project_id: object) -> None:
            service.stop(project_id)

        return _answer(service, call, work)

    return [edit, set_settings, snapshot, stop]


def _answer(service: Service, call: Mapping[str, Any], work: Callable[[object], View | None]) -> View:
    project_id = call.get("project")
    try:
        return {"view": packed(work(project_id)), "error": None}
    except BgmError as error:
        return {"view": packed(_view_or_none(service, project_id)), "error": without_folders(str(error))}


def _view_or_none(service: Service, project_id: object) -> View | None:
    try:
        return service.view(project_id)
    except BgmError:
        return None


def add_api(service: Service) -> None:
    """Add the endpoints to the Blocks that are being built."""
    calls = Endpoints(service)
    with gr.Column(visible=False):
        video = gr.File(label="video", file_types=["video", "audio"])
        subtitles = gr.File(label="subtitles", file_types=list(SUBTITLES))
        settings, edits = gr.JSON(label="settings"), gr.JSON(label="edits")
        project, segments = gr.Textbox(label="project"), gr.JSON(label="segments")
        another = gr.Checkbox(label="another")
        document, listing, result = gr.JSON(label="document"), gr.JSON(label="engines"), gr.File(label="result")
        call = gr.Button()
    endpoints: tuple[tuple[str, Callable[..., Any], list[Any], Any], ...] = (
        ("analyze", calls.analyze, [video, subtitles, settings], document),
        ("edit", calls.edit, [project, edits], document),
        ("compose", calls.compose, [project, segments, another], document),
        ("render", calls.render, [project], result),
        ("engines", calls.engines, [], listing),
    )
    # A hidden button for each: Gradio derives an endpoint's parameters and their types from the components of an event.
    for name, function, inputs, output in endpoints:
        call.click(function, inputs, output, api_name=name, concurrency_limit=None, show_progress="hidden")


def _told(function: Callable[_P, Awaitable[_R]]) -> Callable[_P, Awaitable[_R]]:
    """Turn a BgmError into the message of the client's exception."""

    @wraps(function)
    async def inner(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return await function(*args, **kwargs)
        except BgmError as error:
            raise gr.Error(without_folders(str(error)), print_exception=False) from error

    return inner


class Endpoints:
    """Calls wait in the same queues as the page's users; disk access runs outside the event loop."""

    def __init__(self, service: Service) -> None:
        self._service = service

    @_told
    async def analyze(self, video: str, subtitles: str | None = None, settings: Document | None = None) -> Document:
        """From a video (and its subtitles, if there are any) to the emotion timeline.

        The answer is the project as docs/project.md describes it, with its id under ``project``: keep it, the other
        endpoints ask for it.
        """
        if not video:
            raise BadInput("please give a video")
        wanted = change_settings(self._service.settings, settings or {})
        files = [Path(file) for file in (video, subtitles) if file]
        project_id = await asyncio.to_thread(self._service.begin, files, wanted)
        await self._done(project_id, "analyze", StepOptions())
        return await asyncio.to_thread(self._document, project_id)

    @_told
    async def edit(self, project: str, edits: list[Document]) -> Document:
        """Edit timeline and transcript. An edit is an object, say ``{"op": "emotion", "id": "s2", "emotion": "joy"}``;

        ``op`` is one of move (id, time), split (id, time), merge (id), remove (id), emotion (id, emotion), insert
        (start, end, emotion), choose (id, take), set (id, field, value) with the fields prompt, seed, style, gain_db,
        fade_in, fade_out, locked and silent, together (edits: several as one step), undo and redo. Lines of the
        transcript are counted from 0: line_text (index, name: text or english, text), line_times (index, start, end),
        line_split (index, left, right), line_merge (index; with the next one), each with
        an optional was (the lines as you know them: start, end, text), replace (find, put, whole),
        script (text).
        """
        if not isinstance(edits, list):
            raise BadInput("edits must be a list of objects")
        await asyncio.to_thread(self._service.edit, project, edits)
        return await asyncio.to_thread(self._document, project)

    @_told
    async def compose(self, project: str, segments: list[str] | None = None, another: bool = False) -> Document:
        """Make the music that is missing, of all segments or of those named; ``another`` makes each one more take."""
        await self._done(project, "compose", options_of(segments, another))
        return await asyncio.to_thread(self._document, project)

    @_told
    async def render(self, project: str) -> str:
        """The video with its music."""
        await self._done(project, "render", StepOptions())
        loaded = self._service.workspace.load(project)
        result = Records.load(loaded.folder).result
        if result is None:
            raise BadInput("the video was not rendered")
        return str(result.path(loaded))

    @_told
    async def engines(self) -> list[Document]:
        """The engines of each stage: whether each can run here, and if not, why."""
        settings = self._service.settings
        options = EngineOptions(offline=settings.offline, device=settings.device)
        return await asyncio.to_thread(engines.survey, options)

    async def _done(self, project_id: str, kind: str, options: StepOptions) -> Job:
        job = await asyncio.to_thread(self._service.start, project_id, kind, options)
        async for last in self._service.jobs.follow(job):
            job = last
        if job.error or job.state == "stopped":
            raise BadInput(job.error or "the step was stopped")
        return job

    def _document(self, project_id: str) -> Document:
        document: Document = json.loads(projects.dumps(self._service.workspace.load(project_id)))
        return {**document, "project": project_id}
