"""How the page looks where Gradio draws it: one calm theme, fonts of the reader's own machine."""

from __future__ import annotations

import json
from typing import Any

import gradio as gr

from bgm.timeline import EMOTIONS, MIN_LENGTH
from bgm.ui import palette, preferences
from bgm.ui.texts import LANGUAGES
from bgm.ui.view import PREFIX

_SANS = ["ui-sans-serif", "system-ui", "Apple SD Gothic Neo", "Noto Sans KR", "Malgun Gothic", "sans-serif"]
_STYLES = ("page.css", "rooms.css", "timeline.css")
_MONO = ["ui-monospace", "SFMono-Regular", "Menlo", "monospace"]


def theme() -> gr.themes.Base:
    """No font is fetched from anywhere: the page works offline."""
    return gr.themes.Base(
        primary_hue=gr.themes.colors.teal,
        neutral_hue=gr.themes.colors.slate,
        radius_size=gr.themes.sizes.radius_md,
        font=_SANS,
        font_mono=_MONO,
    ).set(
        body_background_fill="#f6f7f9",
        body_background_fill_dark="#12161c",
        background_fill_primary="#ffffff",
        background_fill_primary_dark="#1a2029",
        block_background_fill="#ffffff",
        block_background_fill_dark="#1a2029",
        border_color_primary="#dde2e8",
        border_color_primary_dark="#2d3643",
        body_text_color="#1d2530",
        body_text_color_dark="#e6eaf0",
        body_text_color_subdued="#5a6675",
        body_text_color_subdued_dark="#9aa6b5",
    )


def head() -> str:
    """Runs before the page is drawn: the language chosen last time, and the emotions' colours as CSS variables."""
    known: dict[str, Any] = {"prefix": PREFIX, "languages": LANGUAGES, "controls": preferences.controls()}
    known |= {"emotions": EMOTIONS, "min_length": MIN_LENGTH}
    styles = "".join(f'<link rel="stylesheet" href="{PREFIX}/static/{name}">' for name in _STYLES)
    return (
        f"<script>window.bgm = {json.dumps(known)};</script>"
        f'<script src="{PREFIX}/static/boot.js"></script>'
        f"<style>{palette.css()}</style>{styles}"
    )
