"""Spleeter's wiring with stand-ins for the child process; test_spleeter_real.py has the real package."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bgm import environment
from bgm.engines import EngineOptions
from bgm.errors import BgmError, Cancelled, EngineUnavailable
from bgm.progress import silent
from bgm.voice import spleeter_env, spleeter_model, spleeter_process
from bgm.voice.spleeter import Spleeter, crossfaded, overlapping
from tests.voice.sounds import RATE, si_sdr, talk, write

SERVE = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("spleeter_worker", {worker!r})
worker = importlib.util.module_from_spec(spec)
spec.loader.exec_module(worker)
worker.serve({separate}, sys.stdin.buffer, sys.stdout.buffer)
"""
SLEEP = "lambda _: (open({pid!r}, 'w').write(str(__import__('os').getpid())), __import__('time').sleep(60))"
FETCH = "import pathlib, sys\nfor name in {names!r}: pathlib.Path(sys.argv[2], name).write_text('x')\n"
REAL_WORKER = str(spleeter_process.WORKER)


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let a script of the test take the place of the child, run by this Python."""
    monkeypatch.setattr(spleeter_env, "ready", lambda: True)
    monkeypatch.setattr(spleeter_env, "python", lambda: Path(sys.executable))

    def use(script: str) -> None:
        path = tmp_path / "stand_in.py"
        path.write_text(script, encoding="utf-8")
        monkeypatch.setattr(spleeter_process, "WORKER", path)

    return use


@pytest.fixture(autouse=True)
def own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data directory, so that nothing on this machine is seen or touched."""
    folder = tmp_path / "data"
    monkeypatch.setattr(environment, "user_folder", lambda: folder)
    monkeypatch.setattr(spleeter_model, "user_folder", lambda: folder)
    monkeypatch.delenv("MODEL_PATH", raising=False)
    monkeypatch.delenv("BGM_SPLEETER_ENV", raising=False)
    return folder


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder that looks like a whole model."""
    return whole(tmp_path / "model")


def whole(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name in spleeter_model.FILES:
        (folder / name).write_text("x")
    return folder


def unreachable() -> bool:
    return False


@pytest.mark.parametrize("shape", [(int(0.3 * RATE),), (30 * RATE + 7,), (30 * RATE + 7, 2), (1, 2)])
def test_chunks_come_back_as_one_sound_of_the_same_length(
    tmp_path: Path, model: Path, stand_in: Callable[[str], None], shape: tuple[int, ...]
) -> None:
    stand_in(SERVE.format(worker=REAL_WORKER, separate="lambda waveform: waveform"))
    sound = np.resize(talk(3.0)[0][int(0.6 * RATE) : int(2.4 * RATE)], shape[0])
    source = write(tmp_path / "s.flac", sound if len(shape) == 1 else np.stack([sound, -sound], axis=1))
    Spleeter(EngineOptions(model=str(model))).separate(source, ((0, 1),), tmp_path / "v.flac", silent)
    voice = soundfile.read(str(tmp_path / "v.flac"), dtype="float32")[0]
    assert voice.shape == shape
    if shape[0] > 1:
        assert si_sdr(voice if voice.ndim == 1 else voice[:, 1], sound) > 35
        assert si_sdr(voice.ravel()[-RATE // 10 :], soundfile.read(str(source))[0].ravel()[-RATE // 10 :]) > 25


def test_overlapping_chunks_fade_back_into_the_whole() -> None:
    sound = np.random.default_rng(0).standard_normal((1003, 2)).astype(np.float32)
    for size, overlap in ((100, 20), (100, 50), (1003, 20), (2000, 20)):
        chunks = list(overlapping(np.array_split(sound, 7), size, overlap))
        assert max(map(len, chunks)) <= size
        np.testing.assert_allclose(np.concatenate(list(crossfaded(chunks, overlap))), sound, atol=1e-6)


def test_stopping_kills_the_child_and_leaves_no_file(
    tmp_path: Path, model: Path, stand_in: Callable[[str], None]
) -> None:
    pid = tmp_path / "pid"
    stand_in(SERVE.format(worker=REAL_WORKER, separate=SLEEP.format(pid=str(pid))))
    source = write(tmp_path / "s.flac", talk(2.0)[0])

    def stop(fraction: float, note: str = "") -> None:
        if pid.is_file() and pid.read_text():
            raise Cancelled("stopped")

    began = time.monotonic()
    with pytest.raises(Cancelled):
        Spleeter(EngineOptions(model=str(model))).separate(source, ((0, 1),), tmp_path / "v.flac", stop)
    assert time.monotonic() - began < 20
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
    assert not list(tmp_path.glob("*v.flac")) and not list(tmp_path.glob(".bgm-part*"))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("spleeter")]


def test_a_failing_child_is_explained(tmp_path: Path, model: Path, stand_in: Callable[[str], None]) -> None:
    stand_in("import sys; print('no such tensor', file=sys.stderr); sys.exit(3)")
    source = write(tmp_path / "s.flac", talk(1.0)[0])
    with pytest.raises(BgmError, match="no such tensor"):
        Spleeter(EngineOptions(model=str(model))).separate(source, ((0, 1),), tmp_path / "v.flac", silent)
    assert not (tmp_path / "v.flac").exists()


def test_without_speech_the_voice_is_silence(tmp_path: Path, model: Path) -> None:
    source = write(tmp_path / "s.flac", talk(1.0)[0])
    report = Spleeter(EngineOptions(model=str(model))).separate(source, (), tmp_path / "v.flac", silent)
    assert not soundfile.read(str(tmp_path / "v.flac"))[0].any()
    assert "No speech" in report.notes[0]


def test_what_is_missing_is_said(tmp_path: Path, own_data: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Spleeter.missing(EngineOptions()) == "not set up (python -m bgm setup spleeter)"
    monkeypatch.setattr(spleeter_env, "ready", lambda: True)
    assert Spleeter.missing(EngineOptions(offline=True)) == "weights not here, and working offline"
    monkeypatch.setattr(spleeter_model, "_index_answers", unreachable)
    assert Spleeter.missing(EngineOptions()) == "weights not reachable"
    (model / "model.index").unlink()
    assert "model.index" in (Spleeter.missing(EngineOptions(model=str(model))) or "")
    whole(own_data / "spleeter-models" / "2stems")
    assert Spleeter.missing(EngineOptions(offline=True)) is None
    monkeypatch.setenv("MODEL_PATH", str(tmp_path / "elsewhere"))
    elsewhere = whole(tmp_path / "elsewhere" / "2stems")
    assert spleeter_model.find(EngineOptions()) == elsewhere


def test_a_model_that_is_here_is_used_without_any_network(own_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(spleeter_env, "ready", lambda: True)
    monkeypatch.setattr(spleeter_model, "_index_answers", refuse)
    monkeypatch.setattr(spleeter_model, "fetch_model", refuse)
    here = whole(own_data / "spleeter-models" / "2stems")
    assert Spleeter.missing(EngineOptions()) is None
    assert spleeter_model.provide(EngineOptions(), silent) == here


def test_a_network_that_never_answers_costs_little_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spleeter_env, "ready", lambda: True)
    monkeypatch.setattr(spleeter_model, "_index_answers", lambda: time.sleep(30))
    began = time.monotonic()
    assert Spleeter.missing(EngineOptions()) == "weights not reachable"
    assert time.monotonic() - began < 5


def test_a_half_fetched_model_is_never_run(tmp_path: Path, own_data: Path, stand_in: Callable[[str], None]) -> None:
    stand_in(SERVE.format(worker=REAL_WORKER, separate="lambda waveform: waveform"))
    (own_data / "spleeter-models" / "2stems").mkdir(parents=True)
    source = write(tmp_path / "s.flac", talk(1.0)[0])
    with pytest.raises(EngineUnavailable, match="half fetched: no checkpoint"):
        Spleeter(EngineOptions(offline=True)).separate(source, ((0, 1),), tmp_path / "v.flac", silent)
    assert not (tmp_path / "v.flac").exists()


def test_the_model_is_fetched_once_and_whole(
    tmp_path: Path, own_data: Path, stand_in: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = tmp_path / "elsewhere" / "2stems"
    empty.mkdir(parents=True)
    monkeypatch.setenv("MODEL_PATH", str(empty.parent))
    stand_in(FETCH.format(names=("checkpoint", "model.index")))
    with pytest.raises(EngineUnavailable, match="without some of its files"):
        spleeter_model.provide(EngineOptions(), silent)
    assert not empty.exists(), "an empty folder would be taken for a model by spleeter itself"
    assert list((own_data / "spleeter-models").iterdir()) == []
    stand_in(FETCH.format(names=spleeter_model.FILES))
    folder = spleeter_model.provide(EngineOptions(), silent)
    assert folder == own_data / "spleeter-models" / "2stems"
    assert spleeter_model.find(EngineOptions(offline=True)) == folder


def test_a_fetch_tells_how_far_it_is(own_data: Path, stand_in: Callable[[str], None]) -> None:
    stand_in(
        "import tempfile, time\n"
        "archive = tempfile.NamedTemporaryFile()\narchive.write(bytes(15_000_000))\narchive.flush()\ntime.sleep(1.5)\n"
        + FETCH.format(names=spleeter_model.FILES)
    )
    told: list[tuple[float, str]] = []
    spleeter_model.provide(EngineOptions(), lambda fraction, note="": told.append((fraction, note)))
    assert (0.2, "downloading Spleeter's model: 15 of about 75 MB") in [(round(f, 2), note) for f, note in told]


def test_a_fetch_that_fails_says_so_and_leaves_nothing(own_data: Path, stand_in: Callable[[str], None]) -> None:
    stand_in("raise SystemExit('connection refused')")
    with pytest.raises(EngineUnavailable, match="connection refused"):
        spleeter_model.provide(EngineOptions(), silent)
    assert list((own_data / "spleeter-models").iterdir()) == []


@pytest.fixture
def no_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Requirements that ask for nothing."""
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("# nothing\n")
    monkeypatch.setattr(spleeter_env, "REQUIREMENTS", requirements)
    yield requirements


