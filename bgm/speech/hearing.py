"""From a recording to phrases with English translations: what the engines on Whisper share.

1. Choose the size of the model that suits the machine, where none is named.
2. Pack the speech regions into stretches of at most 30 s, the window of Whisper.
3. Detect the language of each stretch, with a prior from the stretches around it: a video may switch languages.
4. Drop hallucinated words, group the others into phrases.
5. Translate a foreign stretch as a whole, and align the translation with its phrases by time.
"""

from __future__ import annotations

import itertools
import math
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import ClassVar, Protocol, TypeVar

from bgm import weights
from bgm.device import free_gpu_bytes, why_no_device
from bgm.engines import EngineOptions, Translator
from bgm.progress import Progress, Tick, attended, part, side_by_side, silent
from bgm.speech import language
from bgm.speech.activity import Mono, together, wave, widened
from bgm.speech.language import ENGLISH, UNKNOWN, Spoken, main_language, notes
from bgm.speech.words import (
    Recording,
    Span,
    Spans,
    Timed,
    Transcript,
    evenly,
    group,
    heard,
    inside,
    join,
    lay,
    lay_out,
    reads_as_english,
)
from bgm.timeline import Utterance

T = TypeVar("T")

WIDEST_GAP_S = 1.5
"""Speech separated by more than this is decoded separately: Whisper hallucinates words over silence and music."""
MARGIN_S = 0.2
"""Context taken from the pauses around speech: a word whose first sound is cut off is lost or misheard."""
PAUSE_S = 0.5
REPETITIVE = 2.4
"""Whisper's own threshold for the gzip ratio, above which it retries."""
LEAST_LOGPROB = -1.5
"""A passage whose tokens have a lower mean log probability is a guess; at -1 Whisper retries."""
TEMPERATURES = (0.0, 0.4, 0.8)
"""Attempts per window; half of Whisper's own, because what fails them all is dropped here, not kept."""
BEAM = 5
"""With a beam of one, Whisper drops words at pauses (``python -m benchmarks.wer``)."""

SAMPLES = 5
"""Stretches spread over the recording whose language is detected before the first is decoded."""
CLEAR = 0.9
"""Below this a stretch may contain two languages."""
FOREIGN = 0.02
"""Prior weight of a language not heard in the samples, relative to 1 for the likeliest."""
SHORTEST_TURN_S = 3.0
"""Less speech than this doesn't suffice to detect a language."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A model's output for a piece of audio, in seconds from its start; ``words`` only if requested."""

    start: float
    end: float
    text: str
    words: tuple[Timed, ...]
    logprob: float
    """Mean over its tokens, natural logarithm."""
    repetition: float
    """Size of the text over its size when compressed by zlib."""

    @property
    def is_credible(self) -> bool:
        return self.repetition <= REPETITIVE and self.logprob >= LEAST_LOGPROB


class Model(Protocol):
    """A loaded Whisper that several users share; audio of at most 30 s.

    ``check`` is called now and then and raises when the caller no longer waits for the answer.
    """

    @property
    def at_once(self) -> int:
        """How many calls it answers at a time; further ones wait."""

    @property
    def languages(self) -> frozenset[str]:
        """Codes of the languages that it recognises; only English for an English model."""

    @property
    def translates(self) -> bool: ...

    def detect(self, wave: Mono, check: Tick) -> Mapping[str, float]:
        """The probability of each language."""

    def hear(self, wave: Mono, language: str, prompt: str | None, check: Tick) -> list[Passage]:
        """Transcribe, with word timestamps."""

    def translate(self, wave: Mono, language: str, check: Tick) -> list[Passage]:
        """Translate into English; never empty, however unsure."""


