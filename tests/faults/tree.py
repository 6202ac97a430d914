"""What lies in a folder, so that two runs can be compared file by file."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import av

from bgm.files import PART_PREFIX

_LOCKS = frozenset({".lock", ".edit-lock"})
_CHANGES_ON_THE_WAY = frozenset({"project.json", "state.json"})
Tree = dict[str, str]
"""Relative name → what stands for the content."""


def tree(home: Path) -> Tree:
    """Every file under ``home``, parts of killed runs among them."""
    files = (path for path in home.rglob("*") if path.is_file() and path.name not in _LOCKS)
    return {path.relative_to(home).as_posix(): content(path) for path in files}


def content(path: Path) -> str:
    """The bytes; of a video all packets with their times and the bytes of each."""
    digest = hashlib.sha256()
    if path.suffix != ".mp4":
        digest.update(path.read_bytes())
        return digest.hexdigest()
    with av.open(str(path)) as container:
        for packet in container.demux(container.streams.video[0], container.streams.audio[0]):
            digest.update(f"{packet.stream_index} {packet.pts} {packet.dts} {packet.size} ".encode())
            digest.update(bytes(packet))
    return digest.hexdigest()


def differences(found: Tree, wanted: Tree) -> list[str]:
    """What is left over, what is missing, what is not the same."""
    extra = [f"left over: {name}" for name in sorted(found.keys() - wanted.keys())]
    missing = [f"missing: {name}" for name in sorted(wanted.keys() - found.keys())]
    return extra + missing + [f"differs: {n}" for n in sorted(found.keys() & wanted.keys()) if found[n] != wanted[n]]


def parts(home: Path) -> list[str]:
    """Unfinished files."""
    return sorted(path.name for path in home.rglob(f"{PART_PREFIX}*"))


def half_written(home: Path, *wholes: Tree) -> list[str]:
    """Files under their final names that are not as any of ``wholes`` has them; documents must only be readable."""
    troubles = []
    for path in sorted(p for p in home.rglob("*") if p.is_file() and p.name not in _LOCKS):
        name = path.relative_to(home).as_posix()
        if path.name.startswith(PART_PREFIX):
            continue
        if path.name in _CHANGES_ON_THE_WAY:
            whole = _is_json(path)
        else:
            whole = _content_or_none(path) in {known.get(name) for known in wholes}
        if not whole:
            troubles.append(f"half-written: {name}")
    return troubles


def _is_json(path: Path) -> bool:
    try:
        return isinstance(json.loads(path.read_text(encoding="utf-8")), dict)
    except ValueError:
        return False


def _content_or_none(path: Path) -> str | None:
    try:
        return content(path)
    except av.error.FFmpegError:
        return "broken"
