"""The second pass: voice and music into master and bgm stem, block by block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bgm.media.audio import Audio
from bgm.mix.balance import Balance
from bgm.mix.control import FRAME, Curve, amplitude, to_samples
from bgm.mix.limiter import CONTEXT, Limiter
from bgm.mix.sources import Sources
from bgm.mix.spectrum import CONTEXT as FILTER_CONTEXT
from bgm.mix.spectrum import filtered, room_for_speech


@dataclass(frozen=True, slots=True)
class Rendering:
    """One way through the sound at one gain."""

    sources: Sources
    levels: Balance
    gain_db: float
    limiter: Limiter

    def blocks(self, block_frames: int) -> Iterator[tuple[Audio, Audio]]:
        """(bgm, master) for one block after the other."""
        gain = np.float32(amplitude(self.gain_db))
        for start, stop in self.sources.spans(block_frames):
            whole = -(-(stop - start) // FRAME) * FRAME
            first, last = start - CONTEXT, start + whole + CONTEXT
            music = self._music(first, last)
            mixed = music + self.sources.read_voice(first, last)
            mixed *= gain
            limit = self.limiter.gain(mixed)[: stop - start, None]
            here = slice(CONTEXT, CONTEXT + stop - start)
            yield music[here] * (limit * gain), mixed[here] * limit

    def _music(self, start: int, stop: int) -> Audio:
        """The music bus, levelled, ducked and filtered; ``start`` and ``stop`` are whole control frames."""
        curves, last = self.levels.ducking, (stop - start) // FRAME
        share = to_samples(_at(curves.filtered, start // FRAME, last), FRAME)[:, None]
        factor = to_samples(_at(curves.gain, start // FRAME, last), FRAME)[:, None]
        padded = self.sources.read_music(start - FILTER_CONTEXT, stop + FILTER_CONTEXT, self.levels.gains)
        music = padded[FILTER_CONTEXT:-FILTER_CONTEXT]
        if share.any():
            change = filtered(padded, room_for_speech())[0]
            change -= music
            change *= share
            music += change
        music *= factor
        return music


def _at(curve: Curve, start: int, count: int) -> Curve:
    """``count`` + 1 values from control frame ``start`` on; the curve goes on level beyond its ends."""
    return curve[np.clip(np.arange(start, start + count + 1), 0, len(curve) - 1)]
