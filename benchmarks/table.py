"""Figures side by side, as values, and the one Markdown table that they become."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

LIMIT = "limit set here"
"""The peer of a figure that no other program gives: what this project asks of itself."""
DIFFERENCES = ("dB", "LU", "points")
"""Units on logarithmic or bounded scales: two figures are compared by their difference, others by their ratio."""
COLUMNS = ("what", "ours", "peer", "the peer's", "ours / peer", "better", "runs", "alone")


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of ours beside a peer's; ``runs`` is how many runs (or inputs) each is the median (or worst) of.

    A figure that couldn't be taken is None, and ``missing`` says why in a few words; without ``missing`` there is no
    peer to measure.
    """

    what: str
    unit: str
    ours: float | None
    peer_name: str
    peer: float | None
    runs: int = 1
    higher_is_better: bool = False
    missing: str = ""

    @property
    def comparison(self) -> str:
        """``0.25 ×`` for a ratio, ``-3.1 dB`` for a difference, empty where a figure is missing."""
        if self.ours is None or self.peer is None:
            return ""
        if self.unit in DIFFERENCES:
            return f"{self.ours - self.peer:+.2f} {self.unit}"
        return f"{number(self.ours / self.peer)} ×" if self.peer else ""

    def cells(self) -> tuple[str, ...]:
        """The row's texts, all but the last column."""
        ours, peer = (self._figure(value) for value in (self.ours, self.peer))
        better = "" if self.ours is None else "higher" if self.higher_is_better else "lower"
        return self.what, ours, self.peer_name, peer, self.comparison, better, str(self.runs) if self.runs else ""

    def _figure(self, value: float | None) -> str:
        if value is None:
            return f"not run: {self.missing}" if self.missing else ""
        return f"{number(value)} {self.unit}".strip()


def not_run(what: str, peer_name: str, why: str) -> Row:
    """A row without figures."""
    return Row(what, "", None, peer_name, None, runs=0, missing=why)


@dataclass(frozen=True, slots=True)
class Result:
    """What a benchmark gave: its rows, the seconds it took, and the words after ``python -m benchmarks``."""

    name: str
    rows: tuple[Row, ...]
    seconds: float
    command: str
    failed: bool = False


def number(value: float) -> str:
    """Three digits that say something: 1234, 12.3, 0.0123."""
    size = abs(value)
    if size >= 100:
        return f"{value:.0f}"
    if size >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if size >= 0.1 or not value else f"{value:.2g}"


def render(results: Iterable[Result]) -> str:
    """The table of all rows."""
    lines = [_line(COLUMNS), "|---" * len(COLUMNS) + "|"]
    lines += [_line((*row.cells(), f"`{result.command}`")) for result in results for row in result.rows]
    return "\n".join(lines)


def show(rows: Iterable[Row]) -> None:
    """Print rows as they come, for a module run on its own."""
    print(_line(COLUMNS[:-1]), "|---" * (len(COLUMNS) - 1) + "|", sep="\n")
    for row in rows:
        print(_line(row.cells()), flush=True)


def page(head: Sequence[str], results: Sequence[Result]) -> str:
    """The whole document: what was measured where, the table, and what it took."""
    took = ", ".join(f"{result.name} {result.seconds:.0f}" for result in results)
    total = sum(result.seconds for result in results)
    ending = f"Seconds taken, inputs and warm-up included: {took}; {total:.0f} in all."
    return "\n".join(["# Figures", "", *head, "", render(results), "", ending, ""])


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
