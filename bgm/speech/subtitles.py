"""An existing transcript: a subtitle file, a sidecar of the video, or the video's own track."""

from __future__ import annotations

import glob
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from bgm.engines import EngineOptions, Transcriber
from bgm.errors import BadInput
from bgm.progress import Progress, silent
from bgm.speech import language
from bgm.speech.subtitle_file import RawCue, Subtitle, clean, read, tidy
from bgm.speech.words import Recording, Spans, Timed, Transcript, group, join, lay_out
from bgm.timeline import Utterance

if TYPE_CHECKING:
    from bgm.media.probe import MediaInfo, SubtitleTrack

log = logging.getLogger("bgm")

SIDECAR = (".srt", ".vtt")
READABLE = (*SIDECAR, ".ass", ".ssa")
PAUSE_S = 0.75
"""Cues closer than this form one phrase, unless a sentence ends between them."""


LEAST_SHARE = 0.2
"""Share of the speech that a track's cues must cover: one with less shows signs or was never finished."""


def has_text_track(video: Path, speech: Spans = ()) -> bool:
    """Whether the video has its own transcript: a text track, not forced, with cues for the detected speech."""
    from bgm.media.decode import text_cues
    from bgm.media.probe import probe

    info, needed = probe(video), LEAST_SHARE * sum(end - start for start, end in speech)
    tracks = [track for track in info.text_subtitles if not track.forced]
    covered = dict.fromkeys(tracks, 0.0)
    # Read until one track has enough, not to the file's end.
    for track, cue in text_cues(info, tracks):
        if clean(cue.text):
            covered[track] += cue.end - cue.start
            if covered[track] >= needed:
                return True
    if info.text_subtitles:
        log.info("The video's own subtitles are not used: they have no words, or too few, for what is said.")
    return False


def find(video: Path, given: str | None, carries_text: Callable[[Path], bool] = has_text_track) -> Path | None:
    """The value of ``EngineOptions.subtitles``: the user's file, else a sidecar (``talk.srt``, ``talk.vtt``,
    ``talk.en.srt``) next to ``video``, else the video itself if it has a text track, else None.

    Raises BadInput if the user's file doesn't exist or is of another kind.
    """
    if given is not None:
        return _checked(Path(given))
    beside = _sidecars(video)
    if beside:
        return beside[0]
    return video if carries_text(video) else None


class Subtitles(Transcriber):
    """Reads what a person wrote: the most accurate transcript, so the first choice."""

    name: ClassVar[str] = "subtitles"
    heeds: ClassVar[tuple[str, ...]] = ("subtitles", "language")

    def __init__(self, options: EngineOptions) -> None:
        self._options = options

    @classmethod
    def missing(cls, options: EngineOptions) -> str | None:
        return "no subtitle file and no text track in the video" if options.subtitles is None else None

    def transcribe(self, recording: Recording, progress: Progress = silent) -> Transcript:
        """Read the subtitles as a transcript. Raises BadInput if they can't be read or belong to another video."""
        if self._options.subtitles is None:
            raise BadInput("there are no subtitles to read: name a .srt or .vtt file")
        path = self._options.subtitles
        progress(0.0, "reading the subtitles")
        given = _is_subtitle_file(path)
        subtitle, taken = (read(path), ()) if given else _own_track(path, self._options.language, progress)
        inside = [cue for cue in subtitle.cues if cue.start < recording.duration]
        if subtitle.cues and not inside:
            raise BadInput(f"{path} begins after the video's end ({recording.duration:.0f} s): is it of another video?")
        transcript = _transcript(subtitle, inside, self._language(path, subtitle), recording.duration)
        progress(1.0, f"{len(transcript.utterances)} phrases")
        return replace(transcript, notes=(*taken, *transcript.notes))

    def _language(self, path: Path, subtitle: Subtitle) -> str:
        """The language given by the user, else by the file's name or header, else detected from the text."""
        declared = (self._options.language, _tag_in_name(path), subtitle.language)
        named = (language.shortened(tag) for tag in declared)
        known = next((code for code in named if code != language.UNKNOWN), None)
        return known or language.guess(" ".join(cue.text for cue in subtitle.cues))


