"""Speech recognition and translation into English by openai-whisper (MIT; Radford et al. 2022)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import ClassVar

from bgm.device import free_gpu_bytes, pick, why_no_device
from bgm.engines import EngineOptions
from bgm.errors import BadInput
from bgm.media.container import paced
from bgm.progress import Progress, part, silent
from bgm.speech import stretches
from bgm.speech import whisper_weights as weights
from bgm.speech.recording import Recording, Spans, Transcript
from bgm.speech.utterances import Timed, group, heard, join, lay_out
from bgm.speech.whisper_model import Model, load
from bgm.timeline import Utterance

GPU_GB = {"large-v3": 10, "medium": 5, "small": 2, "base": 1, "tiny": 1}
"""GPU memory of the multilingual sizes, best first (openai-whisper's README)."""
SHOWN = ("tiny", "base", "small", "medium", "large-v3", "turbo")
MANY_PROCESSORS = 8
"""From so many on, ``small`` keeps up with the clock; below it ``base`` does."""

WIDEST_GAP_S = 1.5
"""Speech with more than this between is decoded apart: Whisper invents words over silence and music."""
PAUSE_S = 0.5
LANGUAGE_SAMPLES = 3
"""How many of the longest stretches tell the language: the first one alone may be a greeting or a song."""


class Whisper:
    """Engine of the transcribe stage. ``options.prompt`` is text with the names of what will be said."""

    name: ClassVar[str] = "whisper"

    def __init__(self, options: EngineOptions) -> None:
        self._options = options
        self._prompt = options.prompt

    @classmethod
    def missing(cls, options: EngineOptions) -> str | None:
        if not weights.addresses():
            return "the package openai-whisper is not installed"
        no_device = why_no_device(options.device)
        if no_device:
            return no_device
        if options.model is None:
            cached = any(weights.is_cached(size) for size in GPU_GB)
            return None if cached else weights.why_missing("base", options.offline)
        if options.model.endswith(".pt"):
            return None if Path(options.model).expanduser().is_file() else f"there is no file {options.model}"
        if options.model not in weights.addresses():
            return f"there is no model {options.model!r}; choose {', '.join(SHOWN)} or a file ending in .pt"
        return weights.why_missing(options.model, options.offline)

    def transcribe(self, recording: Recording, progress: Progress = silent) -> Transcript:
        """Raises BadInput for a checkpoint, device or language that isn't one, BgmError when memory is short."""
        if recording.audio is None or not recording.speech:
            return Transcript("und", (), ("No speech was heard.",))
        progress = paced(progress)  # the model reports every layer of every token
        model = self._model(part(progress, 0.0, 0.1))
        listening = part(progress, 0.1, 0.6)
        pieces = stretches.together(recording.speech, WIDEST_GAP_S)
        language = self._language(model, recording.audio, pieces, listening)
        words = list(self._words(model, recording.audio, pieces, language, listening))
        believed = [word for word in words if heard(word, recording.speech)]
        utterances = lay_out(_utterances(believed), recording.duration)
        dropped = len(words) - len(believed)
        notes = (f"{dropped} unlikely words where nobody spoke were dropped.",) if dropped else ()
        transcript = Transcript(language, utterances, notes)
        return self._in_english(transcript, model, recording.audio, part(progress, 0.6, 1.0))

    def _model(self, progress: Progress) -> Model:
        device = _device(self._options.device)
        name = self._options.model or _best_size(device, self._options.offline)
        return load(name, device, self._options.offline, progress)

    def _language(self, model: Model, audio: Path, pieces: Spans, progress: Progress) -> str:
        named = self._options.language
        if named is None or not model.is_multilingual:
            longest = sorted(pieces, key=lambda piece: piece[0] - piece[1])[:LANGUAGE_SAMPLES]
            waves = [stretches.wave(audio, start, end) for start, end in longest]
            return model.language(waves, partial(progress, 0.0, "hearing which language it is"))
        from whisper.tokenizer import LANGUAGES

        if named not in LANGUAGES:
            raise BadInput(f"Whisper doesn't know the language {named!r}: give a code such as en, ko or es")
        return named

    def _words(self, model: Model, audio: Path, pieces: Spans, language: str, progress: Progress) -> Iterator[Timed]:
        total, done = sum(end - start for start, end in pieces), 0.0
        for start, end in pieces:
            tick = partial(progress, done / total, f"recognising speech at {start:.0f} s ({language})")
            for segment in model.hear(stretches.wave(audio, start, end), language, tick, self._prompt):
                yield from _timed(segment["words"], start, end)
            done += end - start
        progress(1.0, "speech recognised")

    def _in_english(self, transcript: Transcript, model: Model, audio: Path, progress: Progress) -> Transcript:
        if transcript.language == "en":
            utterances = tuple(replace(u, english=u.text) for u in transcript.utterances)
            progress(1.0, f"{len(utterances)} phrases")
            return replace(transcript, utterances=utterances)
        translator = model if model.can_translate else self._translator(model.device, part(progress, 0.0, 0.1))
        if translator is None:
            note = f"Whisper {model.name} can't translate, and no size that can is to be had: there is no English text."
            return replace(transcript, notes=(*transcript.notes, note))
        notes = (f"Whisper {model.name} can't translate; {translator.name} did.",) if translator is not model else ()
        translated = tuple(_translated(translator, transcript, audio, part(progress, 0.1, 1.0)))
        return replace(transcript, utterances=translated, notes=(*transcript.notes, *notes))

    def _translator(self, device: str, progress: Progress) -> Model | None:
        """A size that can translate, where the chosen one can't: a cached one, else small."""
        cached = [size for size in GPU_GB if weights.is_cached(size)]
        size = cached[0] if cached else "small"
        if weights.why_missing(size, self._options.offline):
            return None
        return load(size, device, self._options.offline, progress)


def _timed(words: list[dict[str, float | str]], start: float, end: float) -> Iterator[Timed]:
    """Whisper's words, at the time of the recording; none may lie beyond its stretch."""
    for word in words:
        first, last = min(start + float(word["start"]), end), min(start + float(word["end"]), end)
        yield Timed(first, last, str(word["word"]), float(word["probability"]))


def _utterances(words: list[Timed]) -> Iterator[Utterance]:
    for phrase in group(words, PAUSE_S):
        yield Utterance(phrase[0].start, phrase[-1].end, join(phrase))


def _translated(model: Model, transcript: Transcript, audio: Path, progress: Progress) -> Iterator[Utterance]:
    """Each utterance by itself, so that its English is its own: a translation's word times are not to be trusted."""
    count = len(transcript.utterances)
    for i, utterance in enumerate(transcript.utterances):
        tick = partial(progress, i / count, f"translating phrase {i + 1} of {count}")
        english = model.translate(stretches.wave(audio, utterance.start, utterance.end), transcript.language, tick)
        yield replace(utterance, english=english)
    progress(1.0, f"{count} phrases")


def _device(wanted: str) -> str:
    """Where to compute. Apple's GPU lacks the double precision that word times need: the processor does it."""
    chosen = pick(wanted)
    return "cpu" if chosen == "mps" else chosen


def _best_size(device: str, offline: bool) -> str:
    """The best size for the device that can be had, else the nearest smaller one, else whichever is cached."""
    sizes = list(GPU_GB)
    fitting = sizes[sizes.index(_ideal_size(device)) :]
    to_be_had = (size for size in fitting if weights.why_missing(size, offline) is None)
    cached = (size for size in reversed(sizes) if weights.is_cached(size))
    return next(to_be_had, None) or next(cached, "base")


def _ideal_size(device: str) -> str:
    if device == "cuda":
        free_gb = free_gpu_bytes() / 1e9
        return next((size for size, needed in GPU_GB.items() if needed <= free_gb), "tiny")
    return "small" if (os.cpu_count() or 1) >= MANY_PROCESSORS else "base"
