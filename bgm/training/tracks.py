"""The tracks of a training set: read from a folder or a table (CSV, JSONL) with tags and licences, or composed.

A track is used only under a licence that allows training, as :func:`why_not` reads it; this is no legal advice.
Composed pieces cover every mood and style; they need no licence of others and their labels are exact.
"""

from __future__ import annotations

import csv
import json
import re
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
from bgm.music.composer import moods
from bgm.music.embedded import EmbeddedComposer, compose, find_font, render
from bgm.music.riffusion.prompts import BACKGROUND
from bgm.music.score import GENERAL_MIDI, Cue, Piece, Role, Score
from bgm.progress import silent
from bgm.timeline import EMOTIONS, Emotion, Style

SUFFIXES = frozenset((".flac", ".wav", ".mp3", ".ogg", ".opus", ".m4a", ".aac", ".aiff", ".aif"))
TABLES = ("metadata.csv", "metadata.jsonl")
MOST_TAGS = 16
"""CLIP truncates captions at 77 tokens."""
COMPOSED_SECONDS = 30.0
"""Length of a composed piece: room for several crops."""
FIRST_SEED = 1000

UNKNOWN = "unknown"
OWN = "own"
"""The user's own music: no permission needed."""
CONDITIONS = {"NC": "no commercial use", "ND": "no derivatives"}
"""Creative Commons conditions that training a model on the track may violate."""
_FREE = (
    (r"cc ?0|cc zero|publicdomain zero|creative ?commons zero", "CC0-1.0"),
    (r"pdm|publicdomain mark|^public domain$|^public domain mark", "PDM-1.0"),
    (r"^own$", OWN),
)
_BY = re.compile(r"\bcc by\b|\blicenses by\b|^(?:creative ?commons )?attribution\b")
_LONG = ((r"non ?commercial", "nc"), (r"no ?deriv\w*", "nd"), (r"share ?alike", "sa"))

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
"""Our fields and their names in tables and audio tags. ``tags`` collects all of its columns."""

MOODS: dict[str, Emotion] = {
    **{name: emotion for emotion, card in moods.MOODS.items() for one in card.names for name in one.english.split("|")},
    **dict.fromkeys(("heavy", "powerful"), Emotion.ANGER),
    "quirky": Emotion.DISGUST,
    "dark": Emotion.FEAR,
    **dict.fromkeys(("calm", "relaxing", "background", "ambiental", "soft", "meditative"), Emotion.NEUTRAL),
    **dict.fromkeys(("dream", "adventure"), Emotion.SURPRISE),
}
"""Mood tags and the emotion of each: the words that direct our own music, and tags of MTG-Jamendo's mood/theme subset
that as a direction mean something else ("dark" is low there) but as a tag tell a mood."""


@dataclass(frozen=True, slots=True)
class Track:
    """One piece of music. ``name`` is its path as written in the table or relative to the folder."""

    name: str
    path: Path
    licence: str = ""
    emotion: str = ""
    """One of EMOTIONS, or empty if unknown."""
    tags: tuple[str, ...] = ()
    tempo: float | None = None
    """Beats per minute."""
    title: str = ""
    artist: str = ""
    source: str = ""

    @property
    def identity(self) -> list[Any]:
        """Everything about the track that determines its images, incl. the file's size and date; JSON-serialisable."""
        state = self.path.stat()
        return [self.name, self.licence, self.emotion, *self.tags, self.tempo, state.st_size, state.st_mtime_ns]

    @property
    def caption(self) -> str:
        """Emotion, tags, tempo: the emotion comes first, as in the product's prompts."""
        tempo = [f"{self.tempo:.0f} bpm"] if self.tempo else []
        words = [*([self.emotion] if self.emotion else []), *self.tags[:MOST_TAGS], *tempo]
        return ", ".join(dict.fromkeys(words))

    def sound(self, target: Path) -> Self:
        """Decode to FLAC at ``target``; returns the track as now known. Raises BadInput if there is no audio."""
        if decode(probe(self.path), target) is None:
            raise BadInput("there is no sound in it")
        return self


