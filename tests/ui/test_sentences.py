"""What the server says is known to the page in every language."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bgm.ui.looks import LANGUAGES

BGM = Path(__file__).resolve().parents[2] / "bgm"
TRANSLATED = [language for language in LANGUAGES if language != "en"]
SHELL = {"cli.py", "console.py", "environment.py", "training", "batch", "painter"}
"""Files and folders whose sentences only a shell or a program hears."""
SHELL_ONLY = (
    "is there already; use --overwrite",
    "use --overwrite to replace",
    "choose another name or use --overwrite",
    "or use --overwrite",
    "{} is a folder; name a file",
    "{}: {} is written as {}",
    "{}: sound is written as {}",
    "{}: its folder does not exist",
    "{}: its folder can't be written to",
    "is the input itself",
    "the folder {} does not exist",
    "{} is a file, not a project folder",
    "there is no project in {} (no {})",
    "spectrogram",
    "a timeline needs a duration",
    "the shortest segment must last zero",
    "please give a video",
    "edits must be a list of objects",
    "the video was not rendered",
    "the step was stopped",
)
"""The page names all files itself, and never asks for what the last ones refuse: they are told to programs."""
UPLOADS = ("The upload exceeds the maximum allowed size.", "The upload was broken off.")
"""Answers to Gradio's own upload."""
_REFUSALS = {"BadInput", "EngineUnavailable", "_bad"}


def sentences(language: str) -> dict[str, str]:
    read: dict[str, str] = json.loads(
        (BGM / "ui" / "static" / f"sentences.{language}.json").read_text(encoding="utf-8")
    )
    return read


def text_of(node: ast.AST) -> str | None:
    """A text in the source, with {} for what is filled in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(p.value) if isinstance(p, ast.Constant) else "{}" for p in node.values)
    return None


def spoken() -> Iterator[str]:
    for file in BGM.rglob("*.py"):
        yield from filter(None, map(text_of, ast.walk(ast.parse(file.read_text(encoding="utf-8")))))


def refusals() -> Iterator[str]:
    """What the page can be refused with: the text of every BadInput in rooms that it reaches."""
    for file in sorted(BGM.rglob("*.py")):
        if SHELL & set(file.relative_to(BGM).parts):
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _REFUSALS:
                yield from filter(None, map(text_of, node.args[-1:]))


def notes() -> Iterator[str]:
    """What the page can tell of a step: every whole sentence in rooms that it reaches, but for comments."""
    for file in sorted(BGM.rglob("*.py")):
        if SHELL & set(file.relative_to(BGM).parts):
            continue
        tree = ast.parse(file.read_text(encoding="utf-8"))
        comments = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
        told = (text_of(node) for node in ast.walk(tree) if id(node) not in comments | parts)
        yield from (text for text in told if text and text[0].isupper() and text.endswith(".") and text.count(" ") > 2)


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_note_that_the_page_can_show_is_translated(language: str) -> None:
    known = sentences(language)
    assert [note for note in notes() if note not in known and note not in UPLOADS] == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_translated_sentence_is_still_said(language: str) -> None:
    """A sentence of bgm.media.probe comes after the file's name, which stands as {} before it."""
    said = set(spoken())
    assert [s for s in sentences(language) if s not in said and s.removeprefix("{} ") not in said] == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_translation_fills_in_the_same(language: str) -> None:
    assert [s for s, own in sentences(language).items() if s.count("{}") != own.count("{}")] == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_refusal_that_the_page_can_show_is_translated(language: str) -> None:
    known = sentences(language)
    said = (s for s in refusals() if any(c.isalpha() for c in s) and not any(part in s for part in SHELL_ONLY))
    left = {s for s in said if s not in known and f"{{}} {s}" not in known}
    assert sorted(left - {"{}: segments: {}", "{}: settings: {}"}) == []
