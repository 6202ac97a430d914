"""Voice and music as they come, readable from any frame to any frame; what both passes of the mix read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bgm.media.audio import Audio
from bgm.mix.control import FRAME
from bgm.mix.placement import MusicBus
from bgm.mix.plan import MixPlan
from bgm.mix.sound import Sound


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
        if self.voice is None:
            return np.zeros((stop - start, 1), np.float32)
        voice = self.voice.read(start, stop)
        voice[max(0, self.frames - start) :] = 0.0
        return voice

    def read_music(self, start: int, stop: int, gains: Sequence[float]) -> Audio:
        """(frames, 2); ``gains`` has one factor for each placement."""
        return self.music.read(start, stop, gains)

    def spans(self, block_frames: int) -> Iterator[tuple[int, int]]:
        """The whole length in blocks that begin on a control frame."""
        step = max(1, block_frames // FRAME) * FRAME
        for start in range(0, self.frames, step):
            yield start, min(start + step, self.frames)


def _check(plan: MixPlan) -> None:
    end = 0
    for placement in plan.placements:
        if placement.start_frame != end or placement.frames <= 0:
            raise ValueError(f"a placement starts at frame {placement.start_frame} where {end} was expected")
        end += placement.frames
    if end != plan.frames or end == 0:
        raise ValueError(f"the placements cover {end} of {plan.frames} frames")
