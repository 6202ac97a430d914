"""Subtitle files read and written: plain text with times, whatever a file's encoding and its author's habits."""

from __future__ import annotations

import html
import itertools
import math
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from pathlib import Path

from bgm.errors import BadInput
from bgm.speech.language import DAMAGED, decode
from bgm.speech.words import Timed
from bgm.timeline import Utterance

MAX_BYTES = 20_000_000
"""A day's transcript is under 5 MB: more is not a subtitle file."""

MAX_CUES = 100_000
"""A day-long talk has a third of it."""

READING_SPEED = 15.0
"""Characters per second: determines the duration of a cue without an end."""


_TIME = r"(-?)(?:(\d+) *: *)?(\d+) *: *(-?\d+)(?: *[.,] *(\d+))?"
_TIMES = re.compile(rf"{_TIME} *-{{1,2}}> *{_TIME}(.*)")
_LONGEST_TIMES = 200
"""Characters of a timing line: a longer line is text."""
_ASS_LINE = 300
_DRAWING = re.compile(r"\\p[1-9]")
_LONGEST_REPEAT = 200
"""Words that a caption may repeat from the one before: a few lines."""

RawCue = tuple[float, float, str]
"""Start and end in seconds, lines without tags, not empty."""


@dataclass(frozen=True, slots=True)
class Subtitle:
    """The cues of a file in time order, disjoint, and the language in its header, if any."""

    cues: tuple[Timed, ...]
    left_out: int
    """Cues of song lyrics and sound descriptions."""
    language: str | None
    unreadable: int = 0
    """Damaged characters in the file, each replaced by ``DAMAGED``."""


def read(path: Path) -> Subtitle:
    """Read .srt, .vtt, .ass or .ssa. Raises BadInput, one sentence, if it is none of these, empty or unreadable."""
    try:
        too_big = path.stat().st_size > MAX_BYTES
        data = b"" if too_big else path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path} can't be read: {error.strerror or error}") from error
    if too_big:
        raise BadInput(f"{path} is too big for a subtitle file")
    text = decode(data)
    if text is None:
        raise BadInput(f"{path} is not a subtitle file: it doesn't hold text")
    if not text.strip():
        raise BadInput(f"{path} is empty: there are no subtitles in it")
    return replace(parse(text, str(path)), unreadable=text.count(DAMAGED))


def parse(text: str, name: str) -> Subtitle:
    """Parse ``text``; ``name`` is the file's name in the message of BadInput."""
    header = re.match(r"WEBVTT.*\n(?:.+\n)*?Language:\s*(\S+)", text.lstrip())
    return tidy(_events(text, name), header[1] if header else None)


def tidy(raw: Sequence[RawCue], language: str | None) -> Subtitle:
    """Clean up cues in any order, removing everything but speech. Raises BadInput if there are too many."""
    if len(raw) > MAX_CUES:
        raise BadInput(f"these are {len(raw)} subtitles; {MAX_CUES} are the most that can be read")
    cues = [Timed(start, end, clean(words)) for start, end, words in _without_rolling(sorted(raw))]
    spoken = [cue for cue in cues if cue.text]
    return Subtitle(_disjoint(spoken), len(cues) - len(spoken), language)


def clean(text: str) -> str:
    """The spoken words of a cue, in one line: no tags, lyrics, sound descriptions, speaker names or dashes."""
    if re.fullmatch(r"\s*[♪♫♬#].*[♪♫♬#]\s*", text, re.DOTALL):
        return ""
    lines = (_clean_line(line) for line in text.split("\n"))
    without_brackets = re.sub(r"\[[^][]*\]|【[^【】]*】", " ", "\n".join(filter(None, lines)))
    return " ".join(without_brackets.split())


def _events(text: str, name: str) -> list[RawCue]:
    import pysubs2

    # 1. Times as pysubs2 reads them, 2. of a known format, 3. without drawings and comments, 4. forwards.
    text = _full_times(text)
    try:
        form = pysubs2.formats.autodetect_format(text)
        if form not in _FORMS:
            raise pysubs2.exceptions.FormatAutodetectionError(text[:100], [form])
        # Tags are kept here and removed below: pysubs2 searches for the end of each tag through the whole cue, which
        # takes hours if there is an unclosed tag for every second letter.
        file = pysubs2.SSAFile.from_string(_FORMS[form](text), form, keep_html_tags=True)
    except (pysubs2.exceptions.Pysubs2Error, ValueError) as error:
        raise BadInput(f"{name} is not a subtitle file that can be read (.srt or .vtt)") from error
    spoken = (event for event in file if not event.is_comment and not _DRAWING.search(event.text))
    raw = _forward([(event.start / 1000, event.end / 1000, _plain(event.text)) for event in spoken])
    if not any(words for _, _, words in raw):
        raise BadInput(f"{name} has no subtitles in it")
    return [cue for cue in raw if cue[2]]


