"""How one sound gives way to the next without a click.

Fades are functions of the absolute position on the timeline: the same whatever block they are computed in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bgm.media.audio import frames_of

SHORTEST_REACH = frames_of(0.06)
LONGEST_REACH = frames_of(0.25)
"""How far a crossfade reaches to each side of a boundary, in frames: a fiftieth of the shorter neighbour within these
bounds. Sections of 5 s join within a fifth of a second, so the first beat keeps its attack; long ones melt."""
MICRO = frames_of(0.005)
"""Out of silence, where the attack should survive, and at the very end of a sound that ends by itself."""
DYING_AWAY = frames_of(0.25)
"""Into silence, and at the very end of a sound that is cut there."""


@dataclass(frozen=True, slots=True)
class Fade:
    """A passage from frame ``start`` to ``stop`` of the timeline in which a sound comes or goes."""

    start: int
    stop: int
    across: bool = False
    """Another sound takes over: the squares of the two gains sum to 1 (equal power). Else a soft rise or fall."""

    def rising(self, start: int, stop: int) -> npt.NDArray[np.float32]:
        """Gain for the frames from ``start`` to ``stop``: 0 before the passage, 1 after it."""
        gain = np.sin(np.float32(np.pi / 2) * self._progress(start, stop))
        return gain if self.across else gain**2

    def falling(self, start: int, stop: int) -> npt.NDArray[np.float32]:
        """Gain for the frames from ``start`` to ``stop``: 1 before the passage, 0 after it."""
        gain = np.cos(np.float32(np.pi / 2) * self._progress(start, stop))
        return gain if self.across else gain**2

    def _progress(self, start: int, stop: int) -> npt.NDArray[np.float32]:
        position = np.arange(start - self.start, stop - self.start, dtype=np.float32) + np.float32(0.5)
        return np.clip(position / np.float32(max(1, self.stop - self.start)), 0.0, 1.0)


def reach(left_frames: int, right_frames: int) -> int:
    """Frames that the crossfade between two stretches takes on each side; short stretches keep half for themselves."""
    shorter = min(left_frames, right_frames)
    return min(max(shorter // 50, SHORTEST_REACH), LONGEST_REACH, shorter // 4)


def envelope(fade_in: Fade, fade_out: Fade, start: int, stop: int) -> npt.NDArray[np.float32]:
    """Both fades of a sound over the frames from ``start`` to ``stop``."""
    gain = np.ones(stop - start, np.float32)
    if start < fade_in.stop:
        gain *= fade_in.rising(start, stop)
    if stop > fade_out.start:
        gain *= fade_out.falling(start, stop)
    return gain
