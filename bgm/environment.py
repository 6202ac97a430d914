"""The operator's settings: every ``BGM_`` variable, typed, described and validated at startup.

A creator's settings for one project are in :mod:`bgm.settings`; the engines and device here are only the defaults of
new projects. Importing this takes a third of a second (pydantic-settings): import it where it is needed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from bgm import engines
from bgm.engines import Stage
from bgm.errors import BadInput
from bgm.files import user_cache, user_folder
from bgm.settings import Device, Settings

PREFIX = "BGM_"


def _file(path: Path) -> Path:
    if not path.expanduser().is_file():
        raise ValueError("there is no such file")
    return path.expanduser()


def _engine(stage: Stage) -> AfterValidator:
    """Check the name before the colon; whether the engine can run here is checked when it is needed."""

    def check(wanted: str) -> str:
        name = wanted.partition(":")[0]
        # Only whether the name exists. Whether it can run here may take seconds to find out, and a server should start.
        if name != "auto":
            try:
                engines.spec(stage, name)
            except BadInput as error:
                raise ValueError(str(error)) from error
        return wanted

    return AfterValidator(check)


def _pair(auth: SecretStr) -> SecretStr:
    _name_and_password(auth.get_secret_value())
    return auth


def _address(address: str) -> str:
    scheme, _, rest = address.partition("://")
    if scheme not in ("http", "https") or not rest.strip("/"):
        raise ValueError("an address is written as http://host:8000")
    return address.rstrip("/")


Folder = Annotated[Path, AfterValidator(Path.expanduser)]
File = Annotated[Path, AfterValidator(_file)]


class Environment(BaseSettings):
    """Each field is the variable of its name in capitals after ``BGM_``; an empty variable counts as unset."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="forbid", hide_input_in_errors=True
    )

    data: Folder = Field(default_factory=lambda: user_folder() / "page", description="folder of the page's projects")
    keep_hours: float = Field(
        48, gt=0, allow_inf_nan=False, description="hours after which an unopened project is deleted"
    )
    max_mb: int = Field(2048, gt=0, description="largest upload in MiB")
    max_minutes: float = Field(180, gt=0, allow_inf_nan=False, description="longest video in minutes")
    max_waiting: int = Field(20, gt=0, description="jobs that may wait in each queue")
    max_projects: int = Field(500, gt=0, description="projects on disk at a time")
    max_project_mb: int = Field(
        20480, gt=0, description="total size of a project's files in MiB; beyond it no step starts"
    )
    workers: int = Field(2, gt=0, le=64, description="analyses and renders at a time; music has its own queue")
    music_workers: int = Field(1, gt=0, le=64, description="music jobs at a time; one per GPU")

    warm_up: bool = Field(
        True, description="load the engines when the first visitor comes, so that no video waits for a model"
    )

    auth: Annotated[SecretStr, AfterValidator(_pair)] | None = Field(
        None, description="login for the page, as `name:password`"
    )
    auth_file: File | None = Field(None, description="file with one `name:password` per line, for several users")

    hosts: str | None = Field(
        None,
        description="host names of the page behind a proxy, as `a.org,b.org`; default: any, but only this "
        "machine's own when it listens on 127.0.0.1",
    )

    device: Device = Field("auto", description="device that runs the models")
    offline: bool = Field(False, description="make no network requests at all")
    separator: Annotated[str, _engine(Stage.SEPARATE)] = Field(
        "auto", description="default engine of new projects for the voice"
    )
    transcriber: Annotated[str, _engine(Stage.TRANSCRIBE)] = Field("auto", description="… for the transcript")
    classifier: Annotated[str, _engine(Stage.CLASSIFY)] = Field("auto", description="… for the emotions")
    music: Annotated[str, _engine(Stage.MUSIC)] = Field("auto", description="… for the music")
    lora: str | None = Field(None, description="Riffusion's LoRA: hub id, file or `none`; `@0.8` may follow")
    compile: bool = Field(
        False, description="use torch.compile for Riffusion on a GPU: slower to start, faster per step"
    )
    painter: Annotated[str, AfterValidator(_address)] | None = Field(
        None,
        description="address of a painter on a machine with a GPU, as `http://host:8000` (`python -m bgm.painter`)",
    )
    painter_token: SecretStr | None = Field(None, description="token that the painter requires; the same on both sides")
    soundfont: File | None = Field(
        None, description="`.sf2` or `.sf3` file for the composer (default: a fetched or installed one)"
    )
    weights: Folder = Field(
        default_factory=lambda: user_cache() / "weights",
        description="folder for weights joined from pip packages or converted; downloads from the hub and "
        "Whisper's own files stay in their usual folders",
    )

    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="level of the page's log")
    log_format: Literal["text", "json"] = Field("text", description="format of the log: `key=value` or JSON")
    metrics: bool = Field(False, description="serve Prometheus metrics at `/metrics`")

    @property
    def uploads(self) -> Path:
        """Where the page's uploads arrive unless GRADIO_TEMP_DIR names another folder."""
        return self.data / "uploads"

    @property
    def max_bytes(self) -> int:
        """Of one upload."""
        return self.max_mb * 1024 * 1024

    @property
    def max_project_bytes(self) -> int:
        """Of all files of one project."""
        return self.max_project_mb * 1024 * 1024

    def host_names(self) -> list[str]:
        """The server's own names, as the operator gives them."""
        return [name.strip() for name in (self.hosts or "").split(",") if name.strip()]

    def settings(self) -> Settings:
        """The defaults of a new project."""
        return Settings(
            separator=self.separator,
            transcriber=self.transcriber,
            classifier=self.classifier,
            music=self.music,
            lora=self.lora,
            device=self.device,
            offline=self.offline,
        )

    def users(self) -> list[tuple[str, str]]:
        """Name and password of all users; empty if the page is open. Raises BadInput for a bad file."""
        lines = [self.auth.get_secret_value()] if self.auth else []
        if self.auth_file:
            lines += [line for line in self.auth_file.read_text(encoding="utf-8").splitlines() if line.strip()]
        try:
            return [_name_and_password(line) for line in lines]
        except ValueError as error:
            raise BadInput(f"BGM_AUTH_FILE: {error}") from error

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], *sources: PydanticBaseSettingsSource, **named: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then variables; no file in the working directory is read."""
        # No .env: a file in the folder where somebody happens to start the server must not change it.
        return (named["init_settings"], named["env_settings"])


def read() -> Environment:
    """The current environment. Raises BadInput, in one sentence, for the first invalid variable."""
    try:
        return Environment()
    except ValidationError as error:
        # One at a time: whoever sets variables mends them one by one, and pydantic's list is a page long.
        first = error.errors(include_url=False)[0]
        variable = PREFIX + str(first["loc"][0]).upper()
        raise BadInput(f"{variable}: {first['msg'].removeprefix('Value error, ')}") from error


def unknown(variables: Mapping[str, str] = os.environ) -> list[str]:
    """A sentence for each unknown ``BGM_`` variable, most likely a typo."""
    known = [variable(name) for name in Environment.model_fields]
    sentences = []
    for name in sorted(variables):
        if name.startswith(PREFIX) and name not in known:
            near = get_close_matches(name, known, n=1)
            sentences.append(f"there is no setting {name}" + (f"; did you mean {near[0]}?" if near else ""))
    return sentences


def described(now: Environment) -> list[dict[str, Any]]:
    """Every variable with its current value (secrets hidden) and its meaning."""
    values = now.model_dump(mode="json")
    names = Environment.model_fields.items()
    return [{"variable": variable(n), "value": values[n], "meaning": field.description} for n, field in names]


def variable(field: str) -> str:
    """The variable's name of a field."""
    return PREFIX + field.upper()


def table() -> str:
    """Every variable with its default and meaning, as the Markdown table of the README."""
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    for name, field in Environment.model_fields.items():
        rows.append(f"| `{variable(name)}` | {_default(field)} | {field.description} |")
    return "\n".join(rows)


def _default(field: Any) -> str:
    if field.default_factory is not None:
        return "a folder of the user's"
    if field.default is None:
        return "–"
    return f"{field.default:g}" if isinstance(field.default, float) else str(field.default).lower()


def _name_and_password(line: str) -> tuple[str, str]:
    name, colon, password = line.strip().partition(":")
    if not (name and colon and password):
        raise ValueError("a user is written as name:password")
    return name, password
