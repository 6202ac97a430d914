"""A page that takes uploaded files only."""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.block_function import BlockFunction
from gradio.state_holder import SessionState
from gradio_client.utils import is_file_obj_with_meta, is_http_url_like, traverse


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
