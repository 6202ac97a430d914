"""``/metrics`` for Prometheus: numbers only, nothing of any user's."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bgm import __version__
from bgm.studio import STAGES
from bgm.ui.jobs import ENDS, QUEUES, Job, Jobs
from bgm.ui.steps import STEPS

SECONDS = (0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000, 10_000)


class Metrics:
    """An observer of one page's jobs, with a registry of its own. Labels take a handful of values each."""

    def __init__(self, jobs: Jobs, projects: Path) -> None:
        self.registry = registry = CollectorRegistry()
        self._queued = Counter("bgm_jobs_queued", "Jobs that were queued", ["kind"], registry=registry)
        self._ended = Counter("bgm_jobs_ended", "Jobs that ended", ["kind", "outcome"], registry=registry)
        self._waited = _histogram(registry, "bgm_job_wait_seconds", "From queued to started", "queue")
        self._ran = _histogram(registry, "bgm_job_seconds", "From started to ended, however it ended", "kind")
        self._stages = _histogram(registry, "bgm_stage_seconds", "A stage of a job, however the job ended", "stage")
        self._add_gauges(jobs, projects)
        Info("bgm_build", "What runs here", registry=registry).info({"version": __version__})
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=registry)
        for queue in QUEUES:  # what is there from the start can be told from what has not happened, and a rate is
            self._waited.labels(queue)  # taken of the first one too
        for kind in STEPS:
            self._queued.labels(kind)
            self._ran.labels(kind)
            for outcome in ENDS:
                self._ended.labels(kind, outcome)
        for stage in STAGES:
            self._stages.labels(stage)

    def queued(self, job: Job) -> None:
        self._queued.labels(job.kind).inc()

    def started(self, job: Job) -> None:
        self._waited.labels(job.queue).observe(job.waited)

    def ended(self, job: Job, result: object, error: BaseException | None) -> None:
        self._ended.labels(job.kind, job.state).inc()
        if job.ran:
            self._ran.labels(job.kind).observe(job.ran)
        for stage, seconds in job.seconds.items():
            self._stages.labels(stage).observe(seconds)

    def route(self) -> Route:
        """Where they are asked for."""

        def answer(request: Request) -> Response:
            return Response(generate_latest(self.registry), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})

        return Route("/metrics", answer)

    def _add_gauges(self, jobs: Jobs, projects: Path) -> None:
        running = Gauge("bgm_jobs_running", "Jobs at work now", ["queue"], registry=self.registry)
        waiting = Gauge("bgm_jobs_waiting", "Jobs in line now", ["queue"], registry=self.registry)
        for queue in QUEUES:
            running.labels(queue).set_function(partial(jobs.count, "running", queue))
            waiting.labels(queue).set_function(partial(jobs.count, "waiting", queue))
        on_disk = Gauge("bgm_projects", "Projects on disk now", registry=self.registry)
        on_disk.set_function(lambda: sum(1 for _ in projects.iterdir()) if projects.is_dir() else 0)


def _histogram(registry: CollectorRegistry, name: str, meaning: str, label: str) -> Histogram:
    return Histogram(name, meaning, [label], registry=registry, buckets=SECONDS)
