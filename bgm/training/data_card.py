"""The data card of a set: what the hub reads at its top, what is in it, whose music it is under which licence."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bgm.errors import BadInput
from bgm.music.riffusion.spectrogram import ROWS
from bgm.training import licences

CARD = "README.md"
_LICENCE_KEY = "license: "
OTHER = "other"


def write(rows: Mapping[str, Sequence[Mapping[str, Any]]], ledger: Sequence[Mapping[str, Any]], columns: int) -> str:
    """The card's text. ``rows``: of each split, its pictures; ``ledger``: every track, used or not (``left_out``)."""
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


def licence(folder: Path) -> str:
    """The licence in the card of a set, as the hub writes it. Raises BadInput where there is none."""
    try:
        lines = (folder / CARD).read_text(encoding="utf-8").splitlines()
        return next(line.removeprefix(_LICENCE_KEY) for line in lines if line.startswith(_LICENCE_KEY))
    except (OSError, UnicodeDecodeError, StopIteration) as error:
        raise BadInput(f"{folder} has no data card ({CARD}) that names its licence") from error


def _front(used: set[str]) -> list[str]:
    """YAML for the hub. A set of one licence has it; one of several is "other", and each track keeps its own."""
    whole = next(iter(used)) if len(used) == 1 else OTHER
    known = licences.read(whole).address is not None
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
    """Title, author, source, licence: what Creative Commons asks of an attribution; and that it was changed."""
    known = licences.read(str(track["licence"]))
    named = f"{track['title'] or track['track']} by {track['artist'] or 'an unnamed author'}"
    source = f", {track['source']}" if track["source"] else ""
    return f"{named}{source}, {known.name}{f' ({known.address})' if known.address else ''}, {track['crops']} crops"