def test_setup_makes_an_environment_once(no_packages: Path, own_data: Path) -> None:
    notes: list[str] = []
    assert not spleeter_env.ready()
    assert spleeter_env.setup(lambda fraction, note="": notes.append(note)) == own_data / "spleeter-env"
    assert spleeter_env.ready() and notes
    notes.clear()
    spleeter_env.setup(lambda fraction, note="": notes.append(note))
    assert not notes, "the second time there is nothing to do"
    no_packages.write_text("# other versions\n")
    assert not spleeter_env.ready()


def test_a_setup_that_fails_or_is_stopped_leaves_nothing(no_packages: Path, own_data: Path) -> None:
    no_packages.write_text("this is no requirement\n")
    with pytest.raises(BgmError, match="installing spleeter"):
        spleeter_env.setup(silent)
    assert not (own_data / "spleeter-env").exists()

    def stop(fraction: float, note: str = "") -> None:
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        spleeter_env.setup(stop)
    assert not (own_data / "spleeter-env").exists()


def test_setup_never_deletes_a_folder_of_something_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "one.jpg").write_text("x")
    monkeypatch.setenv("BGM_SPLEETER_ENV", str(tmp_path / "photos"))
    with pytest.raises(BgmError, match="something else"):
        spleeter_env.setup(silent)
    assert (tmp_path / "photos" / "one.jpg").exists()
