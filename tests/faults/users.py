"""Many users at once on a real server: nobody gets an error or another's work, and the server gives back what it took.

    python -m tests.faults.users --users 20 --seconds 120 --seed 1

``python app.py`` on loopback. Each user has a video of its own (length, picture, words) and first goes the whole way
alone: that result is what every later one must be, packet for packet. Then a third of the time to warm up, and after a
quiet minute the same again for the whole time: memory, threads and descriptors after its own quiet minute must be back
at the level before it. The warm-up is needed because the models are loaded, and each of the allocator's arenas gets its
first use by a thread, only once; what a leak takes grows with every round.

What a user does next is a seeded draw: the whole way as a program (gradio_client), the same on the page, leaving the
page in the middle, stopping and going on, one project edited in two tabs at once while its music is made.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.faults.journeys import JOURNEYS, User, alone, draw
from tests.faults.server import Footprint, Server, server

ODDS = {"program": 8, "page": 4, "leave": 2, "stop": 2, "two tabs": 2}
PATIENCE_S = 900.0
MEMORY_TOLERANCE_MB = 64.0
"""glibc keeps what its arenas hold between live objects: from one quiet minute to the next the level moves by some ten
MB without a trend. One kept project or result per round would exceed this within two minutes."""
THREADS_TOLERANCE = 4
"""Of Gradio's pool, whose idle threads end after ten seconds, and of native libraries."""
DESCRIPTORS_TOLERANCE = 8


@dataclass
class Load:
    """What happened in one stretch of time."""

    rounds: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    peak_mb: float = 0.0

    def __str__(self) -> str:
        counted = ", ".join(f"{count} {kind}" for kind, count in sorted(self.rounds.items()))
        worst, usual = max(self.latencies, default=0.0), statistics.median(self.latencies or [0.0])
        paint = f"first paint {usual:.2f} s, at worst {worst:.2f} s"
        return (
            f"{self.rounds.total()} rounds ({counted}), {len(self.errors)} errors, peak {self.peak_mb:.0f} MB, {paint}"
        )


def load(running: Server, users: Sequence[User], seconds: float, seed: int) -> Load:
    """All users at once for so long; everyone finishes the round that is under way then."""
    found, until, over = Load(), time.monotonic() + seconds, threading.Event()
    watcher = threading.Thread(target=_watch, args=(running, found, over))
    watcher.start()
    with ThreadPoolExecutor(len(users)) as everyone:
        for user in users:
            everyone.submit(_use, user, until, random.Random(f"{seed} {user.number}"), found)
    over.set()
    watcher.join()
    return found


def _use(user: User, until: float, chance: random.Random, found: Load) -> None:
    while time.monotonic() < until:
        kind = draw(chance, ODDS)
        try:
            JOURNEYS[kind](user, chance)
        except Exception as error:  # whatever it is, it is what the user would have met
            found.errors.append(f"user {user.number}, {kind}: {type(error).__name__}: {error}")
        else:
            found.rounds[kind] += 1


def _watch(running: Server, found: Load, over: threading.Event) -> None:
    """How long the first paint takes, and the most memory, about once a second."""
    with httpx.Client(base_url=running.url, timeout=60) as visitor:
        while not over.wait(1.0):
            started = time.monotonic()
            try:
                visitor.get("").raise_for_status()
                visitor.get("config").raise_for_status()
            except httpx.HTTPError as error:
                found.errors.append(f"a visitor: {error!r}")
            found.latencies.append(time.monotonic() - started)
            found.peak_mb = max(found.peak_mb, running.footprint().mb)


def quiet(running: Server, seconds: float) -> Footprint:
    """What it takes when all jobs are over and so many seconds have passed."""
    until = time.monotonic() + PATIENCE_S
    while running.jobs() and time.monotonic() < until:
        time.sleep(1.0)
    time.sleep(seconds)
    return running.footprint()


def not_given_back(before: Footprint, after: Footprint) -> list[str]:
    """What the server kept of a load."""
    kept = (
        ("memory", after.mb - before.mb, MEMORY_TOLERANCE_MB),
        ("threads", after.threads - before.threads, THREADS_TOLERANCE),
        ("open descriptors", after.descriptors - before.descriptors, DESCRIPTORS_TOLERANCE),
    )
    return [f"{name}: {more:.0f} more than before" for name, more, tolerance in kept if more > tolerance]


def trial(users: int, seconds: float, seed: int, rest: float, say: Callable[[str], None] = print) -> list[str]:
    """The whole of it; what was wrong."""
    with tempfile.TemporaryDirectory(prefix="bgm-users-") as scratch:
        folder = Path(scratch)
        (folder / "data").mkdir()
        with server(folder / "data", BGM_MAX_WAITING=str(10 * users)) as running:
            say(f"started: {running.footprint()}")
            everyone = [alone(number, folder, running.url) for number in range(users)]
            warm = load(running, everyone, seconds / 3, seed)
            before = quiet(running, rest)
            say(f"warm: {before}; {warm}")
            found = load(running, everyone, seconds, seed + 1)
            after = quiet(running, rest)
            say(f"after: {after}; {found}")
        for user in everyone:
            user.close()
        logged = [line for line in running.log.read_text(errors="replace").splitlines() if "Traceback" in line]
        return [*warm.errors, *found.errors, *not_given_back(before, after), *logged]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rest", type=float, default=60.0, help="quiet seconds before memory is measured")
    arguments = parser.parse_args()
    troubles = trial(arguments.users, arguments.seconds, arguments.seed, arguments.rest)
    print("\n".join(troubles) or "nothing was wrong", flush=True)
    return 1 if troubles else 0


if __name__ == "__main__":
    sys.exit(main())
