"""The engine that is always available: our composer, played with a General MIDI soundfont."""

from __future__ import annotations

import logging
import os
import struct
from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from itertools import chain, islice
from pathlib import Path
from typing import ClassVar

import numpy as np

from bgm.device import cores
from bgm.engines import Composer, EngineOptions
from bgm.errors import BadInput, EngineUnavailable
from bgm.files import beside
from bgm.media.audio import SAMPLE_RATE, Audio, writer
from bgm.media.signal import rising
from bgm.music import mastering
from bgm.music.composer.compose import compose
from bgm.music.mastering import gain_for, ridden, rms_db, softened
from bgm.music.score import Cue, Made, Score
from bgm.music.synth import DRUM_BANK, Buses, find_library, package_folders, played
from bgm.progress import Progress, Tick, side_by_side

__all__ = ["EmbeddedComposer", "compose", "render"]

MOST_AT_ONCE = 2
"""Cues that are played at a time: each holds its first minute in memory."""
_FADE_IN = SAMPLE_RATE // 500
_MEASURED_BLOCKS = 24
"""Blocks in the first minute, which determines the level and is held in memory until then."""


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
        """What is missing: the synthesiser or a soundfont."""
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
        shares = [0.0] * len(cues)  # of each cue, as its thread writes it
        number = 1

        def make(cue: Cue, target: Path, i: int, check: Tick) -> Made:
            def own(fraction: float, note: str = "") -> None:
                check()
                shares[i] = fraction

            render(compose(cue), target, cue.frames, own, font)
            return Made(i)

        def tick() -> None:
            progress(sum(shares) / len(shares), f"segment {number} of {len(shares)}")

        works = (partial(make, cue, target, i) for i, (cue, target) in enumerate(zip(cues, targets, strict=True)))
        # All are waited for: who stops goes on to delete the targets.
        for made in side_by_side(works, min(MOST_AT_ONCE, cores()), tick, leave=False):
            number = min(made.index + 2, len(shares))
            yield made
        progress(1.0, f"segment {number} of {number}")


def render(score: Score, target: Path, frames: int, progress: Progress, font: Path | None = None) -> None:
    """Play a score into a FLAC file of exactly ``frames`` frames (48 kHz, stereo, 24 bit), block by block.

    Memory doesn't grow with the length. Raises EngineUnavailable when there is no synthesiser or no soundfont.
    """
    # 1. The buses are equalised and summed; the first minute, held until then, shows what the octaves lack.
    buses = _told(played(score, frames, font or _font(None), mastering.BLOCK), frames, progress)
    spectra = mastering.summed(buses)
    held = list(islice(spectra, _MEASURED_BLOCKS))
    plain = mastering.sounding(chain(held, spectra), mastering.balance(held))
    # 2. Compressor and limiter, relative to the level of that minute; then the sections' dynamics.
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


def _told(blocks: Iterator[Buses], frames: int, progress: Progress) -> Iterator[Buses]:
    """The blocks, reporting progress after each."""
    done = 0
    for block in blocks:
        done += block.shape[-1]
        progress(done / frames, "playing")
        yield block


def _faded(block: Audio, start: int, frames: int, seconds: float) -> Audio:
    """The block with its share of the fades (raised cosines): over the first 2 ms, because the filters ring a little
    before a note at the very start, and over the last ``seconds``, which end in silence at the cue's last frame."""
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


_SYSTEM_FONTS = (
    "/usr/share/sounds/sf3/MuseScore_General.sf3",
    "/usr/share/sounds/sf3/MuseScore_General_Lite.sf3",
    "/usr/share/sounds/sf2/MuseScore_General.sf2",
    "/usr/share/soundfonts/MuseScore_General.sf3",
    "/usr/share/sounds/sf2/FluidR3_GM.sf2",
    "/usr/share/soundfonts/FluidR3_GM.sf2",
    "/opt/homebrew/share/soundfonts/FluidR3_GM.sf2",
    "/usr/local/share/soundfonts/FluidR3_GM.sf2",
)
_PRESET = 38
"""Bytes of a preset's record."""
log = logging.getLogger("bgm")


def find_font(wanted: str | None = None) -> Path | None:
    """The soundfont: the named one, else that of the setting, else a fetched one, the system's, or pretty_midi's. One
    that is damaged or has no drums is skipped, and that is logged.

    Raises BadInput if a named one doesn't exist or can't be used.
    """
    from bgm import environment, weights

    named = wanted or environment.read().soundfont
    if named:
        path = Path(named).expanduser()
        if not path.is_file():
            raise BadInput(f"there is no soundfont at {path}; name a .sf2 or .sf3 file")
        if fault := _fault(path, path.stat().st_mtime_ns):
            raise BadInput(fault)
        return path
    fetched = (weights.find(weights.card(key)) for key in ("soundfont", "soundfont:musescore"))
    candidates = [font for font in fetched if font]
    candidates += [Path(font) for font in _SYSTEM_FONTS]
    candidates += [folder / "TimGM6mb.sf2" for folder in package_folders("pretty_midi")]
    for path in candidates:
        if path.is_file():
            fault = _fault(path, path.stat().st_mtime_ns)
            if fault is None:
                return path
            log.warning("%s; the next soundfont is taken", fault)
    return None


@lru_cache(maxsize=32)
def _fault(font: Path, changed: int) -> str | None:
    """Why a font can't be used, in a sentence, or None; judged by its chunks (SoundFont 2.01, section 4)."""
    try:
        presets = _presets(font)
    except (OSError, ValueError, struct.error):
        return f"{font} is not a soundfont, or it is damaged"
    # The last record only marks the end (section 7.2).
    banks = {struct.unpack_from("<20xHH", presets, at)[1] for at in range(0, len(presets) - _PRESET, _PRESET)}
    return None if DRUM_BANK in banks else f"{font} has no drums"


def _presets(font: Path) -> bytes:
    """The records of the chunk ``phdr``. Raises ValueError if it is missing or the file is truncated."""
    with font.open("rb") as file:
        riff, size, form = struct.unpack("<4sI4s", file.read(12))
        if (riff, form) != (b"RIFF", b"sfbk") or font.stat().st_size < size + 8:
            raise ValueError(font)
        while header := file.read(8):
            if header[:1] == b"\0":  # RIFF pads odd chunks; converters to .sf3 often don't
                header = header[1:] + file.read(1)
            name, size = struct.unpack("<4sI", header)
            if name == b"LIST" and file.read(4) == b"pdta":
                name, size = struct.unpack("<4sI", file.read(8))
                if name == b"phdr":
                    return file.read(size)
                break
            file.seek(size - (4 if name == b"LIST" else 0), os.SEEK_CUR)
    raise ValueError(font)
