"""Licences: which of them allow training, and the data card of a set, which credits every track.

This is a reading of the licence texts, not legal advice.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bgm.errors import BadInput
from bgm.music.riffusion.spectrogram import ROWS

CARD = "README.md"
_LICENCE_KEY = "license: "
OTHER = "other"
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


def read(text: str) -> Licence:
    """Parse an SPDX id, a Creative Commons URL or a usual name; anything else is UNKNOWN."""
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
    version = re.findall(r"\b[1-4]\.[05]\b", text)[:1]
    return Licence("-".join(["CC", "BY", *conditions, *alike, *version]), conditions)


def why_not(text: str, allowed: frozenset[str] = frozenset()) -> str | None:
    """Why a track under this licence may not be used, or None. ``allowed``: conditions the user accepts."""
    licence = read(text)
    if licence.name == UNKNOWN:
        return f"its licence ({' '.join(text.split())[:60]}) is none that allows it" if text.strip() else "no licence"
    hindering = [CONDITIONS[name] for name in licence.conditions if name not in allowed]
    return f"its licence {licence.name} allows {' and '.join(hindering)}" if hindering else None


def conditions(text: str) -> frozenset[str]:
    """Parse ``--allow``, e.g. ``nc,nd``. Raises BadInput for anything else."""
    named = frozenset(word.strip().upper() for word in text.split(",") if word.strip())
    if named - set(CONDITIONS):
        raise BadInput("--allow takes nc and nd only: a track without a licence is never used")
    return named


def card(rows: Mapping[str, Sequence[Mapping[str, Any]]], ledger: Sequence[Mapping[str, Any]], columns: int) -> str:
    """The data card's text. ``rows``: the images of each split; ``ledger``: every track, used or not (``left_out``)."""
    used = [track for track in ledger if track["crops"]]
    unused = [track for track in ledger if not track["crops"]]
    pictures = {split: len(lines) for split, lines in rows.items()}
    moods = Counter(str(row["emotion"] or "none") for lines in rows.values() for row in lines)
    figures = {"pictures": pictures, "tracks": len(used), "emotions": dict(sorted(moods.items()))}
    return "\n".join(
        [
            *_front({str(track["licence"]) for track in used}),
            "# Spectrograms of music with captions",
            "",
            f"Pictures of {ROWS} mel bands and {columns} frames of 10 ms in the format of riffusion-model-v1",
            "(44.1 kHz, mono; the parameters are in each picture's EXIF), from `python -m bgm.training.spectrograms`.",
            "Captions are `text` in metadata.jsonl. No track is in both splits.",
            "",
            f"    {json.dumps(figures)}",
            "",
            "## Whose music it is",
            "",
            *(f"- {_credit(track)}" for track in used),
            "",
            "## Left out",
            "",
            *([f"- {track['track']}: {track['left_out']}" for track in unused] or ["Nothing."]),
            "",
        ]
    )


def of_set(folder: Path) -> str:
    """The licence in a set's data card, as the hub writes it. Raises BadInput if there is none."""
    try:
        lines = (folder / CARD).read_text(encoding="utf-8").splitlines()
        return next(line.removeprefix(_LICENCE_KEY) for line in lines if line.startswith(_LICENCE_KEY))
    except (OSError, UnicodeDecodeError, StopIteration) as error:
        raise BadInput(f"{folder} has no data card ({CARD}) that names its licence") from error


def _front(used: set[str]) -> list[str]:
    """YAML front matter for the hub. The set's licence is that of its tracks if all agree, else "other"."""
    whole = next(iter(used)) if len(used) == 1 else OTHER
    known = read(whole).address is not None
    return [
        "---",
        f"{_LICENCE_KEY}{whole.lower() if known else OTHER}",
        *([] if known else [f"license_name: {' and '.join(sorted(used))}"]),
        "task_categories: [text-to-image, text-to-audio]",
        "tags: [music, spectrogram, riffusion]",
        "configs:",
        "- config_name: default",
        "  data_files: [{split: train, path: train/**}, {split: validation, path: validation/**}]",
        "---",
    ]


def _credit(track: Mapping[str, Any]) -> str:
    """Title, author, source and licence, as Creative Commons requires, and that the work was changed (crops)."""
    known = read(str(track["licence"]))
    named = f"{track['title'] or track['track']} by {track['artist'] or 'an unnamed author'}"
    source = f", {track['source']}" if track["source"] else ""
    return f"{named}{source}, {known.name}{f' ({known.address})' if known.address else ''}, {track['crops']} crops"
