"""A project file from a stranger brings a project, and no choice of what the server loads or where it asks."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bgm import engines
from bgm import project as projects
from bgm.engines import EngineOptions, Stage
from bgm.errors import BgmError
from bgm.project import EngineUse
from bgm.settings import Settings
from bgm.ui import archive
from bgm.ui.page import Page
from bgm.ui.steps import StepOptions

MINE = Settings(classifier="minilm", offline=True, device="cpu")


@pytest.fixture
def sent(made: Path, tmp_path: Path) -> Callable[..., Path]:
    """A project file with changes to its project.json."""

    def packed(**changes: Any) -> Path:
        folder = tmp_path / "sent"
        shutil.copytree(made, folder)
        (folder / "source" / "clip.srt").write_text("1\n00:00:00,500 --> 00:00:01,500\nWhat a day\n")
        replace(projects.load(folder), **changes).save()
        file = archive.pack(projects.load(folder))
        return Path(shutil.move(file, tmp_path / file.name))

    return packed


def opened(file: Path, folder: Path) -> projects.Project:
    folder.mkdir()
    return archive.unpack(file, folder, 10**8, MINE)


@pytest.mark.parametrize(
    "named",
    [
        {"music": "riffusion:stranger/model"},
        {"music": "riffusion:/tmp/uploaded"},
        {"classify": "distilroberta:stranger/model"},
        {"classify": "distilroberta:../../uploaded"},
        {"transcribe": "whisper:/tmp/uploaded.pt"},
        {"separate": "spleeter:/tmp/uploaded"},
        {"music": "minilm", "no stage": "embedded", "classify": "../../uploaded"},
    ],
)
def test_a_model_that_a_project_file_names_is_not_taken(
    sent: Callable[..., Path], tmp_path: Path, named: dict[str, str]
) -> None:
    uses = {stage: EngineUse(name, "chosen by the sender") for stage, name in named.items()}
    assert opened(sent(engines=uses), tmp_path / "new").engines == {}


def test_the_servers_settings_hold(sent: Callable[..., Path], tmp_path: Path) -> None:
    theirs = Settings(
        music="riffusion:stranger/model",
        classifier="distilroberta:/tmp/uploaded",
        transcriber="whisper:/tmp/uploaded.pt",
        subtitles="/etc/passwd",
        lora="/tmp/uploaded.bin",
        device="cuda",
        offline=False,
        min_segment=2.0,
    )
    assert opened(sent(settings=theirs), tmp_path / "new").settings == replace(MINE, min_segment=2.0)


def test_no_step_loads_what_the_file_names(
    page: Page, sent: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through the page's own steps, with every load watched."""
    asked: list[EngineOptions] = []
    for listed in engines.CATALOGUE:
        kind = listed.load_class()
        real = kind.missing

        def missing(options: EngineOptions, real: Callable[..., Any] = real) -> Any:
            asked.append(options)
            return real(options)

        monkeypatch.setattr(kind, "missing", missing)
    uses = {str(Stage.MUSIC): EngineUse("riffusion:stranger/model", "x")}
    project = page.service.unpack(
        sent(engines=uses, settings=Settings(lora="stranger/lora", music="riffusion:stranger/model"))
    )
    for kind, options in (("read_emotions", StepOptions()), ("compose", StepOptions(another=True))):
        job = page.service.start(project, kind, options)
        assert job.finished.wait(60) and job.state == "done", job.error
    assert asked and {o.model for o in asked} == {None} and {o.lora for o in asked} == {None}
    assert {o.offline for o in asked} == {True}


@pytest.mark.parametrize("engine", ["whisper:/tmp/x.pt", "riffusion:a/b", "spleeter:x", "embedded:x", "../x", "/tmp/x"])
def test_the_page_names_no_model_either(page: Page, project: str, engine: str) -> None:
    for field in ("transcriber", "music"):
        with pytest.raises(BgmError, match="must be one of"):
            page.service.set_settings(project, {field: engine})
    for field in ("lora", "classifier", "separator", "device", "offline", "subtitles", "initial_prompt"):
        with pytest.raises(BgmError, match="no setting"):
            page.service.set_settings(project, {field: engine})


class Bomb:
    """A pickle that would run code when it is loaded."""

    def __init__(self, trace: Path) -> None:
        self._trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self._trace,)


@pytest.mark.parametrize(
    "name", ["video.mp4", "sound.wav", "sound.flac", "weights.pt", "array.npy", "lines.srt", "p.bgm.zip"]
)
def test_a_pickle_is_not_loaded(page: Page, tmp_path: Path, project: str, name: str) -> None:
    trace, file = tmp_path / "it ran", tmp_path / name
    file.write_bytes(pickle.dumps(Bomb(trace)))
    attempts: tuple[Callable[[], Any], ...] = (
        lambda: page.service.begin([file], copy=True),
        lambda: page.service.unpack(file),
        lambda: page.service.add_own_audio(project, "s1", file),
        lambda: page.service.add_subtitles(project, file),
    )
    for attempt in attempts:
        with pytest.raises(BgmError):
            attempt()
    assert not trace.exists()
    pickle.loads(file.read_bytes())
    assert trace.exists(), "the pickle would have run"


@pytest.mark.parametrize(
    "inside", ["media/audio.flac", "stems/activity.json", "stems/words.json", "takes/s1-a.flac", "source/clip.mp4"]
)
def test_a_pickle_inside_a_project_file_is_not_loaded(page: Page, made: Path, tmp_path: Path, inside: str) -> None:
    trace, folder = tmp_path / "it ran", tmp_path / "sent"
    shutil.copytree(made, folder)
    (folder / inside).write_bytes(pickle.dumps(Bomb(trace)))
    with pytest.raises(BgmError):
        page.service.unpack(archive.pack(projects.load(folder)))
    assert not trace.exists()


def test_the_operators_own_weights_are_read_without_running_them(tmp_path: Path) -> None:
    """Weights are named by the operator or in the shell only; even so a pickle in them doesn't run."""
    from bgm.music.riffusion import model
    from bgm.speech import whisper

    trace = tmp_path / "it ran"
    for name, load in (
        ("lora.bin", model.read_lora),
        ("model.pt", lambda path: whisper.loaded(path, "mine", "cpu")),
    ):
        file = tmp_path / name
        file.write_bytes(pickle.dumps(Bomb(trace)))
        with pytest.raises(BgmError):
            load(file)
    assert not trace.exists()


def test_json_numbers_that_are_none_do_not_pass(page: Page, made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "sent"
    shutil.copytree(made, folder)
    document = json.loads((folder / "project.json").read_text())
    document["duration"] = float("nan")
    file = archive.pack(projects.load(folder))
    import zipfile

    with zipfile.ZipFile(file) as old, zipfile.ZipFile(tmp_path / "nan.zip", "w") as new:
        for member in old.infolist():
            text = json.dumps(document) if member.filename == "project.json" else old.read(member)
            new.writestr(member, text)
    with pytest.raises(BgmError):
        page.service.unpack(tmp_path / "nan.zip")
