"""Start the studio's page: ``python app.py``. The README lists the environment variables that change what it allows."""

import logging
import os

# OpenMP's threads would spin while they wait: on a busy machine small models ran several times slower for it.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from bgm.ui.limits import Limits
from bgm.ui.page import build


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    build(Limits.from_env()).launch()


if __name__ == "__main__":
    main()
