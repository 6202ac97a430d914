"""The page: which parts it has, and which event goes where."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.block_function import BlockFunction
from gradio.state_holder import SessionState
from gradio_client.utils import is_file_obj_with_meta, is_http_url_like, traverse
from starlette.routing import BaseRoute

from bgm.environment import Environment
from bgm.settings import Settings
from bgm.ui.guard import listens_on, middleware
from bgm.ui.handlers import Handlers, add_api, recent_function, server_functions
from bgm.ui.jobs import Jobs
from bgm.ui.looks import head, theme, translations
from bgm.ui.media import routes
from bgm.ui.sample import Sample
from bgm.ui.service import SUBTITLES, Service
from bgm.ui.serving import Metrics, health
from bgm.ui.view import PREFIX, packed
from bgm.ui.workspace import UPLOADS_KEPT_SECONDS, Workspace

SAMPLE = Path(__file__).parents[2] / "assets" / "sample.mp4"
_PICKED = "(project, segment, file) => [...window.bgm.picked['#{name}'], file]"
"""For which project and segment a file was picked (panel.js): when it has come the page may show another one."""
_NAMES = "(files, _) => [files, (files ?? []).map((file) => file.orig_name)]"
"""Names with all their letters: those of the files on the server lack what could harm there."""
_UPLOADS_KEPT_SECONDS = (600, UPLOADS_KEPT_SECONDS)
"""How often Gradio looks for abandoned uploads and results, and the age from which it deletes them."""
_BESIDE_BYTES = 8 * 2**20
"""What an upload may contain besides the largest file: subtitles and the form itself."""
_SESSIONS = 200
"""Sessions for which Gradio keeps the last call's values; we store nothing in them."""
_LAST = "() => [(history.state?.bgm ?? { project: localStorage.getItem('bgm-project') }).project ?? '']"
"""The project that was open in this tab (history.js), in a new tab the one that was open last (start.js). Read when the
event begins: a gr.BrowserState reads its value when its script has come, which on a busy machine is after the page's
load event was sent without it."""
_ON_LOAD = """
const address = new URL('{prefix}/static/{name}.js', document.baseURI).href;
import(address).then((room) => room.mount({{ element, props, trigger, watch, server, upload }}));
const events = [{events}]; // Gradio takes the events' names from this text
"""


@dataclass(frozen=True)
class Page:
    """A page that can be launched."""

    blocks: gr.Blocks
    service: Service
    sample: Sample
    visited: threading.Event
    """Set when the first visitor has the page open."""
    operating: tuple[BaseRoute, ...] = ()
    """Routes for the operator."""

    def launch(self, **options: Any) -> Any:
        """``Blocks.launch`` with all that this page needs; ``options`` go to it too."""
        workspace, environment = self.service.workspace, self.service.workspace.environment
        workspace.keep_swept(self.service.is_busy)
        return self.blocks.launch(
            theme=theme(),
            head=head(),
            i18n=translations(),
            max_file_size=environment.max_bytes,
            app_kwargs={
                "routes": [*self.operating, *routes(workspace, self.sample)],
                "middleware": middleware(
                    listens_on(options.get("server_name")),
                    environment.host_names(),
                    environment.max_bytes + _BESIDE_BYTES,
                ),
            },
            # Rendering on the server would need Node, and a second process.
            ssr_mode=False,
            num_workers=0,  # a worker of Gradio's own would serve uploads past our checks
            enable_monitoring=False,
            state_session_capacity=_SESSIONS,
            run_history=False,
            footer_links=["api"],
            **options,
        )


@dataclass(frozen=True)
class Parts:
    """The components that have events or are read by one. ``start``, ``steps`` and ``studio`` are drawn by scripts;
    ``names``, ``project`` (an id that a script puts in) and the last four are not seen: the scripts' own buttons click
    them.
    """

    project: gr.Textbox
    start: gr.HTML
    drop: gr.File
    names: gr.JSON
    steps: gr.HTML
    studio: gr.HTML
    archive: gr.UploadButton
    subtitles: gr.UploadButton
    own_audio: gr.UploadButton
    segment: gr.Textbox


def build(environment: Environment, settings: Settings | None = None, sample: Path = SAMPLE) -> Page:
    """The page, its projects kept as the operator wants it and begun with ``settings`` (else the operator's)."""
    jobs = Jobs(environment.workers, environment.max_waiting, environment.music_workers)
    service = Service(Workspace(environment, settings or environment.settings()), jobs)
    bundled = Sample(sample, environment.data / "sample")
    with UploadsOnly(
        title="BGM Studio", fill_width=True, delete_cache=_UPLOADS_KEPT_SECONDS, analytics_enabled=False
    ) as blocks:
        parts = _lay_out(environment, bundled, service)
        handlers = Handlers(service, bundled)
        _listen(blocks, parts, handlers)
        add_api(service)
    # Gradio's own limit of one call at a time would let one user's edit wait for another's analysis; what is limited is
    # the work, in bgm.ui.jobs.
    blocks.queue(default_concurrency_limit=None)
    return Page(blocks, service, bundled, handlers.visited, _operating(service))


