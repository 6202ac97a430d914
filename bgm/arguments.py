"""The command line: the options of each step, and file names that begin with a dash."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, get_args

from bgm.engines import Stage, specs
from bgm.export import EXPORTS
from bgm.settings import AUTO, SETTINGS, Group, Setting

_PATH_OPTIONS = {"-o", "--output", "--out", "--project", "--subtitles"}

EPILOG = """\
examples:
  python -m bgm make talk.mp4 -o talk-scored.mp4
  python -m bgm batch videos --out scored
  python -m bgm analyze talk.mp4 --project talk.bgm
  python -m bgm compose talk.bgm --segments s2,s3
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
    _compose(steps.add_parser("compose", help="make the music of the segments that changed"))
    _render(steps.add_parser("render", help="mix the music under the voice and write the video"))
    _export(steps.add_parser("export", help="subtitles, labels, timeline or stems of a project"))
    listing = steps.add_parser("engines", help="which engines can run here, and their weights")
    _common(listing)
    _settings(listing, "machine")
    fetching = steps.add_parser("fetch", help="bring weights ahead of their first use; resumes")
    fetching.add_argument(
        "engines", nargs="*", metavar="ENGINE[:MODEL]", help="as whisper:small (default: what auto would use here)"
    )
    _settings(fetching, "machine")
    _common(fetching)
    _common(steps.add_parser("environment", help="the BGM_ variables: what each is now, and its meaning"))
    return top


def guard_dashes(argv: Sequence[str]) -> list[str]:
    """Allow file names that begin with a dash: prefix ``./`` to existing files and to the values of -o and the like."""
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
    _settings(p, *get_args(Group))
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
    _settings(p, *get_args(Group), without=("subtitles",))
    _common(p)


def _analyze(p: argparse.ArgumentParser) -> None:
    p.add_argument("video", type=Path, help="video or sound file")
    p.add_argument("--project", type=Path, metavar="DIR", required=True, help="project folder")
    p.add_argument("--overwrite", action="store_true", help="replace the project of another video")
    _settings(p, *get_args(Group))
    _common(p)


def _compose(p: argparse.ArgumentParser) -> None:
    p.add_argument("project", type=Path, metavar="DIR", help="project folder")
    p.add_argument("--segments", metavar="ID,…", help="only these segments")
    p.add_argument("--another", action="store_true", help="one more take of each of these segments")
    _settings(p, "music", "machine")
    _common(p)


def _render(p: argparse.ArgumentParser) -> None:
    p.add_argument("project", type=Path, metavar="DIR", help="project folder")
    _output(p)
    _settings(p, "mix")
    _common(p)


def _export(p: argparse.ArgumentParser) -> None:
    p.add_argument("project", type=Path, metavar="DIR", help="project folder")
    p.add_argument("--to", choices=list(EXPORTS), required=True, help="what to write")
    _output(p)
    _common(p)


def _output(p: argparse.ArgumentParser) -> None:
    p.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="file to write")
    p.add_argument("--overwrite", action="store_true", help="replace OUT, and the project of another video")


def _settings(p: argparse.ArgumentParser, *groups: Group, without: Collection[str] = ()) -> None:
    """Add the options of these groups' settings; an option that isn't given leaves no trace in the parsed arguments."""
    for setting in SETTINGS.values():
        card = setting.card
        if card.group not in groups or setting.name in without:
            continue
        how: dict[str, Any] = {"dest": setting.name, "default": argparse.SUPPRESS}
        if setting.is_switch:
            how |= {
                "action": argparse.BooleanOptionalAction,
                "help": f"{card.help} (default: {_word(setting.default)})",
            }
        else:
            how |= {"metavar": card.metavar or "ENGINE[:MODEL]", "help": _help(setting)}
        p.add_argument(f"--{setting.flag}", **how)


def _help(setting: Setting) -> str:
    """Meaning, choices and default."""
    card = setting.card
    choices = [*card.named] if card.bounds else [*card.words]  # words allowed beside a number are in the help text
    if card.engine:
        choices = [AUTO, *(spec.name for spec in specs(Stage(card.engine)))]
    may_be = f": {', '.join(choices)}" if choices else ""
    default = "" if setting.default is None else f" (default: {_word(setting.default)})"
    return f"{card.help}{may_be}{default}"


def _word(value: object) -> str:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)


def _common(p: argparse.ArgumentParser) -> None:
    p.add_argument("--quiet", action="store_true", help="no progress, only warnings")
    p.add_argument("--json", action="store_true", help="print the result as one JSON object on stdout")
    p.add_argument("--debug", action="store_true", help="show the traceback of a failure")
