"""Exports of a project for other programs: subtitles, timelines, labels, stems, edit decision lists (CMX 3600)."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from bgm.errors import BadInput
from bgm.files import beside, write_text
from bgm.speech.subtitle_file import to_srt, to_vtt

if TYPE_CHECKING:  # the command line lists the kinds, and its help must import neither av nor pydantic
    from bgm.media.probe import VideoTrack
    from bgm.project import Project


@dataclass(frozen=True, slots=True)
class Export:
    """An export format; its label on the page is the text ``export_<name>``."""

    suffix: str
    """Suffix of the file that a browser saves. The shell writes stems as a folder, and sound in the format of the
    output's name."""
    write: Callable[[Project, Path], None]
    is_sound: bool = False
    """Whether it comes from the last mix."""


def export(project: Project, kind: str, out: Path, *, overwrite: bool = False) -> Path:
    """Write ``kind`` (a key of EXPORTS) to ``out``: a file, or a folder for stems.

    Raises BadInput if there is nothing to export yet, or if ``out`` exists and ``overwrite`` is not set.
    """
    if kind not in EXPORTS:
        raise BadInput(f"there is no export {kind!r}; choose {', '.join(EXPORTS)}")
    if project.timeline is None:
        raise BadInput(f"{project.folder} was not analyzed yet; run analyze first")
    if not out.parent.is_dir():
        raise BadInput(f"the folder {out.parent} does not exist")
    if out.exists() and not overwrite and not (kind == "stems" and out.is_dir()):
        raise BadInput(f"{out} is there already; use --overwrite to replace it")
    if EXPORTS[kind].is_sound and not (project.bgm.is_file() and project.master.is_file()):
        raise BadInput("there is no mix yet; run render first")
    EXPORTS[kind].write(project, out)
    return out


_OF_TAKES = frozenset({"takes", "chosen", "chosen_for"})
"""Fields of a segment that mean nothing without the project's folder."""


def _json(project: Project, out: Path) -> None:
    timeline = {
        "duration": project.duration,
        "language": project.language,
        "segments": [{k: v for k, v in asdict(s).items() if k not in _OF_TAKES} for s in project.segments],
        "utterances": [asdict(u) for u in project.utterances],
    }
    write_text(out, json.dumps(timeline, ensure_ascii=False, indent=1) + "\n")


def _audacity(project: Project, out: Path) -> None:
    """Audacity's label format: start, end (s) and text, separated by tabs."""
    lines = (f"{s.start:.6f}\t{s.end:.6f}\t{s.emotion} ({s.id})" for s in project.segments)
    write_text(out, "\n".join(lines) + "\n")


def _edl(project: Project, out: Path) -> None:
    """Write the edit list in the video's own frame rate and timecode."""
    from bgm.media.probe import probe
    from bgm.project import with_video

    video = probe(with_video(project).video_path).video
    write_text(out, "\n".join(edl_lines(project, timecode_of(video))) + "\n")


def _sound(project: Project, stem: Path, out: Path) -> None:
    """A stem of the last mix, in the format of the name."""
    from bgm.media.encode import encode_audio
    from bgm.media.forms import AUDIO_FORMS
    from bgm.media.probe import probe
    from bgm.project import with_video

    if out.suffix.lower() not in AUDIO_FORMS:
        raise BadInput(f"{out.name}: sound is written as {', '.join(AUDIO_FORMS)}")
    encode_audio(stem, out, probe(with_video(project).video_path))


def _stems(project: Project, out: Path) -> None:
    """voice.wav and bgm.wav (48 kHz, 24 bit), as they are in the last mix."""
    from bgm.media import audio

    out.mkdir(exist_ok=True)
    for name, stem in (("voice.wav", project.voice), ("bgm.wav", project.bgm)):
        if stem.is_file():
            with beside(out / name) as part, audio.writer(part, audio.channels(stem)) as file:
                for block in audio.blocks(stem):
                    file.write(block)


EXPORTS = {
    "music": Export(".wav", lambda project, out: _sound(project, project.bgm, out), is_sound=True),
    "mix": Export(".wav", lambda project, out: _sound(project, project.master, out), is_sound=True),
    "stems": Export(".zip", _stems, is_sound=True),
    "srt": Export(".srt", lambda project, out: write_text(out, to_srt(project.utterances))),
    "vtt": Export(".vtt", lambda project, out: write_text(out, to_vtt(project.utterances))),
    "edl": Export(".edl", _edl),
    "audacity": Export(".txt", _audacity),
    "json": Export(".json", _json),
}
"""By name, in the order in which page and shell list them; ``mix`` is voice and music, for a podcast."""


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
        # 1. Ten minutes hold the same number of frames each, as the tenth minute drops none. 2. Within them the first
        # minute is whole, the nine others lack the dropped numbers. 3. Counted with them, a frame's number divides as a
        # clock does. (SMPTE ST 12-1, the usual inverse of number() below.)
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
        # Numbers, not frames, are dropped: two (of 30) at the start of every minute that is no tenth.
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
    # 29.97 and 23.976 are names of 30000/1001 and 24000/1001; a frame rate that FFmpeg averaged over a file is near one
    # of them, or near a whole number.
    near = min((Fraction(whole), Fraction(math.ceil(fps)) * _NTSC), key=lambda rate: abs(float(rate) - fps))
    return near if abs(float(near) - fps) <= _SAME_RATE * fps else DEFAULT_RATE


def edl_lines(project: Project, timecode: Timecode) -> Iterator[str]:
    """An edit decision list (CMX 3600): one event per segment; the clip is its take, whose own time starts at 0."""
    # The clip's own time starts at 0, the record side at the video's first frame: editors lay the take where the
    # segment is.
    clip = Timecode(timecode.rate, timecode.drop)
    yield "TITLE: " + Path(project.video).stem[:60]
    yield f"FCM: {'DROP FRAME' if timecode.drop else 'NON-DROP FRAME'}"
    yield ""
    for number, segment in enumerate(project.segments, 1):
        start, end = timecode.frame(segment.start), timecode.frame(segment.end)
        times = clip.name(0), clip.name(end - start), timecode.name(start), timecode.name(end)
        # AX: an auxiliary source, which needs no reel. A: audio only. C: a cut. The columns are fixed by CMX 3600.
        yield f"{number:03d}  AX       A     C        {' '.join(times)}"
        take = segment.chosen_take
        yield f"* FROM CLIP NAME: {Path(take.file).name if take else segment.id}"
        yield f"* COMMENT: {segment.emotion}"
