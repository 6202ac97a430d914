"""What a track's licence lets a training set do. A reading of the licences' own words, not legal advice."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bgm.errors import BadInput

UNKNOWN = "unknown"
OWN = "own"
"""The creator's own music: he needs nobody's leave."""
CONDITIONS = {"NC": "no commercial use", "ND": "no derivatives"}
"""What a Creative Commons licence may forbid, and a model trained on the track would do."""
_FREE = (
    (r"cc ?0|cc zero|publicdomain zero|creative ?commons zero", "CC0-1.0"),
    (r"pdm|publicdomain mark|^public domain$|^public domain mark", "PDM-1.0"),
    (r"^own$", OWN),
)
_BY = re.compile(r"\bcc by\b|\blicenses by\b|^(?:creative ?commons )?attribution\b")
_LONG = ((r"non ?commercial", "nc"), (r"no ?deriv\w*", "nd"), (r"share ?alike", "sa"))


@dataclass(frozen=True, slots=True)
class Licence:
    """``name`` is SPDX's (without a version where none was named); ``conditions``: of CONDITIONS, those it sets."""

    name: str
    conditions: tuple[str, ...] = ()

    @property
    def share_alike(self) -> bool:
        """Whether what is made of the track must be passed on under the same licence."""
        return "-SA" in self.name

    @property
    def address(self) -> str | None:
        """Where its text stands, which an attribution has to name."""
        site = "https://creativecommons.org"
        if self.name == "CC0-1.0":
            return f"{site}/publicdomain/zero/1.0/"
        found = re.fullmatch(r"CC-(BY[A-Z-]*)-(\d\.\d)", self.name)
        return f"{site}/licenses/{found[1].lower()}/{found[2]}/" if found else None


def read(text: str) -> Licence:
    """From an SPDX id, a Creative Commons address or one of its usual names; UNKNOWN for what is none of them."""
    words = re.sub(r"[^a-z0-9]+", " ", text.lower()).strip()
    for pattern, name in _FREE:
        if re.search(rf"\b(?:{pattern})\b" if not pattern.startswith("^") else pattern, words):
            return Licence(name)
    for long, short in _LONG:
        words = re.sub(long, short, words)
    if not _BY.search(words):
        return Licence(UNKNOWN)
    conditions = tuple(name for name in CONDITIONS if re.search(rf"\b{name.lower()}\b", words))
    alike = ["SA"] if re.search(r"\bsa\b", words) else []
    version = re.findall(r"\b[1-4]\.[05]\b", text)[:1]
    return Licence("-".join(["CC", "BY", *conditions, *alike, *version]), conditions)


def why_not(text: str, allowed: frozenset[str] = frozenset()) -> str | None:
    """Why a track of this licence may not be used, or None. ``allowed``: conditions that the user answers for."""
    licence = read(text)
    if licence.name == UNKNOWN:
        return f"its licence ({' '.join(text.split())[:60]}) is none that allows it" if text.strip() else "no licence"
    hindering = [CONDITIONS[name] for name in licence.conditions if name not in allowed]
    return f"its licence {licence.name} allows {' and '.join(hindering)}" if hindering else None


def conditions(text: str) -> frozenset[str]:
    """What ``--allow`` names, as ``nc,nd``. Raises BadInput: a track without a licence is never used."""
    named = frozenset(word.strip().upper() for word in text.split(",") if word.strip())
    if named - set(CONDITIONS):
        raise BadInput("--allow takes nc and nd only: a track without a licence is never used")
    return named
