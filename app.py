"""Start the studio's page: ``python app.py``. ``python -m bgm environment`` lists what may be set."""

import logging
import os
import sys

# OpenMP's threads would spin while they wait: on a busy machine small models ran several times slower for it.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# The number of threads for NumPy's linear algebra is the process's: jobs beside each other can't each have their own.
# With one, the same job gives the same bits whatever else runs, and our matrices are too small to gain from more.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

if os.environ.get("SPACES_ZERO_GPU"):
    # What borrows the GPU must be known before torch is loaded and before the page starts.
    import spaces  # noqa: F401

    import bgm.music.riffusion.painting  # noqa: F401

from bgm import environment
from bgm.emotion import shipped
from bgm.errors import BgmError
from bgm.log import configure
from bgm.progress import leave
from bgm.ui.page import build
from bgm.ui.serving import serve


def main() -> int:
    """Serve the page until it is stopped; 2 if the environment can't be used."""
    try:
        operator = environment.read()
        configure(operator.log_level, operator.log_format)
        if operator.painter:  # who needs none doesn't pay for it
            from bgm.painter import client

            client.employ(operator)
        say_what_is_damaged()
        # On the disk of the projects, so that taking an upload over is a link and not a copy.
        os.environ.setdefault("GRADIO_TEMP_DIR", str(operator.uploads))
        serve(build(operator), auth=operator.users() or None)
    except BgmError as error:
        print(f"bgm: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def say_what_is_damaged() -> None:
    """The weights that come with the studio are looked through now, not in the middle of a user's video."""
    problems = filter(None, map(shipped.why_unusable, (shipped.MPNET, shipped.MINILM, shipped.WORDS)))
    if problem := next(problems, None):
        logging.getLogger("bgm").warning("a reader of emotions can't serve, another will: %s", problem)


if __name__ == "__main__":
    leave(main())
