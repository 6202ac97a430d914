"""``python -m bgm``: the studio from a shell."""

import os
import sys

# OpenMP's threads would spin while they wait: on a busy machine small models ran several times slower for it.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from bgm.cli import main

if __name__ == "__main__":
    sys.exit(main())
