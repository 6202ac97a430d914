"""``python -m bgm``: the command line."""

import os

# OpenMP threads spin while they wait, which made small models several times slower on a busy machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# NumPy's BLAS thread count is set per process; concurrent jobs can't each have their own. With one thread a job gives
# the same bits whatever else runs, and our matrices are too small to gain from more.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from bgm.cli import main
from bgm.progress import leave

if __name__ == "__main__":
    leave(main())
