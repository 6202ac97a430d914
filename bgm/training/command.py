"""What the commands of this room share: progress with the time left, Ctrl-C, and one sentence for what fails."""

from __future__ import annotations

import argparse
import contextlib
import sys
import traceback
from collections.abc import Callable, Sequence

from bgm import console
from bgm.progress import Progress, Stages

Work = Callable[[argparse.Namespace, Progress], str]
"""Does what the arguments say, and returns what to print."""


def run(parser: argparse.ArgumentParser, stage: str, work: Work, argv: Sequence[str] | None) -> int:
    """Parse, work, print; the exit status. ``stage`` is what the progress calls it."""
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    parser.add_argument("--debug", action="store_true", help="show where a failure comes from")
    arguments = parser.parse_args(argv)
    try:
        # What a library prints must not get between the caller and the result.
        with contextlib.redirect_stdout(sys.stderr), console.stoppable(), console.shown(arguments.quiet) as listen:
            stages = Stages({stage: 1.0}, listen)
            text = work(arguments, stages.begin(stage))
            stages.finish(stage)
    except BaseException as error:
        if arguments.debug:
            traceback.print_exc()
        sentence, status = console.explain(error, [])
        print(f"{parser.prog.rpartition(' ')[2]}: {sentence}", file=sys.stderr)
        return status
    print(text)
    return 0
