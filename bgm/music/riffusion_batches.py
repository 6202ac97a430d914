"""Batches that shrink when the GPU's memory doesn't hold them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from bgm.errors import BgmError

TOO_SMALL = (
    "the GPU has too little free memory even for one window of the music: "
    "close what else uses it, or choose --device cpu or --music embedded"
)

Item = TypeVar("Item")
Result = TypeVar("Result")
log = logging.getLogger(__name__)


class Batches:
    """``size`` items at once, halved for the rest of the work whenever CUDA runs out of memory.

    What an item gives must not depend on the others of its batch; then the result is the same whatever fits.
    """

    def __init__(self, size: int) -> None:
        self.size = max(1, size)

    def of(
        self, items: Sequence[Item], compute: Callable[[Sequence[Item]], Result]
    ) -> Iterator[tuple[Sequence[Item], Result]]:
        """``compute`` of all items in order: each batch with its result. Raises BgmError when not even one fits."""
        first = 0
        while first < len(items):
            some = items[first : first + self.size]
            results = self._attempt(some, compute)
            for result in results:
                yield some, result
            first += len(some) * len(results)

    def _attempt(self, some: Sequence[Item], compute: Callable[[Sequence[Item]], Result]) -> list[Result]:
        """The result, or nothing where it didn't fit and less has to be tried."""
        import torch

        try:
            return [compute(some)]
        except torch.OutOfMemoryError as error:
            if len(some) == 1:
                raise BgmError(TOO_SMALL) from error
        # Only here, past the handler, is the traceback gone that kept the failed batch's tensors alive.
        self.size = len(some) // 2
        log.info("riffusion: the GPU is short of memory, going on with batches of %d", self.size)
        torch.cuda.empty_cache()
        return []
