"""How the page's log lines look."""

from __future__ import annotations

import logging


def configure(level: str, form: str) -> None:
    """Log to stderr from ``level`` on."""
    logging.basicConfig(level=level.upper(), format="%(levelname)s %(name)s: %(message)s")
