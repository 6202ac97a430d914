"""Edits of a transcript's lines: change text or times, split, merge, replace, lay a script on the words.

Each function takes the lines (in order, disjoint, seconds) and returns new ones; a line whose text or times changed
loses its scores, so that its emotion is classified again. Invalid edits raise ValueError in one sentence. ``words`` are
the recognised ones (:mod:`bgm.speech.words`): they determine where a line is split and where a script belongs.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from bgm.speech import words as heard
from bgm.speech.words import Moment, Timed, Token, join
from bgm.timeline import Utterance

Lines = tuple[Utterance, ...]
LENGTH = 2000
"""Maximum characters of a line."""
LEAST_SECONDS = 0.1
"""Shortest line that an edit may leave."""
SCRIPT_LENGTH = 400_000
"""Maximum characters of a script: ten hours of speech."""
LEAST_SHARE = 0.2
"""Share of the script's words, or of the recognised ones if fewer, that must match: else it is another script."""
SENTENCE_WORDS = 50
"""A sentence of a script with more words is cut at its clauses: twice what recognition makes a line of."""
LETTER_SECONDS = 0.06
"""How long a letter of a word that was not recognised is taken to last: 170 words a minute."""
PAUSE_SECONDS = 0.5
"""A pause this long between the words of two lines parts them."""
_TOUCHING = 0.2
_TIMES = re.compile(r"\d*|.*\d:\d\d.*-->.*")
"""Lines of a pasted subtitle file to ignore: cue numbers and times."""
_LABEL = re.compile(
    r"\s*(?:[\[(][^\])]{1,40}[\])]\s*[:：]?|[^\s:：]{1,20}(?:\s[^\s:：]{1,20}){0,2}\s*[:：](?=\s|$))\s*"
)
"""What may be the name of a speaker, or a note for the reader, before what is said."""
_INITIALS = re.compile(r"\W*(?:(?!I\.)\w\.)+\W*")
"""``J.`` or ``U.S.``: its full stop ends no sentence."""


def found(lines: Lines, start: float, end: float, text: str, english: str | None = None) -> int | None:
    """Position of the line that read so at that time, wherever others were split or merged since; None if none does."""
    # By its overlap, since the page only guesses where Python will have cut a line.
    same = [
        (abs(u.start - start), i)
        for i, u in enumerate(lines)
        if _tidy(u.text) == _tidy(text) and english in {None, u.english} and u.start < end and start < u.end
    ]
    return min(same)[1] if same else None


def retold(lines: Lines, index: int, *, text: str | None = None, english: str | None = None) -> Lines:
    """Change a line's text: ``text`` as spoken, ``english`` for the classifier; if they were equal they stay equal."""
    old = _line(lines, index)
    new = old
    if text is not None:
        new = replace(old, text=_checked(text), english=_checked(text) if old.english == old.text else old.english)
    if english is not None:
        new = replace(new, english=_checked(english))
    return _put(lines, index, 1, replace(new, scores=None, unsure=False)) if new != old else lines


def timed(lines: Lines, index: int, start: float, end: float, duration: float) -> Lines:
    """Change start and end, in seconds, clamped to the neighbours and at least LEAST_SECONDS apart."""
    old = _line(lines, index)
    # Neighbours keep their times: a line is moved into the room that it has.
    low = lines[index - 1].end if index else 0.0
    high = lines[index + 1].start if index + 1 < len(lines) else max(duration, old.end)
    if high - low < LEAST_SECONDS:
        raise ValueError("there is no room between the lines around this one")
    start = min(max(start, low), high - LEAST_SECONDS)
    end = min(max(end, start + LEAST_SECONDS), high)
    return (
        _put(lines, index, 1, replace(old, start=start, end=end, scores=None)) if (start, end) != _span(old) else lines
    )


def split(lines: Lines, index: int, left: str, right: str, words: Sequence[Timed]) -> Lines:
    """Split a line in two at the recognised words: the first ends with the last word of ``left``, the second begins
    with the first of ``right``, so that a pause between them stays a pause."""
    old = _line(lines, index)
    left, right = _checked(left), _checked(right)
    if old.end - old.start < 2 * LEAST_SECONDS:
        raise ValueError(f"a line of less than {2 * LEAST_SECONDS} s can't be split")
    stop, go = _pause(old, left, right, words)
    stop = min(max(stop, old.start + LEAST_SECONDS), old.end - LEAST_SECONDS)
    go = min(max(go, stop), old.end - LEAST_SECONDS)
    # A translation can't be split where the original is: it is cut in proportion, and marked as unsure.
    own = old.english == old.text or not old.english
    english = (left, right) if own else _shared(old.english, len(left) / (len(left) + len(right)))
    first = replace(old, end=stop, text=left, english=english[0] if old.english else "", scores=None)
    second = replace(old, start=go, text=right, english=english[1] if old.english else "", scores=None)
    return _put(lines, index, 1, *(replace(u, unsure=old.unsure or not own) for u in (first, second)))


