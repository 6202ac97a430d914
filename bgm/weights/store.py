"""Whether a model is on this machine, why it isn't available, and fetching it, from its card's sources in order.

:func:`survey` and :func:`fetch` do this for every engine, for ``python -m bgm engines`` and ``python -m bgm fetch``.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bgm import engines
from bgm.engines import EngineOptions, Stage
from bgm.errors import BadInput, BgmError, EngineUnavailable
from bgm.progress import Listener, Progress, Stages, silent
from bgm.weights.cards import ENGINES, Card, card, card_for
from bgm.weights.network import in_words
from bgm.weights.sources import Local

log = logging.getLogger("bgm")


@dataclass(frozen=True, slots=True)
class Status:
    """What ``python -m bgm engines`` shows of a model."""

    key: str
    title: str
    licence: str
    here: bool
    source: str | None
    """Where it is, or would be fetched from; None if it isn't available."""
    size: int | None
    """Bytes, as published; None if only the hub knows."""
    reason: str | None
    """Why it isn't available."""


def find(card: Card) -> Path | None:
    """The model's path on this machine, verified by names and sizes only, or None. No network.

    Parts in pip packages count: the path is then where :func:`provide` will join them.
    """
    # In the card's order: what the user or pip has put there comes before any cache.
    return next((path for source in card.sources if (path := source.find(card))), None)


def why_missing(card: Card, *, offline: bool = False) -> str | None:
    """Why it isn't available, in a few words, or None. Within five seconds; without network if ``offline``."""
    if find(card):
        return None
    reasons = []
    for source in card.sources:
        reason = source.why_not(card, offline)
        if reason is None:
            return None
        reasons.append(reason)
    return "; ".join(dict.fromkeys(reasons))


def why_no_model(engine: str, model: str | None, *, offline: bool = False) -> str | None:
    """:func:`why_missing` for a model that the user named; an unknown name is a reason too."""
    try:
        return why_missing(card_for(engine, model), offline=offline)
    except BadInput as error:
        return str(error)


def provide(card: Card, *, offline: bool = False, progress: Progress = silent) -> Path:
    """The model's folder (the file, if it is one), with its content verified, and fetched first if necessary.

    Files published with a SHA-256 are checked against it, others for completeness. A source that is damaged or
    unreachable is skipped, and that is logged. Raises EngineUnavailable, naming the file and what to do, if no source
    is left. An exception from ``progress`` stops a download; the next call resumes it.
    """
    reasons: list[str] = []
    for source in card.sources:
        reason = source.why_not(card, offline)
        if reason is None:
            try:
                path = source.provide(card, progress)
            except EngineUnavailable as error:
                reason = str(error)
            else:
                if reasons:
                    log.warning("%s: %s; taken from %s", card.title, "; ".join(reasons), source)
                return path
        reasons.append(reason)
    reason = "; ".join(dict.fromkeys(reasons))
    raise EngineUnavailable(reason if isinstance(card.sources[0], Local) else f"{card.title} isn't available: {reason}")


def status(card: Card, *, offline: bool = False) -> Status:
    """What is on this machine, or would be fetched from where. Within five seconds."""
    reason, source = None, next((source for source in card.sources if source.find(card)), None)
    here = source is not None
    if source is None:
        reason = why_missing(card, offline=offline)
        source = next((s for s in card.sources if s.why_not(card, offline) is None), None)
    return Status(card.key, card.title, card.licence, here, str(source) if source else None, card.size, reason)


_ALSO = {"riffusion": ("riffusion-lora",)}


def cards_of(engine: str) -> tuple[Card, ...]:
    """What an engine needs if the user names no model."""
    return tuple(card(key) for key in (engine, *_ALSO.get(engine, ()))) if engine in ENGINES else ()


def survey(options: EngineOptions) -> list[dict[str, Any]]:
    """Every engine as :func:`bgm.engines.survey` has it, with its weights (:class:`Status`)."""
    with ThreadPoolExecutor() as pool:  # wait for unresponsive hosts in parallel
        told = {name: [pool.submit(status, c, offline=options.offline) for c in cards_of(name)] for name in ENGINES}
    return [
        {**line, "weights": [asdict(asked.result()) for asked in told.get(line["name"], ())]}
        for line in engines.survey(options)
    ]


def table(survey: list[dict[str, Any]]) -> str:
    """The survey for a terminal: a line per engine, its weights below."""
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
    """The default model of each engine, as the table of the README."""
    rows = ["| engine | model | licence | size | from, in this order |", "|---|---|---|---|---|"]
    for c in map(card, ENGINES):
        places = "; ".join(map(str, c.sources))
        rows.append(f"| `{c.key}` | {c.title} | {c.licence} | {in_words(c.size or 0)} | {places} |")
    return "\n".join(rows)


def fetch(keys: Sequence[str], options: EngineOptions, listen: Listener) -> dict[str, Path]:
    """Fetch what ``keys`` (``ENGINE[:MODEL]``) name, by default what ``auto`` would use here; returns key → path.

    A failure is logged at once and doesn't stop the others. Raises BadInput for an unknown key, before anything is
    fetched, and BgmError at the end if something failed.
    """
    # All keys are looked up before the first byte: a typo in the last one is known at once.
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
        raise BgmError(f"{', '.join(failed)} could not be fetched; run the same command again to resume")
    return brought


def _what_auto_uses(options: EngineOptions) -> Iterator[Card]:
    """For each stage the engine that ``auto`` chooses here, and those before it that lack only their weights."""
    for stage in Stage:
        for spec in engines.specs(stage):
            engine = spec.load_class()
            passed_over = engine.passed_over(options) if spec.auto else "only when named"
            missing = passed_over or engine.missing(options)
            # Whisper's size depends on the machine: it is asked which it would take.
            cards = (card_for(spec.name, engine(options).size()),) if hasattr(engine, "size") else cards_of(spec.name)
            if missing is None or any(why_missing(c, offline=options.offline) == missing for c in cards):
                yield from cards
            if missing is None:
                break
