"""Bars of a score, for what hears or measures it."""

from __future__ import annotations

from bgm.music.score import Score


def quarters_of_bar(score: Score) -> int:
    """Quarters in a bar: 4 in 4/4, 3 in 3/4 and 6/8."""
    return 4 if score.meter == "4/4" else 3


def bars_of(score: Score) -> float:
    """The length in bars."""
    return score.beats / quarters_of_bar(score)


def seconds_of_bar(score: Score) -> float:
    """Length of a bar before any slowing."""
    return quarters_of_bar(score) * 60 / score.tempo