def merge(lines: Lines, index: int, text: str | None = None) -> Lines:
    """Merge a line with the next one; ``text`` replaces their two texts."""
    if index + 1 >= len(lines):
        raise ValueError("the last line has no next one to merge with")
    first, second = _line(lines, index), lines[index + 1]
    text = _checked(f"{first.text} {second.text}" if text is None else text)
    same = all(u.english == u.text for u in (first, second))
    english = text if same else _checked(f"{first.english} {second.english}") if first.english or second.english else ""
    whole = replace(first, end=second.end, text=text, english=english, scores=None)
    return _put(lines, index, 2, replace(whole, unsure=first.unsure or second.unsure))


def replaced(lines: Lines, find: str, put: str, *, whole: bool = False) -> tuple[Lines, int]:
    """Replace every ``find`` with ``put``, ignoring case, in the text and in its English; returns the count too.

    ``whole``: only where no letter, digit or mark of any script goes on with the word on either side. The match's
    initial capital is kept. Raises ValueError if a line would have no words left.
    """
    wanted = " ".join(find.split())
    if not wanted:
        raise ValueError("there is nothing to look for")
    pattern = re.compile(re.escape(wanted), re.IGNORECASE)
    count, new = 0, []
    for number, line in enumerate(lines, 1):
        text, found = _swapped(line.text, pattern, put, whole)
        english, more = _swapped(line.english, pattern, put, whole)
        count += found or more
        if (found and not text.strip()) or (more and not english.strip()):
            raise ValueError(f"line {number} would have no words left")
        changed = replace(line, text=_tidy(text), english=_tidy(english), scores=None, unsure=False)
        new.append(changed if found or more else line)
    return tuple(new), count


def _swapped(text: str, pattern: re.Pattern[str], put: str, whole: bool) -> tuple[str, int]:
    parts, done, at = list[str](), 0, 0
    while match := pattern.search(text, at):
        at = match.start() + 1
        if whole and (_is_inside(text, match.start()) or _is_inside(text, match.end())):
            continue
        parts += text[done : match.start()], _as_large(match[0], put)
        done = at = match.end()
    return "".join([*parts, text[done:]]), len(parts) // 2


def _is_inside(text: str, at: int) -> bool:
    """Whether a word goes on from before this place to behind it."""
    # re's \w knows no combining marks, without which Hindi and Thai words fall apart.
    return 0 < at < len(text) and all(c.isalnum() or unicodedata.category(c)[0] == "M" for c in text[at - 1 : at + 1])


def _as_large(found: str, put: str) -> str:
    return put[:1].upper() + put[1:] if found[:1].isupper() and not found.isupper() else put


@dataclass(frozen=True, slots=True)
class Laid:
    """Lines from a script, and what became of its words."""

    lines: Lines
    placed: int
    kept: int
    """Existing lines without a counterpart in the script."""
    unplaced: tuple[str, ...]
    """Lines of the script that were not found in the recording."""
    labels: int = 0
    """Names of speakers, and notes before a line, that were left out since nobody says them."""


def scripted(lines: Lines, script: str, words: Sequence[Timed], duration: float) -> Laid:
    """Lay the creator's script on the times of the recognised words, one sentence a line.

    Raises ValueError if the script doesn't match the recording, or if there are no recognised words at all.
    """
    if len(script) > SCRIPT_LENGTH:
        raise ValueError(f"a script has at most {SCRIPT_LENGTH} characters")
    texts = list(_cut(script))
    words = words or heard.spread(lines)
    if not texts or not words:
        raise ValueError("there are no words in this script" if words else "nobody was heard here: there are no times")
    # 1. Align every word of the script, where possible.
    parts = [heard.tokens(text) for text in texts]
    moments = iter(heard.align([token for part in parts for token in part], words))
    found = [[next(moments) for _ in part] for part in parts]
    _check_fits(found, words)
    # 2. A speaker's name that nobody says is no part of what is said.
    bare = [_without_label(*line) for line in zip(texts, parts, found, strict=True)]
    labels = sum(text != short for text, (short, _, _) in zip(texts, bare, strict=True))
    # 3. A line lasts from its first word to its last.
    settled = _on_their_side([(tokens, line) for _, tokens, line in bare])
    spans = _spans([_place(tokens, line) for tokens, line in settled], words, duration)
    laid = list(zip((text for text, _, _ in bare), spans, strict=True))
    fresh = [Utterance(*span, text) for text, span in laid if span]
    # 4. Existing lines without a counterpart stay.
    kept = [u for u in lines if not any(f.start < u.end and u.start < f.end for f in fresh)]
    told = [*_in_english(fresh, lines), *kept]
    unplaced = tuple(text for text, span in laid if not span)
    return Laid(tuple(sorted(told, key=lambda u: u.start)), len(fresh), len(kept), unplaced, labels)


