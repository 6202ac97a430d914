"""The named endpoints: files in, files out, for programs. See the README for an example that runs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import gradio as gr

from bgm import engines
from bgm import project as projects
from bgm.engines import EngineOptions
from bgm.errors import BadInput, BgmError
from bgm.ui.edits import change_settings
from bgm.ui.jobs import Job
from bgm.ui.service import SUBTITLES, Service
from bgm.ui.steps import Records, StepOptions, options_of
from bgm.ui.view import without_folders

_P = ParamSpec("_P")
_R = TypeVar("_R")
Document = dict[str, Any]


def add(service: Service) -> None:
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
    for name, function, inputs, output in endpoints:
        call.click(function, inputs, output, api_name=name, concurrency_limit=None, show_progress="hidden")


def _told(function: Callable[_P, Awaitable[_R]]) -> Callable[_P, Awaitable[_R]]:
    """What the caller did wrong arrives as the message of the client's exception."""

    @wraps(function)
    async def inner(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return await function(*args, **kwargs)
        except BgmError as error:
            raise gr.Error(without_folders(str(error)), print_exception=False) from error

    return inner


class Endpoints:
    """Each waits in the same queues as the page's users do. What touches the disk does so beside the event loop."""

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
        line_split (index, left, right), line_merge (index; with the next one), replace (find, put), script (text).
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