def _full_times(text: str) -> str:
    """Normalise timing lines to ``HH:MM:SS.mmm --> HH:MM:SS.mmm``; trailing words go on their own line.

    Many programs omit hours, milliseconds, zeros or the decimal point, or write them differently; pysubs2 would take
    such a line for text of the cue before, or drop it.
    """
    return "\n".join(_full(line) if ">" in line[:_LONGEST_TIMES] else line for line in text.split("\n"))


def _full(line: str) -> str:
    found = _TIMES.search(line) if len(line) <= _LONGEST_TIMES else None
    if found is None or _is_before(found.groups()[5:10]):
        return line
    *_, behind = parts = found.groups()
    words = re.sub(r"\b[\w-]+:\S+", "", behind).strip()  # settings of WebVTT, coordinates of SubRip
    times = f"{_full_time(parts[:5])} --> {_full_time(parts[5:10])}"
    return f"{times}\n{words}" if words else times


def _full_time(parts: Sequence[str | None]) -> str:
    _, hours, minutes, seconds, fraction = parts
    if _is_before(parts):
        return "00:00:00.000"
    total = 3600 * int(hours or 0) + 60 * int(minutes or 0) + int(seconds or 0)
    return f"{total // 3600:02}:{total // 60 % 60:02}:{total % 60:02}.{(fraction or '')[:3]:0<3}"


def _is_before(parts: Sequence[str | None]) -> bool:
    """Whether a time is before the video's start."""
    return bool(parts[0]) or (parts[3] or "").startswith("-")


def _forward(raw: list[RawCue]) -> list[RawCue]:
    """Swap start and end where they are reversed, if the file does so habitually and not by mistake."""
    backward = sum(end < start for start, end, _ in raw)  # more than half: by mistake it is one cue or two
    if 2 * backward <= len(raw):
        return raw
    return [(min(start, end), max(start, end), words) for start, end, words in raw]


def _tidy_lines(text: str) -> str:
    """SubRip without anything that pysubs2 would misread or be slow on.

    A time tag inside a line (<00:00:01.000>, karaoke) would be taken for the times of a cue.
    """
    return re.sub(r"\n{3,}", "\n\n", re.sub(r"<\d[\d:.,]*>", "", text))


def _only_dialogue(text: str) -> str:
    """SubStation Alpha with the lines other than dialogue (headings, styles, fonts) cut to the allowed length."""
    lines = (line if line.startswith("Dialogue:") else line[:_ASS_LINE] for line in text.split("\n"))
    return "\n".join(lines)


def _only_vtt_cues(text: str) -> str:
    """WebVTT without notes, style sheets and cue identifiers, which pysubs2 would read as text of the cue before."""
    blocks = re.split(r"\n\n+", _tidy_lines(text.lstrip()))  # YouTube writes lines of one space inside cues
    cues = (re.search(r"^[^\n]*-->.*", block, re.DOTALL | re.MULTILINE) for block in blocks)
    return "\n\n".join(["WEBVTT", *(cue[0] for cue in cues if cue)]) + "\n"


_FORMS: Mapping[str, Callable[[str], str]] = {
    "srt": _tidy_lines,
    "vtt": _only_vtt_cues,
    "ass": _only_dialogue,
    "ssa": _only_dialogue,
}
"""Supported formats by pysubs2's names, with their preprocessing. Its XML and JSON formats are excluded."""


def _plain(text: str) -> str:
    """The lines of an event without tags (HTML's and SubStation's), each tag ending before the next begins."""
    broken = re.sub(r"\\[Nn]", "\n", re.sub(r"\{[^{}]*\}", "", text)).replace(r"\h", " ")
    without_tags = re.sub(r"</? ?[a-zA-Z][^<>\n]*>", "", broken)
    unescaped = html.unescape(without_tags).replace("\u00a0", " ")
    lines = (
        re.sub("[\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]", "", line).strip() for line in unescaped.split("\n")
    )
    return "\n".join(filter(None, lines))


def _clean_line(line: str) -> str:
    if re.match(r"\s*(?:[♪♫♬]|#\s)", line):
        return ""
    line = re.sub("[♪♫♬]", "", line)
    line = re.sub(r"^\s*(?:>>+|[-–—‐]+)\s*", "", line)
    line = re.sub(r"^\s*[(（][^)）]*[)）]\s*:?", "", line)
    return re.sub(r"^\s*[A-Z][A-Z0-9 .'’-]{1,30}:(?=\s|$)", "", line).strip()


