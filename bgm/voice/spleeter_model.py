"""Spleeter's pretrained 2stems model: found, checked, fetched.

The check comes before every run: spleeter itself takes an empty folder, which a failed download leaves behind, for a
model, and then separates with random weights.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import urllib.request
from collections.abc import Iterable
from pathlib import Path

from bgm.engines import EngineOptions
from bgm.errors import EngineUnavailable
from bgm.files import user_folder
from bgm.progress import Progress
from bgm.voice.spleeter_process import WorkerError, fetch_model

NAME = "2stems"
FILES = ("checkpoint", "model.index", "model.data-00000-of-00001")
_REACH_SECONDS = 2.5


def why_missing(options: EngineOptions) -> str | None:
    """Why there is no model to run with, in a few words, or None when it is here or can be fetched."""
    if find(options):
        return None
    if _named(options) or options.offline:
        return _what_lacks(options)
    return None if _reachable() else "weights not reachable"


def find(options: EngineOptions) -> Path | None:
    """The folder of a whole model: the one that was named, else $MODEL_PATH/2stems, else ours."""
    return next((folder for folder in _folders(options) if is_whole(folder)), None)


def is_whole(folder: Path) -> bool:
    """Whether all files of a checkpoint are there (whether they belong together shows when they are loaded)."""
    return all(_has(folder, name) for name in FILES)


def provide(options: EngineOptions, progress: Progress) -> Path:
    """The folder of the model, fetched by spleeter's own means where it isn't here yet and ``options`` allow it.

    Raises EngineUnavailable, saying what to do, when there is none.
    """
    found = find(options)
    if found:
        return found
    if _named(options) or options.offline:
        raise EngineUnavailable(f"Spleeter can't run: {_what_lacks(options)}; its files are {', '.join(FILES)}")
    _remove_empty(_folders(options))
    return _fetched(progress)


def _fetched(progress: Progress) -> Path:
    """Fetch beside our own folder and rename, so that a half-fetched model is never found there."""
    target = _own_folder()
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".bgm-part-") as temporary:
        fresh = Path(temporary) / NAME
        fresh.mkdir()
        try:
            fetch_model(fresh, progress)
        except WorkerError as error:
            raise EngineUnavailable(f"Spleeter's model can't be fetched: {error}") from error
        if not is_whole(fresh):
            raise EngineUnavailable("Spleeter's model came without some of its files; try again")
        shutil.rmtree(target, ignore_errors=True)
        fresh.rename(target)
    return target


def _named(options: EngineOptions) -> bool:
    """Whether the user named a folder of their own."""
    return options.model not in (None, NAME)


def _own_folder() -> Path:
    return user_folder() / "spleeter-models" / NAME


def _folders(options: EngineOptions) -> list[Path]:
    """Where a model may lie, the first choice first."""
    if options.model and _named(options):
        return [Path(options.model).expanduser()]
    elsewhere = os.environ.get("MODEL_PATH")
    return [*([Path(elsewhere).expanduser() / NAME] if elsewhere else []), _own_folder()]


def _what_lacks(options: EngineOptions) -> str:
    """The first file that a folder lacks, if there is a folder."""
    for folder in _folders(options):
        if folder.is_dir():
            lacking = next((name for name in FILES if not _has(folder, name)), None)
            return f"the model in {folder} is half fetched: no {lacking}"
    return f"no model in {options.model}" if _named(options) else "weights not here, and working offline"


def _has(folder: Path, name: str) -> bool:
    return (folder / name).is_file() and (folder / name).stat().st_size > 0


def _remove_empty(folders: Iterable[Path]) -> None:
    """Delete what spleeter's failed downloads left behind, lest its own commands take it for a model."""
    for folder in folders:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def _reachable() -> bool:
    """Whether the model's index answers in time. A thread asks: a name lookup can't be given a time limit."""
    answers: list[bool] = []
    asking = threading.Thread(target=lambda: answers.append(_index_answers()), name="spleeter-question", daemon=True)
    asking.start()
    asking.join(_REACH_SECONDS)
    return any(answers)


def _index_answers() -> bool:
    """Ask for what spleeter reads first, where its own variables say it lies."""
    host = os.environ.get("GITHUB_HOST", "https://github.com")
    repository = os.environ.get("GITHUB_REPOSITORY", "deezer/spleeter")
    release = os.environ.get("GITHUB_RELEASE", "v1.4.0")
    address = f"{host}/{repository}/releases/download/{release}/checksum.json"
    try:
        with urllib.request.urlopen(address, timeout=_REACH_SECONDS) as answer:
            return bool(answer.status == 200)
    except (OSError, ValueError):  # no network, refused, not found; or a host that is no address
        return False
