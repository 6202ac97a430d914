"""The painter as an ASGI application, served by ``python -m bgm.painter`` or any ASGI server.

POST /ready loads the model, POST /paint paints. Both stream lines of JSON, ``{"done": 0.4, "note": "…"}``, at least one
per second, and end with ``{"notes": […]}``, the picture, or ``{"error": "one sentence"}``. Closing the connection
cancels the job. Jobs run one at a time, first come, first served. The operator chooses the model: no client can make
the painter download or open another.
"""

from __future__ import annotations

import hmac
import json
import logging
import queue
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from bgm.errors import BadInput, BgmError, Cancelled
from bgm.music.riffusion import model, painting
from bgm.music.riffusion.model import DEFAULT_LORA, ModelKey
from bgm.painter import wire
from bgm.progress import Progress

MOST_INSIDE = 32
HEARTBEAT_S = 1.0
UNEXPECTED = "something went wrong in the painter; its log has the reason"
METRIC_SECONDS = (0.3, 1, 3, 10, 30, 100, 300, 1000)
ENDS = ("done", "stopped", "failed")
Work = Callable[[Progress], bytes]

log = logging.getLogger("bgm")


class Server:
    """``key`` is the model that it serves; ``token`` the bearer token of clients, None in a trusted network."""

    def __init__(self, key: ModelKey, token: str | None = None) -> None:
        self._key, self._token = key, token
        self._inside = 0
        self._line = Line()
        self._metrics = Metrics(self._line.length)

    def app(self) -> Starlette:
        """The application."""
        return Starlette(
            routes=[
                Route("/healthz", self._healthz),
                Route("/metrics", self._metrics.answer),
                Route("/ready", self._ready, methods=["POST"]),
                Route("/paint", self._paint, methods=["POST"]),
            ]
        )

    def _healthz(self, request: Request) -> Response:
        return JSONResponse({"status": "ok", "jobs": self._line.length()}, headers={"Cache-Control": "no-store"})

    async def _ready(self, request: Request) -> Response:
        return await self._answered(request, self._loading)

    async def _paint(self, request: Request) -> Response:
        return await self._answered(request, self._painting)

    def _loading(self, body: bytes) -> Work:
        key = self._allowed(wire.unpack_key(body))
        return lambda progress: _line(notes=model.shared(key, progress).notes)

    def _painting(self, body: bytes) -> Work:
        job = wire.unpack_job(body)
        job = replace(job, key=self._allowed(job.key))

        def work(progress: Progress) -> bytes:
            with self._line.turn(progress), self._metrics.painting():
                return wire.pack_picture(painting.here(job, progress))

        return work

    async def _answered(self, request: Request, understood: Callable[[bytes], Work]) -> Response:
        refused = self._refused(request)
        if refused:
            return refused
        try:
            work = understood(await request.body())
        except BgmError as error:
            return _problem(str(error), 400)
        return StreamingResponse(self._lines(work), media_type="application/octet-stream")

    async def _lines(self, work: Work) -> AsyncIterator[bytes]:
        from anyio import to_thread

        call = Call(work)
        self._inside += 1
        try:
            # The work has a thread of its own (Call): torch would block the event loop, and with it the health check
            # and everybody's heartbeats. Starlette closes this generator when the client leaves.
            while (said := await to_thread.run_sync(call.next)) is not None:
                yield said
        finally:  # finished, or the client disconnected
            self._inside -= 1
            call.left.set()

    def _refused(self, request: Request) -> Response | None:
        given = request.headers.get("authorization", "")
        # compare_digest takes the same time wherever the first difference is.
        if self._token and not hmac.compare_digest(given.encode(), f"Bearer {self._token}".encode()):
            return _problem("it asks for a token: set BGM_PAINTER_TOKEN to the painter's", 401)
        if self._inside >= MOST_INSIDE:
            return _problem("too many are waiting for it; try again in a few minutes", 503)
        length = request.headers.get("content-length", "")
        # Refused before it is read; without a length (chunked) too, as nothing else bounds what body() would hold.
        if not length.isdecimal() or int(length) > wire.MOST_BYTES:
            return _problem("the job is too large, or its size isn't told", 413)
        return None

    def _allowed(self, wanted: ModelKey) -> ModelKey:
        """The painter's own model, if the client asks for it or leaves the choice open. Raises BadInput otherwise."""
        if wanted.source not in (None, self._key.source):
            raise BadInput(f"it has another model than {wanted.source}")
        if wanted.lora.source not in (None, DEFAULT_LORA, self._key.lora.source):
            raise BadInput(f"it has another LoRA than {wanted.lora.source}")
        if wanted.lora.source is None:
            return replace(self._key, lora=replace(self._key.lora, source=None))
        if wanted.lora.source == self._key.lora.source:
            return replace(self._key, lora=wanted.lora)
        return self._key


