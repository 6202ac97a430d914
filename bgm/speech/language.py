"""Which language a text is in, and how its code is written."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from typing import Any

from bgm.errors import BadInput

UNKNOWN = "und"
ENGLISH = "en"
COMMON = "ar bg cs da de el en es fa fi fr he hi hr hu id it ja ko ms nl no pl pt ro ru sk sv th tr uk vi zh".split()
"""Languages that the guess chooses from: with all of py3langid's 97, short texts come out as rare ones."""
SURE = 0.3
"""Least probability of a guess: a text of one or two common words stays below it."""
ENOUGH_CHARACTERS = 20_000


def guess(text: str) -> str:
    """ISO 639-1 code by py3langid (after Lui & Baldwin 2012, langid.py), ``und`` where the text says too little."""
    code, probability = likeliest(text)
    return code if probability >= SURE else UNKNOWN


def likeliest(text: str) -> tuple[str, float]:
    """The likeliest of ``COMMON`` and its probability, however low."""
    code, probability = _identifier().classify(text[:ENOUGH_CHARACTERS])
    return str(code), float(probability)


def shortened(tag: str | None) -> str:
    """``eng`` (ISO 639-2, as containers write it) or ``en-US`` (BCP 47) → ``en``; ``und`` for what is no language."""
    import langcodes

    tag = (tag or "").strip()
    if not tag or not langcodes.tag_is_valid(tag):
        return UNKNOWN
    language = langcodes.Language.get(tag).language or UNKNOWN
    return UNKNOWN if language in ("mul", "mis", "zxx") else language


def check(code: str | None, known: Collection[str] | None = None) -> None:
    """Raises BadInput for a code that is no language's, or none of those ``known`` to a recogniser."""
    if code is not None and (shortened(code) == UNKNOWN if known is None else code not in known):
        raise BadInput(f"Whisper doesn't know the language {code!r}: give a code such as en, ko or es")


def maybe_english(text: str) -> bool:
    """Could a text of unknown language be English: is it written in plain Latin letters?"""
    return text.replace("’", "'").replace("…", "...").isascii()


@lru_cache(maxsize=1)
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(COMMON)
    return identifier
