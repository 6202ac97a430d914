"""A project as the browser sees it: plain values and addresses, no path of the server."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bgm import snapshots, soundtrack, studio
from bgm.emotion.smoothing import Ignored, heard, ignored
from bgm.errors import BadInput, BgmError
from bgm.export import EXPORTS
from bgm.media.probe import probe
from bgm.music.direction import read
from bgm.project import Project
from bgm.snapshots import Snapshot
from bgm.takes import numbers
from bgm.timeline import EMOTIONS, Segment, Take, Utterance
from bgm.ui.edits import PAGE_SETTINGS, History
from bgm.ui.jobs import Job
from bgm.ui.steps import PREVIEW_AT_ONCE_SECONDS, Records, is_quick, mix_key, result_key

PREFIX = "studio"
"""Under which the page's own addresses lie."""

View = dict[str, Any]
# A path of two or more parts, with a drive or without; the look-behind spares addresses (https://…) and fractions.
_FOLDERS = re.compile(r"(?<![\w:/.])(?:[A-Za-z]:)?[/\\](?:[^/\\\s]+[/\\])+")


def project_view(project_id: str, project: Project, history: History | None = None, job: Job | None = None) -> View:
    """All that the page shows of a project; ``job`` is its latest."""
    noted = Records.load(project.folder)
    files = Files(project_id)
    # Once for all segments: it reads the activity and digests every cue.
    old = frozenset(studio.stale(project))
    is_current = not old
    return {
        "id": project_id,
        "title": project.name,
        "duration": project.duration,
        "language": project.language,
        "analyzed": project.timeline is not None,
        "media": _media(project, files),
        "preview": _preview(project, files, noted, is_current=is_current),
        "result": _result(project, files, noted, is_current=is_current),
        "segments": _segments(project, files, old, _composing(job, old)),
        "utterances": [_utterance(u) for u in project.utterances],
        "engines": [
            {"stage": s, "name": e.name, "reason": without_folders(e.reason)} for s, e in project.engines.items()
        ],
        "notes": _notes(project),
        "exports": [{"kind": kind, "is_sound": form.is_sound} for kind, form in EXPORTS.items()],
        "sounds": soundtrack.names(project),
        "history": {"undo": len(history.past) if history else 0, "redo": len(history.future) if history else 0},
        "snapshots": [asdict(snapshot) for snapshot in _snapshots(project)],
        "words": _reading(project, project.settings.words),
        "settings": {name: getattr(project.settings, name) for name in PAGE_SETTINGS},
    }


