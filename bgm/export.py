"""What other programs can read of a project: subtitles, timelines, labels, stems."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from bgm.errors import BadInput
from bgm.files import write_text

if TYPE_CHECKING:  # the command line lists the kinds, and its help must not pay for projects
    from bgm.project import Project

SUFFIXES = {
    "music": ".wav",
    "mix": ".wav",
    "stems": ".zip",
    "srt": ".srt",
    "vtt": ".vtt",
    "edl": ".edl",
    "audacity": ".txt",
    "json": ".json",
}
"""What can be written, and the suffix that a browser saves it under. From a shell stems are a folder, and sound is
written in the format of its name: .wav, .flac, .mp3, .m4a, .ogg, .opus."""
SOUNDS = frozenset({"music", "mix", "stems"})
"""Those that are as they stand in the last mix."""


def export(project: Project, kind: str, out: Path, *, overwrite: bool = False) -> Path:
    """Write ``kind`` (a key of SUFFIXES) to ``out``: a file, or a folder for stems.

    Raises BadInput when there is nothing to export yet, or when ``out`` is there and ``overwrite`` is not set.
    """
    if kind not in SUFFIXES:
        raise BadInput(f"there is no export {kind!r}; choose {', '.join(SUFFIXES)}")
    if project.timeline is None:
        raise BadInput(f"{project.folder} was not analyzed yet; run analyze first")
    if not out.parent.is_dir():
        raise BadInput(f"the folder {out.parent} does not exist")
    if out.exists() and not overwrite and not (kind == "stems" and out.is_dir()):
        raise BadInput(f"{out} is there already; use --overwrite to replace it")
    if kind in SOUNDS and not (project.bgm.is_file() and project.master.is_file()):
        raise BadInput("there is no mix yet; run render first")
    _WRITERS[kind](project, out)
    return out


def _srt(project: Project, out: Path) -> None:
    from bgm.speech.writers import to_srt

    write_text(out, to_srt(project.utterances))


def _vtt(project: Project, out: Path) -> None:
    from bgm.speech.writers import to_vtt

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
    """In the video's own rate and timecode."""
    from bgm.edl import lines, timecode_of
    from bgm.media.probe import probe
    from bgm.project import with_video

    video = probe(with_video(project).video_path).video
    write_text(out, "\n".join(lines(project, timecode_of(video))) + "\n")


def _music(project: Project, out: Path) -> None:
    """The music alone, as it stands under the voice."""
    _sound(project, project.bgm, out)


def _mix(project: Project, out: Path) -> None:
    """All that is heard, voice and music: for a podcast."""
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
    """voice.wav and bgm.wav (48 kHz, 24 bit), as they stand in the last mix."""
    from bgm.files import beside
    from bgm.media import audio

    out.mkdir(exist_ok=True)
    for name, stem in (("voice.wav", project.voice), ("bgm.wav", project.bgm)):
        if stem.is_file():
            with beside(out / name) as part, audio.writer(part, audio.channels(stem)) as file:
                for block in audio.blocks(stem):
                    file.write(block)


_WRITERS: dict[str, Callable[[Project, Path], None]] = {
    "srt": _srt,
    "vtt": _vtt,
    "json": _json,
    "audacity": _audacity,
    "edl": _edl,
    "music": _music,
    "mix": _mix,
    "stems": _stems,
}