def _without_rolling(raw: Sequence[RawCue]) -> list[RawCue]:
    """Live and automatic captions repeat the line before, or grow word by word: keep what each cue adds.

    Only if half of all neighbours do so: two people who both say "No!" are no rolling caption.
    """
    raw = [(start, end, re.sub(r"(?m)^\s*>>+\s*", "", words)) for start, end, words in raw]  # marks a new speaker
    overlaps = [_repeated(a, b) for a, b in itertools.pairwise(raw)]
    if not overlaps or sum(n > 0 for n in overlaps) < max(2, len(overlaps) / 2):
        return list(raw)
    out = [raw[0]]
    for (start, end, text), repeated in zip(raw[1:], overlaps, strict=True):
        new = " ".join(text.split()[repeated:])
        if new:
            out.append((start, end, new))
        else:
            out[-1] = (out[-1][0], max(out[-1][1], end), out[-1][2])
    return out


def _repeated(before: RawCue, after: RawCue) -> int:
    """How many words at the start of a cue repeat the last words of the directly preceding one."""
    if after[0] - before[1] > 0.2:
        return 0
    old, new = before[2].split(), after[2].split()
    longest = min(len(old), len(new), _LONGEST_REPEAT)
    fits = (n for n in range(longest, 0, -1) if old[-n:] == new[:n])
    found = next(fits, 0)
    # Fewer than three words may be chance ("no", "yes, yes"): then they must be whole lines of the caption before.
    whole_lines = itertools.accumulate(len(line.split()) for line in reversed(before[2].split("\n")))
    return found if found >= 3 or found in whole_lines else 0


def _disjoint(cues: Sequence[Timed]) -> tuple[Timed, ...]:
    """Cues in order that don't overlap: an earlier one ends where the next begins; simultaneous ones are joined."""
    out: list[Timed] = []
    for cue in cues:
        end = cue.end if cue.end > cue.start else cue.start + max(1.0, len(cue.text) / READING_SPEED)
        last = out[-1] if out else None
        if last and cue.start <= last.start + 0.05:
            # Two speakers or two lines of one picture, written as two cues: one cue, the text once.
            both = last.text if cue.text in last.text else f"{last.text} {cue.text}"
            out[-1] = Timed(last.start, max(last.end, end), both)
            continue
        if last and last.end > cue.start:
            out[-1] = Timed(last.start, cue.start, last.text)
        out.append(Timed(cue.start, end, cue.text))
    return tuple(out)


LINE_CHARACTERS = 42
MOST_LINES = 2
"""The usual width and height of a subtitle."""
SHORTEST_S = 1.0
"""A cue shown for less can't be read: a hurried phrase gets more lines instead."""


def to_srt(utterances: Iterable[Utterance]) -> str:
    """SubRip: numbered cues, ``HH:MM:SS,mmm``."""
    cues = (f"{number}\n{_times(u, ',')}\n{u.text}\n" for number, u in enumerate(_cues(utterances), 1))
    return "\n".join(cues)


def to_vtt(utterances: Iterable[Utterance]) -> str:
    """WebVTT: a header, ``HH:MM:SS.mmm``, and ``& < >`` escaped (which keeps ``-->`` out of the text)."""
    cues = (f"{_times(u, '.')}\n{html.escape(u.text, quote=False)}\n" for u in _cues(utterances))
    return "\n".join(["WEBVTT\n", *cues])


def _cues(utterances: Iterable[Utterance]) -> Iterator[Utterance]:
    """Split each utterance into displayable cues, its time divided in proportion to their letters."""
    for u in utterances:
        shown = _in_parts(u.text, max(1, int((u.end - u.start) / SHORTEST_S)))
        letters = [0, *accumulate(map(len, shown))]
        edges = [u.start + (u.end - u.start) * at / max(1, letters[-1]) for at in letters]
        for text, (start, end) in zip(shown, pairwise([*edges[:-1], u.end]), strict=True):
            yield replace(u, start=start, end=end, text=text)


def _in_parts(text: str, most: int) -> list[str]:
    """Split a text into up to ``most`` wrapped parts, of MOST_LINES lines if that suffices and of about equal
    length."""
    # The width is widened until the text fits into as many parts: about equal ones, no part of a single word.
    fewest = max(1, math.ceil(len(_lines(text)) / MOST_LINES))
    for count in range(min(most, fewest), most + 1):
        width = max(1, math.ceil(len(text) / count))
        while len(parts := _lines(text, width)) > count:
            width += 1
        wrapped = [_lines(part) for part in parts]
        if count == most or all(len(lines) <= MOST_LINES for lines in wrapped):
            return ["\n".join(lines) for lines in wrapped]
    return [""]


def _times(utterance: Utterance, point: str) -> str:
    return f"{_clock(utterance.start, point)} --> {_clock(utterance.end, point)}"


def _clock(seconds: float, point: str) -> str:
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours:02}:{minute:02}:{second:02}{point}{milliseconds:03}"


def _lines(text: str, width: int = LINE_CHARACTERS) -> list[str]:
    """Wrap, without blank lines: one would end the cue."""
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
