"""What nobody plans for, through a whole ``make`` in the shell: ``python -m tests.faults.odd_music [--hours N]``.

A meter that isn't played, a style that isn't there, a video of 0.3 s, segments of half a second, 300 segments, one
segment of hours, and soundfonts that are damaged or have no drums. Each ends with a video of the right length or in one
sentence, never in a traceback; printed are the sentence, the time and the peak of memory.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg

from bgm.media.probe import probe
from bgm.music.embedded import find_font
from bgm.project import load
from bgm.speech.subtitle_file import to_srt
from bgm.timeline import Utterance

ROOT = Path(__file__).resolve().parents[2]
SAID = ("I am so happy about this.", "I am terribly sad.", "This makes me furious.", "I am scared of the dark.")
PLAIN = ("--separator", "original", "--classifier", "words", "--music", "embedded", "--offline")


@dataclass(frozen=True)
class Case:
    """A ``make``: its video's seconds, the lines of its subtitles (start, end, words), and what it is told."""

    name: str
    seconds: float
    lines: Sequence[tuple[float, float, str]]
    words: tuple[str, ...] = ()
    font: str = ""
    status: int = 0
    says: str = ""
    segments: int | None = None


def alternating(count: int, seconds: float) -> list[tuple[float, float, str]]:
    """Lines of four moods in turn, without a pause between them."""
    return [(i * seconds, (i + 1) * seconds, SAID[i % len(SAID)]) for i in range(count)]


def cases(hours: float) -> Iterator[Case]:
    one = alternating(2, 4.0)
    yield Case("7/8 asked for", 8, one, ("--words", "waltz-like, in 7/8"), says="“7/8” is played as 4/4")
    yield Case("an unknown style", 8, one, ("--style", "polka"), status=2, says="lofi, acoustic, corporate")
    yield Case("0.3 s", 0.3, [(0.0, 0.3, SAID[0])])
    yield Case("segments of half a second", 4, alternating(8, 0.5), ("--min-segment", "0"))
    yield Case("a font of noise", 8, one, font="damaged.sf2", status=2, says="is not a soundfont, or it is damaged")
    yield Case("half a font", 8, one, font="half.sf2", status=2, says="is not a soundfont, or it is damaged")
    yield Case("a font without drums", 8, one, font="nodrums.sf2", status=2, says="has no drums")
    yield Case("300 segments", 900, alternating(300, 3.0), ("--min-segment", "2"))
    if hours:
        yield Case(f"one segment of {hours:g} h", 3600 * hours, [(1.0, 3.0, SAID[1])], segments=1)


def fonts(folder: Path) -> None:
    """A file of noise, the first half of a font, and a font whose drums are in another bank."""
    font = find_font()
    assert font is not None
    whole = bytearray(font.read_bytes())
    (folder / "damaged.sf2").write_bytes(os.urandom(100_000))
    (folder / "half.sf2").write_bytes(whole[: len(whole) // 2])
    at = whole.index(b"phdr") + 8
    for record in range(at, at + int.from_bytes(whole[at - 4 : at], "little"), 38):
        if whole[record + 22 : record + 24] == b"\x80\x00":
            whole[record + 22 : record + 24] = b"\x01\x00"
    (folder / "nodrums.sf2").write_bytes(whole)


def video(target: Path, seconds: float) -> Path:
    """A picture a second and a soft tone."""
    sources = [f"color=s=64x64:r={1 if seconds > 5 else 25}", "sine=f=220:r=16000"]
    inputs = [word for source in sources for word in ("-f", "lavfi", "-t", f"{seconds:g}", "-i", source)]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *inputs, "-filter:a", "volume=0.01"]
    subprocess.run([*command, "-c:v", "mpeg4", "-c:a", "aac", str(target)], check=True)
    return target


def tried(case: Case, folder: Path) -> str:
    """Run it and see that it ends as it should; what was said and what it took."""
    source, out, srt = video(folder / "in.mp4", case.seconds), folder / "out.mp4", folder / "in.srt"
    srt.write_text(to_srt([Utterance(start, end, text) for start, end, text in case.lines]), encoding="utf-8")
    music = ("--music", f"embedded:{folder / case.font}") if case.font else ()
    words = (*PLAIN, *music, "--subtitles", srt, *case.words, "--overwrite", "-o", out, source)
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, time.monotonic()
    command = [sys.executable, "-m", "bgm", "make", *map(str, words)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    peak, took = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, time.monotonic() - started
    said = done.stdout + done.stderr
    assert "Traceback" not in said, said
    assert done.returncode == case.status, said
    assert case.says in said, said
    if case.status == 0:
        assert abs(probe(out).duration - probe(source).duration) < 0.1, (probe(out).duration, case.seconds)
        found = load(Path(f"{out}.bgm")).segments
        assert case.segments is None or len(found) == case.segments, len(found)
    telling = [line for line in said.splitlines() if case.says and case.says in line]
    memory = f"{peak / 1024:.0f} MiB" if peak > before else f"under {before / 1024:.0f} MiB"
    count = f", {len(found)} segments" if case.status == 0 else ""
    return f"{case.name}: status {done.returncode}{count}, {took:.0f} s, {memory}{': ' + telling[0] if telling else ''}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.odd_music", description=__doc__)
    parser.add_argument("--hours", type=float, default=3.0, help="length of the longest segment; 0 leaves it out")
    parser.add_argument("--only", default="", metavar="WORDS", help="cases whose name has these words")
    given = parser.parse_args()
    for case in cases(given.hours):
        if given.only in case.name:
            with tempfile.TemporaryDirectory() as folder:
                fonts(Path(folder))
                print(tried(case, Path(folder)), flush=True)


if __name__ == "__main__":
    main()
