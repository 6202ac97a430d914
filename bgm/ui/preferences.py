"""The settings that the page lets a user change, and what its controls offer: all from the cards of bgm.settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bgm import engines
from bgm.engines import Stage
from bgm.errors import BadInput
from bgm.settings import AUTO, SETTINGS, Setting, Settings
from bgm.timeline import BOUNDED, CARDS

NAMES = tuple(name for name, setting in SETTINGS.items() if setting.card.on_page)


def changed(settings: Settings, changes: Mapping[str, object]) -> Settings:
    """``settings`` with the changes. Raises BadInput, in one sentence, for an unknown name or an impossible value."""
    unknown = set(changes) - set(NAMES)
    if unknown:
        raise BadInput(f"there is no setting {', '.join(sorted(unknown))}")
    return replace(settings, **{name: _checked(SETTINGS[name], value) for name, value in changes.items()})


def controls() -> dict[str, dict[str, Any]]:
    """What the page's controls offer, by setting (and by the segment's field): ``choices``, ``min`` and
    ``max``, or a text's ``longest``."""
    offered: dict[str, dict[str, Any]] = {}
    for name in NAMES:
        card = SETTINGS[name].card
        bounds = card.page_bounds or card.bounds
        if card.engine or (card.words and not bounds):
            offered[name] = {"choices": _choices(SETTINGS[name])}
        elif bounds:
            offered[name] = {"min": bounds[0], "max": bounds[1]}
        elif card.longest:
            offered[name] = {"longest": card.longest}
    of_segments = {name: known.get("page_bounds", known["bounds"]) for name, known in BOUNDED.items()}
    numbers = {name: {"min": low, "max": high} for name, (low, high) in of_segments.items()}
    texts = {name: {"longest": known["longest"]} for name, known in CARDS.items() if "longest" in known}
    return {**offered, "segment": numbers | texts}


def _checked(setting: Setting, value: object) -> Any:
    """An engine by its name only: a model could be a path on the server."""
    if setting.card.engine and value not in _choices(setting):
        raise BadInput(f"{setting.flag} must be one of {', '.join(_choices(setting))}")
    return setting.from_page(value)


def _choices(setting: Setting) -> list[str]:
    card = setting.card
    return [AUTO, *(spec.name for spec in engines.specs(Stage(card.engine)))] if card.engine else list(card.words)
