"""Painters on a Ray cluster: one actor per GPU with the model loaded once, and the client that CPU workers use."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from bgm.engines import EngineOptions, Stage, specs
from bgm.errors import BgmError, EngineUnavailable
from bgm.music.riffusion import model, painting
from bgm.music.riffusion.model import ModelKey
from bgm.music.riffusion.painting import PaintJob
from bgm.music.riffusion.spectrogram import Pixels
from bgm.painter.server import Line
from bgm.progress import Progress, silent
from bgm.settings import Settings

Result = TypeVar("Result")

INSIDE = 8
"""Concurrent calls per actor: one job at work, the others in its queue."""
TRIES, ASKED = 5, 4
ANSWER_S, START_S = 5.0, 180.0
NO_ANSWER = "the painter was lost: another is asked"

log = logging.getLogger("bgm")


class Painter:
    """The actor on a GPU node. Jobs run one at a time, first come, first served."""

    def __init__(self) -> None:
        self._line = Line()

    def missing(self, key: ModelKey) -> str | None:
        """Why it can't paint on this node, or None."""
        return model.why_missing(key)

    def jobs(self) -> int:
        """Jobs waiting or at work."""
        return self._line.length()

    def ready(self, key: ModelKey) -> tuple[str, ...]:
        return model.shared(key, silent).notes

    def paint(self, job: PaintJob) -> Iterator[Any]:
        """Yields fractions of progress, then the picture."""
        with self._line.turn(silent):
            yield from painting.painted(job)


class Painters:
    """The driver's pool: one actor per GPU of the cluster, or none if the music engine needs none."""

    def __init__(self, settings: Settings) -> None:
        self.actors: list[Any] = []
        name, _, model = settings.music.partition(":")
        options = EngineOptions(
            model=model or None, offline=settings.offline, device=settings.device, lora=settings.lora
        )
        self._engine = _painting_engine(name)
        self._key = ModelKey.of(options) if self._engine else None
        self._named = name == self._engine

    def grow(self, gpus: int) -> None:
        """Start an actor on each new GPU. If they can't paint, ``auto`` goes on without; a named engine raises
        EngineUnavailable.
        """
        import ray

        if self._key is None or gpus <= len(self.actors):
            return
        # When a node dies its actor restarts on another GPU, provided that one is free.
        actor = ray.remote(num_gpus=1, num_cpus=0, max_restarts=-1, max_concurrency=INSIDE)(Painter)
        came = [actor.remote() for _ in range(gpus - len(self.actors))]
        # One is asked for all: the GPUs of a cluster have the same packages and weights; where one has not, its jobs
        # fail with the reason.
        if not self.actors:
            missing = _missing(came[0], self._key)
            if missing and self._named:
                raise EngineUnavailable(f"music: {self._engine} can't run on the cluster's GPUs: {missing}")
            if missing:
                log.warning("the cluster's GPUs are not used: %s: %s", self._engine, missing)
                self._key = None
                return
        self.actors = [*self.actors, *came]


def _painting_engine(name: str) -> str | None:
    """The engine of that name if painters can work for it; for ``auto`` the first they can work for."""
    return next((e.name for e in specs(Stage.MUSIC) if name in ("auto", e.name) and e.load_class().paints), None)


def _missing(painter: Any, key: ModelKey) -> str | None:
    import ray

    try:
        reason: str | None = ray.get(painter.missing.remote(key), timeout=START_S)
    except (ray.exceptions.RayError, TimeoutError) as error:
        return f"no painter started ({type(error).__name__})"
    return reason


class RemotePainter(painting.Painter):
    """A worker's client: picks the least busy of a few painters and retries on another if that one dies.

    Which painter is used doesn't change a single bit of the result.
    """

    def __init__(self, painters: Sequence[Any]) -> None:
        self._painters = list(painters)

    def ready(self, key: ModelKey, progress: Progress) -> tuple[str, ...]:
        import ray

        def asked() -> tuple[str, ...]:
            answer = self._chosen(progress).ready.remote(key)
            while not ray.wait([answer], timeout=1.0)[0]:
                progress(0.0, "waiting for the painter")
            notes: tuple[str, ...] = ray.get(answer)
            return notes

        return _patiently(asked, progress)

    def paint(self, job: PaintJob, progress: Progress) -> Pixels:
        return _patiently(lambda: self._painted(job, progress), progress)

    def _painted(self, job: PaintJob, progress: Progress) -> Pixels:
        import ray

        stream = self._chosen(progress).paint.remote(job)
        try:
            for item in stream:
                result = ray.get(item)
                if not isinstance(result, float):
                    picture: Pixels = result
                    return picture
                progress(result, "painting the music")
        except (ray.exceptions.RayError, StopIteration):
            raise
        except BaseException:
            ray.cancel(stream)  # Ray keeps running a generator whose stream was dropped
            raise
        raise BgmError("the painter ended before the music was painted")

    def _chosen(self, progress: Progress) -> Any:
        """Only one that answers: a dead actor without a GPU to restart on never will."""
        import ray

        for _ in range(TRIES):
            # The best of a few at random comes close to the best of all (Mitzenmacher 2001, "the power of two
            # choices"), and no worker has to hear from every GPU of a large cluster.
            asked = {p.jobs.remote(): p for p in random.sample(self._painters, min(ASKED, len(self._painters)))}
            answered, _late = ray.wait(list(asked), num_returns=len(asked), timeout=ANSWER_S)
            loads = [(load, asked[ref]) for ref in answered if (load := _load(ref)) is not None]
            if loads:
                return min(loads, key=lambda one: one[0])[1]
            progress(0.0, NO_ANSWER)
        raise BgmError("none of the cluster's painters answers; run it again when a GPU is back")


def _load(ref: Any) -> int | None:
    import ray

    try:
        load: int = ray.get(ref)
    except ray.exceptions.RayError:
        return None
    return load


def _patiently(work: Callable[[], Result], progress: Progress) -> Result:
    import ray

    for attempt in range(TRIES):
        try:
            return work()
        except ray.exceptions.RayTaskError as error:  # the painter is alive: the job itself failed
            raise error.cause if isinstance(error.cause, BgmError) else error from error
        except ray.exceptions.RayError:
            progress(0.0, NO_ANSWER)
            # Longer each time: Ray needs seconds to restart an actor on another node.
            time.sleep(1.0 + attempt)
    raise BgmError(f"the cluster's painters were lost {TRIES} times; run it again when a GPU is back")
