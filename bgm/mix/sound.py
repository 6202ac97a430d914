"""A file of sound on the studio's terms: 48 kHz, as many frames as it says, readable anywhere and a little beyond.

What a crossfade needs beyond a take's last frame, or before its first, is made by continuing it: the place inside the
take that resembles its edge most is looked for, and the sound goes on as it does from there; the two are blended over
the stretch in which they resemble each other. This is the splice of WSOLA time stretching (Verhelst & Roelands, ICASSP
1993). Reflecting the edge would be simpler, but it bends the wave sharply at the edge, which is heard as a tick on held
notes, and plays the first beat's attack backwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from bgm.errors import BadInput
from bgm.media import audio
from bgm.media.audio import SAMPLE_RATE, Audio, frames_of, to_mono

MATCH = frames_of(0.02)
"""Frames that are compared and blended."""
SEARCH = frames_of(1.0)
"""Frames in which a resembling place is looked for: a beat, down to 60 a minute."""


@dataclass(frozen=True, slots=True)
class Sound:
    """``frames`` long; a take, a stem or a file of the creator's own."""

    path: Path
    frames: int
    written: int = 0
    """When, in ns: two equal sounds hold the same samples."""

    @classmethod
    def open(cls, path: Path) -> Sound:
        """Raise BadInput when it can't be read or has another rate than the studio's."""
        try:
            info, written = soundfile.info(str(path)), path.stat().st_mtime_ns
        except (soundfile.LibsndfileError, OSError) as error:
            raise BadInput(f"{path.name} can't be read as sound: the file is missing or damaged") from error
        if info.samplerate != SAMPLE_RATE:
            raise BadInput(f"{path.name} has {info.samplerate} samples a second; the mix needs {SAMPLE_RATE}")
        return cls(path, int(info.frames), written)

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


def edge_length(sound_frames: int, more: int) -> int:
    """How much of a sound's end ``continued`` wants to see to make ``more`` frames."""
    return min(sound_frames, SEARCH + MATCH + more)


def blend_length(edge_frames: int) -> int:
    """Frames at the edge that are blended into the continuation."""
    return min(MATCH, edge_frames // 8)


def continued(edge: Audio, more: int) -> Audio:
    """The end of a sound, (frames, channels), with ``more`` frames after it; its last few are blended into them.

    ``more`` may be up to half of ``edge``.
    """
    match = blend_length(len(edge))
    end = _resembling(to_mono(edge).astype(np.float64), match, more) + match
    fade = np.linspace(0, 1, match + 2, dtype=np.float32)[1:-1, None]
    blend = _blended(edge[len(edge) - match :], edge[end - match : end], fade)
    return np.concatenate([edge[: len(edge) - match], blend, edge[end : end + more]])


def _resembling(mono: npt.NDArray[np.float64], match: int, more: int) -> int:
    """Where the ``match`` frames begin that differ least from the last ones and have ``more`` frames after them."""
    pattern, searched = mono[len(mono) - match :], mono[: len(mono) - more]
    size = 1 << (len(searched) + match).bit_length()
    spectrum = np.fft.rfft(searched, size) * np.conj(np.fft.rfft(pattern, size))
    places = len(searched) - match + 1
    likeness = np.fft.irfft(spectrum, size)[:places]
    power = np.cumsum(np.concatenate([[0.0], searched**2]))
    return int(np.argmin(power[match:] - power[:places] - 2.0 * likeness))


def _blended(outgoing: Audio, incoming: Audio, fade: Audio) -> Audio:
    """A crossfade that keeps the power, whether the two are alike (amplitudes add) or not (powers add)."""
    scale = np.sqrt(float(np.vdot(outgoing, outgoing)) * float(np.vdot(incoming, incoming)))
    alike = max(0.0, float(np.vdot(outgoing, incoming)) / scale) if scale > 0 else 1.0
    power = (1 - fade) ** 2 + fade**2 + 2 * fade * (1 - fade) * np.float32(alike)
    return np.asarray((outgoing * (1 - fade) + incoming * fade) / np.sqrt(power), np.float32)
