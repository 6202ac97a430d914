"""From a recording to phrases with their English: what every Whisper shares, whoever computes it.

1. The regions of speech are packed into stretches of at most 30 s, Whisper's window.
2. Each stretch is heard in its own language, which the stretches around it make likelier: a video may change it.
3. Words that nobody said are dropped, the others become phrases.
4. A stretch in another language is translated as a whole, and its English laid on its phrases by time.
"""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import ClassVar, Protocol

from bgm import weights
from bgm.engines import EngineOptions, Translator
from bgm.progress import Progress, Tick, attended, part, silent
from bgm.speech import language, sizes, stretches
from bgm.speech.language import ENGLISH, UNKNOWN
from bgm.speech.recording import Recording, Span, Spans, Transcript
from bgm.speech.stretches import Mono
from bgm.speech.translation import lay, reads_as_english
from bgm.speech.utterances import Timed, evenly, group, heard, inside, join, lay_out
from bgm.timeline import Utterance

WIDEST_GAP_S = 1.5
"""Speech with more than this between is decoded apart: Whisper invents words over silence and music."""
MARGIN_S = 0.2
"""Of the pause around speech that is heard with it: a word whose first sound is cut off is lost or misheard."""
PAUSE_S = 0.5
REPETITIVE = 2.4
"""Whisper's own threshold of the gzip ratio, above which it tries again."""
LEAST_LOGPROB = -1.5
"""Mean log probability of a passage's tokens below which it is a guess; at -1 Whisper tries again."""
TEMPERATURES = (0.0, 0.4, 0.8)
"""Tries for a window; half of Whisper's own, because what fails them all is dropped and not kept."""
BEAM = 5
"""With one, Whisper drops words at pauses (``python -m benchmarks.wer``)."""

SAMPLES = 5
"""Stretches that are asked for their language before the first is decoded, spread over the recording."""
SURE = 0.5
"""A language less probable than this is said to be a guess."""
CLEAR = 0.9
"""Below this two languages may be in one stretch."""
FOREIGN = 0.02
"""Weight of a language of which nothing was heard in the samples, beside 1 for the likeliest."""
SHORTEST_TURN_S = 3.0
"""A language is not told from less speech."""


@dataclass(frozen=True, slots=True)
class Passage:
    """What a model says of a piece of sound, in seconds from its start; ``words`` only where they were asked for."""

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
    """A loaded Whisper that several users share; one call at a time, sound of at most 30 s.

    ``check`` is called now and then and raises when nobody waits for the answer any more.
    """

    @property
    def languages(self) -> frozenset[str]:
        """Codes of the languages that it hears; English alone for an English model."""

    @property
    def translates(self) -> bool: ...

    def detect(self, wave: Mono, check: Tick) -> Mapping[str, float]:
        """The probability of each language."""

    def hear(self, wave: Mono, language: str, prompt: str | None, check: Tick) -> list[Passage]:
        """What is said, with the times of the words."""

    def translate(self, wave: Mono, language: str, check: Tick) -> list[Passage]:
        """What is said, in English; never nothing, however unsure."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A stretch of speech and its language, as sure as ``probability`` says."""

    start: float
    end: float
    language: str
    probability: float = 1.0

    @property
    def is_guess(self) -> bool:
        return self.probability < SURE


