"""``python -m bgm``: the studio from a shell."""

import os

# OpenMP's threads would spin while they wait: on a busy machine small models ran several times slower for it.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# The number of threads for NumPy's linear algebra is the process's: jobs beside each other can't each have their own.
# With one, the same job gives the same bits whatever else runs, and our matrices are too small to gain from more.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from bgm.cli import main
from bgm.progress import leave

if __name__ == "__main__":
    leave(main())