class Ear:
    """A model applied to one recording."""

    def __init__(
        self, model: Model, another: Callable[[Tick], Model | None], audio: Path, options: EngineOptions
    ) -> None:
        named = options.language
        if len(model.languages) > 1:
            language.check(named, model.languages)
        self._model, self._another, self._audio, self._prompt = model, another, audio, options.prompt
        self._other: Model | None = None
        self._language = named if len(model.languages) > 1 else ENGLISH

    def listen(
        self, speech: Spans, work: Callable[[Spoken, Tick], T], progress: Progress
    ) -> Iterator[tuple[Spoken, T]]:
        """Each stretch with its language and what ``work`` makes of it, in order; the model is kept busy meanwhile."""
        pieces = together(widened(speech, MARGIN_S), WIDEST_GAP_S)
        total, done = sum(end - start for start, end in pieces), 0.0
        note = "hearing which language it is"

        def tick() -> None:
            progress(done / total, note)

        def works() -> Iterator[Callable[[Tick], tuple[Spoken, T]]]:
            nonlocal note
            for spoken in self._spoken(pieces, speech, tick):
                note = f"recognising speech at {spoken.start:.0f} s ({spoken.language})"
                yield partial(self._worked, work, spoken)

        # More than it answers at a time: a short stretch behind a long one that is still heard leaves no place empty.
        for spoken, made in side_by_side(works(), 2 * self._model.at_once - 1, tick):
            done += spoken.end - spoken.start
            yield spoken, made

    @staticmethod
    def _worked(work: Callable[[Spoken, Tick], T], spoken: Spoken, check: Tick) -> tuple[Spoken, T]:
        return spoken, work(spoken, check)

    def words(self, spoken: Spoken, speech: Spans, check: Tick) -> tuple[list[Timed], int]:
        """The words of a stretch, and how many were dropped as hallucinated."""
        passages = self._model.hear(self._wave(spoken), spoken.language, self._prompt, check)
        # 1. Passages that the model itself doubts are dropped whole: single words of theirs may look probable.
        words = [_at(word, spoken) for passage in passages if passage.is_credible for word in passage.words]
        # 2. A word that is improbable and lies where nobody speaks was made up.
        near = tuple(span for span in speech if span[0] < spoken.end and span[1] > spoken.start)
        believed = [inside(word, near) for word in words if heard(word, near)]
        return believed, len(words) - len(believed)

    def in_english(self, said: Sequence[Utterance], spoken: Spoken, check: Tick) -> list[Utterance]:
        """The phrases of a stretch with their English: their own text, or from a translation of the whole stretch."""
        if spoken.language == ENGLISH:
            return [replace(u, english=u.text) for u in said]
        translator = self._translator(check) if said else None
        if translator is None:
            return list(said)
        passages = translator.translate(self._wave(spoken), spoken.language, check)
        # A translation has no word timestamps: its words are spread over their passages, then cut where phrases part.
        words = [_at(word, spoken) for p in passages for word in evenly(p.start, p.end, p.text)]
        texts = lay(words, [(u.start, u.end) for u in said])
        doubtful = not all(passage.is_credible for passage in passages)
        return [
            replace(u, english=text, unsure=u.unsure or doubtful or not reads_as_english(text, u.text))
            for u, text in zip(said, texts, strict=True)
        ]

    def retold(self, said: Sequence[Utterance], spoken: Spoken, speech: Spans, check: Tick) -> list[Utterance]:
        """Given phrases (subtitles) with an English translation of the speech at their times."""
        if spoken.language != ENGLISH:
            return self.in_english(said, spoken, check)
        # English speech under foreign subtitles needs no translation: it is transcribed.
        own, _ = self.words(spoken, speech, check)
        words = [word for u in phrased(own, spoken) for word in evenly(u.start, u.end, u.text)]
        texts = lay(words, [(u.start, u.end) for u in said])
        return [replace(u, english=text, unsure=spoken.is_guess) for u, text in zip(said, texts, strict=True)]

    def _translator(self, tick: Tick) -> Model | None:
        if self._model.translates:
            return self._model
        if self._other is None:
            self._other = self._another(tick)
        return self._other

    def _spoken(self, pieces: Spans, speech: Spans, tick: Tick) -> Iterator[Spoken]:
        if self._language is not None:
            yield from (Spoken(start, end, self._language) for start, end in pieces)
            return
        # 1. Each stretch on its own, with the languages of the whole recording as the prior.
        expected = self._expected(pieces, tick)
        guesses = (guess for piece in pieces for guess in self._guesses([piece], expected, tick))
        before: Spoken | None = None
        for guess, after in _with_next(guesses):
            # 2. A stretch that differs from a neighbour, or is unsure, may contain a switch: detect each region's
            #    language.
            changes = any(other and other.language != guess.language for other in (before, after))
            parts = [guess]
            if changes or guess.probability < CLEAR:
                parts = self._turns(guess, speech, expected, tick)
            yield from parts
            before = parts[-1]

    def _expected(self, pieces: Spans, tick: Tick) -> Mapping[str, float]:
        """The probability of each language in this recording: over stretches spread over it, weighted by their
        length."""
        # A few stretches suffice for a prior, and each detection costs a pass through the encoder.
        step = max(1, math.ceil(len(pieces) / SAMPLES))
        votes: dict[str, float] = {}
        for (start, end), found in zip(pieces[::step], self._detect(pieces[::step], tick), strict=True):
            for code, probability in found.items():
                votes[code] = votes.get(code, 0.0) + probability * (end - start)
        # Relative to the likeliest; one that no sample speaks keeps a chance, for a guest may come late.
        top = max(votes.values(), default=1.0) or 1.0
        return {code: max(FOREIGN, vote / top) for code, vote in votes.items()}

    def _guesses(self, pieces: Sequence[Span], expected: Mapping[str, float], tick: Tick) -> Iterator[Spoken]:
        for piece, found in zip(pieces, self._detect(pieces, tick), strict=True):
            # Bayes' rule but for its denominator: what the sound says, times what the recording makes likely.
            likely = {code: share * expected.get(code, FOREIGN) for code, share in found.items()}
            code = max(likely, key=likely.__getitem__)
            yield Spoken(*piece, code, found[code])

    def _turns(self, whole: Spoken, speech: Spans, expected: Mapping[str, float], tick: Tick) -> list[Spoken]:
        """Split a stretch where its language changes, if it does."""
        regions = _regions((whole.start, whole.end), speech)
        if len(regions) < 2:
            return [whole]
        turns: list[Spoken] = []
        for guess in self._guesses(regions, expected, tick):
            if turns and turns[-1].language == guess.language:
                share = max(turns[-1].probability, guess.probability)
                turns[-1] = Spoken(turns[-1].start, guess.end, guess.language, share)
            else:
                turns.append(guess)
        return turns if len(turns) > 1 else [whole]

    def _detect(self, pieces: Sequence[Span], tick: Tick) -> Iterator[Mapping[str, float]]:
        """The probability of each language in each piece."""
        works = (partial(self._model.detect, wave(self._audio, *piece)) for piece in pieces)
        return side_by_side(works, self._model.at_once, tick)

    def _wave(self, spoken: Spoken) -> Mono:
        return wave(self._audio, spoken.start, spoken.end)


