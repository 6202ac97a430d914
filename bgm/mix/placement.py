"""The music bus: every take at its absolute sample, joined by crossfades, readable from any frame to any frame.

Takes are as long as their segment, so what sounds beyond a take's edge during a crossfade is made by continuing it. A
longer take goes on with its own sound instead. A shorter one (a file of the creator's own) is repeated, crossfaded at
the seam; one too short for that (under half a second) is heard once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bgm.media.audio import Audio
from bgm.mix.crossfade import DYING_AWAY, LONGEST_REACH, MICRO, Fade, envelope, reach
from bgm.mix.plan import Placement
from bgm.mix.sound import Sound


@dataclass(frozen=True, slots=True)
class Stretch:
    """[start, stop) of the timeline filled by one sound from its beginning; None is silence."""

    start: int
    stop: int
    sound: Sound | None
    placement: int

    @property
    def frames(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True, slots=True)
class Clip:
    """A sound that begins at ``start`` and is heard from ``fade_in.start`` to ``fade_out.stop``."""

    sound: Sound
    start: int
    fade_in: Fade
    fade_out: Fade
    placement: int

    def read(self, start: int, stop: int) -> Audio:
        """The timeline's frames ``start`` to ``stop``, which must lie within what is heard, faded: (frames, 2)."""
        before, after = self.start - self.fade_in.start, self.fade_out.stop - self.start - self.sound.frames
        sound = self.sound.extended(start - self.start, stop - self.start, before, after)
        return sound * envelope(self.fade_in, self.fade_out, start, stop)[:, None]


class MusicBus:
    """All clips of a plan as one stereo sound of endless length, silent outside the placements."""

    def __init__(self, placements: Sequence[Placement]) -> None:
        self.placements = len(placements)
        self._clips = clips(placements)

    def read(self, start: int, stop: int, gains: Sequence[float]) -> Audio:
        """Frames ``start`` to ``stop``, (frames, 2); ``gains`` has one factor for each placement."""
        out = np.zeros((stop - start, 2), np.float32)
        for clip in self._clips:
            first, last = max(start, clip.fade_in.start), min(stop, clip.fade_out.stop)
            if first < last:
                out[first - start : last - start] += clip.read(first, last) * np.float32(gains[clip.placement])
        return out


def clips(placements: Sequence[Placement]) -> list[Clip]:
    """What sounds, with the fades that neighbours agree on."""
    stretches = [s for number, placement in enumerate(placements) for s in _stretches(placement, number)]
    neighbours = zip([None, *stretches[:-1]], stretches, [*stretches[1:], None], strict=True)
    return [
        Clip(here.sound, here.start, _fade_in(before, here), _fade_out(here, after), here.placement)
        for before, here, after in neighbours
        if here.sound is not None
    ]


def _stretches(placement: Placement, number: int) -> list[Stretch]:
    """One stretch; several when the sound is shorter than its place by more than a continuation can cover."""
    start, stop = placement.start_frame, placement.start_frame + placement.frames
    sound = Sound.open(placement.take) if placement.take else None
    if sound is None or sound.frames == 0:
        return [Stretch(start, stop, None, number)]
    if sound.frames < min(2 * LONGEST_REACH, placement.frames):
        end = start + sound.frames
        return [Stretch(start, end, sound, number), Stretch(end, stop, None, number)]
    coverable = min(LONGEST_REACH, sound.frames // 4)
    starts = [start, *range(start + sound.frames, stop - coverable, sound.frames)]
    return [Stretch(a, b, sound, number) for a, b in zip(starts, [*starts[1:], stop], strict=True)]


def _fade_in(before: Stretch | None, here: Stretch) -> Fade:
    if before is None or before.sound is None:
        return Fade(here.start, here.start + min(MICRO, here.frames // 4))
    side = reach(before.frames, here.frames)
    return Fade(here.start - side, here.start + side, across=True)


def _fade_out(here: Stretch, after: Stretch | None) -> Fade:
    if after is not None and after.sound is not None:
        side = reach(here.frames, after.frames)
        return Fade(here.stop - side, here.stop + side, across=True)
    ends_by_itself = after is None and here.sound is not None and here.sound.frames <= here.frames
    length = MICRO if ends_by_itself else DYING_AWAY
    return Fade(here.stop - min(length, here.frames // 4), here.stop)