class Line:
    """The queue: first come, first served."""

    def __init__(self) -> None:
        self._waiting: list[object] = []
        self._changed = threading.Condition()

    def length(self) -> int:
        """Jobs in the queue, including the one at work."""
        return len(self._waiting)

    @contextmanager
    def turn(self, progress: Progress) -> Iterator[None]:
        """Wait for the GPU, reporting the position in the queue; ``progress`` may raise to leave it."""
        ticket = object()
        with self._changed:
            self._waiting.append(ticket)
        try:
            # In slices of a heartbeat: progress raises when the client has left, and its place in the line is given up.
            while before := self._before(ticket):
                progress(0.0, f"waiting for the GPU, {before} before this")
                self._wait(ticket)
            yield
        finally:
            with self._changed:
                self._waiting.remove(ticket)
                self._changed.notify_all()

    def _before(self, ticket: object) -> int:
        with self._changed:
            return self._waiting.index(ticket)

    def _wait(self, ticket: object) -> None:
        with self._changed:
            if self._waiting[0] is not ticket:
                self._changed.wait(HEARTBEAT_S)


class Call:
    """One request's work in its own thread. :meth:`next` returns its output line by line, then None."""

    def __init__(self, work: Work) -> None:
        self.left = threading.Event()
        """The client disconnected: the work stops at its next step."""
        self._said: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        threading.Thread(target=self._run, args=(work,), name="painter", daemon=True).start()

    def next(self) -> bytes | None:
        """The next line, or an empty one as a heartbeat."""
        try:
            return self._said.get(timeout=HEARTBEAT_S)
        except queue.Empty:
            return _line()

    def _progress(self, fraction: float, note: str = "") -> None:
        if self.left.is_set():
            raise Cancelled("the caller hung up")
        self._said.put(_line(done=fraction, note=note))

    def _run(self, work: Work) -> None:
        started = time.monotonic()
        try:
            self._said.put(work(self._progress))
            log.info("painter: done in %.1f s", time.monotonic() - started)
        except Cancelled:
            log.info("painter: stopped after %.1f s", time.monotonic() - started)
        except BgmError as error:
            log.info("painter: failed: %s", error)
            self._said.put(_line(error=str(error)))
        except Exception:
            log.exception("painter: failed")
            self._said.put(_line(error=UNEXPECTED))
        finally:
            self._said.put(None)


class Metrics:
    """Prometheus metrics. ``jobs`` returns the number of jobs waiting or at work."""

    def __init__(self, jobs: Callable[[], int]) -> None:
        self.registry = registry = CollectorRegistry()
        self._ended = Counter("bgm_painter_jobs_ended", "Paint jobs that ended", ["outcome"], registry=registry)
        for end in ENDS:
            self._ended.labels(end)
        self._seconds = Histogram(
            "bgm_painter_job_seconds", "The GPU's time of a job", registry=registry, buckets=METRIC_SECONDS
        )
        Gauge("bgm_painter_jobs", "Paint jobs waiting or at work now", registry=registry).set_function(jobs)
        ProcessCollector(registry=registry)

    @contextmanager
    def painting(self) -> Iterator[None]:
        """Time a job on the GPU and count its outcome."""
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


def _problem(sentence: str, status: int) -> Response:
    return JSONResponse({"error": sentence}, status)


def _line(**values: Any) -> bytes:
    return json.dumps(values).encode() + b"\n"
