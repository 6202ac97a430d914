"""Whether published weights can be had: decided fast, without the network where they are cached."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

from bgm import hub
from bgm.errors import Cancelled, EngineUnavailable
from tests.emotion.conftest import COMMIT, FakeHub

FILES: tuple[hub.FileChoice, ...] = ("config.json", ("model.safetensors", "model.bin"))


def put_in_cache(cache: Path, repo_id: str, files: dict[str, bytes]) -> None:
    folder = cache / f"models--{repo_id.replace('/', '--')}"
    for name, content in files.items():
        path = folder / "snapshots" / COMMIT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(COMMIT)


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


def test_cached_weights_are_found_without_the_network(empty_cache: Path, no_network: None) -> None:
    put_in_cache(empty_cache, "someone/cached", {"config.json": b"{}", "model.bin": b"y"})
    assert hub.why_missing("someone/cached", FILES) is None
    found = hub.cached("someone/cached", "model.bin")
    assert found is not None and found.read_bytes() == b"y"
    assert hub.cached("someone/cached", "other.bin") is None


def test_half_a_model_in_the_cache_is_not_enough(empty_cache: Path) -> None:
    put_in_cache(empty_cache, "someone/half", {"config.json": b"{}"})
    assert "offline" in (hub.why_missing("someone/half", FILES, offline=True) or "")


@pytest.mark.parametrize("by_environment", [True, False])
def test_offline_asks_nobody(
    by_environment: bool, empty_cache: Path, no_network: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", by_environment)
    assert "offline" in (hub.why_missing("someone/model", FILES, offline=not by_environment) or "")


def test_published_weights_can_be_had(fake_hub: FakeHub) -> None:
    assert hub.reachable()
    assert hub.why_missing("someone/model", FILES) is None
    asked = fake_hub.asked
    assert hub.why_missing("someone/model", FILES) is None
    assert fake_hub.asked == asked, "the answer is remembered"


def test_unknown_repository_is_said_to_be_unknown(fake_hub: FakeHub) -> None:
    assert "is not on the hub" in (hub.why_missing("someone/else", FILES) or "")


def test_name_that_cannot_be_a_repository(empty_cache: Path) -> None:
    assert "neither a folder nor a hub id" in (hub.why_missing("no such/folder/here", FILES) or "")


def test_name_lookup_that_hangs_is_given_up_within_five_seconds(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    def hang(*args: object, **kwargs: object) -> None:
        time.sleep(20)
        raise socket.gaierror("no such name")

    monkeypatch.setattr(constants, "ENDPOINT", "http://hub.invalid")
    monkeypatch.setattr(socket, "getaddrinfo", hang)
    started = time.monotonic()
    assert hub.why_missing("someone/model", FILES) == hub.NOT_REACHABLE
    assert time.monotonic() - started < 5
    started = time.monotonic()
    assert hub.why_missing("someone/other", FILES) == hub.NOT_REACHABLE
    assert time.monotonic() - started < 0.5, "a second engine needs no second wait"


def test_download_brings_the_preferred_alternative_and_tells_how_far_it_is(fake_hub: FakeHub) -> None:
    told: list[tuple[float, str]] = []
    folder = hub.download("someone/model", FILES, lambda fraction, note="": told.append((fraction, note)))
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]
    assert (folder / "model.safetensors").read_bytes() == b"x" * 4000
    assert told[-1][0] == 1.0
    assert "model.safetensors" in told[-1][1]
    asked = fake_hub.asked
    assert hub.why_missing("someone/model", FILES) is None
    assert fake_hub.asked == asked, "what was downloaded is cached"


def test_download_can_be_stopped(fake_hub: FakeHub) -> None:
    def stop(fraction: float, note: str = "") -> None:
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        hub.download("someone/model", FILES, stop)
    assert hub.cached("someone/model", "model.safetensors") is None


@pytest.mark.parametrize(("repo_id", "names"), [("someone/else", ["config.json"]), ("someone/model", ["nothing"])])
def test_download_that_fails_says_so(repo_id: str, names: list[str], fake_hub: FakeHub) -> None:
    with pytest.raises(EngineUnavailable, match=repo_id):
        hub.download(repo_id, names)


def test_incomplete_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    assert hub.why_incomplete(tmp_path, ["config.json"]) is None
    assert "model.safetensors or model.bin" in (hub.why_incomplete(tmp_path, FILES) or "")
