"""Many videos by the plain loop: what is made, what is left, and what goes on when the same is asked again."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import fsspec
import pytest

from bgm.batch import run, units
from bgm.batch.run import REPORT
from bgm.batch.units import Outcome
from bgm.cli import main
from bgm.errors import BadInput, Cancelled
from bgm.files import PART_PREFIX, beside
from bgm.progress import Step, unheard
from bgm.project import load
from bgm.settings import Settings

WORDS = ["--separator", "original", "--music", "embedded", "--offline", "--device", "cpu", "--min-segment", "2"]


def batch(videos: Path | str, out: Path | str, settings: Settings) -> dict[str, Outcome]:
    return {o.name: o for o in run.run(str(videos), str(out), settings, unheard, None)}


def statuses(outcomes: dict[str, Outcome]) -> list[str]:
    return [outcome.status for outcome in outcomes.values()]


def contents(out: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in out.glob("*.m*")}


@pytest.fixture(scope="module")
def done(clips: Path, tmp_path_factory: pytest.TempPathFactory, settings: Settings) -> Path:
    """The results of both videos."""
    out = tmp_path_factory.mktemp("done") / "out"
    assert statuses(batch(clips, out, settings)) == ["made", "made"]
    return out


@pytest.fixture
def memory() -> Iterator[str]:
    """An object store in this process."""
    store = fsspec.filesystem("memory")
    yield "memory://bucket"
    store.rm("/bucket", recursive=True)


def test_the_shell_tells_of_each_and_fails_if_one_did(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (videos / "broken.mp4").write_bytes(b"no video" * 99)
    listed = tmp_path / "list.txt"
    listed.write_text("".join(f"{videos}/{name}\n" for name in ("broken.mp4", "gone.mp4", "first.mp4")), "utf-8")
    out = tmp_path / "deep" / "out"
    assert main(["batch", str(listed), "--out", str(out), *WORDS]) == 1
    told = capsys.readouterr()
    assert told.out.splitlines()[-1] == "3 videos: 1 made, 2 failed"
    assert "Traceback" not in told.err
    assert "first.mp4: mix" in told.err and "of 3 videos" in told.err
    rows = [json.loads(line) for line in (out / REPORT).read_text("utf-8").splitlines()]
    assert [(row["name"], row["status"]) for row in rows] == [
        ("broken.mp4", "failed"), ("gone.mp4", "failed"), ("first.mp4", "made"),
    ]  # fmt: skip
    assert "damaged" in rows[0]["why"] and "gone.mp4" in rows[1]["why"]
    assert rows[2]["lufs"] == pytest.approx(-14, abs=0.5) and {"music", "mix"} <= rows[2]["stages"].keys()
    assert {file.name for file in out.iterdir()} == {"first.mp4", "projects", REPORT}


def test_json_is_a_line_for_each(videos: Path, done: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (videos / "second.mkv").unlink()
    assert main(["batch", str(videos), "--out", str(done), *WORDS, "--json", "--quiet"]) == 0
    told = capsys.readouterr()
    assert [json.loads(line)["status"] for line in told.out.splitlines()] == ["already there"]
    assert told.err == ""


def test_the_same_again_does_nothing(clips: Path, done: Path, settings: Settings) -> None:
    before = {file: file.stat().st_mtime_ns for file in done.rglob("*") if file.is_file() and file.name != REPORT}
    beside(done / REPORT).__enter__().write_text("half of it", "utf-8")  # as a run that was killed leaves it
    again = batch(f"file://{clips}", f"file://{done}", settings)  # by their addresses, which are the same places
    assert statuses(again) == ["already there"] * 2
    assert again["first.mp4"].lufs is not None
    assert before == {f: f.stat().st_mtime_ns for f in before}
    assert not list(done.rglob(f"{PART_PREFIX}*"))


def test_what_changed_is_made_again_and_nothing_else(
    clips: Path, done: Path, tmp_path: Path, settings: Settings
) -> None:
    """The result, the project by hand, a setting; a folder of results that was moved is the same."""
    done = Path(shutil.copytree(done, tmp_path / "moved"))
    assert statuses(batch(clips, done, settings)) == ["already there"] * 2
    was = contents(done)
    (done / "first.mp4").write_bytes(b"cut off")
    assert statuses(batch(clips, done, settings)) == ["made", "already there"]
    assert contents(done) == was
    file = done / "projects" / "second.mkv.bgm" / "project.json"
    document = json.loads(file.read_text("utf-8"))
    document["segments"][0]["emotion"] = "disgust"
    file.write_text(json.dumps(document), "utf-8")
    assert statuses(batch(clips, done, settings)) == ["already there", "made"]
    assert contents(done)["second.mkv"] != was["second.mkv"]
    louder = replace(settings, lufs=-12.0)
    assert statuses(batch(clips, done, louder)) == ["made", "made"]
    assert load(done / "projects" / "first.mp4.bgm").settings.lufs == -12.0


def test_an_object_store_gives_the_same_bytes(clips: Path, done: Path, memory: str, settings: Settings) -> None:
    store = fsspec.filesystem("memory")
    for file in clips.iterdir():
        store.put_file(str(file), f"/bucket/in/{file.name}")
    assert statuses(batch(f"{memory}/in", f"{memory}/out", settings)) == ["made", "made"]
    stored = {name: hashlib.sha256(store.cat_file(f"/bucket/out/{name}")).hexdigest() for name in contents(done)}
    assert stored == contents(done)
    assert statuses(batch(f"{memory}/in", f"{memory}/out", settings)) == ["already there"] * 2
    store.rm_file("/bucket/out/first.mp4")
    again = run.run(f"{memory}/in", f"{memory}/out", settings, unheard, None)
    assert [outcome.status for outcome in again] == ["made", "already there"]
    assert "separate" not in again[0].stages or again[0].stages["separate"] < 0.5, "the checkpoint was used"


def test_stopped_in_the_middle_the_same_command_goes_on(videos: Path, tmp_path: Path, settings: Settings) -> None:
    out = tmp_path / "out"

    def stop(step: Step) -> None:
        if step.of == "first.mp4" and step.stage == "mix":
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        run.run(str(videos), str(out), settings, stop, None)
    rows = [json.loads(line) for line in (out / REPORT).read_text("utf-8").splitlines()]
    assert [row["status"] for row in rows] == ["stopped", "made"], "the longer one goes first"
    assert not list(out.rglob(f"{PART_PREFIX}*"))
    takes = {file: file.stat().st_mtime_ns for file in (out / "projects" / "first.mp4.bgm" / "takes").iterdir()}
    assert statuses(batch(videos, out, settings)) == ["made", "already there"]
    assert takes == {file: file.stat().st_mtime_ns for file in takes}


def test_who_finds_the_project_in_other_hands_waits(
    videos: Path, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    (videos / "second.mkv").unlink()
    out = tmp_path / "out"
    batch(videos, out, settings)
    (out / "first.mp4").unlink()
    project = load(out / "projects" / "first.mp4.bgm")
    released = threading.Event()

    def hold() -> None:
        with project.locked():
            released.wait(60)

    other = threading.Thread(target=hold)
    other.start()
    said: list[str] = []

    def heard(step: Step) -> None:
        said.append(step.stage)
        if step.stage == "waiting":
            released.set()

    outcomes = run.run(str(videos), str(out), settings, heard, None)
    released.set()
    other.join()
    assert [outcome.status for outcome in outcomes] == ["made"]
    assert "waiting" in said


def test_a_disk_that_is_full_fails_one_video_in_one_sentence(
    videos: Path, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    def full(here: object, settings: object, told: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/somewhere")

    monkeypatch.setattr(units, "_done", full)
    outcomes = batch(videos, tmp_path / "out", settings)
    assert statuses(outcomes) == ["failed", "failed"]
    assert outcomes["first.mp4"].why.startswith("the disk is full")


def test_a_place_without_rights_is_refused_before_any_work(videos: Path, tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="can't be written to"):
        run.run(str(videos), str(tmp_path / "file" / "out"), settings, unheard, None)


def test_a_store_that_refuses_or_is_unknown_is_one_sentence(
    videos: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fsspec.implementations.memory import MemoryFileSystem

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("Access Denied")

    monkeypatch.setattr(MemoryFileSystem, "pipe_file", refuse)
    with pytest.raises(BadInput, match=r"memory://locked.*no right"):
        run.run(str(videos), "memory://locked", settings, unheard, None)
    with pytest.raises(BadInput, match="nowhere://x"):
        run.run(str(videos), "nowhere://x/out", settings, unheard, None)
