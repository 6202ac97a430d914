"""The Project folder: project.json, media, stems and takes. Everything resumes from it.

project.json        described in docs/project.md; may be edited by hand
state.json          the inputs of each finished step, so that a step runs again only when they change
media/audio.flac    the video's audio, decoded once
stems/voice.flac, bgm.flac, master.flac, activity.json, words.json
takes/<segment>-<take id>.flac
"""

from __future__ import annotations

import json
import logging
import reprlib
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar, Literal, get_args

from bgm.digest import has_fingerprint
from bgm.errors import BadInput
from bgm.files import sweep, write_text
from bgm.settings import SETTINGS, Settings
from bgm.timeline import BOUNDED, EMOTIONS, MAX_SECONDS, Segment, Take, Timeline, Utterance

VERSION = 1
MAX_BYTES = 32_000_000
"""Largest project.json: a day-long talk takes a tenth of it."""
_NAME_BYTES = 255
"""The longest file name on common file systems."""
TITLE_LENGTH = 255
FILE = "project.json"
LANGUAGE_UNKNOWN = "und"
_WRITTEN = [name for name, setting in SETTINGS.items() if setting.card.group != "machine"]
"""Settings in project.json. Early releases also wrote those of the machine: they are read and ignored."""
Noted = Literal["kept", "source", "decode", "separate", "transcribe", "compose", "mix", "render"]
NOTED: tuple[Noted, ...] = get_args(Noted)
"""The sources of notes, in reading order: the finished file, then each step."""

log = logging.getLogger("bgm")


class Busy(BadInput):
    """Another run is working on the project; the caller can wait for it."""


@dataclass(frozen=True, slots=True)
class EngineUse:
    """The engine used for a stage, and why."""

    name: str
    reason: str

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "strict": True}


