"""One take of a strand while it is made: the composer's sketch under it, and what sounds before and after it."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from bgm.media.audio import Audio, length, read
from bgm.music.cue import Cue
from bgm.music.riffusion_strands import COLUMN, CONTEXT, JOIN, Part
from bgm.progress import Progress
from bgm.progress import part as share

SeedRenderer = Callable[[Cue, Path, Progress], None]
"""Writes the sketch of a cue: 48 kHz FLAC, exactly ``cue.frames`` long."""


def composed(cue: Cue, target: Path, progress: Progress) -> None:
    """Our composer's piece for the cue."""
    from bgm.music.embedded import compose, render

    render(compose(cue), target, cue.frames, progress)


class Layer:
    """Cues in a row with the same take number. Sketches are written into ``folder`` when they are first read."""

    def __init__(
        self, cues: Sequence[Cue], around: tuple[Path | None, Path | None], folder: Path, renderer: SeedRenderer
    ) -> None:
        self.cues = cues
        self._starts = [0, *itertools.accumulate(cue.frames for cue in cues)]
        self._files = [folder / f"{i}.flac" for i in range(len(cues))]
        self._render = renderer
        before, after = around
        self.lead = _tail(before) if before else np.zeros((0, 2), np.float32)
        self._after = after

    @property
    def total(self) -> int:
        """Samples of all its cues."""
        return self._starts[-1]

    def trail(self, last: int, progress: Progress) -> Audio:
        """What follows sample ``last`` of the strand: its own sketch, or at its end the neighbour's take."""
        if last < self.total:
            return self.sketch(last, min(self.total, last + CONTEXT + COLUMN), progress)
        if self._after is None:
            return np.zeros((0, 2), np.float32)
        return stereo(read(self._after, 0, CONTEXT + COLUMN))

    def follow(self, body: Audio) -> None:
        """What was just made is what the next part goes on from."""
        self.lead = np.concatenate([self.lead, body[-CONTEXT:]])[-CONTEXT:].copy()

    def sketch(self, first: int, last: int, progress: Progress) -> Audio:
        """Samples ``first`` to ``last`` of the sketches in a row."""
        pieces = []
        for i, (start, stop) in enumerate(itertools.pairwise(self._starts)):
            if start < last and first < stop:
                file = self._sketched(i, share(progress, i / len(self.cues), (i + 1) / len(self.cues)))
                pieces.append(stereo(read(file, max(0, first - start), min(stop, last) - start)))
        return functools.reduce(splice, pieces)

    def _sketched(self, i: int, progress: Progress) -> Path:
        if not self._files[i].is_file():
            progress(0.0, "composing the sketch")
            self._render(self.cues[i], self._files[i], progress)
        return self._files[i]


def plan_of(layers: Sequence[Layer], first: int, last: int, progress: Progress) -> tuple[Part, list[Audio]]:
    """How the stretch lies in its sound, the same for all takes, and each take's sound: lead, body, trail, padding."""
    shares = [share(progress, i / len(layers), (i + 1) / len(layers)) for i in range(len(layers))]
    bodies = [layer.sketch(first, last, own) for layer, own in zip(layers, shares, strict=True)]
    trails = [layer.trail(last, own) for layer, own in zip(layers, shares, strict=True)]
    lead = min(len(layer.lead) for layer in layers)
    trail = min(map(len, trails))
    plan = Part(first, last, lead, trail, trail_held=last == layers[0].total)
    sounds = []
    for layer, body, after in zip(layers, bodies, trails, strict=True):
        sound = splice(layer.lead[len(layer.lead) - lead :], body)
        sounds.append(plan.padded(splice(after[:trail][::-1], sound[::-1])[::-1]))
    return plan, sounds


def splice(left: Audio, right: Audio) -> Audio:
    """``left`` unchanged, then ``right``, which over its first 10 ms takes over from the mirror image of ``left``.

    Two sounds that were cut anywhere so go on into each other without a click.
    """
    length = min(JOIN, len(left), len(right))
    fade = (0.5 + 0.5 * np.cos(np.pi * np.arange(length) / max(1, length))).astype(np.float32)[:, None]
    begin = right[:length] * (1 - fade) + left[len(left) - length :][::-1] * fade
    return np.concatenate([left, begin, right[length:]])


def stereo(sound: Audio) -> Audio:
    """Two channels whatever there were."""
    return sound[:, :2] if sound.shape[1] > 1 else np.repeat(sound, 2, axis=1)


def _tail(path: Path) -> Audio:
    """The last 2.56 s of a take, or as many whole columns as it has."""
    total = length(path)
    return stereo(read(path, total - min(CONTEXT, total // COLUMN * COLUMN), total))