def packed(view: View | None) -> str:
    """A view as JSON text: Gradio copies and compares a text as one value, but an object value by value.

    No text in it looks like markup, of which Gradio would warn.
    """
    return json.dumps(view, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def job_view(job: Job | None, position: int = 0) -> View:
    """The progress of the running step, or how it ended."""
    if job is None:
        return {"state": "idle"}
    view: View = {
        "project": job.project_id,
        "state": job.state,
        "kind": job.kind,
        "position": position,
        "error": job.error and without_folders(job.error),
    }
    if job.step is not None:
        step = job.step
        view |= {"stage": step.stage, "overall": step.overall, "remaining": step.remaining, "note": step.note}
    return view


def error_view(message: str, place: str, project_id: object = None) -> View:
    """A refusal, to be shown at ``place`` (start, steps, transcript, segment) of a project."""
    return {"project": project_id, "state": "failed", "kind": place, "error": without_folders(message)}


def without_folders(message: str) -> str:
    """A message with the bare names of the files that it speaks of: their places on the server help no user."""
    return _FOLDERS.sub("", message)


class Files:
    """The addresses of one project's files, relative to the page."""

    def __init__(self, project_id: str) -> None:
        self._base = f"{PREFIX}/{project_id}"

    def url(self, name: str, path: Path | None = None) -> str:
        """``path`` is the file behind it: a changed file gets another address, so that no cache serves the old one."""
        version = f"?v={path.stat().st_mtime_ns:x}" if path is not None and path.is_file() else ""
        return f"{self._base}/{quote(name)}{version}"

    def existing(self, name: str, path: Path) -> str | None:
        return self.url(name, path) if path.is_file() else None


def has_picture(video: Path) -> bool:
    """Whether a video has one; a sound file hasn't, or only the picture of its cover."""
    try:
        return _has_picture(video, video.stat().st_mtime_ns)
    except (BgmError, OSError):  # it is gone or damaged: the step that needs it tells
        return False


@lru_cache(maxsize=512)
def _has_picture(video: Path, changed: int) -> bool:
    return probe(video).has_video


def _media(project: Project, files: Files) -> View:
    picture = has_picture(project.video_path)
    return {
        "video": files.existing("video", project.video_path),
        "poster": files.url("poster", project.video_path) if picture else None,
        "film": files.url("film", project.video_path) if picture else None,
        "audio": files.existing("audio", project.audio),
        "voice": files.existing("voice", project.voice),
        "edges": files.existing("edges", project.words),
        "peaks": files.existing("peaks/voice", project.voice) or files.existing("peaks/audio", project.audio),
    }


def _preview(project: Project, files: Files, noted: Records, *, is_current: bool) -> View:
    """``url`` of the mix of what is chosen; None where it must be made anew, with new music where that is quick.

    ``composes`` tells the page to ask for new music after an edit, ``by_itself`` for a new mix; ``stale`` that some
    music in it waits to be made.
    """
    mixed = noted.preview == mix_key(project) and project.master.is_file()
    quick = is_quick(project)
    # With a slow engine the old mix stays to be heard; with a quick one it would sound for a second and change.
    fresh = mixed and (is_current or not quick)
    return {
        "url": files.url("master", project.master) if fresh else None,
        "stale": not is_current,
        "composes": quick,
        "by_itself": project.duration <= PREVIEW_AT_ONCE_SECONDS,
    }


def _result(project: Project, files: Files, noted: Records, *, is_current: bool) -> View | None:
    result = noted.result
    if result is None or not result.path(project).is_file():
        return None
    return {
        "url": files.url("result", result.path(project)),
        "name": result.file,
        "stale": result.key != result_key(project) or not is_current,
        "lufs": result.lufs,
        "true_peak_db": result.true_peak_db,
        "under_speech_lu": result.under_speech_lu,
    }


def _notes(project: Project) -> View:
    """What the last result kept from the source, and what each step changed or lost."""
    said = {step: [without_folders(note) for note in notes] for step, notes in project.notes.items()}
    return {"kept": said.pop("kept", []), "changed": [note for notes in said.values() for note in notes]}


def _composing(job: Job | None, old: frozenset[str]) -> frozenset[str]:
    """The segments whose music is being made."""
    if job is None or not job.composes:
        return frozenset()
    return frozenset(job.making) if job.more else old.intersection(job.making)


def _segments(project: Project, files: Files, old: frozenset[str], composing: frozenset[str]) -> list[View]:
    marks = ignored(project.utterances, project.timeline, project.reader) if project.timeline else {}
    return [
        {**_segment(project, files, s, marks.get(s.id, ())), "stale": s.id in old, "composing": s.id in composing}
        for s in project.segments
    ]


def _segment(project: Project, files: Files, segment: Segment, marks: Sequence[Ignored]) -> View:
    scores = heard(project.utterances, segment.start, segment.end, project.reader)
    # Set by hand: what the model read there is no measure of how sure it is.
    is_own = segment.source == "user" and segment.confidence == 1
    confidence = segment.confidence if is_own or scores is None else scores[segment.emotion]
    return {
        "id": segment.id,
        "start": segment.start,
        "end": segment.end,
        "emotion": segment.emotion,
        "confidence": round(confidence, 4),
        "scores": _in_order(scores) if scores else None,
        "ignored": [] if is_own else [asdict(mark) for mark in marks],
        "source": segment.source,
        "prompt": segment.prompt,
        **_reading(project, segment.prompt),
        "seed": segment.seed,
        "style": segment.style,
        "gain_db": segment.gain_db,
        "fade_in": segment.fade_in,
        "fade_out": segment.fade_out,
        "locked": segment.locked,
        "silent": segment.silent,
        "chosen": segment.chosen,
        "takes": [_take(project, files, take, numbers(segment.takes).get(take.id)) for take in segment.takes],
    }


def _reading(project: Project, prompt: str) -> View:
    """The words that the composer acts on, those it makes nothing of, and what it plays in the place of others.

    ``understood`` is None for an engine that reads them all.
    """
    engine, asked = studio.next_composer(project), read(prompt)
    if engine is not None and engine.reads_sentences:
        return {"understood": None, "unread": [], "instead": asked.instead}
    return {"understood": list(asked.understood), "unread": list(asked.unread), "instead": asked.instead}


def _snapshots(project: Project) -> Sequence[Snapshot]:
    """Empty if their file is damaged: whoever asks for one is told, and the project stays usable."""
    try:
        return snapshots.listed(project.folder)
    except BadInput:
        return ()


def _take(project: Project, files: Files, take: Take, number: int | None) -> View:
    path = project.take_path(take)
    return {
        "id": take.id,
        "engine": take.engine,
        "number": number,
        "seed": take.seed,
        "url": files.existing(f"take/{take.id}", path),
        "peaks": files.url(f"peaks/{take.id}"),
    }


def _utterance(u: Utterance) -> View:
    return {
        "start": u.start,
        "end": u.end,
        "text": u.text,
        "english": u.english,
        "unsure": u.unsure,
        "scores": _in_order(u.scores) if u.scores else None,
    }


def _in_order(scores: Mapping[Any, float]) -> list[float]:
    return [round(scores[emotion], 4) for emotion in EMOTIONS]
