"""How the page looks and which words it has: Gradio's theme, a colour for each emotion, English and Korean.

The emotions' hues start from Okabe and Ito's set (2008), which people with any colour vision can tell apart, and were
moved until the two nearest of the seven lie as far apart as possible in simulations of the three kinds of colour
blindness, which a test repeats. The names are always shown beside the colours.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from bgm.snapshots import NAME_LENGTH
from bgm.speech.lines import LEAST_SECONDS
from bgm.timeline import EMOTIONS, MIN_LENGTH, Emotion
from bgm.ui.edits import controls
from bgm.ui.media import FILM_CELLS, FILM_STEPS
from bgm.ui.view import PREFIX


@dataclass(frozen=True, slots=True)
class Look:
    """An emotion on the page."""

    fill: str
    """Of the segments, with INK on them, and of the curves on a dark ground."""
    line: str
    """Of the curves on a light ground."""
    dash: tuple[int, ...] = ()
    """Of the curves: pixels drawn and left out in turn, so that lines of similar colours differ."""


LOOKS: dict[Emotion, Look] = {
    Emotion.ANGER: Look("#dc6a12", "#b02408"),
    Emotion.DISGUST: Look("#3dba7d", "#4f8546", (6, 4)),
    Emotion.FEAR: Look("#a8769b", "#7d3263", (2, 3)),
    Emotion.JOY: Look("#ffcb33", "#c08000"),
    Emotion.NEUTRAL: Look("#cfd4da", "#8d949c"),
    Emotion.SADNESS: Look("#6482cc", "#0a3a86", (8, 3, 2, 3)),
    Emotion.SURPRISE: Look("#a6d4ff", "#1298eb", (11, 4)),
}
INK = "#14181d"


def colours() -> str:
    """The looks as variables: --fill-joy, --line-joy, --dash-joy, …"""
    light = [f"--fill-{e}:{look.fill};--line-{e}:{look.line};" for e, look in LOOKS.items()]
    dark = [f"--line-{e}:{look.fill};" for e, look in LOOKS.items()]
    dashes = [f"--dash-{e}:{' '.join(map(str, look.dash)) or 'none'};" for e, look in LOOKS.items()]
    return f":root{{--ink:{INK};{''.join(light)}{''.join(dashes)}}}.dark{{{''.join(dark)}}}"


LANGUAGES = ("en", "ko")
"""The browser picks one."""
_FOLDER = Path(__file__).with_name("static")


def texts(language: str) -> dict[str, str]:
    """All texts of one language by their keys."""
    words: dict[str, str] = json.loads((_FOLDER / f"texts.{language}.json").read_text(encoding="utf-8"))
    return words


def translations() -> gr.I18n:
    """For Gradio's own components; our scripts read the same files."""
    return gr.I18n(**{language: texts(language) for language in LANGUAGES})


_SANS = ["ui-sans-serif", "system-ui", "Apple SD Gothic Neo", "Noto Sans KR", "Malgun Gothic", "sans-serif"]
_FIRST = "boot.js"
"""No module: it runs before anything is drawn."""
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
    """Runs before the page is drawn: the language chosen last time, and the emotions' colours as CSS variables.

    All our modules are fetched while Gradio loads its own, so that none waits for the one that imports it.
    """
    known: dict[str, Any] = {"prefix": PREFIX, "languages": LANGUAGES, "controls": controls()}
    known |= {"emotions": EMOTIONS, "min_length": MIN_LENGTH, "line_seconds": LEAST_SECONDS, "name_length": NAME_LENGTH}
    known |= {"film": {"steps": FILM_STEPS, "cells": FILM_CELLS}}
    styles = "".join(f'<link rel="stylesheet" href="{PREFIX}/static/{name}">' for name in _STYLES)
    modules = (path.relative_to(_FOLDER).as_posix() for path in sorted(_FOLDER.rglob("*.js")) if path.name != _FIRST)
    early = "".join(f'<link rel="modulepreload" href="{PREFIX}/static/{name}">' for name in modules)
    # In one element: Gradio's script puts these in, and a script that is put in and has an address runs when it comes,
    # which may be after the modules have asked for the words of a language that nobody has chosen yet.
    first = (_FOLDER / _FIRST).read_text(encoding="utf-8")
    return f"<script>window.bgm = {json.dumps(known)};\n{first}</script><style>{colours()}</style>{styles}{early}"
