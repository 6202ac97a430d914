"""Scored utterances → emotion timeline, by one global optimum.

The rule is the seed's (ET-BGM): an emotion that lasts less than a threshold is ignored; where the stretches on both
sides have the same emotion it is filled with that one, else it goes to the likelier neighbour. Instead of a greedy
pass, dynamic programming finds, among all segmentations that keep the rule, the one with the highest log score
weighted by duration.

"Lasts" is meant literally: a segment of an emotion needs utterances that this emotion wins, of the threshold's length
in total. Length alone would not do, as a sure outburst of 3 s would borrow 2 s of its neighbours and stay.

Without a threshold of the creator's it follows the material (:func:`fitting_threshold`); what is ignored all the same
is told by :func:`ignored`. What a stretch sounds like is said by one function, :func:`heard`, wherever it is shown.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Literal

from bgm.emotion.prior import NO_EVIDENCE
from bgm.errors import BadInput
from bgm.timeline import EMOTIONS, MIN_LENGTH, Emotion, Scores, Segment, Timeline, Utterance

Threshold = float | Literal["auto"]
"""Seconds, or what fits the material."""
LEAST_S, MOST_S = 2.0, 5.0
"""Between which the threshold that fits the material lies."""
AGREEMENT = 0.2
"""How much surer several utterances make that say the same: 0 as sure as one, 1 as if they were independent. Fitted on
the development split (see weights/README.md)."""
AGREEMENT_OF = {"mpnet": 0.35}
"""The same for readers whose mistakes are less alike."""
CHANGE = 10.0
"""What a further segment must be worth where the threshold follows the material, in seconds times nats: a sentence that
is read as something else than all around it was more often misread than meant. Fitted with AGREEMENT."""
WORTH_A_MARK = 0.5
"""Least confidence of an ignored feeling that is told."""

SILENCE_S = 5.0
"""A pause at least this long (and as long as the threshold) stands for itself; a shorter one belongs to the speech
beside it, with the boundary in the middle of the pause."""
FLOOR = 0.01
"""Least probability that is believed: one utterance whose model is all too sure must not outvote a minute."""
TOLERANCE_S = 1e-6
"""Sums of float seconds may miss the threshold by this much."""

_NEUTRAL_FIRST = sorted(EMOTIONS, key=lambda e: e != Emotion.NEUTRAL)
"""The order in which equals are tried: without evidence the answer is neutral."""


def segment(
    utterances: Sequence[Utterance],
    duration: float,
    min_segment: Threshold = "auto",
    reader: str | None = None,
    fitting: float | None = None,
) -> Timeline:
    """The timeline of a video of ``duration`` seconds in which every emotion lasts ``min_segment`` seconds or more.

    Boundaries lie between utterances only. Utterances without scores count as silence; those that overlap share the
    time. A segment's confidence is what :func:`heard` says of its emotion, and 0 where nothing is spoken. A video
    shorter than the threshold is one segment. ``reader``: the classifier that gave the scores; ``fitting``: what fits
    the material, where it is not these lines that tell. Raises BadInput.
    """
    if not (math.isfinite(duration) and duration > 0):
        raise BadInput("a timeline needs a duration above zero")
    speech = _speech(utterances, duration)
    least = (fitting_threshold(speech) if fitting is None else fitting) if min_segment == "auto" else min_segment
    if not (math.isfinite(least) and least >= 0):
        raise BadInput("the shortest segment must last zero seconds or more")
    cells = _cells(speech, duration, max(least, SILENCE_S))
    labels = _best_labels(cells, least, CHANGE if min_segment == "auto" else 0.0)
    runs = itertools.groupby(zip(labels, cells, strict=True), key=lambda pair: pair[0])
    told = [(emotion, [cell for _, cell in run]) for emotion, run in runs]
    segments = [_segment(n, emotion, run, reader) for n, (emotion, run) in enumerate(told, start=1)]
    return Timeline(duration, tuple(segments))


def pace(utterances: Sequence[Utterance], duration: float) -> float:
    """The threshold that fits a video of ``duration`` seconds with these utterances, in seconds."""
    return fitting_threshold(_speech(utterances, duration))


def settled(fresh: Timeline, old: Sequence[Segment], utterances: Sequence[Utterance]) -> Timeline:
    """``fresh`` with each boundary where it was among the automatic ones of ``old``, if it parts the same two emotions
    and nobody speaks between its two places: a line that was timed or written otherwise is no other segment."""
    known: dict[tuple[Emotion, Emotion], list[float]] = {}
    for a, b in itertools.pairwise(old):
        if a.source == b.source == "auto":
            known.setdefault((a.emotion, b.emotion), []).append(b.start)
    out = [*fresh.segments]
    for i, (a, b) in enumerate(itertools.pairwise(fresh.segments)):
        time = min(known.get((a.emotion, b.emotion), ()), key=lambda t: abs(t - b.start), default=b.start)
        if out[i].start < time < b.end and _is_pause(utterances, min(time, b.start), max(time, b.start)):
            out[i : i + 2] = replace(out[i], end=time), replace(b, start=time)
    return replace(fresh, segments=tuple(out))


def _is_pause(utterances: Sequence[Utterance], start: float, end: float) -> bool:
    after = bisect_right(utterances, start + TOLERANCE_S, key=lambda u: u.end)
    return after == len(utterances) or utterances[after].start >= end - TOLERANCE_S


def heard(utterances: Sequence[Utterance], start: float, end: float, reader: str | None = None) -> Scores | None:
    """The seven probabilities of what is said between ``start`` and ``end``; None where nobody speaks.

    ``utterances`` are in order and disjoint, ``reader`` gave their scores. Each counts by how long it lies inside.
    """
    inside: list[tuple[float, Scores]] = []
    for u in itertools.islice(utterances, bisect_right(utterances, start, key=lambda u: u.end), None):
        if u.start >= end:
            break
        if u.scores is not None:
            inside.append((min(u.end, end) - max(u.start, start), u.scores))
    return _joint(inside, reader)


@dataclass(frozen=True, slots=True)
class Ignored:
    """A feeling that was heard inside a segment of another emotion, for too short a time to be one itself."""

    start: float
    end: float
    emotion: Emotion
    confidence: float


def ignored(utterances: Sequence[Utterance], timeline: Timeline, reader: str | None = None) -> dict[str, list[Ignored]]:
    """By segment id, in order; a neutral stretch is no feeling. Their ends are where a segment's would be."""
    cells = _cells(_speech(utterances, timeline.duration), timeline.duration, SILENCE_S)
    starts = [segment.start for segment in timeline.segments]
    found: dict[str, list[Ignored]] = {}

    def place(cell: _Cell) -> tuple[int, Emotion]:
        return bisect_right(starts, (cell.start + cell.end) / 2) - 1, cell.winner

    for (index, winner), run in itertools.groupby(cells, key=place):
        segment = timeline.segments[index]
        if winner not in (segment.emotion, Emotion.NEUTRAL):
            found.setdefault(segment.id, []).extend(_worth_a_mark(segment, winner, list(run), reader))
    return {segment_id: marks for segment_id, marks in found.items() if marks}


