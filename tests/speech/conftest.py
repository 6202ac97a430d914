from __future__ import annotations

from pathlib import Path

import pytest

from tests.speech.sounds import Wave, at_48k, write


@pytest.fixture(scope="session")
def speech(jfk: Path) -> Wave:
    """11 s of speech, 48 kHz stereo."""
    return at_48k(jfk)


@pytest.fixture(scope="session")
def jfk_48k(speech: Wave, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("speech") / "jfk.flac", [speech])
