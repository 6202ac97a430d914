"""What the server says is known to the page in every language."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bgm.ui.texts import LANGUAGES

BGM = Path(__file__).resolve().parents[2] / "bgm"
TRANSLATED = [language for language in LANGUAGES if language != "en"]


def sentences(language: str) -> dict[str, str]:
    read: dict[str, str] = json.loads(
        (BGM / "ui" / "static" / f"sentences.{language}.json").read_text(encoding="utf-8")
    )
    return read


def spoken() -> Iterator[str]:
    """Every text in the source, with {} for what is filled in."""
    for file in BGM.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
            elif isinstance(node, ast.JoinedStr):
                yield "".join(str(p.value) if isinstance(p, ast.Constant) else "{}" for p in node.values)


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_translated_sentence_is_still_said(language: str) -> None:
    """A sentence of bgm.media.probe comes after the file's name, which stands as {} before it."""
    said = set(spoken())
    assert [s for s in sentences(language) if s not in said and s.removeprefix("{} ") not in said] == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_translation_fills_in_the_same(language: str) -> None:
    assert [s for s, own in sentences(language).items() if s.count("{}") != own.count("{}")] == []
