"""Languages: codes, the language of a text and of a stretch of speech, and the encoding of a subtitle file."""

from __future__ import annotations

import codecs
import itertools
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
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
    # Macrolanguage, script and country are dropped: they don't decide what Whisper or the classifier are told.
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


SURE_WHEN_HEARD = 0.5
"""A less probable language is reported as a guess."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A stretch of speech and its language, with the probability of the language."""

    start: float
    end: float
    language: str
    probability: float = 1.0

    @property
    def is_guess(self) -> bool:
        return self.probability < SURE_WHEN_HEARD


def main_language(found: Iterable[Spoken]) -> str:
    """The language spoken longest; ``und`` if there is none."""
    seconds: dict[str, float] = {}
    for spoken in found:
        seconds[spoken.language] = seconds.get(spoken.language, 0.0) + spoken.end - spoken.start
    return max(seconds, key=lambda code: seconds[code], default=UNKNOWN)


def notes(found: Sequence[Spoken], invented: int) -> Iterator[str]:
    """Sentences for the user: languages that change, guesses, and words that were dropped."""
    turns = [list(same) for _, same in itertools.groupby(found, key=lambda spoken: spoken.language)]
    if len(turns) > 1:
        heard_in = ", ".join(f"{turn[0].language} from {_clock(turn[0].start)}" for turn in turns)
        yield f"More than one language is spoken: {heard_in}."
    for guess in (spoken for spoken in found if spoken.is_guess):
        yield (
            f"The speech at {_clock(guess.start)} is taken for {guess.language}, which is a guess "
            f"({guess.probability:.0%} sure): if it is wrong, choose the spoken language and analyze again."
        )
    if invented:
        yield f"{invented} unlikely words where nobody spoke were dropped."


def _clock(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02}"


DAMAGED = "\N{REPLACEMENT CHARACTER}"
"""Replaces an unreadable character."""

_CHARSETS: Mapping[str, str] = {
    "cp1252": "en fr de es it nl no sv da fi pt id ms",
    "cp1250": "pl cs hu hr ro sk",
    "cp1254": "tr",
    "cp1251": "ru uk bg",
    "koi8-r": "ru",
    "cp1255": "he",
    "cp1253": "el",
    "cp1256": "ar fa",
    "cp949": "ko",
    "cp932": "ja",
    "euc_jp": "ja",
    "gb18030": "zh",
    "big5": "zh",
    "mac_roman": "en fr de es it nl no sv da fi pt",
}
"""Encodings of subtitles before Unicode, and the languages of each; of equally likely ones the first wins."""
_LIKELY = 0.5
_SAMPLE = 20_000
"""Bytes that suffice for detection."""
_STRAY_NULS = 0.01
"""Share of a text that may be NUL; with more it isn't text."""
_WIDE_NULS = 0.2
"""Share of NULs from which a file is UTF-16: in plain English, every letter has one."""


def decode(data: bytes) -> str | None:
    """Text with ``\\n`` line endings; None if it isn't text.

    Data that is nearly all UTF-8 is decoded as UTF-8: a damaged byte then costs one character (``DAMAGED``), not all.
    """
    text = _unicode(data)
    if text is None:
        text = _before_unicode(data)
    elif 0 < text.count("\0") <= _STRAY_NULS * len(text):
        text = text.replace("\0", "")
    if text is None or "\0" in text:
        return None
    return text.replace("\r\n", "\n").replace("\r", "\n").lstrip("\ufeff")


def _unicode(data: bytes) -> str | None:
    """Decode UTF-16, recognised by its BOM or its NULs, or UTF-8; None if it is neither."""
    for name, mark, high in (("utf-16-le", codecs.BOM_UTF16_LE, 1), ("utf-16-be", codecs.BOM_UTF16_BE, 0)):
        # Without a BOM: the high bytes of Latin text in UTF-16 are NULs, and its low bytes never are.
        wide = data[high::2].count(0) > _WIDE_NULS * len(data) and data[1 - high :: 2].count(0) == 0
        if data.startswith(mark) or wide:
            return data.decode(name, "replace")
    # Bad bytes become surrogates, to be counted and mended: another encoding gives more of them than good letters.
    text = data.decode("utf-8-sig", "surrogateescape")
    damaged = len(re.findall("[\udc80-\udcff]", text))
    whole = sum(character > "\x7f" for character in text) - damaged
    return _mended(text) if damaged <= whole else None


def _mended(text: str) -> str:
    """UTF-8 whose bad bytes are surrogates: inside a word, such a byte is read as a Latin-1 letter (two files
    joined)."""
    letters = re.sub(
        "(?<=[A-Za-z\u00c0-\u024f])[\udcc0-\udcff](?![\udc80-\udcff])", lambda found: chr(ord(found[0]) - 0xDC00), text
    )
    return re.sub("[\udc80-\udcff]+", DAMAGED, letters)


def _before_unicode(data: bytes) -> str | None:
    """The encoding that gives the most plausible text, else what charset-normalizer finds, which needs more text."""
    from charset_normalizer import from_bytes

    # By language first: charset-normalizer needs more text than many a subtitle file has.
    charset = max(_CHARSETS, key=lambda name: _likelihood(data[:_SAMPLE], name))
    if _likelihood(data[:_SAMPLE], charset) >= _LIKELY:
        return data.decode(charset, "replace")
    best = from_bytes(data).best()
    return None if best is None else str(best)


def _likelihood(data: bytes, charset: str) -> float:
    """0..1: the probability that the text is in a language of ``charset``, with a penalty for characters outside
    words."""
    text = data.decode(charset, "replace")
    if text.count(DAMAGED) > 1:  # one may be the end of the sample
        return 0.0
    # Without times and numbers, which are the same in every encoding and look like no language.
    words = re.sub(r"\d[\d\W_]*-->[\d\W_]*|\d+", " ", text)
    code, probability = likeliest(words)
    if code not in _CHARSETS[charset].split():
        return 0.0
    foreign = [character for character in words if character > "\x7f"]
    odd = sum(_is_odd(character, code) for character in foreign)
    # A capital inside a word: Cyrillic read in the wrong Cyrillic code page turns small letters into capitals.
    odd += sum(before.islower() and after.isupper() for before, after in itertools.pairwise(words))
    return round(probability, 2) - odd / max(1, len(foreign))


def _is_odd(character: str, code: str) -> bool:
    """Whether a character suggests a wrong encoding: a symbol, or a letter of another script."""
    category = unicodedata.category(character)
    return (
        character in "†‡‰"
        or category in ("Lm", "So", "Sk", "Sm", "Sc", "Cc", "Co")
        or (code == "ko" and "一" <= character <= "鿿")
    )
