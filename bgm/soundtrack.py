"""Selects the audio track of a video: the one that was asked for, all of them, or the one with speech.

Tracks are numbered from 1 in the order of the file, as players list them.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from bgm.errors import BadInput
from bgm.files import scratch
from bgm.media.decode import Decoded, decode, decode_mix
from bgm.media.probe import AudioTrack, MediaInfo
from bgm.progress import Progress, each, part
from bgm.project import Project
from bgm.settings import EVERY_TRACK

ENOUGH_SPEECH = 0.5
"""The default track is used if it has at least this share of the speech in the track with the most."""
_SOUNDING = 1e-4
"""A peak above this (-80 dB) counts as sound."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What was decoded: ``used`` is a track's number or ``mix``; ``notes`` are sentences for the user."""

    used: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Candidate:
    number: int
    file: Path
    decoded: Decoded
    speech: float
    """Seconds."""


def hear(info: MediaInfo, wanted: str, target: Path, progress: Progress) -> Heard:
    """Decode the audio of ``info`` to ``target``, from the track or tracks that ``wanted`` (settings.audio_track)
    names.

    Raises BadInput, listing the tracks, if the file has no such track.
    """
    if len(info.sounds) == 1 and wanted in ("auto", EVERY_TRACK, "1"):
        return Heard("1", _notes_of(decode(info, target, progress)))
    if wanted == EVERY_TRACK:
        mixed = decode_mix([replace(info, audio=track) for track in info.sounds], target, progress)
        return Heard(wanted, (f"All {len(info.sounds)} sound tracks are used, mixed together.", *mixed.notes))
    if wanted != "auto":
        notes = _notes_of(decode(used_of(info, wanted), target, progress))
        return Heard(wanted, (_chosen(info, int(wanted), "as was asked for"), *notes))
    return _with_most_speech(info, target, progress)


def used_of(info: MediaInfo, used: str) -> MediaInfo:
    """``info`` with the selected audio track; for a mix the default one."""
    if not used.isdecimal():
        return info
    if not 1 <= int(used) <= len(info.sounds):
        there = ", ".join(name(track, number) for number, track in enumerate(info.sounds, 1))
        raise BadInput(f"there is no sound track {used} in {info.path.name}; it has {there}")
    return replace(info, audio=info.sounds[int(used) - 1])


def name(track: AudioTrack, number: int) -> str:
    """``2 (Mic, eng)``: the number and what the file says about the track."""
    said = ", ".join(filter(None, (track.title, track.language if track.language != "und" else "")))
    return f"{number} ({said})" if said else str(number)


def remember(project: Project, info: MediaInfo, used: str) -> None:
    """Record the tracks and the selected one, for the page and for the finished video."""
    project.mark("sounds", json.dumps([name(track, number) for number, track in enumerate(info.sounds, 1)]))
    project.mark("sound", used)


def names(project: Project) -> list[str]:
    """The recorded tracks of the project's video; none before the analysis."""
    try:
        noted = json.loads(project.state().get("sounds", "[]"))
    except ValueError:
        return []
    return [text for text in noted if isinstance(text, str)] if isinstance(noted, list) else []


def used(project: Project, info: MediaInfo) -> MediaInfo:
    """``info`` with the audio track that the analysis used."""
    try:
        return used_of(info, project.state().get("sound", "auto"))
    except BadInput:
        return info  # another video is in its place; the analysis will report it


def _with_most_speech(info: MediaInfo, target: Path, progress: Progress) -> Heard:
    from bgm.speech.activity import speech_spans

    found = []
    with ExitStack() as stack:
        for number, (track, step) in enumerate(each(progress, info.sounds), 1):
            file = stack.enter_context(scratch(target))
            # Every candidate is decoded in full: speech may begin after ten minutes of music, and the winner's file is
            # needed anyway.
            decoded = decode(replace(info, audio=track), file, part(step, 0.0, 0.5))
            assert decoded is not None
            spans = speech_spans(file, part(step, 0.5, 1.0))
            found.append(_Candidate(number, file, decoded, sum(end - start for start, end in spans)))
        default = 1 + (info.sounds.index(info.audio) if info.audio else 0)
        best = _best(found, default)
        # A rename out of the scratch files: its own clean-up then finds nothing to delete.
        best.file.replace(target)
    why = "it has the speech" if best.speech else "no speech was heard in any"
    others = [_left(info, other) for other in found if other is not best]
    note = f"{_chosen(info, best.number, why)} Not used: {'; '.join(others)}."
    return Heard(str(best.number), (note, *best.decoded.notes))


def _best(found: list[_Candidate], default: int) -> _Candidate:
    most = max(candidate.speech for candidate in found)
    enough = [c for c in found if c.speech >= ENOUGH_SPEECH * most and (c.decoded.peak > _SOUNDING or not most)]
    sounding = [c for c in enough if c.decoded.peak > _SOUNDING] or enough
    return next((c for c in sounding if c.number == default), max(sounding, key=lambda c: c.speech))


def _chosen(info: MediaInfo, number: int, why: str) -> str:
    track = name(info.sounds[number - 1], number)
    return f"Of {len(info.sounds)} sound tracks number {track} is used: {why}; another, or all, can be chosen instead."


def _left(info: MediaInfo, other: _Candidate) -> str:
    about = "silent" if other.decoded.peak <= _SOUNDING else "speech too" if other.speech else "no speech"
    return f"{name(info.sounds[other.number - 1], other.number)}, {about}"


def _notes_of(decoded: Decoded | None) -> tuple[str, ...]:
    return decoded.notes if decoded else ()