def _transcript(subtitle: Subtitle, inside: list[Timed], code: str, duration: float) -> Transcript:
    spaced = [Timed(cue.start, min(cue.end, duration), f" {cue.text}") for cue in inside]
    english = code == "en" or (code == language.UNKNOWN and all(language.maybe_english(cue.text) for cue in inside))
    phrases = ((phrase, join(phrase)) for phrase in group(spaced, PAUSE_S))
    utterances = (Utterance(p[0].start, p[-1].end, text, text if english else "") for p, text in phrases)
    notes = _notes(subtitle, len(subtitle.cues) - len(inside), code, english)
    return Transcript(code, lay_out(utterances, duration), notes)


def _notes(subtitle: Subtitle, beyond: int, code: str, english: bool) -> tuple[str, ...]:
    notes = []
    if subtitle.left_out:
        notes.append(f"Sung words and descriptions of sounds were left out (cues: {subtitle.left_out}).")
    if subtitle.unreadable:
        notes.append(
            f"The subtitle file is damaged: {language.DAMAGED} stands for what can't be read ({subtitle.unreadable})."
        )
    if beyond:
        notes.append(f"What comes after the video's end was left out (cues: {beyond}).")
    if not english:
        notes.append(f"The subtitles are not in English ({code}): emotion is read from what is said at their times.")
    elif code == language.UNKNOWN and subtitle.cues:
        notes.append("The subtitles are too short to tell their language; they are read as English.")
    return tuple(notes)


def _own_track(video: Path, wanted: str | None, progress: Progress) -> tuple[Subtitle, tuple[str, ...]]:
    """The most complete transcript among the video's text tracks, and a note if there was a choice."""
    from bgm.media.decode import text_cues
    from bgm.media.probe import probe

    info = probe(video)
    tracks = [track for track in info.text_subtitles if not track.forced] or list(info.text_subtitles)
    found: dict[SubtitleTrack, list[RawCue]] = {track: [] for track in tracks}
    for track, cue in text_cues(info, tracks, progress):
        found[track].append((cue.start, cue.end, cue.text))
    tidied = {track: tidy(raw, track.language) for track, raw in found.items()}
    usable = {track: subtitle for track, subtitle in tidied.items() if subtitle.cues}
    if not usable:
        raise BadInput(f"{video} carries no subtitles as text")
    spoken = language.shortened(wanted or (info.audio.language if info.audio else None))
    track = max(usable, key=lambda track: _rank(track, usable, spoken))
    return usable[track], (_taken(track, info),) if len(info.text_subtitles) > 1 else ()


def _rank(track: SubtitleTrack, usable: Mapping[SubtitleTrack, Subtitle], spoken: str) -> tuple[float, ...]:
    """Sort key: a track with few cues next to one with many is signs or songs; then flag, language and number of
    cues."""
    # Flags come second: the default track may be the one with the signs.
    count, most = len(usable[track].cues), max(len(subtitle.cues) for subtitle in usable.values())
    code = language.shortened(track.language)
    return count >= LEAST_SHARE * most, track.default, code == spoken, code == "en", count


def _taken(track: SubtitleTrack, info: MediaInfo) -> str:
    number = info.subtitles.index(track) + 1
    described = ", ".join(filter(None, (track.title, track.language)))
    return f"Subtitle track {number} of {len(info.subtitles)} was taken{f' ({described})' if described else ''}."


def _checked(path: Path) -> Path:
    if not path.is_file():
        raise BadInput(f"the subtitle file {path} does not exist")
    if not _is_subtitle_file(path):
        raise BadInput(f"{path} is not a subtitle file: it should end in {', '.join(READABLE)}")
    return path


def _is_subtitle_file(path: Path) -> bool:
    return path.suffix.lower() in READABLE


def _sidecars(video: Path) -> list[Path]:
    """The video's name with .srt or .vtt first, then those with a language, English before the others."""
    exact = [video.with_suffix(suffix) for suffix in SIDECAR]
    beside = sorted(video.parent.glob(f"{glob.escape(video.stem)}.*"))
    named = [path for path in beside if path.suffix.lower() in SIDECAR and _is_named_after(path, video)]
    named.sort(key=lambda path: (path.stem != video.stem, _tag_in_name(path) != "en"))
    return [path for path in (*exact, *named) if path.is_file()]


def _is_named_after(path: Path, video: Path) -> bool:
    return path.stem == video.stem or (Path(path.stem).stem == video.stem and _tag_in_name(path) is not None)


def _tag_in_name(path: Path) -> str | None:
    """``en`` of ``talk.en-US.srt``; None if the name contains no common language (``talk.new.srt``)."""
    code = language.shortened(Path(path.stem).suffix.removeprefix("."))
    return code if _is_subtitle_file(path) and code in language.COMMON else None