def _operating(service: Service) -> tuple[BaseRoute, ...]:
    environment = service.workspace.environment
    healthz = health(service.jobs, environment.data)
    if not environment.metrics:
        return (healthz,)
    metrics = Metrics(service.jobs, service.workspace.root)
    service.jobs.attach(metrics)
    return healthz, metrics.route()


def _lay_out(environment: Environment, sample: Sample, service: Service) -> Parts:
    translate = translations()
    island("header")
    limits = {"keep_hours": environment.keep_hours, "max_mb": environment.max_mb}
    with gr.Column(elem_id="bgm-landing"):
        value = {**limits, "sample": sample.showcase()}
        start = island("start", value, events=["sample", "open"], server_functions=[recent_function(service)])
        with gr.Column(elem_id="bgm-drop"):
            drop = gr.File(label=translate("drop_label"), file_count="multiple", height=160)
    steps = island("steps", {"state": "idle"}, events=["run", "close"])
    studio = island("studio", packed({"id": None}), server_functions=server_functions(service))
    with gr.Column(elem_id="bgm-offstage"):
        project = gr.Textbox(elem_id="bgm-project")
        names = gr.JSON(elem_id="bgm-names")
        archive = gr.UploadButton(file_types=[".zip"], elem_id="bgm-open-project")
        subtitles = gr.UploadButton(file_types=list(SUBTITLES), elem_id="bgm-subtitles")
        own_audio = gr.UploadButton(file_types=["audio", "video"], elem_id="bgm-own-audio")
        segment = gr.Textbox(elem_id="bgm-segment")
    return Parts(project, start, drop, names, steps, studio, archive, subtitles, own_audio, segment)


def _listen(blocks: gr.Blocks, parts: Parts, handlers: Handlers) -> None:
    project, shown = parts.project, [parts.steps, parts.studio]
    always: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    # "multiple": Gradio would drop a click that comes while the event before it still answers, and an edit with it.
    quiet = {**always, "trigger_mode": "multiple"}
    blocks.load(handlers.restore, project, shown, js=_LAST, **always)
    # Emptied afterwards: whoever comes back to the start finds the drop area as it was.
    dropped = parts.drop.upload(handlers.upload, [parts.drop, parts.names], shown, js=_NAMES, **quiet)
    dropped.then(lambda: None, None, parts.drop, **quiet)
    parts.start.sample(handlers.sample, None, shown, **quiet)
    parts.start.open(handlers.open, None, shown, **quiet)
    parts.archive.upload(handlers.unpack, parts.archive, shown, **quiet)
    parts.steps.close(handlers.close, None, shown, **quiet)
    parts.steps.run(handlers.run, None, shown, **quiet)
    for button, take_over in ((parts.subtitles, handlers.subtitles), (parts.own_audio, handlers.own_audio)):
        picked = _PICKED.replace("{name}", str(button.elem_id))
        button.upload(take_over, [project, parts.segment, button], shown, js=picked, **quiet)


def island(
    name: str,
    value: Any = None,
    *,
    events: Sequence[str] = (),
    server_functions: list[Callable[..., Any]] | None = None,
) -> gr.HTML:
    """``value`` goes to the script whenever Python sets it; the script answers by ``events`` and server functions.

    A plain gr.HTML: for a class of our own Gradio would write a stub file beside its source.
    """
    return gr.HTML(
        value,
        elem_id=f"bgm-{name}",
        html_template=f'<div class="bgm-{name}"></div>',
        js_on_load=_ON_LOAD.format(prefix=PREFIX, name=name, events=", ".join(f"'{event}'" for event in events)),
        apply_default_css=False,
        server_functions=server_functions,
    )


class UploadsOnly(gr.Blocks):
    """Gradio takes as a file what was uploaded to it, or the address of one, which it fetches. Here: no addresses."""

    async def preprocess_data(
        self, block_fn: BlockFunction, inputs: list[Any], state: SessionState | None, explicit_call: bool = False
    ) -> list[Any]:
        """Look through all that a browser or client sent, before Gradio does, wherever in it a file is named."""
        traverse(inputs, _uploaded, is_file_obj_with_meta)
        processed: list[Any] = await super().preprocess_data(block_fn, inputs, state, explicit_call)
        return processed


def _uploaded(file: dict[str, Any]) -> dict[str, Any]:
    if is_http_url_like(file["path"]):
        raise gr.Error("this server fetches no addresses; please upload the file itself", print_exception=False)
    return file
