"""The weights of every model: sources, sizes and licences, verified before use.

Get a model's :class:`Card`, check with :func:`why_missing` that it is available, and :func:`provide` it. Nothing here
loads a model, and packages that only contain weights are never imported.
"""

from bgm.weights.cards import ENGINES, SENTIMENT_LORA, Card, card, card_for
from bgm.weights.sources import File, cache_folder
from bgm.weights.store import Status, find, provide, status, why_missing, why_no_model

__all__ = [
    "ENGINES",
    "SENTIMENT_LORA",
    "Card",
    "File",
    "Status",
    "cache_folder",
    "card",
    "card_for",
    "find",
    "provide",
    "status",
    "why_missing",
    "why_no_model",
]
