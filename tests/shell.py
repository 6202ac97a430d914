"""Run the studio as its user does from a shell: its words, its exit status."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bgm import cli

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Done:
    status: int
    out: str
    err: str

    @property
    def result(self) -> dict[str, Any]:
        return json.loads(self.out)


def bgm(*words: str | Path, cwd: Path = ROOT) -> Done:
    """The command in this process, where libraries and engines are loaded once for all tests."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(cwd), _logging_kept(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = cli.main([str(word) for word in words])
    return _ended(status, out.getvalue(), err.getvalue())


def process(*words: str | Path, cwd: Path = ROOT) -> Done:
    """The command in a process of its own: for what it does at its start and its end, and for other variables."""
    command = [sys.executable, "-m", "bgm", *map(str, words)]
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(command, check=False, cwd=cwd, capture_output=True, text=True, env=environment, timeout=300)
    return _ended(done.returncode, done.stdout, done.stderr)


def _ended(status: int, out: str, err: str) -> Done:
    assert "Traceback" not in err, err
    return Done(status, out, err)


@contextlib.contextmanager
def _logging_kept() -> Iterator[None]:
    """The command sets logging up for itself; pytest's handlers and levels come back after it."""
    root, ours = logging.getLogger(), logging.getLogger("bgm")
    handlers, levels = root.handlers[:], (root.level, ours.level)
    root.handlers = []  # else ``force`` would close them
    try:
        yield
    finally:
        root.handlers = handlers
        root.setLevel(levels[0])
        ours.setLevel(levels[1])
