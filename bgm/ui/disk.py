"""A full disk, told to the user in one sentence and to the operator in the log."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from bgm.errors import BgmError

log = logging.getLogger("bgm")
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


@contextmanager
def full_disk_told() -> Iterator[None]:
    """Whatever of the block finds the disk full (or its quota used up) raises BgmError. Decorates functions too."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        log.error("the disk is full")
        raise BgmError(
            "the server's disk is full at the moment; what was finished is kept, please try again later"
        ) from error
