"""Tiny networks, and a machine without the larger one."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from bgm.weights import sources
from tests.emotion.tiny_roberta import write


@pytest.fixture(scope="session")
def tiny_roberta(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as save_pretrained leaves it: config.json, model.safetensors, tokenizer files."""
    return write(tmp_path_factory.mktemp("tiny_roberta"))


@pytest.fixture
def without_mpnet(empty_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where only requirements.txt is installed."""
    real = sources._part

    def part(package: str, path: str) -> Path:
        if package.startswith("all-mpnet"):
            raise PackageNotFoundError(package)
        return real(package, path)

    monkeypatch.setattr(sources, "_part", part)
    monkeypatch.setenv("BGM_WEIGHTS", str(tmp_path / "joined"))
