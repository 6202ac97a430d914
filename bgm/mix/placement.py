"""Voice and music as they come: every take at its absolute sample, joined by crossfades, readable from any frame on.

Takes are as long as their segment, so what sounds beyond a take's edge during a crossfade is made by continuing it. A
longer take goes on with its own sound instead. A shorter one (a file of the creator's own) is repeated, crossfaded at
the seam; one too short for that (under half a second) is heard once. Fades are functions of the absolute position on
the timeline: the same whatever block they are computed in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bgm.media.audio import Audio, frames_of
from bgm.media.signal import FRAME
from bgm.mix.plan import MixPlan, Placement
from bgm.mix.sound import Sound

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
    own: tuple[Fade, Fade] | None = None
    """Those that were asked for, of the whole placement: a short sound may be repeated in it."""

    def read(self, start: int, stop: int) -> Audio:
        """The timeline's frames ``start`` to ``stop``, which must lie within what is heard, faded: (frames, 2)."""
        before, after = self.start - self.fade_in.start, self.fade_out.stop - self.start - self.sound.frames
        sound = self.sound.extended(start - self.start, stop - self.start, before, after)
        gain = envelope(self.fade_in, self.fade_out, start, stop)
        return sound * (gain if self.own is None else gain * envelope(*self.own, start, stop))[:, None]


class MusicBus:
    """All clips of a plan as one stereo sound of endless length, silent outside the placements."""

    def __init__(self, placements: Sequence[Placement]) -> None:
        self.placements = len(placements)
        self._clips = clips(placements)

    def read(self, start: int, stop: int, gains: Sequence[float]) -> Audio:
        """Frames ``start`` to ``stop``, (frames, 2); ``gains`` has one factor for each placement."""
        return summed([(clip, gains[clip.placement]) for clip in self.heard(start, stop)], start, stop)

    def heard(self, start: int, stop: int) -> tuple[Clip, ...]:
        """What sounds anywhere from frame ``start`` to ``stop``."""
        return tuple(clip for clip in self._clips if max(start, clip.fade_in.start) < min(stop, clip.fade_out.stop))


def summed(clips: Sequence[tuple[Clip, float]], start: int, stop: int) -> Audio:
    """Clips with a factor each, all of them heard there, as frames ``start`` to ``stop``: (frames, 2)."""
    out = np.zeros((stop - start, 2), np.float32)
    for clip, gain in clips:
        first, last = max(start, clip.fade_in.start), min(stop, clip.fade_out.stop)
        out[first - start : last - start] += clip.read(first, last) * np.float32(gain)
    return out


def clips(placements: Sequence[Placement]) -> list[Clip]:
    """What sounds, with the fades that neighbours agree on."""
    # 1. Cut the timeline into stretches of one sound or silence.
    stretches = [s for number, placement in enumerate(placements) for s in _stretches(placement, number)]
    # 2. A boundary's fade follows from the two beside it, so both find the same one.
    neighbours = zip([None, *stretches[:-1]], stretches, [*stretches[1:], None], strict=True)
    # 3. A fade that was asked for parts them: each ends, or begins, as it would beside silence.
    return [
        Clip(
            *(here.sound, here.start),
            _fade_in(None if _parts(placements, before, here) else before, here),
            _fade_out(here, Stretch(here.stop, here.stop, None, -1) if _parts(placements, here, after) else after),
            here.placement,
            _own(placements[here.placement]),
        )
        for before, here, after in neighbours
        if here.sound is not None
    ]


def _parts(placements: Sequence[Placement], left: Stretch | None, right: Stretch | None) -> bool:
    """Does a fade lie between two stretches?"""
    if left is None or right is None or left.placement == right.placement:
        return False
    return bool(placements[left.placement].fade_out or placements[right.placement].fade_in)


def _own(placement: Placement) -> tuple[Fade, Fade] | None:
    if not (placement.fade_in or placement.fade_out):
        return None
    start, stop = placement.start_frame, placement.start_frame + placement.frames
    return Fade(start, start + placement.fade_in), Fade(stop - placement.fade_out, stop)


def _stretches(placement: Placement, number: int) -> list[Stretch]:
    """One stretch; several when the sound is shorter than its place by more than a continuation can cover."""
    start, stop = placement.start_frame, placement.start_frame + placement.frames
    # 1. Nothing to play.
    sound = Sound.open(placement.take) if placement.take else None
    if sound is None or sound.frames == 0:
        return [Stretch(start, stop, None, number)]
    # 2. Too short to be crossfaded with itself: heard once, then silence.
    if sound.frames < min(2 * LONGEST_REACH, placement.frames):
        end = start + sound.frames
        return [Stretch(start, end, sound, number), Stretch(end, stop, None, number)]
    # 3. Once where a continuation covers what is missing, else again and again; a longer one is simply cut.
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


@dataclass(frozen=True, slots=True)
class Sources:
    """``frames`` long; silent outside."""

    frames: int
    music: MusicBus
    voice: Sound | None

    @classmethod
    def of(cls, plan: MixPlan) -> Sources:
        """Open what a plan names; ValueError when its placements don't cover it, BadInput when a file can't be read."""
        _check(plan)
        return cls(plan.frames, MusicBus(plan.placements), Sound.open(plan.voice) if plan.voice else None)

    def read_voice(self, start: int, stop: int) -> Audio:
        """(frames, 1 or 2), as the stem is; what it has beyond the end is not heard."""
        return read_until(self.frames, self.voice, start, stop)

    def read_music(self, start: int, stop: int, gains: Sequence[float]) -> Audio:
        """(frames, 2); ``gains`` has one factor for each placement."""
        return self.music.read(start, stop, gains)

    def spans(self, block_frames: int) -> Iterator[tuple[int, int]]:
        """The whole length in blocks that begin on a control frame."""
        step = max(1, block_frames // FRAME) * FRAME
        for start in range(0, self.frames, step):
            yield start, min(start + step, self.frames)


def read_until(end: int, sound: Sound | None, start: int, stop: int) -> Audio:
    """Frames ``start`` to ``stop`` of a sound, (frames, 1 or 2), silent from frame ``end`` on and without a sound."""
    if sound is None:
        return np.zeros((stop - start, 1), np.float32)
    heard = sound.read(start, stop)
    heard[max(0, end - start) :] = 0.0
    return heard


def _check(plan: MixPlan) -> None:
    end = 0
    for placement in plan.placements:
        if placement.start_frame != end or placement.frames <= 0:
            raise ValueError(f"a placement starts at frame {placement.start_frame} where {end} was expected")
        end += placement.frames
    if end != plan.frames or end == 0:
        raise ValueError(f"the placements cover {end} of {plan.frames} frames")
