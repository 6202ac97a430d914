"""The words of the page in English and Korean: ``static/texts.*.json``. The browser picks the language."""

from __future__ import annotations

import json
from pathlib import Path

import gradio as gr

LANGUAGES = ("en", "ko")
_FOLDER = Path(__file__).with_name("static")


def load(language: str) -> dict[str, str]:
    """All texts of one language by their keys."""
    texts: dict[str, str] = json.loads((_FOLDER / f"texts.{language}.json").read_text(encoding="utf-8"))
    return texts


def translations() -> gr.I18n:
    """For Gradio's own components; our scripts read the same files."""
    return gr.I18n(**{language: load(language) for language in LANGUAGES})
