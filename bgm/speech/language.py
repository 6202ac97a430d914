"""Language detection of text, and language codes."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from typing import Any

from bgm.errors import BadInput

UNKNOWN = "und"
ENGLISH = "en"
COMMON = "ar bg cs da de el en es fa fi fr he hi hr hu id it ja ko ms nl no pl pt ro ru sk sv th tr uk vi zh".split()
"""Candidates for detection: with all of py3langid's 97, short texts come out as rare languages."""
SURE = 0.3
"""Minimum probability of a detection: a text of one or two common words stays below it."""
ENOUGH_CHARACTERS = 20_000


def guess(text: str) -> str:
    """ISO 639-1 code by py3langid (after Lui & Baldwin 2012, langid.py), ``und`` if the text is too short to tell."""
    code, probability = likeliest(text)
    return code if probability >= SURE else UNKNOWN


def likeliest(text: str) -> tuple[str, float]:
    """The most probable of ``COMMON`` and its probability, however low."""
    code, probability = _identifier().classify(text[:ENOUGH_CHARACTERS])
    return str(code), float(probability)


def shortened(tag: str | None) -> str:
    """``eng`` (ISO 639-2, as in containers) or ``en-US`` (BCP 47) → ``en``; ``und`` for an invalid tag."""
    import langcodes

    tag = (tag or "").strip()
    if not tag or not langcodes.tag_is_valid(tag):
        return UNKNOWN
    language = langcodes.Language.get(tag).language or UNKNOWN
    return UNKNOWN if language in ("mul", "mis", "zxx") else language


def check(code: str | None, known: Collection[str] | None = None) -> None:
    """Raise BadInput for an invalid language code, or one not in ``known``, a recogniser's languages."""
    if code is not None and (shortened(code) == UNKNOWN if known is None else code not in known):
        raise BadInput(f"Whisper doesn't know the language {code!r}: give a code such as en, ko or es")


def maybe_english(text: str) -> bool:
    """Whether a text of unknown language could be English: it is written in plain Latin letters."""
    return text.replace("’", "'").replace("…", "...").isascii()


@lru_cache(maxsize=1)
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(COMMON)
    return identifier
