"""Weights on the hub: decided fast, without the network where they are cached; fetched, checked, gone on with."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path

import pytest

from bgm import weights
from bgm.errors import Cancelled, EngineUnavailable
from bgm.weights import Card, File, hub, network
from bgm.weights.hub import Hub
from tests.fake_hub import FakeHub, callers, put_in_cache

FILES = (File(("config.json",)), File(("model.safetensors", "model.bin")), File(("*.txt",), needed=False))


def card_of(repo_id: str, files: tuple[File, ...] = FILES) -> Card:
    return Card(f"distilroberta:{repo_id}", repo_id, "MIT", None, files, (Hub(repo_id),))


def put(cache: Path, repo_id: str, files: dict[str, bytes]) -> None:
    put_in_cache(cache, repo_id, lambda folder: [(folder / name).write_bytes(files[name]) for name in files])


def test_cached_weights_are_found_without_the_network(empty_cache: Path, no_network: None) -> None:
    put(empty_cache, "someone/cached", {"config.json": b"{}", "model.bin": b"y"})
    card = card_of("someone/cached")
    assert weights.why_missing(card) is None
    folder = weights.provide(card)
    assert folder == weights.find(card)
    assert (folder / "model.bin").read_bytes() == b"y"
    assert weights.status(card).here


def test_half_a_model_in_the_cache_is_not_enough(empty_cache: Path) -> None:
    put(empty_cache, "someone/half", {"config.json": b"{}"})
    assert "offline" in (weights.why_missing(card_of("someone/half"), offline=True) or "")


@pytest.mark.parametrize("by_environment", [True, False])
def test_offline_asks_nobody(
    by_environment: bool, empty_cache: Path, no_network: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", by_environment)
    card = card_of("someone/model")
    assert "offline" in (weights.why_missing(card, offline=not by_environment) or "")
    with pytest.raises(EngineUnavailable, match="offline"):
        weights.provide(card, offline=not by_environment)
    for engine in weights.ENGINES:
        weights.status(weights.card(engine), offline=not by_environment or engine != "whisper")


def test_published_weights_can_be_had(fake_hub: FakeHub) -> None:
    card = card_of("someone/model")
    assert weights.why_missing(card) is None
    status = weights.status(card)
    assert (status.here, status.source) == (False, "Hugging Face, someone/model")
    asked = fake_hub.asked
    assert weights.why_missing(card) is None
    assert fake_hub.asked == asked, "the answer is remembered"


def test_unknown_repository_is_said_to_be_unknown(fake_hub: FakeHub) -> None:
    assert "is not on the hub" in (weights.why_missing(card_of("someone/else")) or "")


def test_name_that_cannot_be_a_repository(empty_cache: Path) -> None:
    assert "neither a folder nor a hub id" in (weights.why_missing(card_of("no such/folder/here")) or "")


def test_a_hub_that_never_answers_costs_one_wait_for_all_models(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setattr(network, "REACHABLE_S", 0.3)
        for engine in ("distilroberta", "riffusion", "riffusion-lora", "faster-whisper:small"):
            assert weights.why_missing(weights.card(engine)) == network.NOT_REACHABLE
        assert callers(silent) == 1


def test_a_hub_that_answers_but_not_for_its_files_costs_one_wait_too(
    fake_hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(hub, "PUBLISHED_S", 0.3)
    monkeypatch.setattr(Hub, "_publishes", lambda self, _: asked.append(self.repo_id) or time.sleep(20))
    for repo_id in ("someone/a", "someone/b", "someone/c"):
        assert weights.why_missing(card_of(repo_id)) == network.NOT_REACHABLE
    assert asked == ["someone/a"]


def test_name_lookup_that_hangs_is_given_up(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    release, ended = threading.Event(), threading.Event()

    def hang(*args: object, **kwargs: object) -> None:
        release.wait(60)
        ended.set()
        raise socket.gaierror("no such name")

    monkeypatch.setattr(constants, "ENDPOINT", "http://hub.invalid")
    monkeypatch.setattr(socket, "getaddrinfo", hang)
    monkeypatch.setattr(network, "REACHABLE_S", 0.3)
    assert weights.why_missing(card_of("someone/model")) == network.NOT_REACHABLE
    assert not ended.is_set()
    release.set()


def test_an_old_answer_stands_while_it_is_asked_for_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "_asked", {})
    monkeypatch.setattr(network, "BELIEVED_S", -1.0)

    release = threading.Event()

    def late() -> bool:
        return release.wait(60)

    assert network.answer("hub", lambda: False, 1.0) is False
    assert network.answer("hub", late, 60.0) is False, "nobody waits for what was answered before"
    monkeypatch.setattr(network, "BELIEVED_S", 600.0)
    release.set()
    while network.answer("hub", late, 60.0) is not True:
        time.sleep(0.01)


def test_download_brings_the_preferred_alternative_and_tells_how_far_it_is(fake_hub: FakeHub) -> None:
    told: list[tuple[float, str]] = []
    fake_hub.files["merges.txt"] = b"a b"
    card = card_of("someone/model")
    folder = weights.provide(card, progress=lambda fraction, note="": told.append((fraction, note)))
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "merges.txt", "model.safetensors"]
    assert (folder / "model.safetensors").read_bytes() == b"x" * 4000
    assert told[-1] == (1.0, "fetching someone/model: model.safetensors")
    assert (1.0, "fetching someone/model: 4000 bytes of 4000 bytes") in told
    assert [share for share, _ in told] == sorted(share for share, _ in told)
    asked = fake_hub.asked
    assert weights.provide(card) == folder
    assert fake_hub.asked == asked, "what was downloaded is cached"


def test_a_stopped_download_goes_on_where_it_was(fake_hub: FakeHub) -> None:
    whole = bytes(range(256)) * 4096 * 40
    fake_hub.files = {"config.json": b"{}", "model.bin": whole}
    card = card_of("someone/model")

    def stop(fraction: float, note: str = "") -> None:
        if fraction > 0.4:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        weights.provide(card, progress=stop)
    assert weights.find(card) is None
    shares: list[float] = []
    folder = weights.provide(card, progress=lambda fraction, note="": shares.append(fraction))
    assert (folder / "model.bin").read_bytes() == whole
    assert fake_hub.ranges, "only the rest was asked for"
    assert not [share for share in shares if 0.001 < share < 0.2]


def test_a_cached_file_that_changed_is_named(fake_hub: FakeHub) -> None:
    card = card_of("someone/model")
    model = (weights.provide(card) / "model.safetensors").resolve()
    model.write_bytes(b"z" * 4000)
    with pytest.raises(EngineUnavailable, match=f"{model} is damaged: delete it, and it will be fetched again"):
        weights.provide(card)
    model.unlink()
    assert (weights.provide(card) / "model.safetensors").read_bytes() == b"x" * 4000


def test_a_blob_in_a_store_that_caches_share_is_checked_by_its_own_name(fake_hub: FakeHub, tmp_path: Path) -> None:
    card = card_of("someone/model")
    blob = (weights.provide(card) / "model.safetensors").resolve()
    shared = tmp_path / ("0" * 64)
    blob.rename(shared)
    blob.symlink_to(shared)
    assert (weights.provide(card) / "model.safetensors").read_bytes() == b"x" * 4000


@pytest.mark.parametrize(
    ("repo_id", "files"), [("someone/else", FILES), ("someone/model", (File(("nothing",)), File(("config.json",))))]
)
def test_download_that_fails_says_so(repo_id: str, files: tuple[File, ...], fake_hub: FakeHub) -> None:
    with pytest.raises(EngineUnavailable, match=repo_id):
        Hub(repo_id).provide(card_of(repo_id, files), lambda fraction, note="": None)


def test_a_disk_that_is_too_small_is_told_before_anything_is_fetched(
    fake_hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(EngineUnavailable, match="has 1000 bytes free, and 4002 bytes are to be fetched"):
        weights.provide(card_of("someone/model"))


def test_a_folder_of_the_users_that_lacks_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    why = weights.why_no_model("faster-whisper", str(tmp_path))
    assert why == f"there is no model.bin in {tmp_path}"
    (tmp_path / "model.bin").write_bytes(b"")
    assert weights.why_no_model("faster-whisper", str(tmp_path)) == why, "an empty file is none"


def test_what_the_user_names_is_told_when_it_means_nothing(tmp_path: Path) -> None:
    assert "choose tiny, base" in (weights.why_no_model("faster-whisper", "huge") or "")
    assert "2stems or a folder" in (weights.why_no_model("spleeter", "4stems") or "")
    assert weights.why_no_model("whisper", str(tmp_path / "no.pt")) == f"there is no file {tmp_path / 'no.pt'}"
    assert "takes a file" in (weights.why_no_model("whisper", str(tmp_path)) or "")
    (tmp_path / "file").write_text("x")
    assert "takes the folder" in (weights.why_no_model("riffusion", str(tmp_path / "file")) or "")