def _worth_a_mark(segment: Segment, emotion: Emotion, run: Sequence[_Cell], reader: str | None) -> Iterator[Ignored]:
    confidence = _confidence(emotion, run, reader)
    start, end = max(segment.start, run[0].start), min(segment.end, run[-1].end)
    if confidence >= WORTH_A_MARK and end - start >= MIN_LENGTH:
        yield Ignored(start, end, emotion, confidence)


def fitting_threshold(utterances: Iterable[Utterance | _Cell]) -> float:
    """Seconds that an emotion must last in this material: half the median utterance, from LEAST_S to MOST_S."""
    lengths = [u.end - u.start for u in utterances]
    return min(MOST_S, max(LEAST_S, median(lengths) / 2)) if lengths else MOST_S


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


def _best_labels(cells: Sequence[_Cell], min_segment: float, change: float) -> list[Emotion]:
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
        best.append(score - change)
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


def _segment(number: int, emotion: Emotion, cells: Sequence[_Cell], reader: str | None) -> Segment:
    confidence = _confidence(emotion, cells, reader)
    return Segment(f"s{number}", cells[0].start, cells[-1].end, emotion, confidence=confidence)


def _confidence(emotion: Emotion, cells: Iterable[_Cell], reader: str | None) -> float:
    """Of an emotion over the speech in these cells; 0 without speech."""
    joint = _joint([(cell.weight, cell.scores) for cell in cells if cell.scores], reader)
    return joint[emotion] if joint else 0.0


def _joint(readings: Sequence[tuple[float, Scores]], reader: str | None) -> Scores | None:
    """What utterances of (seconds, probabilities) say together; None where they say nothing.

    Their mean, sharpened by how many they are: n that agree are surer than one, but not as sure as n independent
    witnesses. n is Kish's effective number, so one alone is taken at its word.
    """
    total = sum(weight for weight, _ in readings)
    shares = [weight / total for weight, _ in readings] if total > 0 else []
    mean = {
        e: sum(share * scores.get(e, 0.0) for share, (_, scores) in zip(shares, readings, strict=False))
        for e in EMOTIONS
    }
    most = max(mean.values())
    if most <= 0:
        return None
    count = 1 / sum(share**2 for share in shares)
    surer = count ** AGREEMENT_OF.get(reader or "", AGREEMENT)
    powers = {e: (m / most) ** surer for e, m in mean.items()}
    whole = sum(powers.values())
    return {e: power / whole for e, power in powers.items()}
