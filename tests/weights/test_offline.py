"""With --offline nobody is asked for anything, in no stage: a whole analysis in a process that tells every attempt."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile

from tests.shell import process

TELLTALE = """
import os, socket

def told(real):
    def call(*args, **kwargs):
        if not (args and getattr(args[0], "family", None) == getattr(socket, "AF_UNIX", object())):
            with open(os.environ["TOLD"], "a") as file:
                print(real.__name__, *args, file=file)
            raise OSError("no network here")
        return real(*args, **kwargs)
    return call

socket.getaddrinfo = told(socket.getaddrinfo)
for name in ("connect", "connect_ex", "sendto"):
    setattr(socket.socket, name, told(getattr(socket.socket, name)))
"""


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where processes that are started from here write each attempt to reach the network; caches are empty."""
    (tmp_path / "sitecustomize.py").write_text(TELLTALE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    for variable in ("XDG_CACHE_HOME", "HF_HOME", "BGM_WEIGHTS"):
        monkeypatch.setenv(variable, str(tmp_path / "cache"))
    monkeypatch.setenv("TOLD", str(tmp_path / "told"))
    return tmp_path / "told"


def test_the_telltale_tells(told: Path) -> None:
    assert process("engines").status == 0
    assert "huggingface.co" in told.read_text()


def test_offline_asks_nobody_in_any_stage(told: Path, tmp_path: Path, jfk: Path) -> None:
    sound, rate = soundfile.read(jfk)
    soundfile.write(tmp_path / "talk.wav", sound[: 4 * rate], rate)
    done = process("analyze", tmp_path / "talk.wav", "--project", tmp_path / "talk.bgm", "--offline", "--json")
    assert done.status == 0, done.err
    assert done.result["segments"]
    for words in (("engines", "--offline"), ("fetch", "--offline")):
        process(*words)
    assert not told.exists(), told.read_text()
