"""Scored utterances → emotion timeline, by one global optimum.

The rule is the seed's (ET-BGM): an emotion that lasts less than a threshold is ignored; where the stretches on both
sides have the same emotion it is filled with that one, else it goes to the likelier neighbour. Instead of a greedy
pass, dynamic programming finds, among all segmentations that keep the rule, the one with the highest log score
weighted by duration.

"Lasts" is meant literally: a segment of an emotion needs utterances that this emotion wins, of the threshold's length
in total. Length alone would not do, as a sure outburst of 3 s would borrow 2 s of its neighbours and stay.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from bgm.emotion.prior import NO_EVIDENCE
from bgm.errors import BadInput
from bgm.timeline import EMOTIONS, Emotion, Scores, Segment, Timeline, Utterance

SILENCE_S = 5.0
"""A pause at least this long (and as long as the threshold) stands for itself; a shorter one belongs to the speech
beside it, with the boundary in the middle of the pause."""
FLOOR = 0.01
"""Least probability that is believed: one utterance whose model is all too sure must not outvote a minute."""
TOLERANCE_S = 1e-6
"""Sums of float seconds may miss the threshold by this much."""

_NEUTRAL_FIRST = sorted(EMOTIONS, key=lambda e: e != Emotion.NEUTRAL)
"""The order in which equals are tried: without evidence the answer is neutral."""


def segment(utterances: Sequence[Utterance], duration: float, min_segment: float = 5.0) -> Timeline:
    """The timeline of a video of ``duration`` seconds in which every emotion lasts ``min_segment`` seconds or more.

    Boundaries lie between utterances only. Utterances without scores count as silence; those that overlap share the
    time. A segment's confidence is the mean probability of its emotion over the speech in it, weighted by duration,
    and 0 where nothing is spoken. A video shorter than the threshold is one segment. Raises BadInput.
    """
    if not (math.isfinite(duration) and duration > 0):
        raise BadInput("a timeline needs a duration above zero")
    if not (math.isfinite(min_segment) and min_segment >= 0):
        raise BadInput("the shortest segment must last zero seconds or more")
    cells = _cells(_speech(utterances, duration), duration, max(min_segment, SILENCE_S))
    labels = _best_labels(cells, min_segment)
    runs = itertools.groupby(zip(labels, cells, strict=True), key=lambda pair: pair[0])
    segments = [_segment(n, emotion, [cell for _, cell in run]) for n, (emotion, run) in enumerate(runs, start=1)]
    return Timeline(duration, tuple(segments))


@dataclass(frozen=True, slots=True)
class _Cell:
    """A stretch that is never cut. ``scores`` is None for silence; ``weight`` is the seconds that its scores count."""

    start: float
    end: float
    scores: Scores | None
    weight: float

    @property
    def winner(self) -> Emotion:
        return max(_NEUTRAL_FIRST, key=self.probability)

    def probability(self, emotion: Emotion) -> float:
        return (self.scores or NO_EVIDENCE).get(emotion, 0.0)

    def log_score(self, emotion: Emotion) -> float:
        return self.weight * math.log(max(FLOOR, self.probability(emotion)))


def _speech(utterances: Sequence[Utterance], duration: float) -> list[_Cell]:
    """The scored utterances inside the video, in order and without overlap: two that overlap meet in the middle."""
    spoken: list[_Cell] = []
    for utterance in sorted((u for u in utterances if u.scores), key=lambda u: u.start):
        start, end = max(0.0, utterance.start), min(duration, utterance.end)
        if spoken and start < spoken[-1].end:
            before = spoken[-1]
            start = (max(start, before.start) + before.end) / 2
            if start < end:
                spoken[-1] = replace(before, end=start, weight=start - before.start)
        if start < end:
            spoken.append(_Cell(start, end, utterance.scores, end - start))
    return spoken


def _cells(spoken: Sequence[_Cell], duration: float, long_pause: float) -> list[_Cell]:
    """Cut [0, duration] into cells: one for each utterance with the short pauses beside it, one for each long pause."""
    ends = [0.0, *(cell.end for cell in spoken)]
    starts = [*(cell.start for cell in spoken), duration]
    pauses = [_pause(a, b, duration, long_pause) for a, b in zip(ends, starts, strict=True)]
    cells: list[_Cell] = []
    for i, (quiet_from, quiet_to) in enumerate(pauses):
        if quiet_from < quiet_to:
            cells.append(_Cell(quiet_from, quiet_to, None, quiet_to - quiet_from))
        if i < len(spoken):
            cells.append(replace(spoken[i], start=quiet_to, end=pauses[i + 1][0]))
    return cells


def _pause(start: float, end: float, duration: float, long_pause: float) -> tuple[float, float]:
    """Where the speech before a pause ends and the speech after it starts, once a short pause is given away.

    A short pause is shared by halves; at the video's ends it goes to the only neighbour that it has.
    """
    if end - start >= long_pause or (start == 0 and end == duration):
        return start, end
    if start == 0:
        return 0.0, 0.0
    middle = duration if end == duration else (start + end) / 2
    return middle, middle


@dataclass(slots=True)
class _Track:
    """One emotion in the dynamic programme.

    ``score[i]`` and ``support[i]`` are the log score and the seconds won in the cells before ``i``. As support never
    falls, the cells at which a segment that ends at ``j`` may start are those before a mark that only moves on.
    """

    emotion: Emotion
    score: list[float]
    support: list[float]
    mark: int = 0
    lead: tuple[float, int] = field(default=(-math.inf, -1))

    def best_to(self, j: int, best: Sequence[float], min_segment: float) -> tuple[float, int]:
        """Score and first cell of the best segmentation of cells before ``j`` whose last segment has this emotion."""
        while self.mark < j and self.support[j] - self.support[self.mark] >= min_segment - TOLERANCE_S:
            self.lead = max(self.lead, (best[self.mark] - self.score[self.mark], -self.mark))
            self.mark += 1
        gain, negative_start = self.lead
        return gain + self.score[j], -negative_start


def _track(emotion: Emotion, cells: Sequence[_Cell], winners: Sequence[Emotion]) -> _Track:
    score = itertools.accumulate((cell.log_score(emotion) for cell in cells), initial=0.0)
    won = (c.end - c.start if winner == emotion else 0.0 for c, winner in zip(cells, winners, strict=True))
    return _Track(emotion, list(score), list(itertools.accumulate(won, initial=0.0)))


def _best_labels(cells: Sequence[_Cell], min_segment: float) -> list[Emotion]:
    """One emotion for each cell, in time proportional to the number of cells.

    When no segmentation keeps the rule (a short video, or one in which no emotion lasts), it is one segment.
    """
    winners = [cell.winner for cell in cells]
    tracks = [_track(emotion, cells, winners) for emotion in _NEUTRAL_FIRST]
    best = [0.0]
    choice: list[tuple[int, Emotion]] = []
    for j in range(1, len(cells) + 1):
        options = [(*track.best_to(j, best, min_segment), track.emotion) for track in tracks]
        score, start, emotion = max(options, key=lambda option: option[0])
        best.append(score)
        choice.append((start, emotion))
    if best[-1] == -math.inf:
        return [max(tracks, key=lambda track: track.score[-1]).emotion] * len(cells)
    return _walk_back(choice)


def _walk_back(choice: Sequence[tuple[int, Emotion]]) -> list[Emotion]:
    labels: list[Emotion] = []
    while len(labels) < len(choice):
        end = len(choice) - len(labels)
        start, emotion = choice[end - 1]
        labels += [emotion] * (end - start)
    return labels[::-1]


def _segment(number: int, emotion: Emotion, cells: Sequence[_Cell]) -> Segment:
    spoken = [cell for cell in cells if cell.scores]
    total = sum(cell.weight for cell in spoken)
    confidence = sum(cell.weight * cell.probability(emotion) for cell in spoken) / total if spoken else 0.0
    return Segment(f"s{number}", cells[0].start, cells[-1].end, emotion, confidence=min(1.0, confidence))