def phrased(words: Sequence[Timed], spoken: Spoken) -> list[Utterance]:
    """The words of a stretch as phrases."""
    return [Utterance(p[0].start, p[-1].end, join(p), unsure=spoken.is_guess) for p in group(words, PAUSE_S)]


def _at(word: Timed, spoken: Spoken) -> Timed:
    """A stretch's word in recording time, clamped to its stretch."""
    start, end = min(spoken.start + word.start, spoken.end), min(spoken.start + word.end, spoken.end)
    return replace(word, start=start, end=end)


def _regions(piece: Span, speech: Spans) -> list[Span]:
    """The speech regions of a piece; a region too short for language detection is joined to the one before it."""
    starts = [piece[0]]
    # No region may begin so late that what is left is too short to tell its language by.
    latest = piece[1] - SHORTEST_TURN_S
    starts_inside = (start for start, _ in speech if piece[0] < start <= latest)
    for start in starts_inside:
        if start - starts[-1] >= SHORTEST_TURN_S:
            starts.append(start)
    return list(itertools.pairwise([*starts, piece[1]]))


def _with_next(guesses: Iterator[Spoken]) -> Iterator[tuple[Spoken, Spoken | None]]:
    before = next(guesses, None)
    while before is not None:
        after = next(guesses, None)
        yield before, after
        before = after


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
    # Of the sizes that fit, best first: one that is here, else one that can be fetched, else whatever is here.
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

        def heard_in(spoken: Spoken, check: Tick) -> tuple[list[Utterance], list[Timed], int]:
            believed, dropped = ear.words(spoken, recording.speech, check)
            return ear.in_english(phrased(believed, spoken), spoken, check), believed, dropped

        phrases: list[Utterance] = []
        words: list[Timed] = []
        found: list[Spoken] = []
        invented = 0
        for spoken, (said, believed, dropped) in ear.listen(recording.speech, heard_in, part(progress, 0.1, 1.0)):
            phrases += said
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

        def retold_in(spoken: Spoken, check: Tick) -> list[Utterance]:
            inside = [u for u in audible if spoken.start <= (u.start + u.end) / 2 < spoken.end]
            return ear.retold(inside, spoken, recording.speech, check)

        english: dict[float, Utterance] = {}
        times = tuple((u.start, u.end) for u in audible)
        for _, told in ear.listen(times, retold_in, part(progress, 0.1, 1.0)):
            english |= {u.start: u for u in told}
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
