"""Units on a Ray cluster: one task per video, one painter actor per GPU (:mod:`bgm.batch.painters`).

Ray schedules the tasks and retries those whose worker or node died; units are idempotent (:mod:`bgm.batch.units`), so a
retry is harmless. Only names, settings, progress and spectrograms cross the network; videos stay on shared storage.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bgm.batch.painters import Painters, RemotePainter
from bgm.batch.storage import first_line
from bgm.batch.units import THREADS, Outcome, Unit, make
from bgm.errors import BadInput, Cancelled
from bgm.music.riffusion import painting
from bgm.progress import Listener, Step
from bgm.settings import Settings

LOCAL, AUTO = "local", "auto"
NEEDS_RAY = "pip install -r requirements-cluster.txt"
NEEDS_STUDIO = "install the same version on each, where Python finds it (PYTHONPATH)"
RETRIES = 3
"""How often a unit is retried when its worker or node died; beyond that the video itself may be the cause."""
AHEAD, LEAST_AHEAD = 2, 4
"""Tasks submitted per slot: enough to keep every slot busy and to show an autoscaler the demand, few enough to stop
quickly."""
TELL_EVERY_S, HEAR_EVERY_S, LOOK_EVERY_S = 0.5, 0.5, 10.0
REACH_S, SPEAK_S = 5.0, 15.0
TOKEN = "; if it asks for a token, set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN"
"""Ray 2.60 sends no token to an explicit address, even if one is configured, unless the mode is set."""
ROOM_WAIT_S = 600.0
"""How long an autoscaler may take to start a node that is large enough."""
STOP_S = 1.0

log = logging.getLogger("bgm")


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where units run, and the resources that each one requests."""

    address: str
    """``local``, ``auto``, ``HOST:PORT`` or ``ray://HOST:10001``."""
    cpus: float = 1.0
    gib: float = 2.0

    def __post_init__(self) -> None:
        if not (0 < self.cpus <= 1024 and 0 < self.gib <= 65536):
            raise BadInput("a video claims more than 0 processors (--cpus) and more than 0 GiB (--gib)")

    @property
    def memory(self) -> int:
        """Bytes."""
        return int(self.gib * 2**30)


def why_no_ray() -> str | None:
    """Why no cluster can be used here, or None."""
    return None if find_spec("ray") else f"a cluster needs Ray: {NEEDS_RAY}"


def outcomes(units: Sequence[Unit], settings: Settings, listen: Listener, cluster: Cluster) -> Iterator[Outcome]:
    """Outcomes as units end; units start in the order given. Raises BadInput without Ray, a cluster, or room in it."""
    missing = why_no_ray()
    if missing:
        raise BadInput(missing)
    _check_reachable(_found_head() if cluster.address == AUTO else cluster.address)
    with _connected(cluster):
        yield from _Driver(units, settings, listen, cluster).run()


@contextmanager
def _connected(cluster: Cluster) -> Iterator[None]:
    """Connected to a running cluster, or to a temporary one on this machine, which is shut down at the end."""
    import ray

    if ray.is_initialized():
        yield
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_task_oom_retries", str(RETRIES))  # unlimited by default
    # With this address the temporary cluster listens on loopback only.
    own = {"_node_ip_address": "127.0.0.1", "include_dashboard": False} if cluster.address == LOCAL else {}
    environment = {"env_vars": {name: os.environ.get(name, value) for name, value in THREADS.items()}}
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        with nullcontext() if own else _silence():
            ray.init(address=cluster.address, namespace="bgm", runtime_env=environment, **quiet, **own)
    except Exception as error:  # Ray raises plain Exception too, e.g. when one of its processes doesn't start in time
        said = "Ray does not start on this machine" if own else f"no Ray cluster answers at {cluster.address}"
        closed = "" if own or os.environ.get("RAY_AUTH_MODE") else TOKEN
        raise BadInput(f"{said} ({first_line(error, type(error).__name__)}{closed})") from error
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def _silence() -> Iterator[None]:
    """Mute file descriptor 2: while Ray's C++ core retries it logs there every second, bypassing sys.stderr, what we
    then report in one sentence.
    """
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nothing:
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _found_head() -> str:
    """The head that Ray takes for ``auto``. Raises BadInput where there is none.

    It is checked as a named one is: Ray keeps the address of this machine's last head after that has died, and then
    retries without end.
    """
    if named := os.environ.get("RAY_ADDRESS"):
        return named
    from ray._private.services import get_ray_address_from_environment  # no public function tells it (Ray 2.60)

    try:
        return str(get_ray_address_from_environment(AUTO, None))
    except ConnectionError as error:
        raise BadInput(
            "no Ray cluster runs on this machine: name one as HOST:PORT or ray://HOST:10001, or set RAY_ADDRESS"
        ) from error


