"""The sentences that the emotion reader is trained and judged on, read from the files of their authors.

- GoEmotions (Demszky et al. 2020, arXiv 2005.00547), grouped to Ekman's six emotions and neutral by
  monologg/GoEmotions-pytorch (Apache-2.0): Reddit comments with splits of their own.
- XED (Öhman et al. 2020, COLING; CC BY 4.0): film subtitles with Plutchik's emotions. It has no splits: a hash of the
  text makes ours.
- Our own spoken sentences (bgm/training/data/spoken): one file a writer, so a split is a choice of writers.
- MELD (Poria et al. 2019, ACL; GPL-3.0): dialogue of a television series. Judged on, never trained on.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bgm.errors import BadInput
from bgm.timeline import EMOTIONS, Emotion

Labels = npt.NDArray[np.intp]
Targets = npt.NDArray[np.float32]

SPOKEN = Path(__file__).parent / "data" / "spoken"
TRAINING_WRITERS = ("a", "b", "c", "d", "e", "i", "j", "k", "l", "m", "n", "o", "p")
DEVELOPMENT_WRITER = "h"
TEST_WRITER = "g"
KINDS = ("named", "unnamed", "trap", "plain")
"""Is the feeling named, or only told; neutral: does it sound like a feeling (a trap), or not."""

_XED = {1: "anger", 3: "disgust", 4: "fear", 5: "joy", 6: "sadness", 7: "surprise"}
"""XED's numbers. Anticipation (2) and trust (8) are none of ours: where they stand alone the line is left out."""
_PLACEHOLDERS = {
    "[PERSON]": ("John", "Mary", "Sam", "Anna", "Omar", "Mei"),
    "[LOCATION]": ("London", "Boston", "Cairo"),
    "[ORGANIZATION]": ("the company", "the agency"),
}


@dataclass(frozen=True, slots=True)
class Corpus:
    """Texts with a (texts, emotions) matrix of target probabilities, in the order of EMOTIONS."""

    texts: tuple[str, ...]
    targets: Targets
    kinds: tuple[str, ...] = ()
    """One of KINDS for each text, where the corpus tells."""

    @property
    def labels(self) -> Labels:
        """The likeliest emotion of each text, as its index in EMOTIONS."""
        labels: Labels = self.targets.argmax(axis=1)
        return labels

    def where(self, keep: npt.NDArray[np.bool_]) -> Corpus:
        """The texts for which ``keep`` is true."""
        chosen = np.flatnonzero(keep)
        kinds = tuple(self.kinds[i] for i in chosen) if self.kinds else ()
        return Corpus(tuple(self.texts[i] for i in chosen), self.targets[chosen], kinds)

    def at_most(self, count: int) -> Corpus:
        """``count`` texts of each emotion, chosen by chance, the same ones every time; all where there are fewer."""
        order = np.random.default_rng(0).permutation(len(self.texts))
        keep = np.zeros(len(self.texts), dtype=np.bool_)
        for label in range(len(EMOTIONS)):
            keep[order[self.labels[order] == label][:count]] = True
        return self.where(keep)

    @property
    def single(self) -> Corpus:
        """The texts with one emotion only."""
        return self.where(self.targets.max(axis=1) > 0.99)


def goemotions(folder: Path, split: str) -> Corpus:
    """``split`` is train, dev or test; texts with more than one label are left out. Raises BadInput."""
    path = folder / f"{split}.tsv"
    try:
        names = (folder / "labels.txt").read_text(encoding="utf-8").split()
        rows = [line.split("\t") for line in path.read_text(encoding="utf-8").split("\n") if line]
        return _corpus((row[0], [names[int(row[1])]]) for row in rows if "," not in row[1])
    except (OSError, ValueError, IndexError) as error:
        raise BadInput(f"{path} is not a GoEmotions split with its labels.txt beside it: {error}") from error


