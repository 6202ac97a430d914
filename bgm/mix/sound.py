"""A file of sound on the studio's terms: 48 kHz, as many frames as it says, readable anywhere and a little beyond."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from bgm.errors import BadInput
from bgm.media import audio
from bgm.media.audio import SAMPLE_RATE, Audio
from bgm.mix.continuation import blend_length, continued, edge_length


@dataclass(frozen=True, slots=True)
class Sound:
    """``frames`` long; a take, a stem or a file of the creator's own."""

    path: Path
    frames: int

    @classmethod
    def open(cls, path: Path) -> Sound:
        """Raise BadInput when it can't be read or has another rate than the studio's."""
        try:
            info = soundfile.info(str(path))
        except (soundfile.LibsndfileError, OSError) as error:
            raise BadInput(f"{path.name} can't be read as sound: the file is missing or damaged") from error
        if info.samplerate != SAMPLE_RATE:
            raise BadInput(f"{path.name} has {info.samplerate} samples a second; the mix needs {SAMPLE_RATE}")
        return cls(path, int(info.frames))

    def read(self, start: int, stop: int) -> Audio:
        """Frames ``start`` to ``stop``, silent outside the file: (frames, 1 or 2); more channels are left out."""
        first, last = max(0, start), min(stop, self.frames)
        if first >= last:
            return np.zeros((stop - start, 1), np.float32)
        try:
            inside = audio.read(self.path, first, last)[:, :2]
        except (soundfile.LibsndfileError, OSError) as error:
            raise BadInput(f"{self.path.name} can't be read to its end: the file is damaged") from error
        if first == start and last == stop:
            return inside
        return np.pad(inside, ((first - start, stop - last), (0, 0)))

    def extended(self, start: int, stop: int, before: int, after: int) -> Audio:
        """Frames ``start`` to ``stop`` of the sound continued by ``before`` and ``after`` frames: (frames, 2)."""
        out = stereo(self.read(start, stop))
        if before > 0 and start < blend_length(self.frames):
            edge = stereo(self.read(0, edge_length(self.frames, before)))
            head = continued(edge[::-1], before)[::-1]
            _lay(out, head[: before + blend_length(len(edge))], -before - start)
        if after > 0 and stop > self.frames - blend_length(self.frames):
            edge = stereo(self.read(self.frames - edge_length(self.frames, after), self.frames))
            kept = len(edge) - blend_length(len(edge))
            _lay(out, continued(edge, after)[kept:], self.frames - (len(edge) - kept) - start)
        return out


def stereo(block: Audio) -> Audio:
    """Mono goes to both channels."""
    return np.repeat(block, 2, axis=1) if block.shape[1] == 1 else block


def _lay(out: Audio, piece: Audio, at: int) -> None:
    """Put what fits of ``piece`` into ``out``, beginning at frame ``at`` (which may be negative)."""
    first, last = max(0, at), min(len(out), at + len(piece))
    if first < last:
        out[first:last] = piece[first - at : last - at]
