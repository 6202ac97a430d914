"""Engines: their protocols and catalogue, and how one is chosen ("auto") and explained to the user.

An engine is one implementation of a stage. The catalogue lists each by module and class, so listing engines imports no
heavy library: a module listed here must import in milliseconds, and imports heavy libraries inside its functions.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from bgm.errors import BadInput, EngineUnavailable

if TYPE_CHECKING:  # the stages' types; an engine's own module imports them at run time
    from bgm.music.score import Cue, Made
    from bgm.progress import Progress
    from bgm.speech.words import Recording, Transcript
    from bgm.timeline import Emotion, Utterance
    from bgm.voice.separation import Listen, Separation


class Stage(StrEnum):
    """The stages that have engines, in the order in which they run."""

    SEPARATE = "separate"
    TRANSCRIBE = "transcribe"
    CLASSIFY = "classify"
    MUSIC = "music"


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """Everything that determines whether and how an engine runs. Hashable: equal options share a loaded engine."""

    model: str | None = None
    """Size, hub id or path, as in ``whisper:base``."""
    offline: bool = False
    """Make no network requests."""
    device: str = "auto"
    """auto, cuda, cpu or mps."""
    lora: str | None = None
    """Hub id, file, or ``none``; None is the default LoRA."""
    language: str | None = None
    """ISO 639-1 code of the speech; None: detect it."""
    prompt: str | None = None
    """Names and terms to expect."""
    subtitles: Path | None = None
    """The file to read (the user's or a sidecar), or the video if it has a text track."""


class Engine(Protocol):
    """What every engine has besides its stage's method. An engine's class derives from its stage's protocol below.

    One object serves all users: it keeps no state of a call, and results carry their notes.
    """

    name: ClassVar[str]
    heeds: ClassVar[tuple[str, ...]] = ()
    """The fields of EngineOptions that it reads besides model, offline and device."""

    def __init__(self, options: EngineOptions) -> None: ...

    @classmethod
    def missing(cls, options: EngineOptions) -> str | None:
        """Why it can't run here, in a few words (``weights not reachable``), or None. Answers within 5 s."""

    @classmethod
    def passed_over(cls, options: EngineOptions) -> str | None:
        """Why ``auto`` should skip it although it can run, or None; most engines are never skipped."""
        return None


class Separator(Engine, Protocol):
    """Separates the voice from its background."""

    def separate(self, source: Path, voice: Path, listen: Listen, progress: Progress) -> Separation:
        """Write the voice of ``source`` to ``voice``.

        Both are FLAC, 48 kHz; ``voice`` has the channels of ``source`` and is exactly as long. An exception raised by
        ``progress`` passes through and leaves no file.
        """


class Transcriber(Engine, Protocol):
    """Transcribes speech, with times."""

    def transcribe(self, recording: Recording, progress: Progress) -> Transcript:
        """The speech of ``recording`` in its language and, if the engine can translate, in English."""


class Translator(Transcriber, Protocol):
    """A transcriber that can translate foreign speech."""

    def translate(
        self, recording: Recording, utterances: Sequence[Utterance], progress: Progress
    ) -> tuple[Utterance, ...]:
        """``utterances`` with the English of what is said at their times; a line without speech stays without."""


class Classifier(Engine, Protocol):
    """Classifies the emotion of text."""

    def classify(self, texts: Sequence[str], progress: Progress) -> list[dict[Emotion, float]]:
        """The probability of each emotion for each of ``texts`` (English), in order."""


class Composer(Engine, Protocol):
    """Composes music."""

    revision: ClassVar[str]
    """Changed whenever the same cue would sound different."""
    reads_sentences: ClassVar[bool] = False
    """Whether it takes the creator's whole sentences; others act on the words that bgm.music.direction understands."""
    is_quick: ClassVar[bool] = False
    """Whether it is fast enough to recompose right after an edit."""
    paints: ClassVar[bool] = False
    """Its diffusion can run on a GPU elsewhere (bgm.painter, or the painters of a Ray cluster)."""

    @classmethod
    def fingerprint(cls, options: EngineOptions) -> str:
        """What determines how a cue sounds besides the cue and the options: part of a take's id."""
        return cls.revision

    def compose(self, cues: Sequence[Cue], targets: Sequence[Path], progress: Progress) -> Iterator[Made]:
        """Write cue ``i`` to ``targets[i]``: FLAC, 48 kHz, stereo, 24 bit, exactly ``cue.frames`` long. Each is yielded
        when its file is complete, in any order."""


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

    def load_class(self) -> Any:
        module, _, name = self.target.partition(":")
        loaded: type[Any] = getattr(importlib.import_module(module), name)
        return loaded


CATALOGUE: tuple[EngineSpec, ...] = (
    EngineSpec(Stage.SEPARATE, "spleeter", "bgm.voice.spleeter:Spleeter", "vocals by Spleeter 2stems", pretrained=True),
    EngineSpec(Stage.SEPARATE, "original", "bgm.voice.separation:Original", "the sound as it is"),
    EngineSpec(Stage.TRANSCRIBE, "subtitles", "bgm.speech.subtitles:Subtitles", "a subtitle file or text track"),
    EngineSpec(Stage.TRANSCRIBE, "whisper", "bgm.speech.whisper:Whisper", "openai-whisper, on a GPU", pretrained=True),
    EngineSpec(
        Stage.TRANSCRIBE,
        "faster-whisper",
        "bgm.speech.whisper:FasterWhisper",
        "on a processor",
        pretrained=True,
    ),
    # Ours first: they are trained and measured on speech, the published one on other text.
    EngineSpec(Stage.CLASSIFY, "mpnet", "bgm.emotion.finetuned:MPNet", "ours, on a larger network", pretrained=True),
    EngineSpec(Stage.CLASSIFY, "minilm", "bgm.emotion.finetuned:MiniLM", "ours, trained on spoken sentences"),
    EngineSpec(
        Stage.CLASSIFY, "distilroberta", "bgm.emotion.distilroberta:DistilRoberta", "j-hartmann's", pretrained=True
    ),
    EngineSpec(Stage.CLASSIFY, "words", "bgm.emotion.words:Words", "which words occur; where nothing else can run"),
    EngineSpec(
        Stage.MUSIC, "riffusion", "bgm.music.riffusion.engine:Riffusion", "diffusion on spectrograms", pretrained=True
    ),
    EngineSpec(Stage.MUSIC, "embedded", "bgm.music.embedded:EmbeddedComposer", "a composer and a soundfont"),
)

_EMBEDDED = {Stage.SEPARATE: "spleeter", Stage.TRANSCRIBE: "faster-whisper", Stage.CLASSIFY: "minilm"}
"""What the name ``embedded`` stands for in stages whose embedded engine has another name."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The engine that a stage will use, and why, in words for the user."""

    stage: Stage
    name: str
    reason: str
    options: EngineOptions
    """Those that the engine reads; the others have their defaults, so that they can't make its results stale."""

    @classmethod
    def of(cls, listed: EngineSpec, reason: str, options: EngineOptions) -> Choice:
        """The choice of an engine from the catalogue."""
        # What an engine does not read must not be in its options: they are a part of the key under which it is loaded,
        # and of the digest of what it made.
        own = ("model", "offline", "device", *listed.load_class().heeds)
        heeded = EngineOptions(**{name: getattr(options, name) for name in own})
        return cls(listed.stage, listed.name, reason, heeded)

    @property
    def label(self) -> str:
        """``whisper:base``, or just the name."""
        return f"{self.name}:{self.options.model}" if self.options.model else self.name


def specs(stage: Stage) -> tuple[EngineSpec, ...]:
    """The engines of one stage, the preferred one first."""
    return tuple(listed for listed in CATALOGUE if listed.stage == stage)


def choose(stage: Stage, wanted: str = "auto", options: EngineOptions | None = None) -> Choice:
    """Choose an engine: ``auto`` is the first that can run here; a named one must be able to run.

    ``wanted`` is ``auto`` or ``NAME[:MODEL]``. Raises BadInput for an unknown name and EngineUnavailable, saying what
    to do, if the named engine can't run here.
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
    reason = "named by the user" if name == named.name else f"{name} means {named.name} here"
    return Choice.of(named, reason, options)


def composer_class(name: str) -> type[Composer]:
    """The class of a composer by ``NAME[:MODEL]``. Raises BadInput for an unknown name."""
    found: type[Composer] = spec(Stage.MUSIC, name.partition(":")[0]).load_class()
    return found


def survey(options: EngineOptions) -> list[dict[str, Any]]:
    """Every engine, whether it can run here and, if not, why: for the page and ``python -m bgm engines``."""
    found = []
    for listed in CATALOGUE:
        missing = listed.load_class().missing(options)
        line = {"stage": str(listed.stage), "name": listed.name, "summary": listed.summary}
        found.append({**line, "pretrained": listed.pretrained, "available": missing is None, "reason": missing or ""})
    return found


def separator(choice: Choice) -> Separator:
    """The chosen engine, loaded once per process for equal options and shared by all users."""
    return _shared(choice)


def transcriber(choice: Choice) -> Transcriber:
    """Like :func:`separator`."""
    return _shared(choice)


def translator(choice: Choice) -> Translator:
    """Like :func:`separator`."""
    return _shared(choice)


def classifier(choice: Choice) -> Classifier:
    """Like :func:`separator`."""
    return _shared(choice)


def composer(choice: Choice) -> Composer:
    """Like :func:`separator`."""
    return _shared(choice)


def _shared(choice: Choice) -> Any:
    # Who comes while it is loaded waits for that, instead of loading it too.
    with _loading.setdefault((choice.stage, choice.name), threading.Lock()):
        return _load(choice.stage, choice.name, choice.options)


_loading: dict[tuple[Stage, str], threading.Lock] = {}


@lru_cache(maxsize=8)
def _load(stage: Stage, name: str, options: EngineOptions) -> Any:
    return spec(stage, name).load_class()(options)


def spec(stage: Stage, name: str) -> EngineSpec:
    """The engine of that name. Raises BadInput, listing the known names, if there is none."""
    # "embedded" names what works everywhere, whatever the stage calls it: one word for a whole offline project.
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
        missing = engine.passed_over(options) or engine.missing(options)
        if missing is None:
            return Choice.of(candidate, " → ".join([*passed, candidate.name]) if passed else "first choice", options)
        passed.append(f"{candidate.name}: {missing}")
    raise EngineUnavailable(f"no engine for {stage} can run here ({'; '.join(passed)})")
