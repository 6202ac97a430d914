"""Every side-by-side figure that needs no GPU, as one Markdown table: ``python -m benchmarks``.

It takes less than ten minutes on two idle cores. Each benchmark runs in a process of its own, one after the other; one
that fails leaves a sentence in the table, and the exit status is 1. ``--only NAME`` prints the rows of one.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from benchmarks import machine, table
from benchmarks.catalogue import BENCHMARKS, Benchmark
from benchmarks.peers import Options
from benchmarks.table import Result
from bgm.files import write_text

OUT = machine.ROOT / "docs" / "benchmarks.md"


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, write, and say how long each took; 1 where one failed."""
    asked = _arguments(argv)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as bgm.__main__ does, for ours and for peers
    options = Options(asked.goemotions, asked.riffusion_hobby, asked.torchaudio, asked.full)
    head = [*machine.head(), *READING]
    results = [run(benchmark, options) for benchmark in BENCHMARKS if asked.only in (None, benchmark.name)]
    text = table.page(head, results)
    out = asked.out or (None if asked.only else OUT)
    if out:
        write_text(out, text)
    else:
        print(text)
    return int(any(result.failed for result in results))


READING = (
    "- Times are medians of the runs named in their row, ours and the peer's taking turns; where a figure isn't a time,"
    " *runs* counts the inputs. Decibels and shares (points of 100) are compared by difference, the rest by ratio.",
    f"- *{table.LIMIT}*: no other program does this job; the figure stands beside what this project asks of itself.",
    "- A row again: `python -m benchmarks` and the words in its last column; all of them: `python -m benchmarks`.",
)


def run(benchmark: Benchmark, options: Options) -> Result:
    """Measure in a fresh process, where no other benchmark has set threads or filled caches."""
    print(f"{benchmark.name} …", file=sys.stderr, flush=True)
    started, failed = time.perf_counter(), False
    try:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
            rows = process.submit(benchmark.measure, options).result()
    except (Exception, SystemExit) as error:
        traceback.print_exception(error)
        why = f"it failed ({type(error).__name__}); the command says more"
        rows, failed = (table.not_run(f"{benchmark.name}: all of it", "", why),), True
    seconds = time.perf_counter() - started
    print(f"{benchmark.name}: {len(rows)} rows in {seconds:.0f} s", file=sys.stderr, flush=True)
    return Result(benchmark.name, rows, seconds, benchmark.command, failed)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=[b.name for b in BENCHMARKS], metavar="NAME", help="print one's rows")
    parser.add_argument("--out", type=Path, metavar="FILE", help="default docs/benchmarks.md")
    parser.add_argument("--full", action="store_true", help="10 and 60 minutes of video too (half an hour more)")
    parser.add_argument("--goemotions", type=Path, metavar="DIR", help="GoEmotions in its Ekman grouping")
    parser.add_argument("--riffusion-hobby", type=Path, metavar="DIR", help="a checkout of riffusion/riffusion-hobby")
    parser.add_argument(
        "--torchaudio", type=Path, metavar="DIR", help="torchaudio 2.0.2, see benchmarks/spectrogram.py"
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
