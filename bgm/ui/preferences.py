"""The settings that the page lets a user change, checked one by one: they come from a browser."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from bgm import engines
from bgm.engines import Stage
from bgm.errors import BadInput
from bgm.settings import Settings, is_audio_track

MAX_TAKES = 4
MAX_SEGMENT_SECONDS = 60.0


def changed(settings: Settings, changes: Mapping[str, object]) -> Settings:
    """``settings`` with the changes. Raises BadInput, in one sentence, for an unknown name or an impossible value."""
    unknown = set(changes) - set(NAMES)
    if unknown:
        raise BadInput(f"there is no setting {', '.join(sorted(unknown))}")
    values: dict[str, Any] = {name: _CHECKS[name](name, value) for name, value in changes.items()}
    return replace(settings, **values)


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
        raise BadInput(f"{name} must be a number")
    return float(value)


def _seconds(name: str, value: object) -> float | str:
    if value == "auto":
        return "auto"
    seconds = _number(name, value)
    if not 0 <= seconds <= MAX_SEGMENT_SECONDS:
        raise BadInput(f"the shortest segment must be auto, or 0 to {MAX_SEGMENT_SECONDS:g} seconds")
    return seconds


def _takes(name: str, value: object) -> int:
    takes = _number(name, value)
    if not (takes.is_integer() and 1 <= takes <= MAX_TAKES):
        raise BadInput(f"takes must be 1 to {MAX_TAKES}")
    return int(takes)


def _seed(name: str, value: object) -> int | str:
    if value == "auto":
        return "auto"
    seed = _number(name, value)
    if not (seed.is_integer() and 0 <= seed < 2**32):
        raise BadInput("seed must be auto, or a whole number from 0 to 4294967295")
    return int(seed)


def _style(name: str, value: object) -> str:
    return str(value)  # Settings knows the styles


def _loudness(name: str, value: object) -> float | None:
    return None if value is None else _number(name, value)


def _switch(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise BadInput(f"{name} is on or off")
    return value


def _audio_track(name: str, value: object) -> str:
    if not (isinstance(value, str) and is_audio_track(value)):
        raise BadInput("a sound track is auto, mix or a number from 1")
    return value


def _language(name: str, value: object) -> str | None:
    if value is None or value == "":
        return None
    if not (isinstance(value, str) and re.fullmatch(r"[a-z]{2,3}", value)):
        raise BadInput("a language is a code of two or three letters, such as en or ko")
    return value


def _engine(stage: Stage) -> Callable[[str, object], str]:
    """An engine's name only: a model could be a path on the server."""

    def check(name: str, value: object) -> str:
        known = {"auto", *(spec.name for spec in engines.specs(stage))}
        if value not in known:
            raise BadInput(f"{name} must be one of {', '.join(sorted(known))}")
        return str(value)

    return check


_CHECKS: dict[str, Callable[[str, object], Any]] = {
    "min_segment": _seconds,
    "takes": _takes,
    "seed": _seed,
    "style": _style,
    "lufs": _loudness,
    "duck": _switch,
    "keep_original": _switch,
    "audio_track": _audio_track,
    "language": _language,
    "transcriber": _engine(Stage.TRANSCRIBE),
    "music": _engine(Stage.MUSIC),
}
NAMES = tuple(_CHECKS)
