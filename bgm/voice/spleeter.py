"""The separator: vocals by Spleeter's 2stems model, applied only as much as the background requires, pauses gated."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np

from bgm import weights
from bgm.device import Loaded, Shelf, pick, why_no_device
from bgm.digest import digest, fingerprint
from bgm.engines import EngineOptions, Separator
from bgm.files import beside, scratch
from bgm.media import audio
from bgm.media.signal import rising
from bgm.progress import Progress, part
from bgm.voice import unet
from bgm.voice.separation import Background, Curve, Listen, Separation, Spans, copy_sound, measure, write_silence

NO_SPEECH = "No speech was heard, so the video's own sound is left out; choose the separator “original” to keep it."
UNSURE = (
    "No speech was heard, but something like a voice: it is kept, and the rest is left out; "
    "choose the separator “original” to keep all of the sound."
)
MOST_THREADS = 4
"""Beyond this the networks gain little, and other processes lose."""
_FEWEST_VOICED_SECONDS = 1.0
_WHOLE = 0.95
_SILENT_BESIDE = 0.01
"""A channel 40 dB below the other counts as silent."""
_QUIET, _USUAL = 0.01, 0.1
"""If a recording's loudest second is below the first level (-40 dBFS), the networks get it amplified to the second (-20
dBFS)."""
_NOTE = "separating the voice"
PAD_SECONDS = 0.25
"""Fully open this long before and after each speech region: breaths and word endings are there."""
FADE_SECONDS = 0.15


class Spleeter(Separator):
    """Keeps voices, removes music and noise behind them, leaves clean speech alone."""

    name: ClassVar[str] = "spleeter"

    def __init__(self, options: EngineOptions) -> None:
        """``options.model`` is ``2stems`` or a folder with the checkpoints of a model of the same architecture."""
        self._options = options

    @classmethod
    def missing(cls, options: EngineOptions) -> str | None:
        """Why the weights or the device are unavailable."""
        lacking = weights.why_no_model(cls.name, options.model, offline=options.offline)
        return lacking or why_no_device(options.device)

    def separate(self, source: Path, voice: Path, listen: Listen, progress: Progress) -> Separation:
        """Write the voice of ``source``; see :class:`bgm.engines.Separator`.

        1. Detect speech in the source: if the pauses are quiet there is nothing to remove, and the source is copied.
        2. Otherwise separate all the vocals and detect speech in them: more is found there.
        3. Blend them with the source as much as the background requires, and attenuate the pauses.
        """
        speech = listen(source, part(progress, 0.0, 0.12))
        background = measure(source, speech, part(progress, 0.12, 0.15))
        if not background.sounding:
            write_silence(source, voice, part(progress, 0.15, 1.0))
            return Separation((), None, 1.0)
        if background.leaves_alone():
            copy_sound(source, voice, part(progress, 0.15, 1.0))
            return _separation(background, 0.0)
        with scratch(voice) as vocals:
            self._write_vocals(source, vocals, part(progress, 0.15, 0.68))
            # Behind music the detector misses words in the source, and finds them in the vocals.
            speech = listen(vocals, part(progress, 0.68, 0.9))
            background = measure(source, speech, part(progress, 0.9, 0.93), vocals)
            return _finished(source, vocals, voice, background, part(progress, 0.93, 1.0))

    def _write_vocals(self, source: Path, vocals: Path, progress: Progress) -> None:
        """Write everything that the networks classify as vocals, with the source's rate and channels."""
        loaded = self.loaded(part(progress, 0.0, 0.02))
        total, heard = audio.length(source), _Heard.of(source)
        # Block by block: an hour of music needs no more memory than a minute.
        with _few_threads(), audio.writer(vocals, len(heard.channels)) as out:
            blocks = audio.told(source, part(progress, 0.02, 1.0), _NOTE, audio.SAMPLE_RATE)
            for block in unet.separated(map(heard.given, blocks), loaded, total):
                out.write(heard.placed(block))

    def loaded(self, progress: Progress) -> Loaded[unet.Model]:
        """The model; the first caller loads it (and fetches its weights)."""
        key = (self._options.model, self._options.device)
        return _shelf.get(key, partial(_load, self._options, progress), partial(progress, 0.0, "waiting for Spleeter"))


class _Separator(Loaded[unet.Model]):
    """Works on one stretch at a time, so that users who share it take turns."""

    instead = "--device cpu"


_shelf: Shelf[_Separator] = Shelf()


def _load(options: EngineOptions, progress: Progress) -> _Separator:
    progress(0.0, "loading Spleeter")
    return _Separator("Spleeter", unet.Model(converted(options, progress)), pick(options.device))


def converted(options: EngineOptions, progress: Progress) -> Path:
    """The weights as one file in the cache, converted from the published ones when first needed.

    Raises EngineUnavailable, saying what to do, if they are unavailable.
    """
    card = weights.card_for(Spleeter.name, options.model)
    folder = weights.provide(card, offline=options.offline, progress=progress)
    checkpoints = {stem: folder / file.names[0] for stem, file in zip(unet.STEMS, card.files, strict=True)}
    target = weights.cache_folder(card) / f"{digest(*map(fingerprint, checkpoints.values()))}.safetensors"
    if not target.is_file():
        progress(0.5, "converting Spleeter's weights, this once")
        unet.convert(checkpoints, target)
    return target


