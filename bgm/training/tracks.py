"""The music that a set of spectrograms is made of: a folder or a table (CSV, JSONL) of files, tags and licences; and
pieces of our own composer, in every mood and style, which are nobody else's and whose labels are true.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import av

from bgm.engines import EngineOptions
from bgm.errors import BadInput, EngineUnavailable
from bgm.media.audio import frames_of
from bgm.media.container import open_input
from bgm.media.decode import decode
from bgm.media.probe import probe
from bgm.music.composer.instruments import GENERAL_MIDI
from bgm.music.cue import Cue, Piece
from bgm.music.embedded import EmbeddedComposer, compose, render
from bgm.music.riffusion.prompts import BACKGROUND, WORDS
from bgm.music.score import Role, Score
from bgm.music.soundfont import find_font
from bgm.progress import silent
from bgm.timeline import EMOTIONS, Emotion, Style

SUFFIXES = frozenset((".flac", ".wav", ".mp3", ".ogg", ".opus", ".m4a", ".aac", ".aiff", ".aif"))
TABLES = ("metadata.csv", "metadata.jsonl")
MOST_TAGS = 16
"""CLIP reads 77 tokens of a caption."""
COMPOSED_SECONDS = 30.0
"""Of a composed piece: room for several crops."""
FIRST_SEED = 1000
STYLES = tuple(Style)

_COLUMNS = {
    "path": ("path", "file_name", "file", "filename"),
    "licence": ("licence", "license", "copyright"),
    "emotion": ("emotion",),
    "tags": ("tags", "mood", "moods", "tmoo", "genre", "genres", "instruments"),
    "tempo": ("tempo", "bpm", "tbpm"),
    "title": ("title",),
    "artist": ("artist", "author"),
    "source": ("source", "url", "wxxx"),
}
"""What we read, and the names that tables and sound files give it. Of several for ``tags`` all are taken."""

MOODS: dict[str, Emotion] = {
    **dict.fromkeys(("angry", "aggressive", "heavy", "powerful", "furious"), Emotion.ANGER),
    **dict.fromkeys(("weird", "quirky", "queasy", "grotesque", "disgusted"), Emotion.DISGUST),
    **dict.fromkeys(("dark", "horror", "scary", "tense", "suspense", "eerie", "fearful"), Emotion.FEAR),
    **dict.fromkeys(("happy", "fun", "upbeat", "uplifting", "party", "positive", "hopeful", "joyful"), Emotion.JOY),
    **dict.fromkeys(("calm", "relaxing", "background", "ambiental", "soft", "meditative"), Emotion.NEUTRAL),
    **dict.fromkeys(("sad", "melancholic", "melancholy", "emotional"), Emotion.SADNESS),
    **dict.fromkeys(("surprising", "playful", "dream", "adventure", "wondrous"), Emotion.SURPRISE),
    **{emotion.value: emotion for emotion in EMOTIONS},
}
"""Mood words (most are those of MTG-Jamendo's mood/theme subset) and the emotion that each stands for."""


@dataclass(frozen=True, slots=True)
class Track:
    """One piece of music. ``name`` is how the user knows it: its path, as the table or the folder has it."""

    name: str
    path: Path
    licence: str = ""
    emotion: str = ""
    """One of EMOTIONS, or empty where nobody says."""
    tags: tuple[str, ...] = ()
    tempo: float | None = None
    """Beats per minute."""
    title: str = ""
    artist: str = ""
    source: str = ""

    @property
    def identity(self) -> list[Any]:
        """What decides the track's pictures, the file's size and date among it; JSON can hold it."""
        state = self.path.stat()
        return [self.name, self.licence, self.emotion, *self.tags, self.tempo, state.st_size, state.st_mtime_ns]

    @property
    def caption(self) -> str:
        """The emotion, which comes first in the product's prompts too, then the tags and the tempo."""
        tempo = [f"{self.tempo:.0f} bpm"] if self.tempo else []
        words = [*([self.emotion] if self.emotion else []), *self.tags[:MOST_TAGS], *tempo]
        return ", ".join(dict.fromkeys(words))

    def sound(self, target: Path) -> Self:
        """Write the sound as FLAC to ``target``; the track, with what was learnt of it. Raises BadInput: no sound."""
        if decode(probe(self.path), target) is None:
            raise BadInput("there is no sound in it")
        return self


def read_tracks(music: Path, licence: str = "") -> list[Track]:
    """The tracks of a folder (with a metadata.csv or .jsonl, or of sound files that carry their own tags) or a table.

    In a folder without a table the names of its subfolders are tags. ``licence``: of tracks that name none. Raises
    BadInput for what is no such thing.
    """
    if music.is_dir():
        tables = [music / name for name in TABLES if (music / name).is_file()]
        found = list(_listed(tables[0]) if tables else _walked(music))
    elif music.is_file():
        found = list(_listed(music))
    else:
        raise BadInput(f"there is no {music}: name a folder of music, or a CSV or JSONL of paths, tags and licences")
    if not found:
        raise BadInput(f"there is no music in {music}: sound files are {', '.join(sorted(SUFFIXES))}")
    twice = [name for name, count in Counter(track.name for track in found).items() if count > 1]
    if twice:
        raise BadInput(f"{twice[0]} is named twice in {music}")
    return [replace(track, licence=track.licence or licence) for track in found]


def emotion_of(words: Iterable[str]) -> str:
    """The emotion that most of the words stand for; empty where there is none, or where they are of two minds."""
    votes = Counter(MOODS[word] for word in words if word in MOODS).most_common(2)
    return votes[0][0].value if votes and (len(votes) == 1 or votes[0][1] > votes[1][1]) else ""


def _walked(folder: Path) -> Iterator[Track]:
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in SUFFIXES and path.is_file():
            name = path.relative_to(folder)
            yield _track(name.as_posix(), path, _own_tags(path), name.parts[:-1])


def _own_tags(path: Path) -> dict[str, str]:
    """What the file says of itself: ID3, Vorbis comments, MP4 atoms. What can't be opened says nothing here."""
    try:
        with open_input(path) as file:
            layers = (file.metadata, *(stream.metadata for stream in file.streams.audio))
            return {key: value.encode(errors="replace").decode() for layer in layers for key, value in layer.items()}
    except (av.error.FFmpegError, OSError, BadInput):
        return {}


def _listed(table: Path) -> Iterator[Track]:
    reader = {".csv": _csv_rows, ".jsonl": _jsonl_rows}.get(table.suffix.lower())
    if reader is None:
        raise BadInput(f"{table.name} is neither a folder nor a .csv or .jsonl")
    try:
        rows = list(reader(table))
    except (UnicodeDecodeError, csv.Error, ValueError) as error:
        raise BadInput(f"{table.name} can't be read as {table.suffix[1:].upper()}: {error}") from error
    for number, row in enumerate(rows, start=1):
        name = _first(_lowered(row), "path")
        if not name:
            raise BadInput(f"{table.name}: entry {number} has no path (column {' or '.join(_COLUMNS['path'][:2])})")
        yield _track(name, table.parent / name, row, ())


def _csv_rows(table: Path) -> Iterator[Mapping[str, Any]]:
    with table.open(newline="", encoding="utf-8-sig") as lines:
        yield from csv.DictReader(lines)


def _jsonl_rows(table: Path) -> Iterator[Mapping[str, Any]]:
    for line in table.read_text(encoding="utf-8-sig").splitlines():
        if line.strip():
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError("a line is no object")
            yield row


def _track(name: str, path: Path, row: Mapping[str, Any], folders: Iterable[str]) -> Track:
    known = _lowered(row)
    values = [known[column] for column in _COLUMNS["tags"] if known.get(column)]
    tags = tuple(dict.fromkeys([*_words(folders), *(word for value in values for word in _words(value))]))
    named = _first(known, "emotion").lower()
    return Track(
        name=name,
        path=path,
        licence=_first(known, "licence"),
        emotion=named if named in set(EMOTIONS) else emotion_of(tags),
        tags=tags,
        tempo=_tempo(_first(known, "tempo")),
        title=_first(known, "title"),
        artist=_first(known, "artist"),
        source=_first(known, "source"),
    )


def _lowered(row: Mapping[str, Any]) -> dict[str, Any]:
    return {str(key).strip().lower(): value for key, value in row.items()}


def _first(row: Mapping[str, Any], field: str) -> str:
    """The first of the field's columns with something in it, on one line; ``row`` has lower-case names."""
    return next((" ".join(str(row[name]).split()) for name in _COLUMNS[field] if row.get(name)), "")


def _words(value: Any) -> list[str]:
    """Tags from a list or from text with commas, semicolons or slashes; MTG-Jamendo's category before each goes."""
    parts = value if isinstance(value, list | tuple) else str(value).replace(";", ",").replace("\t", ",").split(",")
    words = [" ".join(str(part).rpartition("---")[2].split()).lower() for part in parts]
    return [word for word in words if word]


def _tempo(text: str) -> float | None:
    try:
        tempo = float(text)
    except ValueError:
        return None
    return tempo if 20 <= tempo <= 400 else None


@dataclass(frozen=True, slots=True)
class Composed(Track):
    """A piece to be composed. ``path`` is the soundfont that plays it."""

    style: Style = Style.ACOUSTIC
    seed: int = 0

    @property
    def identity(self) -> list[Any]:
        """The composer's revision, the cue and the font decide the pictures."""
        return ["composed", EmbeddedComposer.revision, self.name, self.seed, self.emotion, self.style, self.path.name]

    def sound(self, target: Path) -> Self:
        """Compose and play; the track then knows who plays in it, and its tempo."""
        cue = _cue(self)
        score = compose(cue)
        render(score, target, cue.frames, silent, self.path)
        return replace(self, tags=(*self.tags, *_instruments(score), BACKGROUND), tempo=score.tempo)


def composed(count: int, fonts: Sequence[Path]) -> list[Composed]:
    """``count`` pieces, taking turns through the moods, the styles and the soundfonts (or the usual font).

    Raises EngineUnavailable where nothing can play them, and BadInput for a font that isn't there.
    """
    for font in fonts:
        find_font(str(font))
    usual = find_font()
    players = list(fonts) or ([usual] if usual else [])
    why = EmbeddedComposer.missing(EngineOptions(model=str(players[0]) if players else None))
    if why:
        raise EngineUnavailable(f"music can't be composed here: {why}")
    return [_piece(number, players) for number in range(count)]


def _piece(number: int, fonts: Sequence[Path]) -> Composed:
    """Each has a seed, so a key and a motif, of its own: none in validation is the variation of one in training."""
    emotion, turn = EMOTIONS[number % len(EMOTIONS)], number // len(EMOTIONS)
    style = STYLES[turn % len(STYLES)]
    font = fonts[(turn + turn // len(STYLES)) % len(fonts)]
    return Composed(
        name=f"composed {number:05d}",
        path=font,
        licence="CC0-1.0",
        emotion=emotion.value,
        tags=(*WORDS[emotion].mood.split(", "), style.value),
        title=f"{emotion} {turn}",
        artist="BGM Studio's composer",
        source=f"{style}, seed {number}, soundfont {font.name}",
        style=style,
        seed=number,
    )


def _instruments(score: Score) -> list[str]:
    """Who plays, by General MIDI's names; the drums where there are any."""
    playing = {part.role for part in score.parts if part.role is not Role.DRUMS}
    names = [GENERAL_MIDI[part.program].name for part in score.parts if part.role in playing]
    return list(dict.fromkeys([*names, *(["drums"] if len(playing) < len(score.parts) else [])]))


def _cue(piece: Composed) -> Cue:
    """From the middle of a piece: neither an opening nor an ending."""
    number, frames = FIRST_SEED + piece.seed, frames_of(COMPOSED_SECONDS)
    whole = Piece(number, COMPOSED_SECONDS, piece.style)
    return Cue(whole, frames, Emotion(piece.emotion), 1.0, "", number, opening=False, ending=False)
