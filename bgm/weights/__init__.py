"""The weights of every model: where they can be had, how large they are, who published them; checked before use.

Ask for a model's :class:`Card`, then :func:`why_missing` whether it can be had and :func:`provide` it. Nothing here
loads a model, and no code of a package that only carries weights is ever imported.
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
