"""Speech recognition that comes with its model: CMU PocketSphinx 5 (BSD), US English. The transcript is rough."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, ClassVar

import numpy as np

import bgm
from bgm.engines import EngineOptions
from bgm.errors import BgmError
from bgm.progress import Progress, part, silent
from bgm.speech.recording import Recording, Spans, Transcript
from bgm.speech.stretches import RATE, Mono, together, wave
from bgm.speech.utterances import Timed, group, heard, join, lay_out
from bgm.timeline import Utterance

PAUSE_S = 0.5
"""A pause that ends an utterance."""

FLOOR = 1e-4
DITHER = 1e-3
"""Digital silence (RMS of the quietest tenth below FLOOR) breaks the cepstra; noise of this RMS mends them."""
QUIET_PEAK = 0.02
LOUD_PEAK = 0.3

TICK_S = 0.25
USUAL_SPEED = 0.4
"""Seconds of work for a second of speech."""
WORKER = "bgm.speech.sphinx_worker"
MOST_AT_ONCE = 4
"""Decoders (300 MB each)."""
NOTE = "PocketSphinx gives a rough English transcript: correct it, or put an .srt file beside the video."


class PocketSphinx:
    """Engine of the transcribe stage; English only."""

    name: ClassVar[str] = "pocketsphinx"

    def __init__(self, options: EngineOptions) -> None:
        self._options = options

    @classmethod
    def missing(cls, options: EngineOptions) -> str | None:
        if options.language not in (None, "en"):
            return f"it knows English only, not {options.language}"
        return None if find_spec("pocketsphinx") else "the package pocketsphinx is not installed"

    def transcribe(self, recording: Recording, progress: Progress = silent) -> Transcript:
        """Regions of speech are decoded together: cutting at every pause costs a third more errors.

        Raises BgmError when the decoder fails.
        """
        if recording.audio is None or not recording.speech:
            return Transcript("en", (), ("No speech was heard.",))
        spoken = list(_recognise(recording.audio, together(recording.speech), progress))
        words = [word for word in spoken if heard(word, recording.speech)]
        phrases = ((phrase, _readable(join(phrase))) for phrase in group(words, PAUSE_S))
        utterances = (Utterance(p[0].start, p[-1].end, text, text) for p, text in phrases)
        return Transcript("en", lay_out(utterances, recording.duration), _notes(len(spoken) - len(words)))


@dataclass(frozen=True, slots=True)
class _Job:
    """A decoder at work on the chunk from ``start`` to ``end`` (s), begun at ``since`` (monotonic clock)."""

    start: float
    end: float
    process: subprocess.Popen[bytes]
    answer: IO[bytes]
    errors: IO[bytes]
    since: float


def _recognise(audio: Path, stretches: Spans, progress: Progress) -> Iterator[Timed]:
    """Decode chunk after chunk, as many at a time as there are processors; words come in order."""
    waiting, running = deque(stretches), deque[_Job]()
    total, done = sum(end - start for start, end in stretches), 0.0
    try:
        while waiting or running:
            while waiting and len(running) < _processors():
                running.append(_start(audio, *waiting.popleft()))
            job = running[0]
            length = job.end - job.start
            _wait(job, part(progress, done / total, (done + length) / total))
            yield from _words(job)
            running.popleft()
            done += length
    finally:
        for job in running:
            job.process.kill()
            job.process.wait()
            job.answer.close()
            job.errors.close()
    progress(1.0, "speech recognised")


def _start(audio: Path, start: float, end: float) -> _Job:
    answer, errors = TemporaryFile(), TemporaryFile()  # noqa: SIM115 — closed by _words
    with TemporaryFile() as source:
        source.write(_pcm(audio, start, end))
        source.seek(0)
        command = [sys.executable, "-m", WORKER]
        root = Path(bgm.__file__).parent.parent
        process = subprocess.Popen(command, stdin=source, stdout=answer, stderr=errors, cwd=root)
    return _Job(start, end, process, answer, errors, time.monotonic())


def _wait(job: _Job, progress: Progress) -> None:
    """Until the decoder ends; it can't say how far it is, so the fraction is what its usual speed makes likely."""
    usual = USUAL_SPEED * (job.end - job.start)
    while True:
        share = 1 - math.exp(-(time.monotonic() - job.since) / usual)
        progress(share, f"recognising speech at {job.start:.0f} s")
        try:
            job.process.wait(TICK_S)
            return
        except subprocess.TimeoutExpired:
            continue


def _words(job: _Job) -> Iterator[Timed]:
    with job.answer, job.errors:
        if job.process.returncode:
            job.errors.seek(0)
            lines = job.errors.read().decode(errors="replace").strip().splitlines()
            raise BgmError(f"PocketSphinx failed: {lines[-1] if lines else f'exit code {job.process.returncode}'}")
        job.answer.seek(0)
        for text, start, end, probability in json.load(job.answer):
            yield Timed(job.start + start, min(job.start + end, job.end), f" {text}", probability)


def _pcm(audio: Path, start: float, end: float) -> bytes:
    """A stretch as the decoder wants it: 16-bit mono at 16 kHz, neither too quiet nor digitally silent."""
    loud = _dithered(_loud_enough(wave(audio, start, end)))
    return (np.clip(loud, -1, 1) * 32767).astype("<i2").tobytes()


def _loud_enough(quiet: Mono) -> Mono:
    """Only what 16 bits would lose is turned up: levelling all recordings costs words."""
    peak = float(np.abs(quiet).max(initial=0))
    return quiet * np.float32(LOUD_PEAK / peak) if 0 < peak < QUIET_PEAK else quiet


def _dithered(clean: Mono) -> Mono:
    window = RATE // 50
    usable = len(clean) // window * window
    rms = np.sqrt((clean[:usable].reshape(-1, window) ** 2).mean(axis=1)) if usable else np.zeros(1)
    if np.quantile(rms, 0.1) >= FLOOR:
        return clean
    noise = np.random.default_rng(0).standard_normal(len(clean), dtype=np.float32)
    return clean + np.float32(DITHER) * noise


def _processors() -> int:
    return min(MOST_AT_ONCE, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def _readable(text: str) -> str:
    """The decoder writes all in small letters."""
    with_i = re.sub(r"\bi\b", "I", text)
    return with_i[:1].upper() + with_i[1:]


def _notes(dropped: int) -> tuple[str, ...]:
    if not dropped:
        return (NOTE,)
    return (NOTE, f"{dropped} unlikely words where nobody spoke were dropped.")
