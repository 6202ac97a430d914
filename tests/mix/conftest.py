"""Sounds that several tests of the mix use, and the mix itself in a folder of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bgm.mix.master import mix
from bgm.mix.placement import MixPlan, MixReport
from testing.mix_sounds import Sound


@dataclass(frozen=True)
class Mixed:
    """What a mix wrote, and what it said."""

    report: MixReport
    bgm: Sound
    master: Sound
    master_file: Path


Mixer = Callable[[MixPlan], Mixed]


@pytest.fixture
def mixed(tmp_path: Path) -> Mixer:
    """Mix a plan and read both files back."""

    def run(plan: MixPlan) -> Mixed:
        bgm, master = tmp_path / "bgm.flac", tmp_path / "master.flac"
        report = mix(plan, bgm, master)
        music, whole = (soundfile.read(file, dtype="float32")[0] for file in (bgm, master))
        assert soundfile.info(master).subtype == soundfile.info(bgm).subtype == "PCM_24"
        assert music.shape == whole.shape == (plan.frames, 2)
        assert np.isfinite(whole).all() and np.isfinite(music).all()
        return Mixed(report, music, whole, master)

    return run
