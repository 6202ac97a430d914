"""The page's events, in Gradio's terms. All of them are private: the API has endpoints of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from bgm.errors import BgmError
from bgm.ui.jobs import Job
from bgm.ui.sample import Sample
from bgm.ui.service import Service
from bgm.ui.steps import options_of
from bgm.ui.view import View, error_view, job_view, packed, without_folders

Shown = tuple[Any, Any, Any]
"""What the state (the project's id), the steps and the studio show next."""
SKIP = gr.skip()
CLOSED: Shown = ("", {"state": "idle"}, packed({"id": None}))


class Handlers:
    """Each method listens to one event; what the user did wrong is shown beside what caused it."""

    def __init__(self, service: Service, sample: Sample) -> None:
        self._service = service
        self._sample = sample
        self.visited = threading.Event()
        """Somebody has loaded the page."""

    def upload(self, files: list[str] | None) -> Shown:
        """A video was dropped on the page, perhaps with its subtitles."""
        if not files:
            return SKIP, SKIP, SKIP
        return self._begin(lambda: self._service.begin([Path(f) for f in files]), "start")

    def sample(self) -> Shown:
        """The bundled sample was asked for."""
        return self._begin(lambda: self._service.begin_sample(self._sample), "start")

    def unpack(self, file: str | None) -> Shown:
        """A project file was given."""
        if not file:
            return SKIP, SKIP, SKIP
        return self._begin(lambda: self._service.unpack(Path(file)), "start")

    def close(self) -> Shown:
        """The user goes back to the start; the project stays on the server for its time."""
        return CLOSED

    async def restore(self, project_id: str | None) -> AsyncIterator[Shown]:
        """The page was loaded: find the project that this browser had, and the step that runs."""
        self.visited.set()
        if not project_id:
            yield CLOSED
            return
        try:
            view = await asyncio.to_thread(self._service.view, project_id)
        except BgmError as error:
            yield "", error_view(str(error), "start"), packed({"id": None})
            return
        job = self._service.jobs.of(project_id)
        yield SKIP, job_view(job), packed(view)
        if job is not None and not job.finished.is_set():
            async for shown in self._follow(job):
                yield shown
        else:
            self._service.jobs.forget(project_id)

    async def open(self, event: gr.EventData) -> AsyncIterator[Shown]:
        """One of the projects that this browser remembers was asked for."""
        project_id = event._data.get("id")
        async for state, steps, view in self.restore(project_id):
            yield (project_id if state is SKIP else state), steps, view

    async def run(self, project_id: str | None, event: gr.EventData) -> AsyncIterator[Shown]:
        """A step was asked for."""
        data = event._data
        kind, project_id = data.get("step"), data.get("project") or project_id
        try:
            options = options_of(data.get("segments"), data.get("another"))
            begin = partial(self._service.start, project_id, kind, options, join=bool(data.get("by_itself")))
            job = await asyncio.to_thread(begin)
        except BgmError as error:
            yield SKIP, error_view(str(error), str(kind)), SKIP
            return
        async for shown in self._follow(job):
            yield shown

    def subtitles(self, project_id: str | None, file: str | None) -> Shown:
        """A subtitle file takes the transcript's place; the page asks for the analysis next."""
        return self._change(partial(self._service.add_subtitles, project_id), file, project_id, "transcript")

    def own_audio(self, project_id: str | None, segment: str | None, file: str | None) -> Shown:
        """The user's own sound takes a segment's place."""
        return self._change(partial(self._service.add_own_audio, project_id, segment), file, project_id, "segment")

    async def _follow(self, job: Job) -> AsyncIterator[Shown]:
        async for steps, view in self._service.watch(job):
            yield SKIP, steps, SKIP if view is None else packed(view)

    def _begin(self, begin: Callable[[], str], place: str) -> Shown:
        try:
            project_id = begin()
            return project_id, {"state": "idle"}, packed(self._service.view(project_id))
        except BgmError as error:
            return SKIP, error_view(str(error), place), SKIP

    def _change(self, change: Callable[[Path], Any], file: str | None, project_id: str | None, place: str) -> Shown:
        if not file:
            return SKIP, SKIP, SKIP
        try:
            change(Path(file))
            return SKIP, {"state": "idle", "kind": place}, packed(self._service.view(project_id))
        except BgmError as error:
            return SKIP, error_view(str(error), place), SKIP


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
