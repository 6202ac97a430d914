from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bgm import environment
from bgm.environment import Environment
from bgm.errors import BadInput

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Environment.model_fields:
        monkeypatch.delenv(environment.variable(name), raising=False)


def test_variables_are_read_and_an_empty_one_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BGM_DATA", "~/bgm")
    monkeypatch.setenv("BGM_MAX_MB", "10")
    monkeypatch.setenv("BGM_KEEP_HOURS", "0.5")
    monkeypatch.setenv("BGM_WORKERS", "")
    read = environment.read()
    assert (read.data, read.max_bytes, read.keep_hours) == (Path.home() / "bgm", 10 * 2**20, 0.5)
    assert read.workers == Environment.model_fields["workers"].default


def test_a_new_project_begins_with_what_the_operator_chose(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"BGM_MUSIC": "riffusion:/models/r", "BGM_DEVICE": "cuda", "BGM_OFFLINE": "1"}.items():
        monkeypatch.setenv(name, value)
    settings = environment.read().settings()
    assert (settings.music, settings.device, settings.offline) == ("riffusion:/models/r", "cuda", True)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("BGM_MAX_MB", "ten"),
        ("BGM_WORKERS", "0"),
        ("BGM_KEEP_HOURS", "nan"),
        ("BGM_DEVICE", "gpu"),
        ("BGM_MUSIC", "orchestra"),
        ("BGM_OFFLINE", "maybe"),
        ("BGM_SOUNDFONT", "/nowhere.sf2"),
        ("BGM_AUTH", "hunter2"),
    ],
)
def test_a_bad_variable_is_one_sentence_without_its_value(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(BadInput, match=f"^{variable}: ") as raised:
        environment.read()
    assert "\n" not in str(raised.value)
    if variable == "BGM_AUTH":
        assert value not in str(raised.value)


def test_users_come_from_a_variable_and_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    users = tmp_path / "users"
    users.write_text("ann:one:two\n\nbo:three\n")
    monkeypatch.setenv("BGM_AUTH", "me:secret")
    monkeypatch.setenv("BGM_AUTH_FILE", str(users))
    read = environment.read()
    assert read.users() == [("me", "secret"), ("ann", "one:two"), ("bo", "three")]
    assert "secret" not in repr(read) and "secret" not in str(environment.described(read))
    users.write_text("ann\n")
    with pytest.raises(BadInput, match="BGM_AUTH_FILE"):
        read.users()


def test_a_slip_of_the_pen_is_noticed() -> None:
    assert environment.unknown({"BGM_MAXMB": "1", "BGM_DATA": "/x", "HOME": "/"}) == [
        "there is no setting BGM_MAXMB; did you mean BGM_MAX_MB?"
    ]


def test_the_readme_lists_every_variable_as_it_is() -> None:
    assert environment.table() in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("command", [["app.py"], ["-m", "bgm", "environment"], ["-m", "bgm", "engines"]])
def test_the_shell_says_what_is_wrong_and_starts_nothing(command: list[str]) -> None:
    wrong = {**os.environ, "BGM_MAX_MB": "ten"}
    words = [sys.executable, *command]
    done = subprocess.run(words, cwd=ROOT, env=wrong, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("bgm: BGM_MAX_MB: ") and len(done.stderr.splitlines()) == 1