@dataclass(frozen=True, slots=True)
class Project:
    """An immutable project; the studio's steps return a new one and save it.

    ``timeline`` is None until the video has been analyzed.
    """

    folder: Path
    video: str
    """Absolute, or relative to the folder if the video is inside it."""
    duration: float
    language: str | None = None
    utterances: tuple[Utterance, ...] = ()
    timeline: Timeline | None = None
    engines: Mapping[str, EngineUse] = field(default_factory=dict)
    settings: Settings = field(default_factory=Settings)
    notes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By step (NOTED): sentences about what was changed or lost, and, under ``kept``, about what was not."""
    title: str = ""
    """What the creator calls it, where the video's file could not keep that name."""

    @property
    def name(self) -> str:
        """Its title, else the video's name."""
        return self.title or Path(self.video).stem

    @property
    def video_path(self) -> Path:
        return self.folder / self.video

    @property
    def audio(self) -> Path:
        return self.folder / "media" / "audio.flac"

    @property
    def voice(self) -> Path:
        return self.folder / "stems" / "voice.flac"

    @property
    def bgm(self) -> Path:
        return self.folder / "stems" / "bgm.flac"

    @property
    def master(self) -> Path:
        return self.folder / "stems" / "master.flac"

    @property
    def activity(self) -> Path:
        return self.folder / "stems" / "activity.json"

    @property
    def words(self) -> Path:
        return self.folder / "stems" / "words.json"

    def take_path(self, take: Take) -> Path:
        return self.folder / take.file

    @property
    def segments(self) -> tuple[Segment, ...]:
        return self.timeline.segments if self.timeline else ()

    @property
    def reader(self) -> str | None:
        """The classifier that scored the utterances."""
        use = self.engines.get("classify")
        return use.name if use else None

    def noted(self, step: Noted, notes: tuple[str, ...]) -> Project:
        """A copy with ``notes`` in place of the previous ones of ``step`` (one of NOTED)."""
        return replace(self, notes={s: found for s in NOTED if (found := notes if s == step else self.notes.get(s))})

    def save(self) -> Project:
        """Write project.json atomically."""
        write_text(self.folder / FILE, dumps(self))
        return self

    def state(self) -> dict[str, str]:
        """Digests of the inputs of each finished step; empty if unknown, as with a damaged file."""
        try:
            state = json.loads((self.folder / "state.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError, RecursionError):
            return {}
        # A damaged state.json costs time, not work: every step runs again and finds its takes by their names.
        return {step: key for step, key in state.items() if isinstance(key, str)} if isinstance(state, dict) else {}

    def mark(self, step: str, digest: str) -> None:
        """Record that ``step`` is finished for the inputs with this digest."""
        write_text(self.folder / "state.json", json.dumps({**self.state(), step: digest}, indent=1))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep a second run out of the folder; the lock ends with the process. Raises Busy if it is taken."""
        from filelock import FileLock, Timeout

        try:
            # Two locks: this one is held for minutes by a step and refuses a second run at once; .edit-lock (see
            # update) is held for milliseconds, so that the page can edit while a step runs.
            with FileLock(self.folder / ".lock", timeout=0):
                for folder in (self.folder, self.audio.parent, self.voice.parent, self.folder / "takes"):
                    folder.mkdir(exist_ok=True)
                    # Only the holder of the lock may sweep: another run's parts would be deleted under its hands.
                    sweep(folder)
                yield
        except Timeout as error:
            raise Busy(f"another run is working on the project {self.folder}") from error


def create(folder: Path, video: Path, duration: float, settings: Settings) -> Project:
    """Create the folder (its parent must exist) and save a project that has not been analyzed yet."""
    try:
        folder.mkdir(exist_ok=True)
    except FileNotFoundError as error:
        raise BadInput(f"the folder {folder.parent} does not exist") from error
    except FileExistsError as error:
        raise BadInput(f"{folder} is a file, not a project folder") from error
    return Project(folder, relative_video(folder, video), duration, settings=settings).save()


def relative_video(folder: Path, video: Path) -> str:
    """The video's path in project.json: relative if it is in the folder, so that the folder can be moved."""
    absolute, base = video.resolve(), folder.resolve()
    return absolute.relative_to(base).as_posix() if absolute.is_relative_to(base) else str(absolute)


def with_video(project: Project) -> Project:
    """The project with its video located: where it was, or next to or in the project's folder if both were moved.

    Only a file with the video's fingerprint counts. Raises BadInput, saying how to link it again, if there is none.
    """
    if project.video_path.is_file():
        return project
    known = project.state().get("video", "")
    places = (project.folder, project.folder.resolve().parent)
    # Folders are moved together with their video or the project alone is moved beside it: these two places cover both.
    # has_fingerprint() reads a file only if its size is right.
    nearby = (file for place in places for file in sorted(place.iterdir()) if file.is_file())
    found = next((file for file in nearby if has_fingerprint(file, known)), None)
    if found is not None:
        log.info("the video was found at %s", found)
        return update(project, lambda p: replace(p, video=relative_video(p.folder, found)))
    raise BadInput(
        f"the video of this project, {project.video_path}, is not there any more: put it beside the project's folder, "
        f"or say where it is now with: python -m bgm analyze VIDEO --project {project.folder}"
    )


def exists(folder: Path) -> bool:
    """Whether ``folder`` contains a project."""
    return (folder / FILE).is_file()


def load(folder: Path, here: Settings | None = None) -> Project:
    """Read project.json strictly. Raises BadInput with the place and the problem in one sentence.

    Settings of the machine rather than the project (device, offline) come from ``here``.
    """
    file = folder / FILE
    try:
        # Before reading: a project file comes from strangers too, and pydantic would hold it in memory several times.
        too_big = file.stat().st_size > MAX_BYTES
        text = "" if too_big else file.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise BadInput(f"there is no project in {folder} (no {FILE})") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{file} is damaged: it is not text in UTF-8") from error
    except OSError as error:
        raise BadInput(f"{file} can't be read: {error.strerror or error}") from error
    if too_big:
        raise BadInput(f"{file} is too big for a project: {MAX_BYTES // 1_000_000} MB are the most")
    return loads(text, folder, here)


def dumps(project: Project) -> str:
    """The text of project.json."""
    document = {
        "version": VERSION,
        "video": project.video,
        "duration": project.duration,
        "language": project.language,
        "utterances": [asdict(u) for u in project.utterances],
        "segments": [asdict(s) for s in project.segments],
        "engines": {stage: asdict(use) for stage, use in project.engines.items()},
        "notes": {step: list(notes) for step, notes in project.notes.items()},
        "settings": {name: getattr(project.settings, name) for name in _WRITTEN},
        **({"title": project.title} if project.title else {}),
    }
    return json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def loads(text: str, folder: Path, here: Settings | None = None) -> Project:
    """Parse the text of project.json; see :func:`load`."""
    from pydantic import ValidationError

    name = folder / FILE
    try:
        # validate_json, not json.loads: it limits the nesting and accepts no NaN, and strict mode takes "1.0" for no
        # number.
        document = _schema().validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(_short(str(part)) for part in first["loc"]) or "the file"
        raise BadInput(f"{name}: {place}: {first['msg'].removeprefix('Value error, ')}") from error
    except BadInput as error:
        raise BadInput(f"{name}: settings: {error}") from error
    try:
        return _from_document({**document, "settings": document["settings"].on_machine(here or Settings())}, folder)
    except ValueError as error:
        raise BadInput(f"{name}: segments: {error}") from error


@lru_cache(maxsize=1)
def _schema() -> Any:
    from typing import Annotated, NotRequired

    from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter
    from typing_extensions import TypedDict

    class Document(TypedDict):
        __pydantic_config__ = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)  # type: ignore[misc]

        version: Literal[1]
        video: Annotated[str, Field(min_length=1, max_length=4000), AfterValidator(_checked_video)]
        duration: Annotated[float, Field(gt=0, le=MAX_SECONDS)]
        language: str | None
        utterances: Annotated[tuple[Utterance, ...], AfterValidator(_checked_utterances)]
        segments: Annotated[tuple[Segment, ...], AfterValidator(_checked_segments)]
        engines: dict[str, EngineUse]
        notes: NotRequired[dict[Noted | Literal["score"], tuple[str, ...]]]  # absent in the first releases
        settings: Settings
        title: NotRequired[Annotated[str, Field(max_length=TITLE_LENGTH), AfterValidator(_checked_title)]]

    return TypeAdapter(Document)


def _short(text: str) -> str:
    """Shorten a name from the file for a message: the file may contain anything."""
    return text if (text.isidentifier() or text.isdecimal()) and len(text) <= 40 else reprlib.repr(text)


def _from_document(document: dict[str, Any], folder: Path) -> Project:
    timeline = Timeline(document["duration"], document["segments"]) if document["segments"] else None
    fields = ("video", "duration", "language", "utterances", "engines", "settings")
    notes = document.get("notes", {})
    if "score" in notes:  # the former name of compose
        notes["compose"] = notes.pop("score")
    title = document.get("title", "")
    return Project(folder, timeline=timeline, notes=notes, title=title, **{name: document[name] for name in fields})


def title_of(text: str) -> str:
    """A title that shows as it is written: without control characters and those that turn the direction of writing;
    the joiners of letters and of pictures stay (U+200C, U+200D)."""
    shown = "".join(c for c in unicodedata.normalize("NFC", text) if c.isprintable() or c in "\u200c\u200d")
    return shown.strip()[:TITLE_LENGTH]


def _checked_title(title: str) -> str:
    if title != title_of(title):
        raise ValueError("a title has no control characters")
    return title


def _checked_video(video: str) -> str:
    if not all(_can_be_named(part) for part in PurePosixPath(video).parts):
        raise ValueError("the video has a name that no file can have")
    return video


def _can_be_named(part: str) -> bool:
    """Whether a file or folder can have this name. (With others, every access to the path raises an error of its
    own.)"""
    return "\0" not in part and len(part.encode()) <= _NAME_BYTES


def _checked_utterances(utterances: tuple[Utterance, ...]) -> tuple[Utterance, ...]:
    for i, u in enumerate(utterances):
        if not 0 <= u.start < u.end:
            raise ValueError(f"utterance {i} must end after it starts")
        if u.scores is not None and set(u.scores) != set(EMOTIONS):
            raise ValueError(f"utterance {i} needs a score for each of the seven emotions")
        if u.scores is not None and not all(0 <= score <= 1 for score in u.scores.values()):
            raise ValueError(f"utterance {i} has a score outside 0 to 1")
    return utterances


def _checked_segments(segments: tuple[Segment, ...]) -> tuple[Segment, ...]:
    for segment in segments:
        if not _is_name(segment.id):
            raise ValueError(
                f"the segment id {reprlib.repr(segment.id)} may have letters, digits, - and _ only, at most 64"
            )
        for name, known in BOUNDED.items():
            low, high = known["bounds"]
            if not low <= getattr(segment, name) <= high:
                raise ValueError(f"segment {segment.id} has a {known['called']} outside {low} to {high}")
        if segment.chosen is not None and segment.chosen_take is None:
            raise ValueError(f"segment {segment.id} has no take {reprlib.repr(segment.chosen)} to choose")
        for take in segment.takes:
            _check_take(segment, take)
    return segments


def _check_take(segment: Segment, take: Take) -> None:
    path = PurePosixPath(take.file)
    inside = len(path.parts) == 2 and path.parts[0] == "takes" and "\\" not in take.file
    if not inside or path.name.startswith(".") or not path.name.isprintable() or not _can_be_named(path.name):
        raise ValueError(f"segment {segment.id}: a take's file must lie in takes/, not {reprlib.repr(take.file)}")


def _is_name(text: str) -> bool:
    return 0 < len(text) <= 64 and all(c.isascii() and (c.isalnum() or c in "-_") for c in text)


def update(project: Project, change: Callable[[Project], Project]) -> Project:
    """Read the project from disk, change it and, if that made a difference, save it, under a lock.

    So an edit on the page while takes are being made loses neither the edit nor the takes.
    """
    from filelock import FileLock

    with FileLock(project.folder / ".edit-lock", timeout=30):
        # Always from disk: ``project`` is what its caller saw, perhaps minutes ago; ``change`` is applied to what is
        # there now.
        before = load(project.folder, project.settings)
        now = change(before)
        # An unchanged file keeps its modification time, by which the page sees whether there is anything new.
        return now if now == before else now.save()
