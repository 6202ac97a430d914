"""The table of figures: what it says of a row, and that no benchmark is missing from it."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks import catalogue, machine, table, timing
from benchmarks.catalogue import BENCHMARKS, Benchmark
from benchmarks.peers import Options
from benchmarks.table import Result, Row, not_run

FOLDER = Path(catalogue.__file__).parent
DOCUMENT = machine.ROOT / "docs" / "benchmarks.md"
FASTER = Row("remux", "s", 0.25, "FFmpeg 9", 0.5, runs=7)
NOT_HERE = not_run("emotion", "scikit-learn 1", "needs the data")


def cells(row: Row) -> list[str]:
    """The row as it stands in the table."""
    line = table.render([Result("x", (row,), 1.0, "--only x")]).splitlines()[-1]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_times_are_compared_by_ratio() -> None:
    assert cells(FASTER) == ["remux", "0.25 s", "FFmpeg 9", "0.50 s", "0.50 ×", "lower", "7", "`--only x`"]


def test_decibels_are_compared_by_difference() -> None:
    gained = Row("gain", "dB", 6.2, "RNNoise", -0.5, higher_is_better=True)
    assert cells(gained)[1:6] == ["6.20 dB", "RNNoise", "-0.50 dB", "+6.70 dB", "higher"]


def test_what_was_not_run_says_why_and_shows_no_figure() -> None:
    assert cells(NOT_HERE)[1:5] == ["not run: needs the data", "scikit-learn 1", "not run: needs the data", ""]


def test_a_figure_without_a_peer_is_not_compared() -> None:
    assert cells(Row("edit", "ms", 80, "none", None))[1:5] == ["80.0 ms", "none", "", ""]


@pytest.mark.parametrize(
    ("value", "text"), [(1234.5, "1234"), (12.34, "12.3"), (1, "1.00"), (0.0123, "0.012"), (0, "0.00")]
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert table.number(value) == text


def test_a_bar_in_a_name_does_not_break_the_table() -> None:
    assert len(cells(Row("a|b", "s", 1, "c", 1))) == len(table.COLUMNS)


def test_the_median_is_taken_of_runs_that_take_turns() -> None:
    order = []
    timing.medians({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, 2, warm_up=False)
    assert order == ["a", "b", "b", "a"]


def test_every_module_is_in_the_table_or_said_not_to_be() -> None:
    named = {b.name for b in BENCHMARKS} | set(catalogue.NOT_IN_THE_TABLE) | set(catalogue.PARTS)
    assert named == {file.stem for file in FOLDER.glob("*.py")}


@pytest.mark.parametrize("benchmark", BENCHMARKS, ids=lambda b: b.name)
def test_every_benchmark_gives_rows(benchmark: Benchmark) -> None:
    assert callable(import_module(f"benchmarks.{benchmark.name}").rows)


def test_rows_that_need_data_say_so_without_it() -> None:
    (row,) = import_module("benchmarks.emotion").rows(Options())
    assert row.ours is None and "--goemotions" in row.missing


@pytest.mark.parametrize("benchmark", BENCHMARKS, ids=lambda b: b.name)
def test_the_document_has_rows_of_every_benchmark(benchmark: Benchmark) -> None:
    assert f"| `{benchmark.command}` |" in DOCUMENT.read_text(encoding="utf-8")


def test_the_document_names_no_benchmark_that_is_gone() -> None:
    lines = DOCUMENT.read_text(encoding="utf-8").splitlines()
    commands = {line.strip("| ").split("|")[-1].strip(" `") for line in lines if "`--only" in line}
    assert commands == {b.command for b in BENCHMARKS}


def test_the_head_says_where_without_naming_the_machine() -> None:
    head = "\n".join(machine.head())
    assert "cores" in head and "Python 3.11" in head and "FFmpeg" in head
    assert str(Path.home()) not in head and str(machine.ROOT) not in head


class Broken(Benchmark):
    """Fails in its process."""

    def measure(self, options: Options) -> tuple[Row, ...]:
        raise ValueError("/a/path/of/this/machine")


class Works(Benchmark):
    """Gives one row."""

    def measure(self, options: Options) -> tuple[Row, ...]:
        return (FASTER,)


@pytest.fixture
def two_benchmarks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One that fails before one that works."""
    monkeypatch.setattr(command, "BENCHMARKS", (Broken("broken"), Works("works")))
    yield


@pytest.mark.usefixtures("two_benchmarks")
def test_one_that_fails_leaves_the_others_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "figures.md"
    assert command.main(["--out", str(out)]) == 1
    text = out.read_text(encoding="utf-8")
    assert "| remux | 0.25 s |" in text and "it failed (ValueError)" in text
    assert "/a/path" not in text
    assert "/a/path" in capsys.readouterr().err


@pytest.mark.usefixtures("two_benchmarks")
def test_one_alone_is_printed_and_no_file_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "OUT", tmp_path / "benchmarks.md")
    assert command.main(["--only", "works"]) == 0
    assert "| remux | 0.25 s |" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())
