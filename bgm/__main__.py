"""``python -m bgm``: the studio from a shell."""

import sys

from bgm.cli import main

if __name__ == "__main__":
    sys.exit(main())
