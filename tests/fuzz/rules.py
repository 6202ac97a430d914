"""What must hold after every case."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections import Counter, defaultdict
from pathlib import Path
from statistics import median

import av

from bgm.files import PART_PREFIX

LONGEST_MESSAGE = 400
_LOST_SECONDS = 0.5
_JARGON = re.compile(
    r"0x[0-9a-fA-F]{4,}|Errno|Traceback|site-packages|\bNoneType\b|libav|av\.error|pydantic|libsndfile|codec can't"
)


def judge_message(message: str) -> str | None:
    """What is wrong with a sentence that a user would read, or None."""
    if not message.strip():
        return "the message is empty"
    if not message.isprintable():
        return "the message holds characters that can't be shown"
    if len(message) > LONGEST_MESSAGE:
        return "the message is too long to be read"
    found = _JARGON.search(message)
    return f"the message speaks of {found[0]!r}" if found else None


def silently_lost(source: Path, written: Path, notes: tuple[str, ...]) -> str | None:
    """What of ``source`` is not in ``written`` though no note says so, or None: tracks, chapters, seconds."""
    if notes:
        return None
    before, after = _contents(source), _contents(written)
    fewer = [f"{kind}: {count} → {after[kind]}" for kind, count in before.items() if after[kind] < count]
    if fewer:
        return f"lost without a note: {', '.join(fewer)}"
    short = _seconds(source) - _seconds(written)
    return f"{short:.2f} s were lost without a note" if short > _LOST_SECONDS else None


def _contents(file: Path) -> Counter[str]:
    with av.open(str(file), metadata_errors="ignore") as container:
        kinds = Counter(stream.type for stream in container.streams if stream.type in ("video", "subtitle"))
        kinds["audio"] = min(1, len(container.streams.audio))  # of several sound tracks one is chosen
        kinds["chapter"] = len(container.chapters())
        return kinds


def _seconds(file: Path) -> float:
    """How long the longest stream of picture or sound is by its packets' lengths, whatever their times are.

    In a damaged file a packet may claim to last for hours: none counts for more than ten usual ones.
    """
    lengths: defaultdict[int, list[float]] = defaultdict(list)
    with (
        contextlib.suppress(av.error.FFmpegError, IndexError),
        av.open(str(file), metadata_errors="ignore") as container,
    ):
        for packet in container.demux(*container.streams.video, *container.streams.audio):
            if packet.size and not packet.is_discard and not packet.is_corrupt:
                lengths[packet.stream_index].append(float((packet.duration or 0) * packet.time_base))
    return max((sum(min(length, 10 * median(own)) for length in own) for own in lengths.values()), default=0.0)


def left_behind(folder: Path) -> list[str]:
    """Half-written files that should be gone."""
    return sorted(path.name for path in folder.rglob("*") if path.name.startswith((PART_PREFIX, "tmp")))


def stamp(path: Path) -> str:
    """Tells whether a file was changed."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "gone"
