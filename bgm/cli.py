"""The command line: the options of each command, what it does, and what it prints. See ``python -m bgm --help``."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from bgm import console
from bgm.engines import Stage, specs
from bgm.export import EXPORTS
from bgm.progress import Listener
from bgm.settings import AUTO, SETTINGS, Group, Setting, Settings

if TYPE_CHECKING:
    from bgm.engines import EngineOptions
    from bgm.project import Project

log = logging.getLogger("bgm")
Result = dict[str, Any]
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


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status. No traceback, unless ``--debug`` asks for it."""
    words = guard_dashes(sys.argv[1:] if argv is None else argv)
    try:
        arguments = parser().parse_args(words)
    except SystemExit as stop:
        return int(stop.code or 0)
    try:
        # Library output must not mix with the result on stdout.
        with contextlib.redirect_stdout(sys.stderr), console.stoppable(), console.shown(arguments.quiet) as listen:
            _employ_painter(arguments.command)
            result, text = COMMANDS[arguments.command].run(arguments, listen)
        print(console.as_json(result) if arguments.json else text)
        if isinstance(result, list) and any(one["status"] == "failed" for one in result):
            return 1
    # ``… | head``: whoever read the output has left, which is no failure to explain.
    except BrokenPipeError:
        return 1
    # BaseException: Ctrl-C ends in the same sentence and status as every other stop.
    except BaseException as error:
        if arguments.debug:
            traceback.print_exc()
        sentence, status = console.explain(error, _folders(arguments))
        print(f"bgm: {sentence}", file=sys.stderr)
        return status
    return 0


def _employ_painter(command: str) -> None:
    """Use the operator's painter, except to fetch this machine's weights. Reads os.environ: pydantic costs 0.3 s."""
    if os.environ.get("BGM_PAINTER") and command != "fetch":
        from bgm import environment
        from bgm.painter import client

        client.employ(environment.read())


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(
        "python -m bgm",
        description="Give a video its own music: emotion read from the speech, music made for each segment.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    steps = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        p = steps.add_parser(name, help=command.help)
        command.options(p)
        _settings_options(p, command)
        _common(p)
    return top


def guard_dashes(argv: Sequence[str]) -> list[str]:
    """Allow file names that begin with a dash: prefix ``./`` to existing files and to the values of -o and the like."""
    out: list[str] = []
    for i, word in enumerate(argv):
        named = i > 0 and argv[i - 1] in _PATH_OPTIONS
        # argparse takes a word with a dash for an option wherever it stands; "./-x.mp4" is the same file, and no
        # option.
        is_file = word.startswith("-") and word not in _PATH_OPTIONS and Path(word).exists()
        out.append(f"./{word}" if word.startswith("-") and word != "--" and (named or is_file) else word)
    return out


def _make_options(p: argparse.ArgumentParser) -> None:
    p.add_argument("video", type=Path, help="video or sound file")
    _output(p)
    p.add_argument("--project", type=Path, metavar="DIR", help="project folder (default: OUT.bgm)")


def _batch_options(p: argparse.ArgumentParser) -> None:
    p.add_argument("videos", help="a folder (or s3://…) of videos, or a text file with one path or address a line")
    p.add_argument("--out", required=True, metavar="DIR", help="folder (or s3://…) of the results and their projects")
    p.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help="local (this machine, several at a time), auto, HOST:PORT or ray://HOST:10001; default: one by one",
    )
    p.add_argument("--cpus", type=float, default=1.0, metavar="N", help="processors that one video claims (default 1)")
    p.add_argument("--gib", type=float, default=2.0, metavar="N", help="memory that one video claims (default 2)")


def _analyze_options(p: argparse.ArgumentParser) -> None:
    p.add_argument("video", type=Path, help="video or sound file")
    p.add_argument("--project", type=Path, metavar="DIR", required=True, help="project folder")
    p.add_argument("--overwrite", action="store_true", help="replace the project of another video")


def _compose_options(p: argparse.ArgumentParser) -> None:
    p.add_argument("project", type=Path, metavar="DIR", help="project folder")
    p.add_argument("--segments", metavar="ID,…", help="only these segments")
    p.add_argument("--another", action="store_true", help="one more take of each of these segments")


def _render_options(p: argparse.ArgumentParser) -> None:
    p.add_argument("project", type=Path, metavar="DIR", help="project folder")
    _output(p)


def _export_options(p: argparse.ArgumentParser) -> None:
    p.add_argument("project", type=Path, metavar="DIR", help="project folder")
    p.add_argument("--to", choices=list(EXPORTS), required=True, help="what to write")
    _output(p)


def _output(p: argparse.ArgumentParser, replaced: str = "OUT") -> None:
    p.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="file to write")
    p.add_argument("--overwrite", action="store_true", help=f"replace {replaced}")