def xed(folder: Path, split: str) -> Corpus:
    """``split`` is train (eight tenths), dev or test (one tenth each), by a hash of the text. Raises BadInput."""
    try:
        annotated = (folder / "en-annotated.tsv").read_text(encoding="utf-8").split("\n")
        neutral = (folder / "neu_en.txt").read_text(encoding="utf-8").split("\n")
        rows = [*_annotated(annotated), *((line.partition("\t")[2], ["neutral"]) for line in neutral if line)]
    except (OSError, ValueError) as error:
        raise BadInput(f"{folder} has no en-annotated.tsv and neu_en.txt of XED: {error}") from error
    told = ((_closed(text), emotions) for text, emotions in rows)
    return _corpus((t, e) for t, e in told if e and len(re.findall("[A-Za-z]", t)) > 2 and _split_of(t) == split)


def spoken(writers: Iterable[str], folder: Path = SPOKEN) -> Corpus:
    """The sentences of these writers. Raises BadInput."""
    rows: list[list[str]] = []
    for writer in writers:
        path = folder / f"{writer}.tsv"
        try:
            rows += [line.split("\t") for line in path.read_text(encoding="utf-8").split("\n") if line]
            corpus = _corpus(((text, [emotion]) for text, emotion, _ in rows), [kind for *_, kind in rows])
        except (OSError, ValueError) as error:
            raise BadInput(f"{path} is not lines of text, emotion and kind: {error}") from error
    return corpus


def heard_file(writer: str, folder: Path = SPOKEN) -> Path:
    """Where :func:`heard` finds a line for each sentence."""
    return folder / f"{writer}.heard.txt"


def heard(writer: str, folder: Path = SPOKEN) -> tuple[str, ...]:
    """The first sentences of a writer as Whisper heard them when flite spoke them (``python -m benchmarks.heard``)."""
    path = heard_file(writer, folder)
    try:
        return tuple(path.read_text(encoding="utf-8").removesuffix("\n").split("\n"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} can't be read: {error}") from error


def meld(folder: Path, split: str) -> Corpus:
    """``split`` is dev or test; the file as its authors publish it (data/MELD/test_sent_emo.csv). Raises BadInput."""
    return _corpus((line.text, [line.emotion]) for line in meld_lines(folder, split))


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a dialogue."""

    dialogue: str
    text: str
    emotion: str


def meld_lines(folder: Path, split: str) -> list[Line]:
    """The lines of MELD in the order in which they are spoken. Raises BadInput."""
    path = folder / f"{split}_sent_emo.csv"
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        return [Line(row["Dialogue_ID"], _plain(row["Utterance"]), row["Emotion"]) for row in rows]
    except (OSError, ValueError, KeyError) as error:
        raise BadInput(f"{path} is not a split of MELD: {error}") from error


def unpunctuated(text: str) -> str:
    """As a recogniser without punctuation writes it: ``so we waited and nobody came``."""
    return " ".join(re.sub(r"[^\w\s']|(?<!\w)'|'(?!\w)", " ", text.replace("\u2019", "'").lower()).split())


def _corpus(rows: Iterable[tuple[str, Sequence[str]]], kinds: Sequence[str] = ()) -> Corpus:
    told = list(rows)
    targets = np.zeros((len(told), len(EMOTIONS)), dtype=np.float32)
    for target, (_, emotions) in zip(targets, told, strict=True):
        target[[EMOTIONS.index(Emotion(emotion)) for emotion in emotions]] = 1 / len(emotions)
    if unknown := set(kinds) - set(KINDS):
        raise ValueError(f"there is no kind {', '.join(sorted(unknown))}")
    return Corpus(tuple(text for text, _ in told), targets, tuple(kinds))


def _annotated(lines: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    for line in filter(None, lines):
        text, _, numbers = line.rpartition("\t")
        yield text, sorted({_XED[n] for n in map(int, numbers.split(",")) if n in _XED})


def _closed(text: str) -> str:
    """Subtitles as a sentence is spelt: names for placeholders, no space before punctuation."""
    number = _number(text)
    for placeholder, names in _PLACEHOLDERS.items():
        text = text.replace(placeholder, names[number % len(names)])
    return re.sub(r"\s+([.,!?;:'])", r"\1", text).strip("* ")


def _plain(text: str) -> str:
    return text.replace("\u0092", "'").replace("\u2019", "'").strip()


def _split_of(text: str) -> str:
    return ("test", "dev")[n] if (n := _number(text) % 10) < 2 else "train"


def _number(text: str) -> int:
    """The same on every machine and in every run."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4])
