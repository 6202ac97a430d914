"""Which cues are painted together: adjacent ones form a strand, their takes its layers.

All counts are samples at 48 kHz. A latent column is 80 ms, 3840 samples; held context begins and ends on columns.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bgm.media.audio import SAMPLE_RATE, Audio, frames_of, length, read
from bgm.media.signal import falling
from bgm.music.riffusion import prompts
from bgm.music.riffusion.multidiffusion import WINDOW
from bgm.music.riffusion.painting import PIXELS_PER_COLUMN, Region
from bgm.music.riffusion.spectrogram import SpectrogramParams
from bgm.music.score import Cue, Score
from bgm.progress import Progress, silent
from bgm.progress import part as share
from bgm.timeline import Emotion

PARAMS = SpectrogramParams(sample_rate=SAMPLE_RATE)
COLUMN = PIXELS_PER_COLUMN * PARAMS.hop
CONTEXT = 32 * COLUMN
"""Context taken from a neighbour: 2.56 s, half a window."""
JOIN = SAMPLE_RATE // 100
"""10 ms, over which a sound goes over from its neighbour's exact wave to its own."""
PART = 1875 * COLUMN
"""A strand is painted 150 s at a time, which bounds memory and lets finished cues be heard."""
WHOLE_TAKES = 2
"""Up to this many takes are painted 150 s at a time; parts of more are shorter, to bound memory and the time for which
ZeroGPU has to lend its GPU."""


@dataclass(frozen=True, slots=True)
class Strand:
    """Segments that follow one another without a gap: for each, the indices of its cues, one per take."""

    segments: tuple[tuple[int, ...], ...]

    @property
    def takes(self) -> int:
        return len(self.segments[0])

    def layer(self, take: int) -> tuple[int, ...]:
        """The cues of one take, in order."""
        return tuple(indices[take] for indices in self.segments)


