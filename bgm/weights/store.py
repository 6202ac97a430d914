"""What is here of a model, why it can't be had, and having it: over a card's sources, in order."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from bgm.errors import BadInput, EngineUnavailable
from bgm.progress import Progress, silent
from bgm.weights.cards import Card, card_for
from bgm.weights.sources import Local, cache_folder

__all__ = ["Status", "cache_folder", "find", "provide", "status", "why_missing", "why_no_model"]

log = logging.getLogger("bgm")


@dataclass(frozen=True, slots=True)
class Status:
    """What ``python -m bgm engines`` shows of a model."""

    key: str
    title: str
    licence: str
    here: bool
    source: str | None
    """Where it is, or would be fetched from; None when it can't be had."""
    size: int | None
    """Bytes, as published; None where only the hub knows."""
    reason: str | None
    """Why it can't be had."""


def find(card: Card) -> Path | None:
    """Where the whole model lies on this machine (unchecked but for names and sizes), or None. No network.

    Parts in pip packages that wait to be joined count as here: the path is then where :func:`provide` will put them.
    """
    return next((path for source in card.sources if (path := source.find(card))), None)


def why_missing(card: Card, *, offline: bool = False) -> str | None:
    """Why it can't be had here, in a few words, or None. Within five seconds; without the network if ``offline``."""
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
    """:func:`why_missing` for what the user named; a name that means nothing is a reason too."""
    try:
        return why_missing(card_for(engine, model), offline=offline)
    except BadInput as error:
        return str(error)


def provide(card: Card, *, offline: bool = False, progress: Progress = silent) -> Path:
    """The model's folder (of a single file: the file), its content checked, fetched before if need be.

    What is published with a SHA-256 is checked against it, all else for being complete. A source that is damaged or
    can't be reached is passed over, and that is logged. Raises EngineUnavailable, naming the file and what to do,
    when no source is left. An exception from ``progress`` stops a download, and the next call goes on from there.
    """
    reasons: list[str] = []
    for source in card.sources:
        reason = source.why_not(card, offline)
        if reason is None:
            try:
                path = source.bring(card, progress)
            except EngineUnavailable as error:
                reason = str(error)
            else:
                if reasons:
                    log.warning("%s: %s; taken from %s", card.title, "; ".join(reasons), source)
                return path
        reasons.append(reason)
    reason = "; ".join(dict.fromkeys(reasons))
    raise EngineUnavailable(reason if isinstance(card.sources[0], Local) else f"{card.title} can't be had: {reason}")


def status(card: Card, *, offline: bool = False) -> Status:
    """What is here, or what would be fetched from where. Within five seconds."""
    reason, source = None, next((source for source in card.sources if source.find(card)), None)
    here = source is not None
    if source is None:
        reason = why_missing(card, offline=offline)
        source = next((s for s in card.sources if s.why_not(card, offline) is None), None)
    return Status(card.key, card.title, card.licence, here, str(source) if source else None, card.size, reason)