class Recogniser(Translator, ABC):
    """An engine of the transcribe stage: finds and loads a Whisper and listens with it.

    ``options.prompt`` is text with the names of what will be said, ``options.language`` that of all the speech.
    """

    heeds: ClassVar[tuple[str, ...]] = ("language", "prompt")

    def __init__(self, options: EngineOptions) -> None:
        self._options = options

    @abstractmethod
    def _device(self) -> str:
        """``cuda`` or ``cpu``."""

    @abstractmethod
    def _load(self, path: Path, title: str, place: str) -> Model:
        """The model of these weights, loaded once per process. Raises BadInput where they are none."""

    def size(self) -> str:
        """The model that it will use: the one that was named, else the size that suits this machine."""
        return self._options.model or sizes.best(self.name, self._device(), self._options.offline)

    def transcribe(self, recording: Recording, progress: Progress = silent) -> Transcript:
        """Phrases in their language, with their English.

        Raises BadInput for weights, a device or a language that can't be used, BgmError when memory is short.
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
        return Transcript(main_language(found), utterances, tuple(_notes(found, invented)), tuple(words))

    def translate(
        self, recording: Recording, utterances: Sequence[Utterance], progress: Progress = silent
    ) -> tuple[Utterance, ...]:
        """Utterances of subtitles in another language, with the English that is heard at their times.

        What is spoken need not be the subtitles' language: it is heard from the sound. A line at which nobody was heard
        stays without. Raises as :meth:`transcribe`.
        """
        audible = [u for u in utterances if not u.english and _overlaps(u, recording.speech)]
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
        """Another size, for a model that can't translate (turbo)."""
        names = sizes.translators(self.name, self._options.offline)
        return next((self._model(name, lambda fraction, note="": tick()) for name in names), None)


class Ear:
    """A model at one recording."""

    def __init__(
        self, model: Model, another: Callable[[Tick], Model | None], audio: Path, options: EngineOptions
    ) -> None:
        named = options.language
        if len(model.languages) > 1:
            language.check(named, model.languages)
        self._model, self._another, self._audio, self._prompt = model, another, audio, options.prompt
        self._other: Model | None = None
        self._language = named if len(model.languages) > 1 else ENGLISH

    def listen(self, speech: Spans, progress: Progress) -> Iterator[tuple[Spoken, Tick]]:
        """Each stretch with its language, and what to call while it is worked on."""
        pieces = stretches.together(stretches.widened(speech, MARGIN_S), WIDEST_GAP_S)
        total, done = sum(end - start for start, end in pieces), 0.0
        first = partial(progress, 0.0, "hearing which language it is")
        for spoken in self._spoken(pieces, speech, first):
            note = f"recognising speech at {spoken.start:.0f} s ({spoken.language})"
            yield spoken, partial(progress, done / total, note)
            done += spoken.end - spoken.start

    def words(self, spoken: Spoken, speech: Spans, tick: Tick) -> tuple[list[Timed], int]:
        """What is said in a stretch, and how many words nobody said."""
        wave = self._wave(spoken)
        passages = attended(partial(self._model.hear, wave, spoken.language, self._prompt), tick)
        words = [_at(word, spoken) for passage in passages if passage.is_credible for word in passage.words]
        near = tuple(span for span in speech if span[0] < spoken.end and span[1] > spoken.start)
        believed = [inside(word, near) for word in words if heard(word, near)]
        return believed, len(words) - len(believed)

    def in_english(self, said: Sequence[Utterance], spoken: Spoken, tick: Tick) -> list[Utterance]:
        """The phrases of a stretch with their English: their own text, or a translation of the whole stretch."""
        if spoken.language == ENGLISH:
            return [replace(u, english=u.text) for u in said]
        translator = self._translator(tick) if said else None
        if translator is None:
            return list(said)
        passages = attended(partial(translator.translate, self._wave(spoken), spoken.language), tick)
        words = [_at(word, spoken) for p in passages for word in evenly(p.start, p.end, p.text)]
        texts = lay(words, [(u.start, u.end) for u in said])
        doubtful = not all(passage.is_credible for passage in passages)
        return [
            replace(u, english=text, unsure=u.unsure or doubtful or not reads_as_english(text, u.text))
            for u, text in zip(said, texts, strict=True)
        ]

    def retold(self, said: Sequence[Utterance], spoken: Spoken, speech: Spans, tick: Tick) -> list[Utterance]:
        """Phrases that somebody else wrote down, with the English of the sound at their times."""
        if spoken.language != ENGLISH:
            return self.in_english(said, spoken, tick)
        own, _ = self.words(spoken, speech, tick)
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
        # 1. Each stretch by itself, the languages of the whole recording being likelier.
        expected = self._expected(pieces, tick)
        guesses = (self._guess(piece, expected, tick) for piece in pieces)
        before: Spoken | None = None
        for guess, after in _with_next(guesses):
            # 2. One that differs from a neighbour, or is unsure, may hold a change: its regions are asked one by one.
            changes = any(other and other.language != guess.language for other in (before, after))
            parts = [guess]
            if changes or guess.probability < CLEAR:
                parts = self._turns(guess, speech, expected, tick)
            yield from parts
            before = parts[-1]

    def _expected(self, pieces: Spans, tick: Tick) -> Mapping[str, float]:
        """How likely each language is in this recording: over stretches spread over it, weighted by their length."""
        step = max(1, math.ceil(len(pieces) / SAMPLES))
        weights: dict[str, float] = {}
        for start, end in pieces[::step]:
            for code, probability in self._detect((start, end), tick).items():
                weights[code] = weights.get(code, 0.0) + probability * (end - start)
        top = max(weights.values(), default=1.0) or 1.0
        return {code: max(FOREIGN, weight / top) for code, weight in weights.items()}

    def _guess(self, piece: Span, expected: Mapping[str, float], tick: Tick) -> Spoken:
        found = self._detect(piece, tick)
        code = max(found, key=lambda code: found[code] * expected.get(code, FOREIGN))
        return Spoken(*piece, code, found[code])

    def _turns(self, whole: Spoken, speech: Spans, expected: Mapping[str, float], tick: Tick) -> list[Spoken]:
        """A stretch cut where its language changes, if it does."""
        regions = _regions((whole.start, whole.end), speech)
        if len(regions) < 2:
            return [whole]
        turns: list[Spoken] = []
        for guess in (self._guess(region, expected, tick) for region in regions):
            if turns and turns[-1].language == guess.language:
                share = max(turns[-1].probability, guess.probability)
                turns[-1] = Spoken(turns[-1].start, guess.end, guess.language, share)
            else:
                turns.append(guess)
        return turns if len(turns) > 1 else [whole]

    def _detect(self, piece: Span, tick: Tick) -> Mapping[str, float]:
        return attended(partial(self._model.detect, stretches.wave(self._audio, *piece)), tick)

    def _wave(self, spoken: Spoken) -> Mono:
        return stretches.wave(self._audio, spoken.start, spoken.end)


