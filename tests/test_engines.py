"""How an engine is chosen, and what the user is told."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import pytest

from bgm import engines
from bgm.engines import Choice, Engine, EngineOptions, EngineSpec, Stage
from bgm.errors import BadInput, EngineUnavailable


class Absent(Engine):
    name: ClassVar[str] = "absent"
    heeds: ClassVar[tuple[str, ...]] = ("lora",)

    @classmethod
    def missing(cls, options: EngineOptions) -> str | None:
        return None if options.model == "here" else "weights not reachable"


class Present(Engine):
    name: ClassVar[str] = "present"

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


def test_an_engine_has_only_the_options_that_it_heeds() -> None:
    """Another LoRA is nothing to the composer: its takes stay what they are."""
    options = EngineOptions(model="here", lora="someone/else", language="ko")
    assert engines.choose(Stage.MUSIC, "absent:here", options).options == EngineOptions("here", lora="someone/else")
    assert engines.choose(Stage.MUSIC, "embedded", options).options == EngineOptions()


def test_what_embedded_means_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = (EngineSpec(Stage.SEPARATE, "spleeter", f"{__name__}:Present", ""),)
    monkeypatch.setattr(engines, "CATALOGUE", listed)
    choice = engines.choose(Stage.SEPARATE, "embedded")
    assert (choice.name, choice.reason) == ("spleeter", "embedded means spleeter here")


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(BadInput, match="choose auto, named-only, absent, embedded"):
        engines.choose(Stage.MUSIC, "jukebox")


def test_the_survey_says_what_is_missing() -> None:
    found = {line["name"]: line for line in engines.survey(EngineOptions())}
    assert found["absent"]["available"] is False
    assert found["absent"]["reason"] == "weights not reachable"
    assert found["embedded"]["available"] is True


def test_one_loaded_engine_is_shared() -> None:
    assert engines.composer(engines.choose(Stage.MUSIC)) is engines.composer(engines.choose(Stage.MUSIC))


def test_who_comes_while_an_engine_is_loaded_waits_for_that(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Semaphore(0), threading.Event()

    class Slow(Present):
        def __init__(self, options: EngineOptions) -> None:
            begun.release()
            go_on.wait(10)

    monkeypatch.setattr(EngineSpec, "load_class", lambda self: Slow)
    choice = Choice(Stage.MUSIC, "embedded", "", EngineOptions(model="slow"))
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(engines.classifier, choice) for _ in range(2)]
        assert begun.acquire(timeout=60)
        assert not begun.acquire(timeout=0.1), "it is loaded a second time"
        go_on.set()
    assert both[0].result() is both[1].result()
