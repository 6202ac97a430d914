"""Every benchmark of the table, and what else lies in this folder."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module

from benchmarks.peers import Options
from benchmarks.table import Row


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A module of this folder whose ``rows(options)`` measures; ``options`` are the command's that it needs."""

    name: str
    options: str = ""

    @property
    def command(self) -> str:
        """The words after ``python -m benchmarks`` that give its rows alone."""
        return f"--only {self.name} {self.options}".rstrip()

    def measure(self, options: Options) -> tuple[Row, ...]:
        """Its rows; what goes wrong in it passes through."""
        return tuple(import_module(f"benchmarks.{self.name}").rows(options))


BENCHMARKS = (
    Benchmark("make"),
    Benchmark("remux"),
    Benchmark("decode"),
    Benchmark("mix"),
    Benchmark("ducking"),
    Benchmark("loudness"),
    Benchmark("separation"),
    Benchmark("wer"),
    Benchmark("emotion", "--goemotions DIR"),
    Benchmark("music"),
    Benchmark("spectrogram", "--riffusion-hobby DIR --torchaudio DIR"),
    Benchmark("page"),
)
NOT_IN_THE_TABLE = {
    "riffusion": "its speed needs a CUDA GPU (--count and --memory do not)",
    "training": "its speed needs a CUDA GPU (--small does not)",
    "spleeter": "its reference takes 1.5 GB and a minute or two to install",
    "breathing": "needs recorded sentences that the user names",
    "batch": "needs Ray (requirements-cluster.txt)",
    "heard": "makes what the emotion engines are judged on",
    "remaining": "has no peer; it says how true the remaining time is",
    "session": "has no peer; it says how long a creator waits for music",
    "picture": "draws a result, measures nothing",
    "styles": "has no peer; it tells ours from each other",
    "sound": "has no peer; it says how our takes sound",
    "score": "has no peer; it says what is heard of a score's plan",
}
PARTS = (
    "__main__",
    "catalogue",
    "circumplex",
    "features",
    "inputs",
    "machine",
    "peers",
    "spleeter_reference",
    "table",
    "timing",
)
"""What the benchmarks share."""
