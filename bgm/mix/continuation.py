"""More of a sound than there is: what a crossfade needs beyond a take's last frame, or before its first.

The place inside the take that resembles its edge most is looked for, and the sound goes on as it does from there; the
two are blended over the stretch in which they resemble each other. This is the splice of WSOLA time stretching
(Verhelst & Roelands, ICASSP 1993). Reflecting the edge would be simpler, but it bends the wave sharply at the edge,
which is heard as a tick on held notes, and plays the first beat's attack backwards.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bgm.media.audio import Audio, frames_of, to_mono

MATCH = frames_of(0.02)
"""Frames that are compared and blended."""
SEARCH = frames_of(1.0)
"""Frames in which a resembling place is looked for: a beat, down to 60 a minute."""


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
