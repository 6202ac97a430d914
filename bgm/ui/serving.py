"""The server as its operator sees it: it starts, answers /healthz and /metrics, and ends in time when asked to."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import threading
import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

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
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bgm import __version__
from bgm.files import DISK_FULL, drop_open_parts
from bgm.log import fields
from bgm.studio import STAGES
from bgm.ui.jobs import ENDS, QUEUES, Job, Jobs
from bgm.ui.steps import STEPS

if TYPE_CHECKING:  # the page has the address of the health check
    from bgm.ui.page import Page

STOP_WITHIN_S = 6.0
"""Docker kills what has not ended ten seconds after it was asked to; a native call hears nothing until it returns."""
FREE_BYTES = 100 * 2**20
"""With less room than this not even a short video's project fits."""
METRIC_SECONDS = (0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000, 10_000)
"""Upper bounds of the histograms' buckets: from a preview of a short video to hours on a CPU."""
log = logging.getLogger("bgm")


def serve(page: Page, **options: Any) -> None:
    """Launch the page and end the process when SIGTERM or Ctrl-C comes. In the main thread only."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        page.launch(prevent_thread_lock=True, **options)
        if page.service.workspace.environment.warm_up:
            prepare_when_visited(page)
        log.info("serving", extra=fields(version=__version__))
        # Python handles a signal between two bytecodes of the main thread, so this thread stays in Python and never in
        # a long native call.
        while True:
            time.sleep(0.2)
    except KeyboardInterrupt:
        _end(page)


def prepare_when_visited(page: Page) -> threading.Thread:
    """Unpack the sample and load the engines in the background once somebody has the page open: a server that nobody
    visits costs nothing, and whoever has just come doesn't wait for it yet. What users ask for comes before it."""

    def work() -> None:
        page.visited.wait()
        jobs = page.service.jobs
        page.sample.prepare(page.service.settings, lambda: jobs.count("running") + jobs.count("waiting") > 0)

    thread = threading.Thread(target=work, name="bgm-prepare", daemon=True)
    thread.start()
    return thread


def _end(page: Page) -> None:
    """Stop the jobs, whose stages end their own children, and leave: running a stopped job again resumes it.

    Python's own way out would wait for the streams of open tabs (5 s) and then collect what torch left (3 s).
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)  # who asks twice doesn't want to wait
    log.info("ending")
    page.service.jobs.close()
    in_time = page.service.jobs.wait(STOP_WITHIN_S)
    # The last moment: after os._exit no finally block runs.
    drop_open_parts()
    log.info("ended" if in_time else "ended in the middle of a job that did not stop in time")
    logging.shutdown()
    os._exit(0)


def health(jobs: Jobs, folder: Path) -> Route:
    """``/healthz``: whether this process can take another video. Open to all: it is mostly machines that ask.

    ``folder`` is where the projects are. 200, or 503 whose ``status`` says why: ending, stuck, full, unwritable.
    """

    def answer(request: Request) -> Response:
        trouble = jobs.trouble() or disk_trouble(folder)
        counts = {"running": jobs.count("running"), "waiting": jobs.count("waiting")}
        document = {"status": trouble or "ok", "version": __version__, "jobs": counts}
        return JSONResponse(document, 503 if trouble else 200, {"Cache-Control": "no-store"})

    return Route("/healthz", answer)


def disk_trouble(folder: Path) -> str | None:
    """``unwritable`` or ``full``; found by writing, as permissions say nothing of a disk that is mounted read-only."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Without a name, and gone when closed: a probe every few seconds leaves nothing behind.
        with TemporaryFile(dir=folder) as file:
            file.write(b"0")
        return "full" if shutil.disk_usage(folder).free < FREE_BYTES else None
    except OSError as error:
        return "full" if error.errno in DISK_FULL else "unwritable"


class Metrics:
    """``/metrics`` for Prometheus: an observer of one page's jobs, with a registry of its own.

    Numbers only, nothing of any user's: labels take a handful of values each.
    """

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
    return Histogram(name, meaning, [label], registry=registry, buckets=METRIC_SECONDS)
