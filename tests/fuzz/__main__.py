"""Mutate real files and see whether anything breaks: ``python -m tests.fuzz --cases 1000 --seed 7``.

Exits with 1 when something did; the mutated files of findings stay in the folder that is named.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.fuzz import pool, samples


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    folder = Path(tempfile.mkdtemp(prefix="bgm-fuzz-"))
    started = time.monotonic()
    made = samples.make(folder / "samples")
    chosen = [s for s in made if options.only is None or options.only in s.name]
    todo = list(pool.cases(chosen, options.seed, options.cases))
    todo = [case for case in todo if options.case is None or case.number == options.case]
    (folder / "work").mkdir()
    findings = []
    verdicts: Counter[tuple[str, str]] = Counter()
    bench = pool.Bench(folder / "work", folder / "samples" / "bed.flac", options.workers)
    for outcome in pool.run(todo, bench):
        verdicts[outcome.case.sample.name, outcome.verdict] += 1
        if outcome.finding:
            findings.append(outcome.finding)
            _show(outcome.finding)
    for (name, verdict), count in sorted(verdicts.items()):
        print(f"{name:28} {verdict:8} {count:5}")
    print(f"{len(todo)} cases, seed {options.seed}, {time.monotonic() - started:.0f} s, {len(findings)} findings")
    for kind, count in Counter(f.kind for f in findings).most_common():
        print(f"  {count:4} {kind}")
    if findings:
        print(f"the mutated files are in {folder / 'work'}")
    return 1 if findings else 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--only", help="samples whose name has this in it, such as media or talk.srt")
    parser.add_argument("--case", type=int, help="only this case of the run: to see a finding again")
    return parser.parse_args(arguments)


def _show(finding: pool.Finding) -> None:
    case = finding.case
    print(f"--- case {case.number}, {case.sample.name}: {finding.kind} ({finding.kept})", flush=True)
    print(finding.detail.strip()[-2500:], flush=True)


if __name__ == "__main__":
    sys.exit(main())
