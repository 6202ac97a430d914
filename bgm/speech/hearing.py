"""From a recording to phrases with English translations: what all Whisper backends share.

1. Pack the speech regions into stretches of at most 30 s, Whisper's window.
2. Detect each stretch's language, with a prior from the stretches around it: a video may switch languages.
3. Drop hallucinated words, group the others into phrases.
4. Translate a foreign stretch as a whole, and align the translation with its phrases by time.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from bgm.engines import EngineOptions
from bgm.media import audio as sound
from bgm.progress import Progress, Tick, attended
from bgm.speech import language
from bgm.speech.language import ENGLISH, UNKNOWN
from bgm.speech.words import Span, Spans, Timed, evenly, group, heard, inside, join, lay, reads_as_english
from bgm.timeline import Utterance

RATE = 16_000
"""Input sample rate of every recogniser, in Hz."""
LONGEST_S = 30.0
"""Of a stretch: Whisper's window."""

Mono = npt.NDArray[np.float32]
"""(samples,) at RATE, -1..1."""


def together(speech: Spans, widest_gap: float = math.inf) -> Spans:
    """Pack neighbouring regions, with the silence between them, into stretches of at most LONGEST_S.

    Regions further apart than ``widest_gap`` seconds stay separate; a region that is itself too long is cut evenly.
    """
    out: list[tuple[float, float]] = []
    for start, end in speech:
        if out and end - out[-1][0] <= LONGEST_S and start - out[-1][1] <= widest_gap:
            out[-1] = (out[-1][0], end)
        else:
            out.append((start, end))
    return tuple(part for start, end in out for part in _cut(start, end))


def widened(speech: Spans, margin: float) -> Spans:
    """Extend each region by up to ``margin`` seconds: at most half of each pause, and not before 0."""
    starts = [start for start, _ in speech]
    ends = [end for _, end in speech]
    pauses = (max(0.0, start - end) / 2 for end, start in zip(ends, starts[1:], strict=False))
    first = min(margin, starts[0]) if starts else 0.0
    margins = [first, *(min(margin, half) for half in pauses), margin]
    return tuple((start - margins[i], end + margins[i + 1]) for i, (start, end) in enumerate(speech))


def wave(audio: Path, start: float, end: float) -> Mono:
    """The audio from ``start`` to ``end`` seconds of a stem (48 kHz), mixed to mono, at 16 kHz."""
    import soxr

    mono = sound.to_mono(sound.read(audio, sound.frames_of(start), sound.frames_of(end)))
    return np.asarray(soxr.resample(mono, sound.SAMPLE_RATE, RATE), np.float32)


def _cut(start: float, end: float) -> Iterator[tuple[float, float]]:
    parts = max(1, math.ceil((end - start) / LONGEST_S))
    edges = np.linspace(start, end, parts + 1)
    yield from ((float(a), float(b)) for a, b in itertools.pairwise(edges))


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
SURE = 0.5
"""A less probable language is reported as a guess."""
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
    """A loaded Whisper that several users share; one call at a time, audio of at most 30 s.

    ``check`` is called now and then and raises when the caller no longer waits for the answer.
    """

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


@dataclass(frozen=True, slots=True)
class Spoken:
    """A stretch of speech and its language, with the probability of the language."""

    start: float
    end: float
    language: str
    probability: float = 1.0

    @property
    def is_guess(self) -> bool:
        return self.probability < SURE


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

    def listen(self, speech: Spans, progress: Progress) -> Iterator[tuple[Spoken, Tick]]:
        """Each stretch with its language, and the tick to call while it is processed."""
        pieces = together(widened(speech, MARGIN_S), WIDEST_GAP_S)
        total, done = sum(end - start for start, end in pieces), 0.0
        first = partial(progress, 0.0, "hearing which language it is")
        for spoken in self._spoken(pieces, speech, first):
            note = f"recognising speech at {spoken.start:.0f} s ({spoken.language})"
            yield spoken, partial(progress, done / total, note)
            done += spoken.end - spoken.start

    def words(self, spoken: Spoken, speech: Spans, tick: Tick) -> tuple[list[Timed], int]:
        """The words of a stretch, and how many were dropped as hallucinated."""
        wave = self._wave(spoken)
        passages = attended(partial(self._model.hear, wave, spoken.language, self._prompt), tick)
        words = [_at(word, spoken) for passage in passages if passage.is_credible for word in passage.words]
        near = tuple(span for span in speech if span[0] < spoken.end and span[1] > spoken.start)
        believed = [inside(word, near) for word in words if heard(word, near)]
        return believed, len(words) - len(believed)

    def in_english(self, said: Sequence[Utterance], spoken: Spoken, tick: Tick) -> list[Utterance]:
        """The phrases of a stretch with their English: their own text, or from a translation of the whole stretch."""
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
        """Given phrases (subtitles) with an English translation of the speech at their times."""
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
        # 1. Each stretch on its own, with the languages of the whole recording as the prior.
        expected = self._expected(pieces, tick)
        guesses = (self._guess(piece, expected, tick) for piece in pieces)
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
        """Split a stretch where its language changes, if it does."""
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
        return attended(partial(self._model.detect, wave(self._audio, *piece)), tick)

    def _wave(self, spoken: Spoken) -> Mono:
        return wave(self._audio, spoken.start, spoken.end)


def phrased(words: Sequence[Timed], spoken: Spoken) -> list[Utterance]:
    """The words of a stretch as phrases."""
    return [Utterance(p[0].start, p[-1].end, join(p), unsure=spoken.is_guess) for p in group(words, PAUSE_S)]


def main_language(found: Iterable[Spoken]) -> str:
    """The language spoken longest; ``und`` if there is none."""
    seconds: dict[str, float] = {}
    for spoken in found:
        seconds[spoken.language] = seconds.get(spoken.language, 0.0) + spoken.end - spoken.start
    return max(seconds, key=lambda code: seconds[code], default=UNKNOWN)


def notes(found: Sequence[Spoken], invented: int) -> Iterator[str]:
    """Sentences for the user: languages that change, guesses, and words that were dropped."""
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
    """A stretch's word in recording time, clamped to its stretch."""
    start, end = min(spoken.start + word.start, spoken.end), min(spoken.start + word.end, spoken.end)
    return replace(word, start=start, end=end)


def _regions(piece: Span, speech: Spans) -> list[Span]:
    """The speech regions of a piece; a region too short for language detection is joined to the one before it."""
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


def _clock(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02}"
