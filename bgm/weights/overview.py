"""What the engines need of weights: for ``python -m bgm engines`` to show and ``python -m bgm fetch`` to bring."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bgm import engines
from bgm.engines import EngineOptions, Stage
from bgm.errors import BgmError
from bgm.progress import Listener, Stages
from bgm.weights.cards import ENGINES, Card, card, card_for
from bgm.weights.network import in_words
from bgm.weights.store import Status, provide, status, why_missing

_ALSO = {"riffusion": ("riffusion-lora",)}
log = logging.getLogger("bgm")


def cards_of(engine: str) -> tuple[Card, ...]:
    """What an engine needs where the user names nothing."""
    return tuple(card(key) for key in (engine, *_ALSO.get(engine, ()))) if engine in ENGINES else ()


def survey(options: EngineOptions) -> list[dict[str, Any]]:
    """Every engine as :func:`bgm.engines.survey` has it, with its weights (:class:`Status`)."""
    with ThreadPoolExecutor() as pool:  # hosts that don't answer are waited for together
        told = {name: [pool.submit(status, c, offline=options.offline) for c in cards_of(name)] for name in ENGINES}
    return [
        {**line, "weights": [asdict(asked.result()) for asked in told.get(line["name"], ())]}
        for line in engines.survey(options)
    ]


def table(survey: list[dict[str, Any]]) -> str:
    """The survey for a terminal: an engine a line, its weights below."""
    lines = []
    for line in survey:
        answer = "yes" if line["available"] else "no"
        lines.append(f"{line['stage']:<11} {line['name']:<14} {answer:<4} {line['reason']}".rstrip())
        lines += [f"{'':<31} {in_a_line(Status(**found))}" for found in line["weights"]]
    return "\n".join(lines)


def in_a_line(found: Status) -> str:
    """``Whisper base (148 MB): here, package …``"""
    size = f" ({in_words(found.size)})" if found.size else ""
    if found.here:
        return f"{found.title}{size}: here, {found.source}"
    return f"{found.title}{size}: " + (
        f"to be fetched, {found.source}" if found.source else f"not here, {found.reason}"
    )


def markdown() -> str:
    """What each engine takes where nothing else is named, as the table of the README."""
    rows = ["| engine | model | licence | size | from, in this order |", "|---|---|---|---|---|"]
    for c in map(card, ENGINES):
        places = "; ".join(map(str, c.sources))
        rows.append(f"| `{c.key}` | {c.title} | {c.licence} | {in_words(c.size or 0)} | {places} |")
    return "\n".join(rows)


def fetch(keys: Sequence[str], options: EngineOptions, listen: Listener) -> dict[str, Path]:
    """Bring what ``keys`` (``ENGINE[:MODEL]``) name, by default what ``auto`` would use here; key → where it lies.

    One that fails is told at once and the others go on. Raises BadInput for a key that means nothing, before anything
    is fetched, and BgmError at the end when something failed.
    """
    wanted = [card(key) for key in keys] or list(_what_auto_uses(options))
    stages = Stages({c.key: float(c.size or 1) for c in wanted}, listen)
    brought: dict[str, Path] = {}
    failed = []
    for c in wanted:
        try:
            brought[c.key] = provide(c, offline=options.offline, progress=stages.begin(c.key))
        except BgmError as error:
            log.warning("%s", error)
            failed.append(c.key)
            stages.skip(c.key)
        else:
            stages.finish(c.key)
    if failed:
        raise BgmError(f"not everything is here: {', '.join(failed)} could not be had; the same command goes on")
    return brought


def _what_auto_uses(options: EngineOptions) -> Iterator[Card]:
    """Of each stage the engine that ``auto`` takes here, and those before it that lack nothing but their weights."""
    for stage in Stage:
        for spec in engines.specs(stage):
            engine = spec.load_class()
            passed_over = engine.passed_over(options) if spec.auto else "only when named"
            missing = passed_over or engine.missing(options)
            cards = (card_for(spec.name, engine(options).size()),) if hasattr(engine, "size") else cards_of(spec.name)
            if missing is None or any(why_missing(c, offline=options.offline) == missing for c in cards):
                yield from cards
            if missing is None:
                break
