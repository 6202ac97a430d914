"""A child process that lives through many cases, until one of them kills it. Started by :mod:`tests.fuzz.pool`.

It reads one case a line on its standard input (JSON) and answers one verdict a line. Memory is limited for the whole
process; time by the parent, who can also end what hangs in C code.
"""

from __future__ import annotations

import faulthandler
import importlib
import json
import logging
import os
import resource
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ADDRESS_SPACE_BYTES = 6 << 30
"""Beyond it an allocation fails. Counted is what is reserved, most of it never used: thread stacks above all."""


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    faulthandler.enable()
    logging.disable(logging.CRITICAL)
    answers = os.fdopen(os.dup(1), "w")  # what a library prints must not be taken for an answer
    os.dup2(2, 1)
    journeys = importlib.import_module(sys.argv[1]).JOURNEYS
    print(json.dumps({"verdict": "ready"}), file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(run(journeys, json.loads(line))), file=answers, flush=True)


def run(journeys: Mapping[str, Any], case: Mapping[str, str]) -> dict[str, Any]:
    """The verdict on one case: ``fine``, ``refused`` with the sentence, or ``broken`` with the traceback."""
    from bgm.errors import BgmError

    file, out = Path(case["file"]), Path(case["out"])
    tempfile.tempdir = str(out)
    started = time.process_time()
    try:
        journeys[case["kind"]](file, out, Path(case["bed"]))
        verdict = {"verdict": "fine", "detail": ""}
    except BgmError as error:
        verdict = {"verdict": "refused", "detail": str(error)}
    except BaseException as error:
        verdict = {"verdict": "broken", "detail": traceback.format_exc(), "class": _signature(error)}
    return {**verdict, "cpu": time.process_time() - started, "peak_mb": _peak_mb()}


def _peak_mb() -> int:
    """Of this program alone: ru_maxrss begins with that of the process which started it, however large."""
    status = Path("/proc/self/status")
    if not status.is_file():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) // 1024


def _signature(error: BaseException) -> str:
    """The kind of error and the innermost place of ours that it went through: findings are counted by it."""
    ours = [f for f in traceback.extract_tb(error.__traceback__) if "/bgm/" in f.filename or "/tests/" in f.filename]
    place = f"{Path(ours[-1].filename).name}:{ours[-1].name}" if ours else "?"
    return f"{type(error).__name__} in {place}"


if __name__ == "__main__":
    main()
