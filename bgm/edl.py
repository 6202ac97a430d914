"""Edit decision lists (CMX 3600): the segments as events that an editor can import, in the video's own timecode."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from bgm.media.probe import VideoTrack
from bgm.project import Project

DEFAULT_RATE = Fraction(30)
"""Frames per second without a picture, or with a variable frame rate."""
_NTSC = Fraction(1000, 1001)
_SAME_RATE = 0.0005
"""Relative difference up to which an average rate counts as a standard one (NTSC's is 0.001 off)."""


@dataclass(frozen=True, slots=True)
class Timecode:
    """A timecode (SMPTE ST 12-1): ``rate`` frames per second, counted in whole ``base`` frames per second.

    ``drop`` skips two frame numbers of 30 (four of 60) in every minute except each tenth, so that 29.97 frames per
    second keep in step with the clock. ``first`` is the number of the video's first frame.
    """

    rate: Fraction = DEFAULT_RATE
    drop: bool = False
    first: int = 0

    @property
    def base(self) -> int:
        return math.ceil(self.rate)

    @property
    def _dropped(self) -> int:
        """Frame numbers skipped per minute."""
        return round(self.base / 15) if self.drop else 0

    def frame(self, seconds: float) -> int:
        """The number of the frame shown at ``seconds`` on the video's timeline."""
        return self.first + round(Fraction(seconds) * self.rate)

    def name(self, frame: int) -> str:
        """``HH:MM:SS:FF`` of a frame; with ``;`` before the frames for drop-frame."""
        tens, rest = divmod(frame, self.base * 600 - 9 * self._dropped)
        minutes = max(0, (rest - self._dropped) // (self.base * 60 - self._dropped))
        counted = frame + self._dropped * (9 * tens + minutes)
        seconds, frames = divmod(counted, self.base)
        clock = f"{seconds // 3600 % 24:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
        return f"{clock}{';' if self.drop else ':'}{frames:02d}"

    def number(self, name: str) -> int:
        """The frame of a timecode; raises ValueError for an invalid one."""
        match = re.fullmatch(r"(\d\d):(\d\d):(\d\d)[:;.](\d\d)", name)
        if match is None:
            raise ValueError(f"{name!r} is no timecode")
        hours, minutes, seconds, frames = map(int, match.groups())
        minutes += 60 * hours
        return (minutes * 60 + seconds) * self.base + frames - self._dropped * (minutes - minutes // 10)


def timecode_of(video: VideoTrack | None) -> Timecode:
    """The video's own timecode: its rate, and the start and kind of its timecode track, if it has one."""
    rate = _standard(video.fps) if video else DEFAULT_RATE
    written = video.timecode if video else None
    drop = bool(written and re.search(r"[;.]\d\d$", written) and rate.denominator != 1 and math.ceil(rate) % 30 == 0)
    counting = Timecode(rate, drop)
    try:
        return Timecode(rate, drop, counting.number(written)) if written else counting
    except ValueError:
        return counting


def _standard(fps: float) -> Fraction:
    """The exact rate that an average stands for: an integer, or NTSC's 1000/1001 of an integer."""
    if not 1 <= fps <= 99:  # a timecode has two digits for frames
        return DEFAULT_RATE
    whole = round(fps)
    near = min((Fraction(whole), Fraction(math.ceil(fps)) * _NTSC), key=lambda rate: abs(float(rate) - fps))
    return near if abs(float(near) - fps) <= _SAME_RATE * fps else DEFAULT_RATE


def lines(project: Project, timecode: Timecode) -> Iterator[str]:
    """The lines of the list: one event per segment, with its take as the clip, whose own time starts at 0."""
    clip = Timecode(timecode.rate, timecode.drop)
    yield "TITLE: " + Path(project.video).stem[:60]
    yield f"FCM: {'DROP FRAME' if timecode.drop else 'NON-DROP FRAME'}"
    yield ""
    for number, segment in enumerate(project.segments, 1):
        start, end = timecode.frame(segment.start), timecode.frame(segment.end)
        times = clip.name(0), clip.name(end - start), timecode.name(start), timecode.name(end)
        yield f"{number:03d}  AX       A     C        {' '.join(times)}"
        take = segment.chosen_take
        yield f"* FROM CLIP NAME: {Path(take.file).name if take else segment.id}"
        yield f"* COMMENT: {segment.emotion}"