def phrased(words: Sequence[Timed], spoken: Spoken) -> list[Utterance]:
    """The words of a stretch as phrases."""
    return [Utterance(p[0].start, p[-1].end, join(p), unsure=spoken.is_guess) for p in group(words, PAUSE_S)]


def main_language(found: Iterable[Spoken]) -> str:
    """The one that is spoken longest; ``und`` where none is."""
    seconds: dict[str, float] = {}
    for spoken in found:
        seconds[spoken.language] = seconds.get(spoken.language, 0.0) + spoken.end - spoken.start
    return max(seconds, key=lambda code: seconds[code], default=UNKNOWN)


def _notes(found: Sequence[Spoken], invented: int) -> Iterator[str]:
    turns = [list(same) for _, same in itertools.groupby(found, key=lambda spoken: spoken.language)]
    if len(turns) > 1:
        heard_in = ", ".join(f"{turn[0].language} from {_clock(turn[0].start)}" for turn in turns)
        yield f"More than one language is spoken: {heard_in}."
    for guess in (spoken for spoken in found if spoken.is_guess):
        yield (
            f"The speech at {_clock(guess.start)} is taken for {guess.language}, which is a guess "
            f"({guess.probability:.0%} sure): if it is wrong, choose the spoken language and analyze again."
        )
    if invented:
        yield f"{invented} unlikely words where nobody spoke were dropped."


def _at(word: Timed, spoken: Spoken) -> Timed:
    """A stretch's word at the time of the recording; none may lie beyond its stretch."""
    start, end = min(spoken.start + word.start, spoken.end), min(spoken.start + word.end, spoken.end)
    return replace(word, start=start, end=end)


def _regions(piece: Span, speech: Spans) -> list[Span]:
    """The speech in a piece, a part too short to tell its language put to the one before it; together all of it."""
    starts = [piece[0]]
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


def _overlaps(u: Utterance, speech: Spans) -> bool:
    return any(start < u.end and u.start < end for start, end in speech)


def _clock(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02}"