def _cut(script: str) -> Iterator[str]:
    """Split a script into lines: one sentence each, what is too long at its clauses; a line break always ends one."""
    for row in re.sub(r"(?<=[。！？])(?=\S)", "\n", script).splitlines():
        if _TIMES.fullmatch(row.strip()) or not heard.tokens(row):
            continue
        for sentence in _sentences(row.split()):
            yield from (" ".join(part) for part in _short_enough(sentence))


def _sentences(words: Sequence[str]) -> Iterator[list[str]]:
    begun = 0
    for i, word in enumerate(words, 1):
        # Small letters go on with the sentence (``"Stop!" he said.``), and a number at its start counts it (``1.``).
        goes_on = i < len(words) and words[i].lstrip(heard.OPENING)[:1].islower()
        counts = i == begun + 1 and word.rstrip(".").isdigit()
        if i == len(words) or (heard.ends_sentence(word) and not (goes_on or counts or _INITIALS.fullmatch(word))):
            yield list(words[begun:i])
            begun = i


def _short_enough(words: list[str]) -> Iterator[list[str]]:
    """A sentence in halves, and those in halves, until none is too long for a line."""
    if len(words) == 1:
        yield from ([words[0][at : at + LENGTH]] for at in range(0, len(words[0]), LENGTH))
    elif len(words) <= SENTENCE_WORDS and len(" ".join(words)) <= LENGTH:
        yield words
    else:
        # Near the middle, at the end of a clause where there is one: no part is a word on its own.
        middle, reach = len(words) / 2, max(1, len(words) // 4)
        near = range(max(1, round(middle) - reach), min(len(words), round(middle) + reach + 1))
        cut = min(near, key=lambda i: (not words[i - 1].endswith(heard.CLAUSE_END), abs(i - middle)))
        yield from _short_enough(words[:cut])
        yield from _short_enough(words[cut:])


_Found = Sequence[Moment | None]


def _without_label(text: str, tokens: Sequence[Token], found: _Found) -> tuple[str, Sequence[Token], _Found]:
    """A line, its words and their moments without the name before it, if none of the name's words was recognised."""
    label = _LABEL.match(text)
    count = sum(token.end <= label.end() for token in tokens) if label else 0
    said = [bool(m and m.sure) for m in found]
    if not label or not count or any(said[:count]) or not any(said[count:]):
        return text, tokens, found
    return text[label.end() :], tokens[count:], found[count:]


def _check_fits(found: Sequence[_Found], words: Sequence[Timed]) -> None:
    every = [moment for line in found for moment in line]
    # Similar words don't count here: among thousands some always are alike.
    exact = sum(moment is not None and moment.exact for moment in every)
    if exact < LEAST_SHARE * min(len(every), sum(len(heard.tokens(word.text)) for word in words)):
        raise ValueError(f"this script is of something else: {exact} of its {len(every)} words are heard here")


def _on_their_side(lines: Sequence[tuple[Sequence[Token], _Found]]) -> list[tuple[Sequence[Token], _Found]]:
    """Where two lines part at a pause, no word is left on the other side of it.

    Whisper lets a word at a pause reach over it, and which end of it was spoken the recognition can't tell:
    ``Exhibition in … being comparatively modern.`` The script can.
    """
    out = [(tokens, list(found)) for tokens, found in lines]
    for (before, one), (after, other) in itertools.pairwise(out):
        last, first = one[-1], other[0]
        if not last or not first or first.start - last.end > _TOUCHING:
            continue
        second = other[1] if len(other) > 1 else None
        last_but_one = one[-2] if len(one) > 1 else None
        if second and second.start - first.end >= PAUSE_SECONDS:
            other[0] = replace(first, start=second.start - _lasting(after[0]), end=second.start)
        elif last_but_one and last.start - last_but_one.end >= PAUSE_SECONDS:
            one[-1] = replace(last, start=last_but_one.end, end=last_but_one.end + _lasting(before[-1]))
    return list(out)


def _lasting(*tokens: Token) -> float:
    return LETTER_SECONDS * sum(token.end - token.start for token in tokens)


@dataclass(frozen=True, slots=True)
class _Place:
    """From when to when a line's recognised words are spoken, and how long the others before and after them take."""

    start: float
    end: float
    before: float
    after: float


def _place(tokens: Sequence[Token], found: _Found) -> _Place | None:
    """None if no word of the line was surely recognised: it has no time of its own."""
    if not any(m and m.sure for m in found):
        return None
    known = [i for i, m in enumerate(found) if m]
    times = [m for m in found if m]
    before, after = _lasting(*tokens[: known[0]]), _lasting(*tokens[known[-1] + 1 :])
    return _Place(min(m.start for m in times), max(m.end for m in times), before, after)


def _spans(
    places: Sequence[_Place | None], words: Sequence[Timed], duration: float
) -> list[tuple[float, float] | None]:
    """The times of each line, disjoint, in order, none too short; None if unknown."""
    known = [place for place in places if place]
    # 1. Words at a line's ends that were not recognised take of the pause there, where nobody else is heard.
    spans = [(place.start, place.end) for place in known]
    for i, (one, other) in enumerate(itertools.pairwise(known)):
        gap, wanted = other.start - one.end, one.after + other.before
        if wanted and gap > 0 and not heard.heard_in(words, one.end, other.start):
            share = min(1.0, gap / wanted)
            spans[i] = (spans[i][0], one.end + share * one.after)
            spans[i + 1] = (other.start - share * other.before, other.end)
    # 2. Each line ends before the next known one starts.
    ends = [*(start for start, _ in spans[1:]), duration]
    before, out = 0.0, list[tuple[float, float] | None]()
    timed = iter(zip(spans, ends, strict=True))
    for place in places:
        if place is None:
            out.append(None)
            continue
        # 3. It lasts from its first word, or the end of the line before, to its last; a short one gets LEAST_SECONDS,
        #    as far as there is room. With less than half of that it is unknown after all.
        (first, last), latest = next(timed)
        start = max(before, first)
        end = min(max(last, start + LEAST_SECONDS), max(latest, start))
        out.append((start, end) if end - start >= LEAST_SECONDS / 2 else None)
        before = end if out[-1] else before
    return out


def _in_english(fresh: Sequence[Utterance], lines: Lines) -> list[Utterance]:
    """The new lines with their English: their own text where the old lines were English, else the old translations at
    their times."""
    if all(u.english == u.text for u in lines):
        told = [replace(u, english=u.text) for u in fresh]
    else:
        spoken = heard.spread(replace(u, text=u.english) for u in lines if u.english)
        told = [replace(u, english=join(heard.heard_in(spoken, u.start, u.end)), unsure=True) for u in fresh]
    known = {(*_span(old), old.text): old for old in lines}
    return [known.get((*_span(u), u.text), u) for u in told]  # an unchanged line keeps its scores


def _pause(line: Utterance, left: str, right: str, words: Sequence[Timed]) -> tuple[float, float]:
    """Where the words of ``left`` end and those of ``right`` begin, in seconds."""
    said = heard.heard_in(words, line.start, line.end) or heard.spread([line])
    before, after = heard.tokens(left), heard.tokens(right)
    moments = heard.align([*before, *after], said)
    ended = next((m.end for m in reversed(moments[: len(before)]) if m), None)
    begun = next((m.start for m in moments[len(before) :] if m), None)
    # Only where neither side's words were recognised: by letters.
    middle = line.start + (line.end - line.start) * len(left) / (len(left) + len(right))
    stop = ended if ended is not None else begun if begun is not None else middle
    return stop, max(stop, begun) if begun is not None else stop


def _shared(english: str, share: float) -> tuple[str, str]:
    """Split a translation after about ``share`` of its words; each part has at least one if there are two."""
    words = english.split()
    cut = min(max(1, round(share * len(words))), max(1, len(words) - 1))
    return " ".join(words[:cut]), " ".join(words[cut:])


def _line(lines: Lines, index: int) -> Utterance:
    if not 0 <= index < len(lines):
        raise ValueError("this line of the transcript does not exist any more")
    return lines[index]


def _checked(text: str) -> str:
    line = _tidy(text)
    if not 0 < len(line) <= LENGTH:
        raise ValueError(f"a line of the transcript has 1 to {LENGTH} characters")
    return line


def _tidy(text: str) -> str:
    return " ".join(text.split())


def _span(line: Utterance) -> tuple[float, float]:
    return line.start, line.end


def _put(lines: Lines, index: int, count: int, *new: Utterance) -> Lines:
    return (*lines[:index], *new, *lines[index + count :])
