"""How an engine is named, found, chosen ("auto") and explained to the user.

An engine is one implementation of a stage. The catalogue names each by the module and class that hold it, so listing
engines imports no heavy library; a module listed here must import in milliseconds and do the heavy imports inside.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Protocol

from bgm.errors import BadInput, EngineUnavailable


class Stage(StrEnum):
    """The four stages that have engines, in the order in which they run."""

    SEPARATE = "separate"
    TRANSCRIBE = "transcribe"
    CLASSIFY = "classify"
    MUSIC = "music"


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """All that may decide whether and how an engine runs. Hashable: a loaded engine is shared by equal options."""

    model: str | None = None
    """Size, hub id or path, as in ``whisper:base``."""
    offline: bool = False
    """Make no network call at all."""
    device: str = "auto"
    """auto, cuda, cpu or mps."""
    lora: str | None = None
    """riffusion only: hub id, file, or ``none``; None is the default LoRA."""
    language: str | None = None
    """transcribe only: ISO 639-1 code of the speech, None to detect it."""
    prompt: str | None = None
    """whisper only: names and words to expect."""
    subtitles: Path | None = None
    """subtitles only: the file to read (the user's or a sidecar), or the video that carries a text track."""


class Engine(Protocol):
    """What every engine class has, beside its stage's own method."""

    name: ClassVar[str]

    def __init__(self, options: EngineOptions) -> None: ...

    @classmethod
    def missing(cls, options: EngineOptions) -> str | None:
        """Why it can't run here, in a few words (``weights not reachable``), or None. Answers within 5 s.

        Beside it an engine may have ``passed_over(options)``: why ``auto`` shall go on to the next although it can run.
        """


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """A line of the catalogue."""

    stage: Stage
    name: str
    target: str
    """``module:Class``"""
    summary: str
    pretrained: bool = False
    auto: bool = True
    """False: only used when named."""

    def load_class(self) -> type[Any]:
        module, _, name = self.target.partition(":")
        loaded: type[Any] = getattr(importlib.import_module(module), name)
        return loaded


CATALOGUE: tuple[EngineSpec, ...] = (
    EngineSpec(Stage.SEPARATE, "spleeter", "bgm.voice.spleeter:Spleeter", "vocals by Spleeter 2stems", pretrained=True),
    EngineSpec(Stage.SEPARATE, "original", "bgm.voice.original:Original", "the sound as it is"),
    EngineSpec(Stage.TRANSCRIBE, "subtitles", "bgm.speech.subtitles:Subtitles", "a subtitle file or text track"),
    EngineSpec(Stage.TRANSCRIBE, "whisper", "bgm.speech.whisper:Whisper", "openai-whisper, on a GPU", pretrained=True),
    EngineSpec(
        Stage.TRANSCRIBE,
        "faster-whisper",
        "bgm.speech.faster_whisper:FasterWhisper",
        "on a processor",
        pretrained=True,
    ),
    # Ours before the published one: it is trained on speech and measured on it, which can't be said of the other yet.
    EngineSpec(Stage.CLASSIFY, "minilm", "bgm.emotion.minilm:MiniLM", "ours, trained on spoken sentences"),
    EngineSpec(
        Stage.CLASSIFY, "distilroberta", "bgm.emotion.distilroberta:DistilRoberta", "j-hartmann's", pretrained=True
    ),
    EngineSpec(Stage.CLASSIFY, "words", "bgm.emotion.words:Words", "which words occur; where nothing else can run"),
    EngineSpec(Stage.MUSIC, "riffusion", "bgm.music.riffusion:Riffusion", "diffusion on spectrograms", pretrained=True),
    EngineSpec(Stage.MUSIC, "embedded", "bgm.music.embedded:EmbeddedComposer", "a composer and a soundfont"),
)

_EMBEDDED = {Stage.SEPARATE: "spleeter", Stage.TRANSCRIBE: "faster-whisper", Stage.CLASSIFY: "minilm"}
"""What the name ``embedded`` means where the embedded engine has a name of its own."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The engine that a stage will use, and why, in words for the user."""

    stage: Stage
    name: str
    reason: str
    options: EngineOptions

    @property
    def label(self) -> str:
        """``whisper:base``, or just the name."""
        return f"{self.name}:{self.options.model}" if self.options.model else self.name


def specs(stage: Stage) -> tuple[EngineSpec, ...]:
    """The engines of one stage, the preferred one first."""
    return tuple(listed for listed in CATALOGUE if listed.stage == stage)


def choose(stage: Stage, wanted: str = "auto", options: EngineOptions | None = None) -> Choice:
    """Choose an engine: ``auto`` takes the first that can run here, a named one must be able to.

    ``wanted`` is ``auto`` or ``NAME[:MODEL]``. Raises BadInput for an unknown name and EngineUnavailable, saying what
    to do, when the named engine can't run here.
    """
    options = options or EngineOptions()
    if wanted == "auto":
        return _first_that_runs(stage, options)
    name, _, model = wanted.partition(":")
    named = spec(stage, name)
    options = replace(options, model=model or None)
    missing = named.load_class().missing(options)
    if missing:
        raise EngineUnavailable(f"{stage}: {named.name} can't run here: {missing}")
    return Choice(stage, named.name, "named by the user", options)


def survey(options: EngineOptions) -> list[dict[str, Any]]:
    """Every engine with whether it can run here and, if not, why: for the page and for ``python -m bgm engines``."""
    found = []
    for listed in CATALOGUE:
        missing = listed.load_class().missing(options)
        line = {"stage": str(listed.stage), "name": listed.name, "summary": listed.summary}
        found.append({**line, "pretrained": listed.pretrained, "available": missing is None, "reason": missing or ""})
    return found


def load(choice: Choice) -> Any:
    """The engine itself, loaded once per process for equal options and shared by all who ask."""
    return _load(choice.stage, choice.name, choice.options)


@lru_cache(maxsize=8)
def _load(stage: Stage, name: str, options: EngineOptions) -> Any:
    return spec(stage, name).load_class()(options)


def spec(stage: Stage, name: str) -> EngineSpec:
    """The engine of that name; BadInput, with the known names, when there is none."""
    wanted = _EMBEDDED.get(stage, name) if name == "embedded" else name
    for listed in specs(stage):
        if listed.name == wanted:
            return listed
    known = ", ".join(listed.name for listed in specs(stage))
    raise BadInput(f"{stage}: there is no engine {name!r}; choose auto, {known}")


def _first_that_runs(stage: Stage, options: EngineOptions) -> Choice:
    passed: list[str] = []
    for candidate in specs(stage):
        if not candidate.auto:
            continue
        engine = candidate.load_class()
        missing = getattr(engine, "passed_over", _welcome)(options) or engine.missing(options)
        if missing is None:
            return Choice(stage, candidate.name, _reason(passed, candidate), options)
        passed.append(f"{candidate.name}: {missing}")
    raise EngineUnavailable(f"no engine for {stage} can run here ({'; '.join(passed)})")


def _welcome(options: EngineOptions) -> None:
    """Most engines are never passed over."""


def _reason(passed: Sequence[str], chosen: EngineSpec) -> str:
    return " → ".join([*passed, chosen.name]) if passed else "first choice"
