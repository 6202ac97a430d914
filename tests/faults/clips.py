"""Short videos cut from the bundled sample: speech over old music, with subtitles of several emotions beside them."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from imageio_ffmpeg import get_ffmpeg_exe

SAMPLE = Path(__file__).resolve().parents[2] / "assets" / "sample.mp4"
LINES = (
    "I am so happy today, this is wonderful and I love it!",
    "I miss her so much, I cried the whole night, it is so sad.",
    "How dare you, I am furious, I hate this!",
    "I am so scared, somebody is in the dark house.",
)


def clip(path: Path, seconds: float, lines: Sequence[str] = LINES, *, start: float = 0.0, colour: str = "navy") -> Path:
    """``seconds`` of the sample's sound from ``start`` under a picture of ``colour``; the lines share its length."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = ("-f", "lavfi", "-i", f"color={colour}:s=160x90:r=12")
    sound = ("-ss", str(start), "-i", str(SAMPLE))
    codecs = ("-map", "0:v", "-map", "1:a", "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac")
    quiet = (get_ffmpeg_exe(), "-nostdin", "-v", "error", "-y")
    subprocess.run([*quiet, *picture, *sound, *codecs, "-t", str(seconds), str(path)], check=True)
    each = seconds / len(lines)
    blocks = (_block(i, i * each + 0.2, (i + 1) * each - 0.2, line) for i, line in enumerate(lines))
    path.with_suffix(".srt").write_text("\n".join(blocks), encoding="utf-8")
    return path


def _block(index: int, start: float, end: float, line: str) -> str:
    return f"{index + 1}\n{_stamp(start)} --> {_stamp(end)}\n{line}\n"


def _stamp(seconds: float) -> str:
    return f"00:{int(seconds // 60):02d}:{int(seconds % 60):02d},{round(seconds % 1 * 1000):03d}"
