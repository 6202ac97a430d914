"""What the owner of the server allows, read from the environment."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from bgm.errors import BadInput


@dataclass(frozen=True, slots=True)
class Limits:
    """Each field is set by the variable named in its metadata (see :meth:`from_env`)."""

    data: Path = field(default=Path(tempfile.gettempdir()) / "bgm-studio", metadata={"env": "BGM_DATA"})
    """The folder of all projects."""
    keep_hours: float = field(default=48.0, metadata={"env": "BGM_KEEP_HOURS"})
    """A project that nobody opened for so long is deleted."""
    max_megabytes: int = field(default=2048, metadata={"env": "BGM_MAX_MB"})
    """Of one upload."""
    max_minutes: float = field(default=180.0, metadata={"env": "BGM_MAX_MINUTES"})
    """Of one video."""
    max_waiting: int = field(default=20, metadata={"env": "BGM_MAX_WAITING"})
    """Jobs that may wait in one queue."""
    max_projects: int = field(default=500, metadata={"env": "BGM_MAX_PROJECTS"})
    """Projects kept at one time."""
    workers: int = field(default=2, metadata={"env": "BGM_WORKERS"})
    """Analyses and renders at one time; music is made one job at a time, in a queue of its own."""

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            if not isinstance(value, Path) and not value > 0:
                raise BadInput(f"{f.metadata['env']} must be above 0, not {value}")

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Limits:
        """The defaults, changed by the variables that are set. Raises BadInput when one is not a number."""
        values: dict[str, Any] = {}
        for f in fields(cls):
            text = env.get(f.metadata["env"])
            if text:
                values[f.name] = _read(f.metadata["env"], text, type(f.default))
        return cls(**values)

    @property
    def max_bytes(self) -> int:
        return self.max_megabytes * 1024 * 1024


def _read(name: str, text: str, kind: type[Any]) -> Any:
    if issubclass(kind, Path):
        return Path(text)
    try:
        return kind(text)
    except ValueError as error:
        raise BadInput(f"{name} must be a number, not {text!r}") from error
