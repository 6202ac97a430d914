"""Exports of a project for other programs: subtitles, timelines, labels, stems."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bgm.errors import BadInput
from bgm.files import write_text

if TYPE_CHECKING:  # the command line lists the kinds, and its help must not import bgm.project
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


def _srt(project: Project, out: Path) -> None:
    from bgm.speech.subtitle_file import to_srt

    write_text(out, to_srt(project.utterances))


def _vtt(project: Project, out: Path) -> None:
    from bgm.speech.subtitle_file import to_vtt

    write_text(out, to_vtt(project.utterances))


def _json(project: Project, out: Path) -> None:
    timeline = {
        "duration": project.duration,
        "language": project.language,
        "segments": [{k: v for k, v in asdict(s).items() if k not in {"takes", "chosen"}} for s in project.segments],
        "utterances": [asdict(u) for u in project.utterances],
    }
    write_text(out, json.dumps(timeline, ensure_ascii=False, indent=1) + "\n")


def _audacity(project: Project, out: Path) -> None:
    """Audacity's label format: start, end (s) and text, separated by tabs."""
    lines = (f"{s.start:.6f}\t{s.end:.6f}\t{s.emotion} ({s.id})" for s in project.segments)
    write_text(out, "\n".join(lines) + "\n")


def _edl(project: Project, out: Path) -> None:
    """Write the edit list in the video's own frame rate and timecode."""
    from bgm.edl import lines, timecode_of
    from bgm.media.probe import probe
    from bgm.project import with_video

    video = probe(with_video(project).video_path).video
    write_text(out, "\n".join(lines(project, timecode_of(video))) + "\n")


def _music(project: Project, out: Path) -> None:
    """The music alone, as it is in the mix."""
    _sound(project, project.bgm, out)


def _mix(project: Project, out: Path) -> None:
    """Voice and music, for a podcast."""
    _sound(project, project.master, out)


def _sound(project: Project, stem: Path, out: Path) -> None:
    from bgm.media.encode import encode_audio
    from bgm.media.forms import AUDIO_FORMS
    from bgm.media.probe import probe
    from bgm.project import with_video

    if out.suffix.lower() not in AUDIO_FORMS:
        raise BadInput(f"{out.name}: sound is written as {', '.join(AUDIO_FORMS)}")
    encode_audio(stem, out, probe(with_video(project).video_path))


def _stems(project: Project, out: Path) -> None:
    """voice.wav and bgm.wav (48 kHz, 24 bit), as they are in the last mix."""
    from bgm.files import beside
    from bgm.media import audio

    out.mkdir(exist_ok=True)
    for name, stem in (("voice.wav", project.voice), ("bgm.wav", project.bgm)):
        if stem.is_file():
            with beside(out / name) as part, audio.writer(part, audio.channels(stem)) as file:
                for block in audio.blocks(stem):
                    file.write(block)


EXPORTS = {
    "music": Export(".wav", _music, is_sound=True),
    "mix": Export(".wav", _mix, is_sound=True),
    "stems": Export(".zip", _stems, is_sound=True),
    "srt": Export(".srt", _srt),
    "vtt": Export(".vtt", _vtt),
    "edl": Export(".edl", _edl),
    "audacity": Export(".txt", _audacity),
    "json": Export(".json", _json),
}
"""By name, in the order in which page and shell list them."""
