"""Kill what a batch runs on, with SIGKILL and no goodbye: at the end every result must have the plain loop's bytes.

    python -m tests.faults.cluster                       # needs Ray: pip install -r requirements-cluster.txt
    python -m tests.faults.cluster --only node painter

worker   a process of Ray's in the middle of a video
driver   the command itself; the same command then ends the batch
node     one of two machines while it works (raylets on this machine)
painter  one of two machines with a GPU (a pretended one, with tiny random weights) while it paints
head     nobody dies: a head that asks for a token is found by auto, HOST:PORT and ray://; without the token, with
         another one and when it is gone, the command ends with one sentence

It takes minutes. Ray makes 127.0.0.1 the machine's own address, so as root all of it runs in a network namespace of its
own, where nobody else can reach it.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bgm.batch.units import THREADS
from bgm.files import PART_PREFIX
from tests.faults.clips import LINES, clip
from tests.faults.server import free_port

ROOT = Path(__file__).resolve().parents[2]
INSIDE = "BGM_TEST_NAMESPACE"
PATIENCE_S = 420.0
MOST_CLAIMED = ["--gib", "0.5"]
OFFLINE = ["--offline", "--min-segment", "2", "--device", "cpu"]


@dataclass(frozen=True)
class Batch:
    """Videos, what is asked of them, and what the plain loop made of them."""

    videos: Path
    options: tuple[str, ...]
    peer: Path

    def command(self, out: Path, *more: str) -> list[str]:
        words = ["batch", str(self.videos), "--out", str(out), *OFFLINE, *self.options, *more]
        return [sys.executable, "-W", "ignore", "-m", "bgm", *words]

    def differences(self, out: Path) -> list[str]:
        """What is missing or not the same, and what is left over."""
        wanted, found = contents(self.peer), contents(out)
        left = [str(part.relative_to(out)) for part in out.rglob(f"{PART_PREFIX}*")]
        return [f"differs: {name}" for name in wanted if found.get(name) != wanted[name]] + left


def contents(out: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(out.glob("*.m*"))}


def batch(home: Path, count: int, *options: str) -> Batch:
    """So many clips, and the plain loop's results."""
    videos = home / "videos"
    for number in range(count):
        clip(videos / f"clip{number}.mp4", 6 + number, LINES[number % 3 :], start=2 * number)
    made = Batch(videos, options, home / "loop")
    finished(made.command(made.peer))
    return made


def finished(command: list[str], environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        command, cwd=ROOT, env=environment, check=False, timeout=PATIENCE_S, capture_output=True, text=True
    )
    if done.returncode:
        raise AssertionError(f"exit status {done.returncode}: {done.stderr[-2000:]}{done.stdout[-2000:]}")


def begun(command: list[str], sign: str) -> subprocess.Popen[str]:
    """Run it until it says ``sign``; the rest of what it says goes nowhere."""
    running = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert running.stderr is not None
    for line in running.stderr:
        if sign in line:
            break
    threading.Thread(target=running.stderr.read, daemon=True).start()
    return running


def kill_worker(home: Path) -> list[str]:
    made, out = batch(home, 3), home / "out"
    running = begun(made.command(out, "--cluster", "local", *MOST_CLAIMED), ": separate")
    kill(descendants(running.pid, "ray::work"))
    status = running.wait(PATIENCE_S)
    return [*made.differences(out), *([f"exit status {status}"] if status else [])]


def kill_driver(home: Path) -> list[str]:
    made, out = batch(home, 3), home / "out"
    command = made.command(out, "--cluster", "local", *MOST_CLAIMED)
    running = begun(command, ": made")
    running.kill()
    running.wait()
    time.sleep(3)  # its cluster notices and goes
    finished(command)
    return made.differences(out)


def kill_node(home: Path) -> list[str]:
    return kill_machine(batch(home, 4), home / "out", [{"num_cpus": 1}, {"num_cpus": 1}], 1, painting=False)


def kill_painter(home: Path) -> list[str]:
    from testing.riffusion_checkpoint import write_checkpoint

    weights = write_checkpoint(home / "weights")
    made = batch(home, 2, "--music", f"riffusion:{weights}", "--lora", "none")
    machines = [{"num_cpus": 2}, {"num_cpus": 0, "num_gpus": 1}, {"num_cpus": 0, "num_gpus": 1}]
    return kill_machine(made, home / "out", machines, 2, painting=True)


