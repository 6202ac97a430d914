"""What a user does with a file of each kind. Only BgmError may come out of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from bgm import project as projects
from bgm import studio
from bgm.engines import EngineOptions
from bgm.errors import BadInput, BgmError
from bgm.export import EXPORTS
from bgm.media.decode import decode, text_cues
from bgm.media.encode import encode_audio
from bgm.media.forms import check_output, suggest_suffix
from bgm.media.picture import picture_cuts, thumbnail
from bgm.media.probe import MediaInfo, probe
from bgm.media.remux import RemuxOptions, remux
from bgm.progress import silent
from bgm.project import Project
from bgm.speech.subtitle_file import to_srt, to_vtt
from bgm.speech.subtitles import Subtitles
from bgm.speech.words import Recording
from bgm.ui import archive, edits
from bgm.ui.view import project_view

MAX_SECONDS = 600.0
"""As a server that takes no longer videos: a case shall take little."""
MAX_BYTES = 50_000_000

Journey = Callable[[Path, Path, Path], None]
"""Of the mutated file, an empty folder for what is made, and the music bed."""


def media(file: Path, out: Path, bed: Path) -> None:
    """Upload a video or sound, look at it, decode it, give it the new music."""
    info = _accepted(file)
    decoded = decode(info, out / "sound.flac")
    said = (*info.notes, *(decoded.notes if decoded else ()))
    list(text_cues(info, info.text_subtitles))
    if info.video is None:
        song = out / f"song{suggest_suffix(info)}"
        _nothing_lost(info, song, (*said, *encode_audio(_as_long(bed, out), song, info).notes))
        return
    _look(info)
    target = out / f"video{suggest_suffix(info)}"
    check_output(info, target)
    _nothing_lost(info, target, (*said, *remux(info, _as_long(bed, out), target).notes))
    remux(info, bed, out / "kept.mkv", RemuxOptions(keep_original=True, language="ko"))
    probe(target)


def _as_long(bed: Path, out: Path) -> Path:
    """The video's own sound, as the master is as long as the timeline; the bed where there is none."""
    return own if (own := out / "sound.flac").is_file() else bed


def _nothing_lost(info: MediaInfo, written: Path, notes: tuple[str, ...]) -> None:
    from tests.fuzz.rules import silently_lost

    lost = silently_lost(info.path, written, notes)
    if lost:
        raise AssertionError(lost)


def subtitles(file: Path, out: Path, bed: Path) -> None:
    """Give a subtitle file, take the words out again."""
    transcript = Subtitles(EngineOptions(subtitles=file)).transcribe(Recording(None, (), 60.0))
    (out / "words.srt").write_text(to_srt(transcript.utterances), encoding="utf-8")
    (out / "words.vtt").write_text(to_vtt(transcript.utterances), encoding="utf-8")


def project(file: Path, out: Path, bed: Path) -> None:
    """Open a project in whose folder something is damaged, edit it, mix it, take exports."""
    folder = next(parent for parent in file.parents if (parent / "takes").is_dir())
    opened = _work_on(projects.load(folder))
    for kind in EXPORTS:
        try:
            shutil.rmtree(archive.exported(opened, kind).parent)  # as the server does after the download
        except BgmError as error:
            _say(error)
    opened = projects.load(folder)
    try:
        studio.mix_preview(opened)
    except BgmError as error:
        _say(error)
    studio.open_video(folder / "source" / "clip.mp4", folder, overwrite=True)


def unpack(file: Path, out: Path, bed: Path) -> None:
    """Open a project file on another server and work on."""
    opened = archive.unpack(file, out, MAX_BYTES)
    _work_on(opened)
    shutil.rmtree(archive.pack(projects.load(out)).parent)


def _accepted(file: Path) -> MediaInfo:
    info = probe(file)
    if info.duration > MAX_SECONDS:
        raise BadInput("this is too long for this server")
    return info


def _look(info: MediaInfo) -> None:
    picture_cuts(info, silent)
    try:
        thumbnail(info, info.duration / 2)
    except BgmError as error:
        _say(error)


def _work_on(opened: Project) -> Project:
    if opened.duration > MAX_SECONDS:
        raise BadInput("this is too long for this server")
    project_view("id", opened)
    studio.stale(opened)
    if opened.timeline is not None:
        gestures = (
            {"op": "split", "id": opened.segments[0].id, "time": 0.5},
            {"op": "emotion", "id": opened.segments[-1].id, "emotion": "fear"},
            {"op": "insert", "start": 0.25, "end": 1.25, "emotion": "joy"},
        )
        for gesture in gestures:
            opened = _edited(opened, gesture)
    if projects.load(opened.folder) != opened:
        raise AssertionError("a saved project came back changed")
    return opened


def _edited(opened: Project, gesture: edits.Gesture) -> Project:
    if opened.timeline is None:
        return opened
    try:
        return studio.edit(opened, edits.apply(opened.timeline, gesture))
    except BadInput as error:
        _say(error)
        return opened


def _say(error: BgmError) -> None:
    """A refusal on the way is shown and the user goes on; its sentence is judged like any other."""
    from tests.fuzz.rules import judge_message

    trouble = judge_message(str(error))
    if trouble:
        raise AssertionError(f"{trouble}: {error}") from error


JOURNEYS: Mapping[str, Journey] = {"media": media, "subtitles": subtitles, "project": project, "archive": unpack}
