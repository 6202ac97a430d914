"""Tiny networks."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.emotion.tiny_roberta import write


@pytest.fixture(scope="session")
def tiny_roberta(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as save_pretrained leaves it: config.json, model.safetensors, tokenizer files."""
    return write(tmp_path_factory.mktemp("tiny_roberta"))