def reach_head(home: Path) -> list[str]:
    """By ray:// the driver's folder is not on the workers' path as it is by the others."""
    made, port, client = batch(home, 2, "--separator", "original", "--music", "embedded"), free_port(), free_port()
    known = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": "3f" * 32,
        "RAY_ADDRESS": f"127.0.0.1:{port}",
    }
    where = ["--node-ip-address=127.0.0.1", f"--port={port}", f"--ray-client-server-port={client}"]
    small = ["--include-dashboard=false", "--num-cpus=1", f"--memory={3 << 30}", f"--object-store-memory={200 << 20}"]
    ray = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", *where, *small]
    head = subprocess.Popen(ray, env=known, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    addresses = ("auto", f"127.0.0.1:{port}", f"ray://127.0.0.1:{client}")
    strangers = ({"RAY_AUTH_MODE": "disabled"}, {"RAY_AUTH_TOKEN": "0a" * 32})
    troubles = []
    try:
        for number in (port, client):
            listening(number)
        for address in addresses:
            out = home / f"out{len(address)}"
            finished(made.command(out, "--cluster", address, *MOST_CLAIMED), known)
            troubles += [f"{address}: {trouble}" for trouble in made.differences(out)]
        for stranger in strangers:
            troubles += refused(made.command(home / "no", "--cluster", addresses[1]), {**known, **stranger})
    finally:
        head.terminate()
        head.wait(60)
    for address in addresses:
        troubles += refused(made.command(home / "no", "--cluster", address), known)
    return troubles


def listening(port: int) -> None:
    """Wait for it."""
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except OSError as error:
            if time.monotonic() > until:
                raise AssertionError("the head did not start") from error
            time.sleep(0.3)


def refused(command: list[str], environment: dict[str, str]) -> list[str]:
    """What is wrong with how it says that there is no cluster."""
    began = time.monotonic()
    done = subprocess.run(
        command, cwd=ROOT, env=environment, check=False, timeout=PATIENCE_S, capture_output=True, text=True
    )
    print(f"  {time.monotonic() - began:.0f} s: {done.stderr.strip()}", flush=True)
    lines = done.stderr.splitlines()
    well = done.returncode == 2 and len(lines) == 1 and lines[0].startswith("bgm: no Ray cluster answers at ")
    return [] if well else [f"exit status {done.returncode}: {lines[-5:]}"]


def kill_machine(made: Batch, out: Path, machines: list[dict[str, int]], victim: int, *, painting: bool) -> list[str]:
    """Ray on this machine as several; the one of that number dies while it separates a voice or paints."""
    from ray.cluster_utils import Cluster

    small = {"memory": 3 << 30, "object_store_memory": 200 << 20}
    ray = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False, **small})
    nodes = [ray.add_node(**machine, **small) for machine in machines]
    try:
        running = begun(made.command(out, "--cluster", ray.address, *MOST_CLAIMED), "videos")
        watch(out, painting=painting)
        ray.remove_node(nodes[victim], allow_graceful=False)
        status = running.wait(PATIENCE_S)
        return [*made.differences(out), *([f"exit status {status}"] if status else [])]
    finally:
        ray.shutdown()


def watch(out: Path, *, painting: bool) -> None:
    """Until the first video is well begun: its voice is being separated, or its music painted."""
    until = time.monotonic() + PATIENCE_S
    before = "stems/voice.flac" if painting else "media/audio.flac"
    while not any(out.glob(f"projects/*/{before}")):
        if time.monotonic() > until:
            raise AssertionError("nothing was begun")
        time.sleep(0.1)
    time.sleep(2.0 if painting else 0.7)


def descendants(pid: int, title: str) -> list[int]:
    import psutil

    return [child.pid for child in psutil.Process(pid).children(recursive=True) if title in " ".join(child.cmdline())]


def kill(pids: list[int]) -> None:
    if not pids:
        raise AssertionError("there was nothing to kill")
    os.kill(pids[0], signal.SIGKILL)


PROOFS: dict[str, Callable[[Path], list[str]]] = {
    "worker": kill_worker,
    "driver": kill_driver,
    "node": kill_node,
    "painter": kill_painter,
    "head": reach_head,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(PROOFS), default=list(PROOFS))
    names = parser.parse_args().only
    if not os.environ.get(INSIDE) and os.geteuid() == 0 and shutil.which("unshare"):
        script = 'ip link set lo up 2>/dev/null || ifconfig lo up; exec "$@"'
        again = ["unshare", "-n", "sh", "-c", script, "sh", sys.executable, "-m", "tests.faults.cluster"]
        return subprocess.run([*again, "--only", *names], env={**os.environ, INSIDE: "1"}, check=False).returncode
    # A dead machine is noticed after a few seconds here; Ray's own patience is half a minute.
    os.environ |= {**THREADS, "RAY_USAGE_STATS_ENABLED": "0", "RAY_health_check_period_ms": "1000"}
    failed = 0
    for name in names:
        with tempfile.TemporaryDirectory(prefix="bgm-cluster-") as scratch:
            started = time.monotonic()
            troubles = PROOFS[name](Path(scratch))
            failed += bool(troubles)
            print(f"{name}: {'; '.join(troubles) or 'the same'} ({time.monotonic() - started:.0f} s)", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