@dataclass(frozen=True, slots=True)
class Part:
    """The stretch ``first`` to ``last`` of a strand, and its layout in the sound: lead, body, trail, padding.

    ``lead`` is a whole number of columns and always held; the trail is held where it is a neighbour's.
    """

    first: int
    last: int
    lead: int
    trail: int
    trail_held: bool

    @property
    def end(self) -> int:
        """Where the body ends, from the start of the lead."""
        return self.lead + self.last - self.first

    @property
    def columns(self) -> int:
        """Of the picture: at least one window, and 10 ms more than what is kept."""
        return max(WINDOW, -(-max(self.end + PARAMS.hop, self.end + self.trail) // COLUMN))

    def held_columns(self) -> npt.NDArray[np.bool_]:
        """(columns,): whether a column shows only neighbours."""
        column = np.arange(self.columns)
        trail = (column * COLUMN >= self.end) & ((column + 1) * COLUMN <= self.end + self.trail)
        return (column < self.lead // COLUMN) | (trail & self.trail_held)

    def held_frames(self, first: int, last: int) -> npt.NDArray[np.bool_]:
        """(last - first,): whether a spectrogram frame's window contains only neighbours."""
        centre = np.arange(first, last) * PARAMS.hop
        half = PARAMS.window // 2
        trail = (centre - half >= self.end) & (centre + half <= self.end + self.trail)
        return (centre + half <= self.lead) | (trail & self.trail_held)

    def padded(self, sound: Audio) -> Audio:
        """Lead, body and trail, mirrored at the end until the picture is full."""
        missing = self.columns * COLUMN - len(sound)
        return np.pad(sound, ((0, missing), (0, 0)), mode="reflect")


def strands(cues: Sequence[Cue]) -> list[Strand]:
    """Group cues: takes of one stretch side by side, stretches that touch and have as many takes in a row."""
    # 1. Cues of one stretch are takes of it; 2. stretches that touch, with as many takes, are one strand.
    by_span: dict[tuple[int, int], list[int]] = {}
    for index, cue in enumerate(cues):
        by_span.setdefault((frames_of(cue.start), cue.frames), []).append(index)
    rows: list[list[tuple[int, ...]]] = []
    for (start, _), indices in sorted(by_span.items()):
        before = rows[-1][-1] if rows else ()
        if len(before) == len(indices) and end_of(cues[before[0]]) == start:
            rows[-1].append(tuple(indices))
        else:
            rows.append([tuple(indices)])
    return [Strand(tuple(row)) for row in rows]


def end_of(cue: Cue) -> int:
    """The sample of the video on which a cue ends."""
    return frames_of(cue.start) + cue.frames


def neighbours(strand: Strand, cues: Sequence[Cue], targets: Sequence[Path]) -> list[tuple[Path | None, Path | None]]:
    """For each take, the files that sound before and after the strand and are not painted with it.

    What was made in this call before the strand goes first, then the cues' own neighbours. What this call will still
    make after the strand joins to it, not the other way round.
    """
    opening = [cues[i] for i in strand.segments[0]]
    closing = [cues[i] for i in strand.segments[-1]]
    start, end = frames_of(opening[0].start), end_of(closing[0])
    made = [targets[i] for i, cue in enumerate(cues) if end_of(cue) == start]
    follows = any(frames_of(cue.start) == end for cue in cues)
    return [
        (
            _existing(made[min(take, len(made) - 1)] if made else opening[take].before_take),
            _existing(None if follows else closing[take].after_take),
        )
        for take in range(strand.takes)
    ]


def parts(total: int, takes: int = 1) -> list[tuple[int, int]]:
    """Cut ``total`` samples into equal stretches of at most PART (less for many takes) that begin on columns."""
    longest = PART * WHOLE_TAKES // max(WHOLE_TAKES, takes) // COLUMN * COLUMN
    count = -(-total // longest)
    # Equal parts: a short rest at the end would be painted with little context of its own.
    step = -(-total // (count * COLUMN)) * COLUMN
    return [(first, min(total, first + step)) for first in range(0, total, step)]


def regions(part: Part, layers: Sequence[Sequence[Cue]], score: Callable[[int], Score]) -> tuple[Region, ...]:
    """Columns and prompt of every cue that the part's picture shows, and of the neighbours' context.

    ``layers`` has the strand's cues for each take; takes of one segment share its prompt, by the first one's ``score``
    (of a cue by its number).
    """
    found: list[Region] = []
    at = part.lead - part.first
    for number, takes in enumerate(zip(*layers, strict=True)):
        start, stop = _column(at, part), _column(at + takes[0].frames, part)
        if stop > start:
            # Takes of a segment differ by their seeds: one prompt for all.
            prompt = prompts.prompt_for(takes[0], score(number))
            found.append(Region(start, stop, prompt.wished, tuple(cue.seed for cue in takes), prompt.refused))
        at += takes[0].frames
    return _with_context(found, part, layers[0][0], layers[0][-1])


def _with_context(found: list[Region], part: Part, opening: Cue, closing: Cue) -> tuple[Region, ...]:
    """Fill the picture from end to end: the neighbours' emotions where they are known."""
    first, last = found[0], found[-1]
    # The context on both sides is seen by the windows at the edge: it gets a prompt too, and other noise.
    if first.start:
        beside = replace(first, start=0, stop=first.start, seeds=_other(first.seeds))
        found.insert(0, _of_neighbour(beside, opening.before))
    if last.stop < part.columns:
        beside = replace(last, start=last.stop, stop=part.columns, seeds=_other(last.seeds))
        found.append(_of_neighbour(beside, closing.after if part.trail_held else None))
    return tuple(found)


def _of_neighbour(beside: Region, emotion: Emotion | None) -> Region:
    if emotion is None:
        return beside
    prompt = prompts.neighbour(emotion)
    return replace(beside, prompt=prompt.wished, negative=prompt.refused)


def _column(sample: int, part: Part) -> int:
    """The nearest column boundary inside the picture."""
    return min(part.columns, max(0, round(sample / COLUMN)))


def _other(seeds: tuple[int, ...]) -> tuple[int, ...]:
    """Seeds for the noise of what isn't the cue's own."""
    # Any constant would do: other noise than the cue's, and the same each time.
    return tuple(seed ^ 0x5BD1E995 for seed in seeds)


def _existing(path: Path | None) -> Path | None:
    return path if path is not None and path.is_file() else None


SeedRenderer = Callable[[Cue, Path, Progress], Score]
"""Writes the sketch of a cue: 48 kHz FLAC, exactly ``cue.frames`` long. Gives what it plays."""


def composed(cue: Cue, target: Path, progress: Progress) -> Score:
    """Our composer's piece for the cue."""
    from bgm.music.embedded import compose, render

    score = compose(cue)
    render(score, target, cue.frames, progress)
    return replace(score, notes=(), controls=(), changes=())


class Layer:
    """Cues in a row with the same take number. Sketches are written into ``folder`` when they are first read."""

    def __init__(
        self, cues: Sequence[Cue], around: tuple[Path | None, Path | None], folder: Path, renderer: SeedRenderer
    ) -> None:
        self.cues = cues
        self._starts = [0, *itertools.accumulate(cue.frames for cue in cues)]
        self._files = [folder / f"{i}.flac" for i in range(len(cues))]
        self._scores: dict[int, Score] = {}
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
        """The next part continues from what was just made."""
        self.lead = np.concatenate([self.lead, body[-CONTEXT:]])[-CONTEXT:].copy()

    def sketch(self, first: int, last: int, progress: Progress) -> Audio:
        """Samples ``first`` to ``last`` of the sketches in a row."""
        pieces = []
        for i, (start, stop) in enumerate(itertools.pairwise(self._starts)):
            if start < last and first < stop:
                file = self._sketched(i, share(progress, i / len(self.cues), (i + 1) / len(self.cues)))
                pieces.append(stereo(read(file, max(0, first - start), min(stop, last) - start)))
        return functools.reduce(splice, pieces)

    def score(self, i: int) -> Score:
        """What the sketch of a cue plays; one that the picture shows beyond its sound is made now, before its turn."""
        self._sketched(i, silent)
        return self._scores[i]

    def _sketched(self, i: int, progress: Progress) -> Path:
        if not self._files[i].is_file():
            progress(0.0, "composing the sketch")
            self._scores[i] = self._render(self.cues[i], self._files[i], progress)
        return self._files[i]


def plan_of(layers: Sequence[Layer], first: int, last: int, progress: Progress) -> tuple[Part, list[Audio]]:
    """The layout of a stretch, the same for all takes, and each take's sound: lead, body, trail, padding."""
    shares = [share(progress, i / len(layers), (i + 1) / len(layers)) for i in range(len(layers))]
    # 1. Each take's own sketch of the stretch, 2. what follows it, 3. as much of both neighbours as every take has,
    bodies = [layer.sketch(first, last, own) for layer, own in zip(layers, shares, strict=True)]
    trails = [layer.trail(last, own) for layer, own in zip(layers, shares, strict=True)]
    # The shortest lead and trail of all takes: they are painted as one batch, of one shape.
    lead = min(len(layer.lead) for layer in layers)
    trail = min(map(len, trails))
    plan = Part(first, last, lead, trail, trail_held=last == layers[0].total)
    # 4. joined without a click and filled up to whole columns.
    sounds = []
    for layer, body, after in zip(layers, bodies, trails, strict=True):
        # The trail is spliced backwards: what is held must be exact at its side of the seam.
        sound = splice(layer.lead[len(layer.lead) - lead :], body)
        sounds.append(plan.padded(splice(after[:trail][::-1], sound[::-1])[::-1]))
    return plan, sounds


def splice(left: Audio, right: Audio) -> Audio:
    """``left`` unchanged, then ``right``, which over its first 10 ms takes over from the mirror image of ``left``.

    So two sounds that were cut anywhere join without a click.
    """
    length = min(JOIN, len(left), len(right))
    fade = falling(np.arange(length) / max(1, length)).astype(np.float32)[:, None]
    begin = right[:length] * (1 - fade) + left[len(left) - length :][::-1] * fade
    return np.concatenate([left, begin, right[length:]])


def stereo(sound: Audio) -> Audio:
    """Two channels whatever there were."""
    return sound[:, :2] if sound.shape[1] > 1 else np.repeat(sound, 2, axis=1)


def _tail(path: Path) -> Audio:
    """The last 2.56 s of a take, or as many whole columns as it has."""
    total = length(path)
    return stereo(read(path, total - min(CONTEXT, total // COLUMN * COLUMN), total))