def _check_reachable(address: str) -> None:
    """Ray itself would try for a minute or more (without end where something else listens), then print a page."""
    if address == LOCAL:
        return
    try:
        place = urlsplit(address if "://" in address else f"//{address}")
        host, port = place.hostname, place.port
    except ValueError:
        host = port = None
    if not host or not port:
        raise BadInput(f"{address} is no cluster: write local, auto, HOST:PORT or ray://HOST:10001")
    try:
        socket.create_connection((host, port), timeout=REACH_S).close()
    except OSError as error:
        raise BadInput(
            f"no Ray cluster answers at {address} ({error.strerror or first_line(error, type(error).__name__)})"
        ) from error
    if os.environ.get("RAY_USE_TLS", "0") != "1":
        _check_it_speaks(f"{host}:{port}", address)


def _check_it_speaks(place: str, address: str) -> None:
    """Check that it speaks gRPC, as a Ray head does."""
    import grpc

    channel = grpc.insecure_channel(place, options=[("grpc.enable_http_proxy", 0)])
    try:
        grpc.channel_ready_future(channel).result(timeout=SPEAK_S)
    except grpc.FutureTimeoutError as error:
        raise BadInput(f"no Ray cluster answers at {address} (something else listens there, or it hangs)") from error
    finally:
        channel.close()


class Board:
    """The actor that collects the workers' progress. If it is lost, no work is lost."""

    def __init__(self) -> None:
        self._steps: dict[str, Step] = {}

    def tell(self, step: Step) -> None:
        self._steps[step.of] = step

    def read(self) -> dict[str, Step]:
        steps, self._steps = self._steps, {}
        return steps


def work(unit: Unit, settings: Settings, board: Any, painters: Sequence[Any]) -> Outcome:
    """The task: one unit in a worker process."""
    said = 0.0

    def listen(step: Step) -> None:
        nonlocal said
        if time.monotonic() - said > TELL_EVERY_S:
            said = time.monotonic()
            board.tell.remote(step)

    # For every unit anew: the worker process may have served another batch before.
    painting.employ(RemotePainter(painters) if painters else None)
    outcome = make(unit, settings, listen)
    _count(outcome)
    return outcome


def _count(outcome: Outcome) -> None:
    """For Ray's dashboard and Prometheus, which prefix the names with ``ray_``."""
    ended, seconds = _metrics()
    ended.inc(tags={"outcome": outcome.status})
    for stage, spent in outcome.stages.items():
        seconds.observe(spent, tags={"stage": stage})


@lru_cache(maxsize=1)
def _metrics() -> tuple[Any, Any]:
    from ray.util.metrics import Counter, Histogram

    bounds = [0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000]
    ended = Counter("bgm_batch_videos_ended", description="Videos of a batch that ended", tag_keys=("outcome",))
    seconds = Histogram("bgm_stage_seconds", description="A stage of a video", boundaries=bounds, tag_keys=("stage",))
    return ended, seconds