def _settings_options(p: argparse.ArgumentParser, command: Command) -> None:
    """Add the options of the command's settings; one that isn't given leaves no trace in the parsed arguments."""
    for setting in SETTINGS.values():
        card = setting.card
        if card.group not in command.settings or setting.name in command.without:
            continue
        # SUPPRESS: an option that was not given must not overwrite what an earlier run stored in the project.
        how: dict[str, Any] = {"dest": setting.name, "default": argparse.SUPPRESS}
        if setting.is_switch:
            told = f"{card.help} (default: {_word(setting.default)})"
            how |= {"action": argparse.BooleanOptionalAction, "help": told}
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


def _fetch_options(p: argparse.ArgumentParser) -> None:
    p.add_argument(
        "engines", nargs="*", metavar="ENGINE[:MODEL]", help="as whisper:small (default: what auto would use here)"
    )


def _common(p: argparse.ArgumentParser) -> None:
    p.add_argument("--quiet", action="store_true", help="no progress, only warnings")
    p.add_argument("--json", action="store_true", help="print the result as one JSON object on stdout")
    p.add_argument("--debug", action="store_true", help="show the traceback of a failure")


def _make(arguments: argparse.Namespace, listen: Listener) -> tuple[Result, str]:
    from bgm import studio
    from bgm.media.forms import check_output
    from bgm.media.probe import probe

    folder = arguments.project or arguments.output.with_name(f"{arguments.output.name}.bgm")
    settings = _settings(arguments, folder)
    keep_original = settings.keep_original
    check_output(probe(arguments.video), arguments.output, arguments.overwrite, keep_original=keep_original)
    project = studio.open_video(arguments.video, folder, settings, overwrite=arguments.overwrite)
    return _rendered(studio.make(project, arguments.output, listen, overwrite=arguments.overwrite))


def _batch(arguments: argparse.Namespace, listen: Listener) -> tuple[list[Result], str]:
    from bgm.batch import units

    units.one_thread()  # before NumPy is imported
    from bgm import environment
    from bgm.batch import run
    from bgm.batch.cluster import Cluster

    cluster = Cluster(arguments.cluster, arguments.cpus, arguments.gib) if arguments.cluster else None
    settings = _changed(environment.read().settings(), arguments)
    outcomes = run.run(arguments.videos, arguments.out, settings, listen, cluster)
    return [asdict(outcome) for outcome in outcomes], run.table(outcomes)


def _analyze(arguments: argparse.Namespace, listen: Listener) -> tuple[Result, str]:
    from bgm import studio

    folder = arguments.project
    project = studio.open_video(arguments.video, folder, _settings(arguments, folder), overwrite=arguments.overwrite)
    project = studio.analyze(project, listen)
    return _described(project), _table(project)


def _compose(arguments: argparse.Namespace, listen: Listener) -> tuple[Result, str]:
    from bgm import studio

    wanted = arguments.segments.split(",") if arguments.segments else None
    project = studio.compose(_opened(arguments), listen, wanted, another=arguments.another)
    return _described(project), _table(project)


def _render(arguments: argparse.Namespace, listen: Listener) -> tuple[Result, str]:
    from bgm import studio

    return _rendered(studio.render(_opened(arguments), arguments.output, listen, overwrite=arguments.overwrite))


def _export(arguments: argparse.Namespace, listen: Listener) -> tuple[Result, str]:
    from bgm import project as projects
    from bgm.export import export

    project = projects.load(arguments.project)
    out = export(project, arguments.to, arguments.output, overwrite=arguments.overwrite)
    return {"output": str(out)}, str(out)


def _engines(arguments: argparse.Namespace, listen: Listener) -> tuple[Result, str]:
    from bgm.weights import store

    found = store.survey(_options(arguments))
    return {"engines": found}, store.table(found)


def _fetch(arguments: argparse.Namespace, listen: Listener) -> tuple[Result, str]:
    from bgm.weights import store

    brought = store.fetch(arguments.engines, _options(arguments), listen)
    lines = [f"{key}: {path}" for key, path in brought.items()]
    return {"weights": {key: str(path) for key, path in brought.items()}}, "\n".join(lines) or "nothing to fetch"


def _options(arguments: argparse.Namespace) -> EngineOptions:
    from bgm import environment
    from bgm.engines import EngineOptions

    here = _changed(environment.read().settings(), arguments)
    return EngineOptions(offline=here.offline, device=here.device)


def _environment(arguments: argparse.Namespace, listen: Listener) -> tuple[Result, str]:
    from bgm import environment

    now = environment.read()
    for sentence in environment.unknown():
        print(sentence, file=sys.stderr)
    found = environment.described(now)
    return {"environment": found}, "\n".join(
        f"{e['variable']}={'' if e['value'] is None else e['value']}  ({e['meaning']})" for e in found
    )


