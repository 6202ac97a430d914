"""Run a batch, sequentially in this process or on a Ray cluster, with progress and a report."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict

from bgm.batch import storage
from bgm.batch.cluster import LOCAL, NEEDS_RAY, Cluster, why_no_ray
from bgm.batch.cluster import outcomes as on_cluster
from bgm.batch.units import Outcome, Plan, Status, Unit, make, plan
from bgm.errors import Cancelled
from bgm.progress import Listener, Remaining, Step
from bgm.settings import Settings

REPORT = "batch.jsonl"
"""In the output folder: one line of JSON per finished unit."""
REPORT_EVERY_S = 10.0
STATUSES: tuple[Status, ...] = ("made", "already there", "failed", "stopped")

log = logging.getLogger("bgm")


def run(source: str, out: str, settings: Settings, listen: Listener, cluster: Cluster | None) -> list[Outcome]:
    """All videos of ``source`` (see :func:`bgm.batch.units.plan`) into ``out``; ``cluster`` None is a plain loop.

    The report is written before a stop (Ctrl-C, Cancelled) is re-raised. Raises BadInput if no unit can be started.
    """
    source, out = storage.plain(source), storage.plain(out)
    planned = plan(source, out)
    storage.check_writable(out)
    for note in planned.notes:
        log.warning("%s", note)
    report = storage.join(out, REPORT)
    storage.sweep(report)
    return _Batch(planned, report, listen).do(settings, cluster)


class _Batch:
    """The state of one batch: finished and running units, progress, report."""

    def __init__(self, planned: Plan, report: str, listen: Listener) -> None:
        self._units, self._report, self._listen = planned.units, report, listen
        self._sizes = {unit.name: max(1, storage.size(unit.video)) for unit in planned.units}
        self._open: dict[str, float] = {}
        self._ended: dict[str, Outcome] = {}
        self._remaining, self._written = Remaining(), 0.0

    def do(self, settings: Settings, cluster: Cluster | None) -> list[Outcome]:
        # Longest first, so that none is left running alone at the end.
        units = sorted(self._units, key=lambda unit: -self._sizes[unit.name])
        try:
            for outcome in _outcomes(units, settings, self.heard, cluster):
                self._end(outcome)
        except (KeyboardInterrupt, Cancelled):
            for unit in units:
                # Noted for all that did not end, so that the report has a line for every video.
                self._ended.setdefault(unit.name, Outcome(unit.name, "stopped"))
            log.warning("%s", table(self.outcomes()))
            raise
        finally:
            if self._ended:  # where nothing could begin, an earlier run's report stays
                self._write()
        return self.outcomes()

    def outcomes(self) -> list[Outcome]:
        """Of the finished units, in the order in which the videos were given."""
        return [self._ended[unit.name] for unit in self._units if unit.name in self._ended]

    def heard(self, step: Step) -> None:
        """Progress of one unit. A worker's last step may arrive after its outcome."""
        if step.of not in self._ended:
            self._open[step.of] = step.overall
            self._listen(step)
            self._tell()

    def _end(self, outcome: Outcome) -> None:
        self._open.pop(outcome.name, None)
        self._ended[outcome.name] = outcome
        self._listen(Step(outcome.status, 1.0, 1.0, None, outcome.why, of=outcome.name))
        self._tell()
        if time.monotonic() - self._written > REPORT_EVERY_S:
            self._write()

    def _tell(self) -> None:
        """Progress of the whole, units weighted by file size; units that were already there don't count, for they say
        nothing about speed.
        """
        # The estimate is by bytes of video, the only cost that is known before any work.
        there = sum(self._sizes[n] for n, o in self._ended.items() if o.status == "already there")
        done = sum(self._sizes[name] for name in self._ended) - there
        done_in_part = sum(self._sizes[name] * overall for name, overall in self._open.items())
        total = sum(self._sizes.values()) - there
        overall = (done + done_in_part) / total if total else 1.0
        failed = sum(outcome.status == "failed" for outcome in self._ended.values())
        note = f"{len(self._ended)} of {len(self._units)} videos" + (f", {failed} failed" if failed else "")
        self._listen(Step("batch", overall, overall, self._remaining(overall), note))

    def _write(self) -> None:
        lines = [json.dumps(asdict(outcome), ensure_ascii=False) + "\n" for outcome in self.outcomes()]
        storage.write(self._report, "".join(lines))
        self._written = time.monotonic()


def _outcomes(
    units: Sequence[Unit], settings: Settings, listen: Listener, cluster: Cluster | None
) -> Iterator[Outcome]:
    # "local" asks for speed, not for Ray: the same files come out of a plain loop.
    if cluster and cluster.address == LOCAL and why_no_ray():
        log.warning("Ray is not installed (%s): one video at a time", NEEDS_RAY)
        cluster = None
    if cluster:
        yield from on_cluster(units, settings, listen, cluster)
    else:
        for unit in units:
            yield make(unit, settings, listen)


def table(outcomes: Iterable[Outcome]) -> str:
    """One line per unit, failures last, and the totals."""
    rows = sorted(outcomes, key=lambda outcome: (outcome.status == "failed", outcome.name))
    width = max([len(row.name) for row in rows], default=0)
    lines = [f"{'video':<{width}}  {'':13}  {'seconds':>7}  {'LUFS':>6}"]
    for row in rows:
        lufs = f"{row.lufs:6.1f}" if row.lufs is not None else f"{'–':>6}"
        lines.append(f"{row.name:<{width}}  {row.status:13}  {row.seconds:7.1f}  {lufs}  {row.why}".rstrip())
    counts = {status: sum(row.status == status for row in rows) for status in STATUSES}
    told = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    return "\n".join([*lines, f"{len(rows)} videos: {told}"])