@dataclass(frozen=True, slots=True)
class _Heard:
    """Adapts a recording to the networks, which were trained on stereo music at normal levels.

    They take a voice on one side only for an instrument, and a very quiet one for nothing. So a single sounding channel
    is fed to both sides, and quiet audio is amplified; the output is mapped back to the original channel and level.
    """

    channels: tuple[bool, ...]
    """Which channels of the source sound."""
    gain: float

    @classmethod
    def of(cls, source: Path) -> _Heard:
        """Decide by the loudest second of each channel."""
        # By seconds, not samples: a click on the silent channel doesn't make it sound.
        loud = np.sqrt(np.max([np.square(b).mean(axis=0) for b in audio.blocks(source, audio.SAMPLE_RATE)], axis=0))
        top = float(loud.max())
        return cls(tuple(bool(level > _SILENT_BESIDE * top) for level in loud), _USUAL / top if top < _QUIET else 1.0)

    def given(self, block: audio.Audio) -> audio.Audio:
        """(frames, 2), the networks' input."""
        return np.broadcast_to(block[:, np.array(self.channels)] * np.float32(self.gain), (len(block), 2))

    def placed(self, block: audio.Audio) -> audio.Audio:
        """(frames, channels of the source), from the networks' output."""
        if sum(self.channels) == 1:
            block = block.mean(axis=1, keepdims=True) * np.array(self.channels, np.float32)
        return block / np.float32(self.gain)


@contextmanager
def _few_threads() -> Iterator[None]:
    """Limit OpenMP in this thread only; torch sets its own number for a thread at its first call there."""
    import torch
    from threadpoolctl import threadpool_limits

    with threadpool_limits(min(MOST_THREADS, torch.get_num_threads()), "openmp"):
        yield


def _finished(source: Path, vocals: Path, voice: Path, background: Background, progress: Progress) -> Separation:
    """Write the voice from the vocals and the speech regions detected in them.

    Without speech it is silence, because the vocals are then false positives of the networks. But anything voice-like
    that lasts long enough is not deleted on the word of one detector.
    """
    if background.speech:
        write_voice(source, vocals, background, voice, progress)
        return _separation(background, _mean_strength(background))
    if background.voiced_seconds() >= _FEWEST_VOICED_SECONDS:
        copy_sound(vocals, voice, progress)
        return Separation((), None, 1.0, notes=(UNSURE,))
    write_silence(source, voice, progress)
    return Separation((), None, 1.0, notes=(NO_SPEECH,))


def _separation(background: Background, strength: float) -> Separation:
    note = _note(background, strength)
    return Separation(background.speech, background.overall_db, strength, background.levels(), (note,))


def _mean_strength(background: Background) -> float:
    """Mean over all speech, each region weighted by its length and judged at its middle."""
    starts, ends = np.array(background.speech).T
    return float(np.average(background.strength_at((starts + ends) / 2), weights=ends - starts))


def _note(background: Background, strength: float) -> str:
    if background.overall_db is None:
        return "It can't be told how loud the background is, so the sound is left as it is."
    level = background.overall_db
    where = f"{-level:.0f} dB below" if level < 0 else f"{level:.0f} dB above"
    if background.leaves_alone():
        return f"The background lies {where} the speech, so the sound is left as it is."
    return f"The background lies {where} the speech: {_what_was_done(strength)}, and pauses are turned down."


def _what_was_done(strength: float) -> str:
    if strength < 1 - _WHOLE:
        return "the speech is left as it is"
    return "the voice is separated wholly" if strength > _WHOLE else f"the voice is separated to {strength:.0%}"


def write_voice(source: Path, vocals: Path, background: Background, voice: Path, progress: Progress) -> None:
    """Write the voice block by block; an exception from ``progress`` propagates and leaves no file."""
    total, start = audio.length(source), 0
    with beside(voice) as unfinished, audio.writer(unfinished, audio.channels(source)) as out:
        for mix, sung in zip(audio.blocks(source), audio.blocks(vocals), strict=True):
            progress(start / total, "turning down the pauses")
            moments = (start + np.arange(len(mix))) / audio.SAMPLE_RATE
            strength = background.strength_at(moments)[:, None]
            open_share = opening((*background.speech, *background.voiced), moments)
            gain = open_share + (1 - open_share) * background.gap_gain_at(moments)
            # Between source and vocals: half a mask leaves half of the background, and does half of the damage.
            out.write(np.asarray((mix + strength * (sung - mix)) * gain[:, None], np.float32))
            start += len(mix)
        progress(1.0, "the voice is done")


def opening(speech: Spans, seconds: Curve) -> Curve:
    """0 (pause) … 1 (speech and its surroundings) at each moment (ascending), with raised-cosine flanks."""
    linear = np.zeros(len(seconds))
    margin = PAD_SECONDS + FADE_SECONDS
    for start, end in speech:
        first, last = np.searchsorted(seconds, (start - margin, end + margin))
        near = seconds[first:last]
        rise = (near - (start - margin)) / FADE_SECONDS
        fall = ((end + margin) - near) / FADE_SECONDS
        # Where the flanks of two regions cross, the higher one counts.
        linear[first:last] = np.maximum(linear[first:last], np.minimum(rise, fall))
    return rising(linear)
