"""Music under a voice: while someone speaks it is a bed that keeps its groove, in the gaps it may speak up.

Under speech there is no melody and nothing above A4: a voice is understood by its formants (about 300 Hz to 3.4 kHz,
the telephone's band of ITU-T G.712). Rhythm may go on: at an equal level below the voice the full groove without lead
is as intelligible as a bare bed (STOI), and a groove that stops and starts draws the ear.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import replace

from bgm.music.composer.form import GAP_SECONDS
from bgm.music.composer.melody import answer
from bgm.music.composer.patterns import BACKBEAT, CYMBALS
from bgm.music.composer.sketch import Sketch
from bgm.music.score import Event, Role

Spans = tuple[tuple[float, float], ...]

_BEFORE, _AFTER = 0.15, 0.10
"""The music steps back a little before the voice and waits a little after it, seconds."""
_CEILING = 69
"""A4, 440 Hz."""
_LONG_GAP_BEATS = 8
"""In a gap this long the theme itself is heard; in shorter ones a call of the motif."""
_SUNG = (Role.LEAD, Role.COUNTER)
_FALL = {Role.COMP: 0.86, Role.ARP: 0.8, Role.PAD: 0.92, Role.BASS: 0.92, Role.BOOM: 0.75, Role.DRUMS: 0.82}
"""What is left of the velocity under speech."""
_SOFTER = 0.6
"""And of a back beat's."""


def make_room(events: Sequence[Event], sketch: Sketch, speech: Spans) -> list[Event]:
    """The events with a bed where the voice speaks and answers of the motif in its pauses."""
    spoken = covered(speech)
    if not spoken:
        return list(events)
    gaps = _gaps(spoken, sketch)
    kept = [event for event in events if event.role not in _SUNG]
    sung = sorted((event for event in events if event.role in _SUNG), key=lambda event: event.beat)
    beats = [event.beat for event in sung]
    result = [lowered for event in kept if (lowered := _under(event, sketch, spoken)) is not None]
    for start, end in gaps:
        if end - start >= _LONG_GAP_BEATS:
            result += sung[bisect_left(beats, start) : bisect_left(beats, end - 0.5)]
        else:
            result += answer(sketch, start, end - start)
    return _ended_by_speech(result, gaps)


def covered(speech: Spans) -> list[tuple[float, float]]:
    """Where the voice is, with its margins; spans nearer than a gap are one (seconds)."""
    result: list[tuple[float, float]] = []
    for start, end in sorted(speech):
        if result and start - result[-1][1] < GAP_SECONDS + _BEFORE:
            result[-1] = (result[-1][0], max(result[-1][1], end + _AFTER))
        else:
            result.append((start - _BEFORE, end + _AFTER))
    return result


def _gaps(spoken: Sequence[tuple[float, float]], sketch: Sketch) -> list[tuple[float, float]]:
    """The pauses in beats, each starting on a beat."""
    edges = [0.0, *(time for span in spoken for time in span), sketch.seconds]
    gaps = []
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        first, last = -(-sketch.grid.beat(max(0.0, start)) // 1), min(sketch.grid.beat(end), sketch.grid.beats)
        if end - start >= GAP_SECONDS - _BEFORE - _AFTER and last - first >= 1:
            gaps.append((first, last))
    return gaps


def _under(event: Event, sketch: Sketch, spoken: Sequence[tuple[float, float]]) -> Event | None:
    """What is left of an accompanying event; None if it would be in the voice's way."""
    if not _inside(sketch.grid.seconds(event.beat), spoken):
        return event
    silent = (*sketch.card.silent_under_speech, *sketch.direction.without_under_speech)
    velocity = event.velocity * _FALL[event.role]
    if event.role in silent:
        return None
    if event.role is Role.DRUMS:
        if event.pitch in silent or (event.pitch in CYMBALS and event.velocity >= 0.55):
            return None
        return replace(event, velocity=velocity * (_SOFTER if event.pitch in BACKBEAT else 1.0))
    above = max(0, -(-(_highest(event, sketch) - _CEILING) // 12))
    return replace(event, pitch=event.pitch - 12 * above, velocity=velocity)


def _highest(event: Event, sketch: Sketch) -> int:
    """What decides by how many octaves a note is moved: its whole band, so that lines stay lines."""
    if event.role is Role.ARP:
        return max(event.pitch, sketch.bands.arp[1])
    return event.pitch


def _inside(time: float, spans: Sequence[tuple[float, float]]) -> bool:
    following = bisect_right(spans, time, key=lambda span: span[0])
    return following > 0 and time < spans[following - 1][1]


def _ended_by_speech(events: Iterable[Event], gaps: Sequence[tuple[float, float]]) -> list[Event]:
    """Melody notes that began in a gap are over when the voice returns."""
    result = []
    for event in events:
        length = event.length
        if event.role in _SUNG:
            gap = gaps[bisect_right(gaps, event.beat, key=lambda span: span[0]) - 1]
            length = min(length, gap[1] - event.beat)
        if length > 0.05:
            result.append(replace(event, length=length))
    return result
