"""What the painter tells Prometheus: numbers only."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.requests import Request
from starlette.responses import Response

from bgm.errors import Cancelled

SECONDS = (0.3, 1, 3, 10, 30, 100, 300, 1000)
ENDS = ("done", "stopped", "failed")


class Metrics:
    """``jobs`` counts those inside; the one at work among them."""

    def __init__(self, jobs: Callable[[], int]) -> None:
        self.registry = registry = CollectorRegistry()
        self._ended = Counter("bgm_painter_jobs_ended", "Paint jobs that ended", ["outcome"], registry=registry)
        for end in ENDS:
            self._ended.labels(end)
        self._seconds = Histogram(
            "bgm_painter_job_seconds", "The GPU's time of a job", registry=registry, buckets=SECONDS
        )
        Gauge("bgm_painter_jobs", "Paint jobs waiting or at work now", registry=registry).set_function(jobs)
        ProcessCollector(registry=registry)

    @contextmanager
    def painting(self) -> Iterator[None]:
        """The GPU works for a job."""
        started, outcome = time.monotonic(), "failed"
        try:
            yield
            outcome = "done"
        except Cancelled:
            outcome = "stopped"
            raise
        finally:
            self._ended.labels(outcome).inc()
            self._seconds.observe(time.monotonic() - started)

    def answer(self, request: Request) -> Response:
        """GET /metrics."""
        return Response(generate_latest(self.registry), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})
