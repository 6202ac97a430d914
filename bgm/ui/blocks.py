"""What we add to Gradio: a part of the page that a script of ours draws, and a page that takes uploaded files only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr
from gradio.block_function import BlockFunction
from gradio.state_holder import SessionState
from gradio_client.utils import is_file_obj_with_meta, is_http_url_like, traverse

from bgm.ui.view import PREFIX

_ON_LOAD = """
const address = new URL('{prefix}/static/{name}.js', document.baseURI).href;
import(address).then((room) => room.mount({{ element, props, trigger, watch, server, upload }}));
const events = [{events}]; // Gradio takes the events' names from this text
"""


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
