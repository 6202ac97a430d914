"""Who paints: this process with a model of its own or, where the operator gave one, a GPU somewhere else."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from bgm.errors import BgmError
from bgm.music.riffusion import paint as picture
from bgm.music.riffusion.model import ModelKey, gpu_turn, shared
from bgm.music.riffusion.paint import PaintJob
from bgm.music.riffusion.spectrogram import Pixels
from bgm.progress import Progress

ELSEWHERE_SOUND = "cpu"
"""Where pictures become sound when the GPU is somebody else's."""


class Painter(Protocol):
    """Somebody else's GPU. Both calls tell how far they are, and stop the work there when that raises."""

    def ready(self, key: ModelKey, progress: Progress) -> tuple[str, ...]:
        """Load the model; sentences for the log. Raises BgmError, in one sentence, when it can't be."""

    def paint(self, job: PaintJob, progress: Progress) -> Pixels:
        """The painted pixels, shaped as the job's. Raises BgmError, in one sentence, where the painter was lost."""


_employed: list[Painter] = []
"""At most one. It is the operator's choice for the whole process and holds no user's data."""


def employ(painter: Painter | None) -> None:
    """Let ``painter`` paint for this process from now on; None: this process itself."""
    _employed[:] = [painter] if painter else []


def is_elsewhere() -> bool:
    """Whether somebody else's GPU paints."""
    return bool(_employed)


def ready(key: ModelKey, progress: Progress) -> tuple[tuple[str, ...], str]:
    """Load the model where it is needed: its notes for the log, and the device on which pictures become sound."""
    if _employed:
        progress(0.0, "waiting for the painter")
        return _employed[0].ready(key, progress), ELSEWHERE_SOUND
    model = shared(key, progress)
    return model.notes, model.sound_device


def paint(job: PaintJob, progress: Progress) -> Pixels:
    """Every step tells how far it is; an exception from ``progress`` stops it."""
    return _employed[0].paint(job, progress) if _employed else here(job, progress)


def here(job: PaintJob, progress: Progress) -> Pixels:
    """Wait for this process' GPU and paint."""
    with gpu_turn(progress):
        for result in picture.paint(job):
            if not isinstance(result, float):
                return np.asarray(result)
            progress(result, "painting the music")
    raise BgmError("the GPU's time ran out before the music was painted")