class _Driver:
    """Submits tasks a few ahead of the free slots, polls their progress and collects their outcomes."""

    def __init__(self, units: Sequence[Unit], settings: Settings, listen: Listener, cluster: Cluster) -> None:
        import ray

        self._todo, self._settings, self._listen, self._cluster = list(units), settings, listen, cluster
        self._flying: dict[Any, Unit] = {}
        # No processor of its own: it only keeps a dictionary, and must not take a slot from a video. It restarts for
        # ever, since what it forgets is told again in half a second.
        self._board = ray.remote(num_cpus=0, max_concurrency=16, max_restarts=-1)(Board).remote()
        self._painters = Painters(settings)
        self._task = ray.remote(num_cpus=cluster.cpus, memory=cluster.memory, max_retries=RETRIES)(work)
        self._looked = -LOOK_EVERY_S
        self._room_since = time.monotonic()
        self._slots = 0

    def run(self) -> Iterator[Outcome]:
        import ray

        try:
            while self._todo or self._flying:
                self._look()
                self._begin()
                # A timeout, so that progress is heard and nodes are looked at although no unit ends for minutes.
                done, _ = ray.wait(list(self._flying), timeout=HEAR_EVERY_S)
                self._hear()
                for ref in done:
                    yield self._outcome(ref, self._flying.pop(ref))
        except (KeyboardInterrupt, Cancelled):
            for ref in self._flying:
                ray.cancel(ref)
            ray.wait(list(self._flying), num_returns=len(self._flying), timeout=STOP_S)  # time to clean up
            raise

    def _begin(self) -> None:
        # Not all at once: a cancelled batch would have thousands of tasks to take back.
        room = max(LEAST_AHEAD, AHEAD * self._slots)
        while self._todo and len(self._flying) < room:
            unit = self._todo.pop(0)
            self._flying[self._task.remote(unit, self._settings, self._board, self._painters.actors)] = unit

    def _look(self) -> None:
        """Nodes join and leave: update slots and painters."""
        import ray

        if time.monotonic() - self._looked < LOOK_EVERY_S:
            return
        self._looked = time.monotonic()
        machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        self._slots = sum(self._fitting(machine) for machine in machines)
        self._painters.grow(int(sum(machine.get("GPU", 0) for machine in machines)))
        if self._slots:
            self._room_since = time.monotonic()
        elif self._cluster.address == LOCAL or time.monotonic() - self._room_since > ROOM_WAIT_S:
            raise BadInput(f"{self._no_room()}: ask for less with --cpus and --gib")
        else:
            log.warning("%s: waiting for one", self._no_room())

    def _fitting(self, machine: dict[str, float]) -> int:
        """How many units fit on a node at a time."""
        by_memory = machine.get("memory", 0) // self._cluster.memory
        return int(min(machine.get("CPU", 0) // self._cluster.cpus, by_memory))

    def _no_room(self) -> str:
        wanted = f"{self._cluster.cpus:g} processors and {self._cluster.gib:g} GiB"
        return f"no machine of the cluster has room for one video ({wanted})"

    def _hear(self) -> None:
        import ray

        try:
            steps = ray.get(self._board.read.remote(), timeout=2)
        except (ray.exceptions.RayError, TimeoutError):
            return
        for step in steps.values():
            self._listen(step)

    def _outcome(self, ref: Any, unit: Unit) -> Outcome:
        import ray

        try:
            outcome: Outcome = ray.get(ref)
        except ray.exceptions.OutOfMemoryError:
            why = f"it needs more memory than its machine had, {RETRIES + 1} times: claim more with --gib"
            return Outcome(unit.name, "failed", why=why)
        except ray.exceptions.RayTaskError as error:  # the node is misconfigured: every other video would fail as fast
            why = first_line(error.cause, type(error).__name__)
            raise BadInput(f"a machine of the cluster can't run the studio ({why}): {NEEDS_STUDIO}") from error
        except ray.exceptions.RayError as error:
            why = f"its worker died {RETRIES + 1} times ({type(error).__name__})"
            return Outcome(unit.name, "failed", why=why)
        return outcome
