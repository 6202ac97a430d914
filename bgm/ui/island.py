"""A part of the page that is drawn by a script of ours (``static/<name>.js``) inside Gradio's HTML component."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

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
