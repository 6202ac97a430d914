"""What the engines on Whisper share as engines: the model that suits a machine, and a whole recording heard with it."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar

from bgm import weights
from bgm.device import free_gpu_bytes, why_no_device
from bgm.engines import EngineOptions, Translator
from bgm.progress import Progress, Tick, attended, part, silent
from bgm.speech.hearing import Ear, Model, Spoken, main_language, notes, phrased
from bgm.speech.language import UNKNOWN
from bgm.speech.words import Recording, Timed, Transcript, lay_out
from bgm.timeline import Utterance

GPU_GB = {"large-v3": 10, "medium": 5, "small": 2, "base": 1, "tiny": 1}
"""GPU memory of the multilingual sizes, best first (openai-whisper's README)."""
MANY_PROCESSORS = 8
"""From this many CPUs on, ``small`` runs in real time; with fewer ``base`` does."""


def best(engine: str, device: str, offline: bool) -> str:
    """The size that ``engine`` uses if none is named.

    On a GPU the best available one that fits. On a CPU the best real-time size on this machine, else any available one:
    a packaged base at once is better than half a gigabyte to download, and a larger size is slow enough that the user
    should ask for it.
    """
    sizes = list(GPU_GB)
    fitting = sizes[sizes.index(_largest(device)) :]
    here = next((size for size in fitting if _is_here(engine, size)), None)
    if device != "cuda" and here:
        return here
    reachable = (size for size in fitting if weights.why_no_model(engine, size, offline=offline) is None)
    any_here = (size for size in reversed(sizes) if _is_here(engine, size))
    return next(reachable, None) or next(any_here, "base")


def why_none(engine: str, offline: bool) -> str | None:
    """Why no size is available, in a few words, or None."""
    if any(_is_here(engine, size) for size in GPU_GB):
        return None
    return weights.why_no_model(engine, "base", offline=offline)


def translators(engine: str, offline: bool) -> Iterator[str]:
    """Available sizes that translate: those on this machine, best first, then small."""
    here = [size for size in GPU_GB if _is_here(engine, size)]
    yield from here or [size for size in ("small",) if weights.why_no_model(engine, size, offline=offline) is None]


def _is_here(engine: str, size: str) -> bool:
    return weights.find(weights.card_for(engine, size)) is not None


def _largest(device: str) -> str:
    if device == "cuda":
        free_gb = free_gpu_bytes() / 1e9
        return next((size for size, needed in GPU_GB.items() if needed <= free_gb), "tiny")
    return "small" if (os.cpu_count() or 1) >= MANY_PROCESSORS else "base"


class Recogniser(Translator, ABC):
    """An engine of the transcribe stage: finds, loads and runs a Whisper.

    ``options.prompt`` is text with names to expect, ``options.language`` the language of all the speech.
    """

    heeds: ClassVar[tuple[str, ...]] = ("language", "prompt")

    def __init__(self, options: EngineOptions) -> None:
        self._options = options

    @classmethod
    def missing(cls, options: EngineOptions) -> str | None:
        no_device = why_no_device(options.device)
        if no_device or options.model:
            return no_device or weights.why_no_model(cls.name, options.model, offline=options.offline)
        return why_none(cls.name, options.offline)

    @abstractmethod
    def _device(self) -> str:
        """``cuda`` or ``cpu``."""

    @abstractmethod
    def _load(self, path: Path, title: str, place: str) -> Model:
        """The model of these weights, loaded once per process. Raises BadInput if they are invalid."""

    def size(self) -> str:
        """The model that it will use: the named one, else the size that suits this machine."""
        return self._options.model or best(self.name, self._device(), self._options.offline)

    def transcribe(self, recording: Recording, progress: Progress = silent) -> Transcript:
        """Phrases in their language, with English translations.

        Raises BadInput for unusable weights, device or language, BgmError when out of memory.
        """
        if recording.audio is None or not recording.speech:
            return Transcript(UNKNOWN, (), ("No speech was heard.",))
        ear = self._ear(recording.audio, part(progress, 0.0, 0.1))
        phrases: list[Utterance] = []
        words: list[Timed] = []
        found: list[Spoken] = []
        invented = 0
        for spoken, tick in ear.listen(recording.speech, part(progress, 0.1, 1.0)):
            believed, dropped = ear.words(spoken, recording.speech, tick)
            said = phrased(believed, spoken)
            phrases += ear.in_english(said, spoken, tick)
            words += believed
            invented += dropped
            found += [spoken] if said else []
            recording.told(lay_out(phrases, recording.duration))
        utterances = lay_out(phrases, recording.duration)
        progress(1.0, f"{len(utterances)} phrases")
        return Transcript(main_language(found), utterances, tuple(notes(found, invented)), tuple(words))

    def translate(
        self, recording: Recording, utterances: Sequence[Utterance], progress: Progress = silent
    ) -> tuple[Utterance, ...]:
        """Foreign subtitles with the English translation of the speech at their times.

        The spoken language may differ from the subtitles': it is detected from the audio. A line without detected
        speech gets no translation. Raises like :meth:`transcribe`.
        """
        foreign = [u for u in utterances if not u.english]
        audible = [u for u in foreign if any(start < u.end and u.start < end for start, end in recording.speech)]
        if recording.audio is None or not audible:
            return tuple(utterances)
        ear = self._ear(recording.audio, part(progress, 0.0, 0.1))
        english: dict[float, Utterance] = {}
        for spoken, tick in ear.listen(tuple((u.start, u.end) for u in audible), part(progress, 0.1, 1.0)):
            inside = [u for u in audible if spoken.start <= (u.start + u.end) / 2 < spoken.end]
            english |= {u.start: u for u in ear.retold(inside, spoken, recording.speech, tick)}
        progress(1.0, f"{len(english)} phrases")
        return tuple(english.get(u.start, u) for u in utterances)

    def _ear(self, audio: Path, progress: Progress) -> Ear:
        return Ear(self._model(self.size(), progress), self._translator, audio, self._options)

    def _model(self, size: str, progress: Progress) -> Model:
        card = weights.card_for(self.name, size)
        path = weights.provide(card, offline=self._options.offline, progress=progress)
        tick = partial(progress, 1.0, f"loading {card.title}")
        return attended(lambda _: self._load(path, card.title, self._device()), tick)

    def _translator(self, tick: Tick) -> Model | None:
        """A model of another size, if this one can't translate (turbo)."""
        names = translators(self.name, self._options.offline)
        return next((self._model(name, lambda fraction, note="": tick()) for name in names), None)
