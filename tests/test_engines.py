"""How an engine is chosen, and what the user is told."""

from __future__ import annotations

from typing import ClassVar

import pytest

from bgm import engines
from bgm.engines import EngineOptions, EngineSpec, Stage
from bgm.errors import BadInput, EngineUnavailable


class Absent:
    name: ClassVar[str] = "absent"

    def __init__(self, options: EngineOptions) -> None: ...

    @classmethod
    def missing(cls, options: EngineOptions) -> str | None:
        return None if options.model == "here" else "weights not reachable"


class Present(Absent):
    @classmethod
    def missing(cls, options: EngineOptions) -> str | None:
        return None


@pytest.fixture(autouse=True)
def catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = (
        EngineSpec(Stage.MUSIC, "named-only", f"{__name__}:Present", "", auto=False),
        EngineSpec(Stage.MUSIC, "absent", f"{__name__}:Absent", "", pretrained=True),
        EngineSpec(Stage.MUSIC, "embedded", f"{__name__}:Present", ""),
    )
    monkeypatch.setattr(engines, "CATALOGUE", listed)


def test_auto_takes_the_first_that_runs_and_says_why() -> None:
    choice = engines.choose(Stage.MUSIC)
    assert choice.name == "embedded"
    assert choice.reason == "absent: weights not reachable → embedded"


def test_a_named_engine_that_cannot_run_is_an_error_never_a_swap() -> None:
    with pytest.raises(EngineUnavailable, match="absent can't run here: weights not reachable"):
        engines.choose(Stage.MUSIC, "absent")


def test_a_model_belongs_to_the_name() -> None:
    choice = engines.choose(Stage.MUSIC, "absent:here")
    assert (choice.label, choice.options.model) == ("absent:here", "here")


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(BadInput, match="choose auto, named-only, absent, embedded"):
        engines.choose(Stage.MUSIC, "jukebox")


def test_the_survey_says_what_is_missing() -> None:
    found = {line["name"]: line for line in engines.survey(EngineOptions())}
    assert found["absent"]["available"] is False
    assert found["absent"]["reason"] == "weights not reachable"
    assert found["embedded"]["available"] is True


def test_one_loaded_engine_is_shared() -> None:
    assert engines.load(engines.choose(Stage.MUSIC)) is engines.load(engines.choose(Stage.MUSIC))