@dataclass(frozen=True, slots=True)
class Command:
    """One word after ``python -m bgm``. ``run`` returns the result, for JSON, and the text that is printed for it."""

    help: str
    options: Callable[[argparse.ArgumentParser], None]
    """Adds those that no other command has."""
    run: Callable[[argparse.Namespace, Listener], tuple[Result | list[Result], str]]
    settings: tuple[Group, ...] = ()
    """The groups of settings that it takes, but for those in ``without``."""
    without: tuple[str, ...] = ()


_ALL: tuple[Group, ...] = get_args(Group)
COMMANDS = {
    "make": Command("everything: VIDEO in, VIDEO with its own music out", _make_options, _make, _ALL),
    "batch": Command(
        "the same for many videos, here or on a Ray cluster", _batch_options, _batch, _ALL, without=("subtitles",)
    ),
    "analyze": Command("transcript and emotion timeline into a project folder", _analyze_options, _analyze, _ALL),
    "compose": Command("make the music of the segments that changed", _compose_options, _compose, ("music", "machine")),
    "render": Command("mix the music under the voice and write the video", _render_options, _render, ("mix",)),
    "export": Command("subtitles, labels, timeline or stems of a project", _export_options, _export),
    "engines": Command("which engines can run here, and their weights", lambda p: None, _engines, ("machine",)),
    "fetch": Command("bring weights ahead of their first use; resumes", _fetch_options, _fetch, ("machine",)),
    "environment": Command("the BGM_ variables: what each is now, and its meaning", lambda p: None, _environment),
}


def _opened(arguments: argparse.Namespace) -> Project:
    from bgm import environment
    from bgm import project as projects

    operator = environment.read().settings()
    project = projects.load(arguments.project, operator)
    _say_what_is_kept(project.settings, operator, arguments)
    return projects.update(project, lambda p: replace(p, settings=_changed(p.settings, arguments)))


def _settings(arguments: argparse.Namespace, folder: Path) -> Settings:
    from bgm import environment
    from bgm import project as projects

    operator = environment.read().settings()
    if not projects.exists(folder):
        return _changed(operator, arguments)
    there = projects.load(folder, operator).settings
    _say_what_is_kept(there, operator, arguments)
    return _changed(there, arguments)


def _say_what_is_kept(there: Settings, operator: Settings, arguments: argparse.Namespace) -> None:
    """Log the options that an earlier run stored in the project, so that nobody wonders where they come from."""
    kept = [
        f"{setting.flag} {getattr(there, name)}"
        for name, setting in SETTINGS.items()
        if not hasattr(arguments, name) and getattr(there, name) != getattr(operator, name)
    ]
    if kept:
        log.info("from the project, as an earlier run set it: %s", ", ".join(kept))


def _changed(settings: Settings, arguments: argparse.Namespace) -> Settings:
    given = {name: getattr(arguments, name) for name in SETTINGS if hasattr(arguments, name)}
    read = {n: SETTINGS[n].read(value) if isinstance(value, str) else value for n, value in given.items()}
    if read.get("subtitles"):
        # The project may be opened from another folder tomorrow.
        read["subtitles"] = str(Path(read["subtitles"]).resolve())
    return replace(settings, **read)


def _folders(arguments: argparse.Namespace) -> list[Path]:
    output, project = getattr(arguments, "output", None), getattr(arguments, "project", None)
    return [folder for folder in (project, output and output.parent) if folder]


def _rendered(rendered: Any) -> tuple[Result, str]:
    measured = {name: getattr(rendered, name) for name in ("lufs", "true_peak_db", "under_speech_lu")}
    loudness = f", {rendered.lufs:.1f} LUFS" if rendered.lufs is not None else ""
    result = {"output": str(rendered.out), **_described(rendered.project), **measured}
    lines = [f"{rendered.out}{loudness}", *_words(rendered.project), f"project: {rendered.project.folder}"]
    return result, "\n".join(lines)


def _described(project: Project) -> Result:
    from bgm import studio

    old = studio.stale(project)
    segments = [
        {"id": s.id, "start": s.start, "end": s.end, "emotion": s.emotion, "confidence": s.confidence}
        | {"chosen": s.chosen, "takes": len(s.takes), "stale": s.id in old}
        for s in project.segments
    ]
    engines = {stage: {"name": use.name, "reason": use.reason} for stage, use in project.engines.items()}
    return {
        "project": str(project.folder),
        "duration": project.duration,
        "language": project.language,
        "utterances": len(project.utterances),
        "segments": segments,
        "engines": engines,
        "notes": project.notes,
    }


def _table(project: Project) -> str:
    rows = [f"{s.id:<5} {s.start:8.2f} – {s.end:8.2f}  {s.emotion:<9} {s.confidence:4.0%}" for s in project.segments]
    return "\n".join([*rows, *_words(project), f"project: {project.folder}"])


def _words(project: Project) -> list[str]:
    """The notes on words that the composer ignored: the log doesn't repeat them."""
    from bgm import studio

    return [note for note in project.notes.get("compose", ()) if note.startswith(studio.WORDS)]
