"""The mix comes in blocks: nothing depends on their size, memory doesn't grow, and it can be stopped."""

from __future__ import annotations

import subprocess
import sys
import time
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bgm.errors import BgmError, Cancelled
from bgm.mix import balance
from bgm.mix.master import mix
from bgm.mix.placement import MixPlan, MixSettings, Placement, Sources
from testing.mix_inputs import plan
from testing.mix_sounds import RATE, Sound, music, voice, write

SPANS = ((2.0, 5.0), (8.0, 11.0))


@pytest.fixture
def talk(tmp_path: Path) -> MixPlan:
    takes: list[Sound | float] = [music(7.3, -12, seed=1, drums=1), music(5.7, -28, seed=2)]
    return plan(tmp_path, voice(13, SPANS, -12), SPANS, takes)


def test_block_size_does_not_matter(talk: MixPlan, tmp_path: Path) -> None:
    pressed = replace(talk, settings=MixSettings(lufs=-7.0))
    results = []
    for block_frames in (480 * 57, 2 * RATE, 60 * RATE):
        report = mix(pressed, tmp_path / "bgm.flac", tmp_path / "master.flac", block_frames=block_frames)
        both = [soundfile.read(tmp_path / name)[0] for name in ("bgm.flac", "master.flac")]
        results.append((report, np.stack(both)))
    for report, sound in results[1:]:
        assert np.abs(sound - results[0][1]).max() < 2e-6
        assert report.lufs == pytest.approx(results[0][0].lufs, abs=1e-3)
        assert report.true_peak_db == pytest.approx(results[0][0].true_peak_db, abs=0.02)


def test_progress_rises_and_says_what_is_done(talk: MixPlan, tmp_path: Path) -> None:
    heard: list[tuple[float, str]] = []
    mix(talk, tmp_path / "bgm.flac", tmp_path / "master.flac", lambda done, note="": heard.append((done, note)))
    fractions = [fraction for fraction, _ in heard]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0
    assert all(note for _, note in heard)


@pytest.mark.parametrize("after", [0.0, 0.1, 0.4])
def test_stopping_leaves_nothing_half_written(after: float, talk: MixPlan, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())

    def stop(fraction: float, note: str = "") -> None:
        if fraction >= after:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        mix(talk, tmp_path / "bgm.flac", tmp_path / "master.flac", stop)
    assert sorted(tmp_path.iterdir()) == before


def test_stopping_is_prompt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[int] = []

    def slow(sources: Sources, start: int, stop: int) -> tuple[float, ...]:
        measured.append(start)
        time.sleep(0.02)
        return (0.0,) * 5

    monkeypatch.setattr(balance, "_block", slow)

    def stop(fraction: float, note: str = "") -> None:
        raise Cancelled("stopped")

    hour = MixPlan(3600 * RATE, (Placement(0, 3600 * RATE, None),), None, ())
    with pytest.raises(Cancelled):
        mix(hour, tmp_path / "bgm.flac", tmp_path / "master.flac", stop)
    assert len(measured) < 100, "of 720"


def test_a_file_that_may_not_grow_is_one_sentence_and_nothing_is_left(talk: MixPlan, tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    before, limits = sorted(tmp_path.iterdir()), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(BgmError, match=r"master\.flac can't be written"):
            mix(talk, tmp_path / "bgm.flac", tmp_path / "master.flac")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert sorted(tmp_path.iterdir()) == before


PEAK_MEMORY = """
import sys
from pathlib import Path
from bgm.mix import balance
from bgm.mix.master import mix
from bgm.mix.placement import MixPlan, MixSettings, Placement
from bgm.mix.placement import Sources
folder, minutes = Path(sys.argv[1]), int(sys.argv[2])
frames = 60 * 48_000
placements = tuple(Placement(i * frames, frames, folder / "take.flac") for i in range(minutes))
speech = tuple((60.0 * i + 5, 60.0 * i + 20) for i in range(minutes))
mix(MixPlan(minutes * frames, placements, folder / "voice.flac", speech), folder / "bgm.flac", folder / "master.flac")
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def peak_of_arrays(folder: Path, takes: int) -> int:
    """Most bytes of NumPy's arrays at once while as many takes of 10 s are mixed in blocks of one second."""
    frames = 10 * RATE
    placements = tuple(Placement(i * frames, frames, folder / "take.flac") for i in range(takes))
    speech = tuple((10.0 * i + 2, 10.0 * i + 6) for i in range(takes))
    whole = MixPlan(takes * frames, placements, folder / "voice.flac", speech)
    tracemalloc.start()
    try:
        mix(whole, folder / "bgm.flac", folder / "master.flac", block_frames=RATE)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_arrays_do_not_grow_with_the_length(tmp_path: Path) -> None:
    write(tmp_path / "take.flac", music(10))
    write(tmp_path / "voice.flac", np.tile(voice(10, ((2.0, 6.0),)), (4, 1)))
    peak_of_arrays(tmp_path, 1)  # what is imported and kept
    short, long = (peak_of_arrays(tmp_path, takes) for takes in (1, 4))
    assert long - short < 20 * RATE * 4, "thirty seconds more, not two thirds of one channel of them held"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="reads the peak from Linux's /proc")
def test_memory_does_not_grow_with_the_length(tmp_path: Path) -> None:
    write(tmp_path / "take.flac", music(60))
    write(tmp_path / "voice.flac", np.tile(voice(60, ((5.0, 20.0),)), (9, 1)))
    commands = ([sys.executable, "-c", PEAK_MEMORY, str(tmp_path), str(minutes)] for minutes in (1, 9))
    short, long = (int(subprocess.run(c, capture_output=True, check=True).stdout) // 1024 for c in commands)
    assert long - short < 12, f"{short} MiB for 1 minute, {long} MiB for 9: one of eight held in memory is 22"
