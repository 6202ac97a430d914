"""The engine that is always there: our composer, played by a General MIDI soundfont."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import ClassVar

import numpy as np

from bgm.engines import Composer, EngineOptions
from bgm.errors import BadInput, EngineUnavailable
from bgm.files import beside
from bgm.media.audio import SAMPLE_RATE, Audio, writer
from bgm.media.signal import rising
from bgm.music import mastering
from bgm.music.composer.compose import compose
from bgm.music.mastering import gain_for, ridden, rms_db, softened
from bgm.music.score import Cue, Made, Score
from bgm.music.soundfont import find_font, find_library
from bgm.music.synth import Buses, played
from bgm.progress import Progress, part

__all__ = ["EmbeddedComposer", "compose", "render"]

_FADE_IN = SAMPLE_RATE // 500
_MEASURED_BLOCKS = 24
"""The first minute sets the level; it is held in memory until then."""


class EmbeddedComposer(Composer):
    """Composes each cue and plays it. ``options.model`` may name a soundfont (``embedded:/path/to.sf2``)."""

    name: ClassVar[str] = "embedded"
    revision: ClassVar[str] = "8"
    is_quick: ClassVar[bool] = True

    def __init__(self, options: EngineOptions) -> None:
        self._wanted = options.model
        _font(self._wanted)

    @classmethod
    def missing(cls, options: EngineOptions) -> str | None:
        """What can't be found here: the synthesiser or a soundfont."""
        if find_library() is None:
            return "no FluidSynth library (pip install pygame-ce)"
        try:
            font = find_font(options.model)
        except BadInput as error:
            return str(error)
        return None if font else "no soundfont (pip install pretty_midi, or set BGM_SOUNDFONT)"

    @classmethod
    def fingerprint(cls, options: EngineOptions) -> str:
        """The composer and the soundfont, by its name and size: the same on every machine that has the same font."""
        try:
            font = find_font(options.model)
        except BadInput:  # named and not there: its takes stay as they are until it is
            font = None
        return f"{cls.revision} {font.name} {font.stat().st_size}" if font else cls.revision

    def compose(self, cues: Sequence[Cue], targets: Sequence[Path], progress: Progress) -> Iterator[Made]:
        """Write cue ``i`` to ``targets[i]`` (FLAC, 48 kHz, stereo, 24 bit, exactly its length), in order."""
        font = _font(self._wanted)  # now, not when it was loaded: another may have been fetched or set since
        for i, (cue, target) in enumerate(zip(cues, targets, strict=True)):
            share = part(progress, i / len(cues), (i + 1) / len(cues))
            own = _counted(share, f"segment {i + 1} of {len(cues)}")
            own(0.0)
            render(compose(cue), target, cue.frames, own, font)
            yield Made(i)


def render(score: Score, target: Path, frames: int, progress: Progress, font: Path | None = None) -> None:
    """Play a score into a FLAC file of exactly ``frames`` frames (48 kHz, stereo, 24 bit), block by block.

    Memory doesn't grow with the length. Raises EngineUnavailable when there is no synthesiser or no soundfont.
    """
    # 1. The buses are summed with their tone; the first minute, held until then, tells what the octaves lack.
    buses = _told(played(score, frames, font or _font(None), mastering.BLOCK), frames, progress)
    spectra = mastering.summed(buses)
    held = list(islice(spectra, _MEASURED_BLOCKS))
    plain = mastering.sounding(chain(held, spectra), mastering.balance(held))
    # 2. Glue and ceiling, against the level of that minute; then the sections grow as the piece does.
    opening = list(islice(plain, _MEASURED_BLOCKS))
    finished = ridden(mastering.glued(chain(opening, plain), rms_db(opening)), score.curve)
    # 3. One gain brings it to the loudness of all takes.
    loud = list(islice(finished, _MEASURED_BLOCKS))
    gain = np.float32(gain_for(loud, score.level))
    with beside(target) as unfinished, writer(unfinished) as file:
        done = 0
        for block in chain(loud, finished):
            last = softened(block[: frames - done] * gain)
            file.write(_faded(last, done, frames, score.fade))
            done += len(last)


def _counted(progress: Progress, count: str) -> Progress:
    """The same progress, which always says which segment it is about."""

    def inner(fraction: float, note: str = "") -> None:
        progress(fraction, count)

    return inner


def _told(blocks: Iterator[Buses], frames: int, progress: Progress) -> Iterator[Buses]:
    """The blocks, with a word on each as it is ready."""
    done = 0
    for block in blocks:
        done += block.shape[-1]
        progress(done / frames, "playing")
        yield block


def _faded(block: Audio, start: int, frames: int, seconds: float) -> Audio:
    """The block with its part of the fades (raised cosines): the first 2 ms, for the filters ring a little before a
    note that starts at once, and the last ``seconds``, which end in silence at the cue's last frame."""
    length = round(seconds * SAMPLE_RATE)
    if start >= _FADE_IN and (not length or start + len(block) <= frames - length):
        return block
    position = np.arange(start, start + len(block))
    share = np.minimum((position + 0.5) / _FADE_IN, 1.0)
    if length:
        share = np.minimum(share, (frames - 1 - position) / length)
    curve = rising(share)
    return (block * curve[:, None]).astype(np.float32)


def _font(wanted: str | None) -> Path:
    font = find_font(wanted)
    if font is None:
        raise EngineUnavailable("no soundfont was found; pip install pretty_midi, or set BGM_SOUNDFONT to a .sf2 file")
    return font
