"""The studio's steps from a shell: see ``python -m bgm --help``."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bgm import console
from bgm.arguments import guard_dashes, parser
from bgm.progress import Listener
from bgm.settings import SETTINGS, Settings

if TYPE_CHECKING:
    from bgm.engines import EngineOptions
    from bgm.project import Project

log = logging.getLogger("bgm")
Result = dict[str, Any]


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
            result, text = COMMANDS[arguments.command](arguments, listen)
        print(console.as_json(result) if arguments.json else text)
        if isinstance(result, list) and any(one["status"] == "failed" for one in result):
            return 1
    except BrokenPipeError:
        return 1
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


def _make(arguments: argparse.Namespace, listen: Listener) -> tuple[Result, str]:
    from bgm import studio
    from bgm.media.probe import probe
    from bgm.media.remux import check_output

    folder = arguments.project or arguments.output.with_name(f"{arguments.output.name}.bgm")
    settings = _settings(arguments, folder)
    keep_original = settings.keep_original
    check_output(probe(arguments.video), arguments.output, arguments.overwrite, keep_original=keep_original)
    project = studio.open_video(arguments.video, folder, settings, overwrite=arguments.overwrite)
    return _rendered(studio.make(project, arguments.output, listen, overwrite=arguments.overwrite))


def _batch(arguments: argparse.Namespace, listen: Listener) -> tuple[list[Result], str]:
    from bgm.batch import work

    work.one_thread()
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


COMMANDS: dict[str, Callable[[argparse.Namespace, Listener], tuple[Result | list[Result], str]]] = {
    "make": _make,
    "batch": _batch,
    "analyze": _analyze,
    "compose": _compose,
    "render": _render,
    "export": _export,
    "engines": _engines,
    "fetch": _fetch,
    "environment": _environment,
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
    changed = _changed(there, arguments)
    _say_what_is_kept(there, operator, arguments)
    return changed


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
        read["subtitles"] = str(Path(read["subtitles"]).resolve())
    return replace(settings, **read)


def _folders(arguments: argparse.Namespace) -> list[Path]:
    output = getattr(arguments, "output", None)
    project = getattr(arguments, "project", None)
    return [folder for folder in (project, output.parent if output else None) if folder]


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