def read_tracks(music: Path, licence: str = "") -> list[Track]:
    """The tracks of a table, or of a folder with a metadata.csv or .jsonl or with tagged audio files.

    In a folder without a table the names of subfolders are tags. ``licence`` applies to tracks that name none. Raises
    BadInput if there are none or the table can't be read.
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
    """Majority vote of the mood tags; empty without votes or on a tie."""
    # A tie says that the tags disagree: no label is better than a wrong one.
    votes = Counter(MOODS[word] for word in words if word in MOODS).most_common(2)
    return votes[0][0].value if votes and (len(votes) == 1 or votes[0][1] > votes[1][1]) else ""


@dataclass(frozen=True, slots=True)
class Licence:
    """``name`` is the SPDX id (without version if none was given); ``conditions`` are keys of CONDITIONS."""

    name: str
    conditions: tuple[str, ...] = ()

    @property
    def address(self) -> str | None:
        """URL of its text, which an attribution must give."""
        site = "https://creativecommons.org"
        if self.name == "CC0-1.0":
            return f"{site}/publicdomain/zero/1.0/"
        found = re.fullmatch(r"CC-(BY[A-Z-]*)-(\d\.\d)", self.name)
        return f"{site}/licenses/{found[1].lower()}/{found[2]}/" if found else None


def licence(text: str) -> Licence:
    """Parse an SPDX id, a Creative Commons URL or a usual name; anything else is UNKNOWN."""
    # 1. All ways of writing to one: "CC BY-SA 4.0", "cc_by_sa" and ".../licenses/by-sa/4.0/" become words. 2. What is
    # free of conditions. 3. The long names to the short ones. 4. The conditions, in the order of the SPDX id, whatever
    # order they came in.
    words = re.sub(r"[^a-z0-9]+", " ", text.lower()).strip()
    for pattern, name in _FREE:
        if re.search(rf"\b(?:{pattern})\b" if not pattern.startswith("^") else pattern, words):
            return Licence(name)
    for long, short in _LONG:
        words = re.sub(long, short, words)
    if not _BY.search(words):
        return Licence(UNKNOWN)
    conditions = tuple(name for name in CONDITIONS if re.search(rf"\b{name.lower()}\b", words))
    alike = ["SA"] if re.search(r"\bsa\b", words) else []
    # From the text as it was written: the dot is gone from the words.
    version = re.findall(r"\b[1-4]\.[05]\b", text)[:1]
    return Licence("-".join(["CC", "BY", *conditions, *alike, *version]), conditions)


def why_not(text: str, allowed: frozenset[str] = frozenset()) -> str | None:
    """Why a track under this licence may not be used, or None. ``allowed``: conditions the user accepts."""
    found = licence(text)
    if found.name == UNKNOWN:
        return f"its licence ({' '.join(text.split())[:60]}) is none that allows it" if text.strip() else "no licence"
    hindering = [CONDITIONS[name] for name in found.conditions if name not in allowed]
    return f"its licence {found.name} allows {' and '.join(hindering)}" if hindering else None


def conditions(text: str) -> frozenset[str]:
    """Parse ``--allow``, e.g. ``nc,nd``. Raises BadInput for anything else."""
    named = frozenset(word.strip().upper() for word in text.split(",") if word.strip())
    if named - set(CONDITIONS):
        raise BadInput("--allow takes nc and nd only: a track without a licence is never used")
    return named


def _walked(folder: Path) -> Iterator[Track]:
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in SUFFIXES and path.is_file():
            name = path.relative_to(folder)
            yield _track(name.as_posix(), path, _own_tags(path), name.parts[:-1])


def _own_tags(path: Path) -> dict[str, str]:
    """The file's metadata: ID3, Vorbis comments, MP4 atoms. Empty if it can't be opened."""
    try:
        with open_input(path) as file:
            # Containers put tags on the file or on the stream (Ogg); the stream's are the more exact.
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
    """The first non-empty column of the field, on one line; ``row`` has lower-case names."""
    return next((" ".join(str(row[name]).split()) for name in _COLUMNS[field] if row.get(name)), "")


def _words(value: Any) -> list[str]:
    """Tags from a list or from comma, semicolon or tab separated text, without MTG-Jamendo's category prefix."""
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
    """A piece to be composed. ``path`` is its soundfont."""

    style: Style = Style.ACOUSTIC
    seed: int = 0

    @property
    def identity(self) -> list[Any]:
        """The composer's revision, the cue and the soundfont determine the images."""
        return ["composed", EmbeddedComposer.revision, self.name, self.seed, self.emotion, self.style, self.path.name]

    def sound(self, target: Path) -> Self:
        """Compose and render; the returned track has instruments and tempo among its tags."""
        cue = _cue(self)
        score = compose(cue)
        render(score, target, cue.frames, silent, self.path)
        return replace(self, tags=(*self.tags, *_instruments(score), BACKGROUND), tempo=score.tempo)


def composed(count: int, fonts: Sequence[Path], styles: Sequence[Style] = tuple(Style)) -> list[Composed]:
    """``count`` pieces, cycling through moods, styles and soundfonts (default: the usual one).

    Raises EngineUnavailable if there is no soundfont or synthesizer, and BadInput for a missing font.
    """
    for font in fonts:
        find_font(str(font))
    usual = find_font()
    players = list(fonts) or ([usual] if usual else [])
    why = EmbeddedComposer.missing(EngineOptions(model=str(players[0]) if players else None))
    if why:
        raise EngineUnavailable(f"music can't be composed here: {why}")
    return [_piece(number, players, styles) for number in range(count)]


def _piece(number: int, fonts: Sequence[Path], styles: Sequence[Style]) -> Composed:
    """Every piece has its own seed, hence key and motif: no validation piece is a variation of a training piece."""
    # Emotion fastest, then style, then soundfont, shifted by a turn each: any first N pieces are as even over the
    # emotions as N allows, and no style is tied to one font.
    emotion, turn = EMOTIONS[number % len(EMOTIONS)], number // len(EMOTIONS)
    style = styles[turn % len(styles)]
    font = fonts[(turn + turn // len(styles)) % len(fonts)]
    return Composed(
        name=f"composed {number:05d}",
        path=font,
        licence="CC0-1.0",
        emotion=emotion.value,
        tags=(*moods.MOODS[emotion].mood.split(", "), style.value),
        title=f"{emotion} {turn}",
        artist="BGM Studio's composer",
        source=f"{style}, seed {number}, soundfont {font.name}",
        style=style,
        seed=number,
    )


def _instruments(score: Score) -> list[str]:
    """The instruments by General MIDI's names, and "drums" if there are any."""
    playing = {part.role for part in score.parts if part.role is not Role.DRUMS}
    names = [GENERAL_MIDI[part.program].name for part in score.parts if part.role in playing]
    return list(dict.fromkeys([*names, *(["drums"] if len(playing) < len(score.parts) else [])]))


def _cue(piece: Composed) -> Cue:
    """A cue from the middle of a piece: no opening, no ending."""
    number, frames = FIRST_SEED + piece.seed, frames_of(COMPOSED_SECONDS)
    whole = Piece(number, COMPOSED_SECONDS, piece.style)
    return Cue(whole, frames, Emotion(piece.emotion), 1.0, "", number, opening=False, ending=False)
