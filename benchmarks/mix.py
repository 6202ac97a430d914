"""Loudness, true peak, ducking, joins, memory and speed of the mix.  ``python -m benchmarks.mix``

Loudness and true peak are read by ffmpeg's ebur128, joins by the largest second difference between samples.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import soundfile

from bgm.mix.continuation import continued
from bgm.mix.loudness import Meter
from bgm.mix.master import mix
from bgm.mix.plan import MixPlan
from tests.mix.inputs import INPUTS, jfk
from tests.mix.sounds import RATE, Sound, ebur128, frames, music, under_voice_lu, voice, write

JFK = Path(__file__).resolve().parents[2] / "shared" / "data" / "jfk.flac"
ONE_MIX = """
import os, sys
from pathlib import Path
from bgm.mix.master import mix
from bgm.mix.plan import MixPlan, Placement
folder, minutes = Path(sys.argv[1]), int(sys.argv[2])
third = 20 * 48_000
placements = tuple(Placement(i * third, third, folder / f"take{i % 3}.flac") for i in range(3 * minutes))
speech = tuple((60.0 * i + a, 60.0 * i + a + 4) for i in range(minutes) for a in range(2, 54, 7))
mix(MixPlan(3 * minutes * third, placements, folder / "voice.flac", speech), folder / "b.flac", folder / "m.flac")
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(int(peak.split()[1]) / 1024, sum(os.times()[:2]))
"""


def table(title: str, *columns: str) -> None:
    print(f"\n### {title}\n\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}")


def row(*cells: str | float | None) -> None:
    texts = ("" if cell is None else cell if isinstance(cell, str) else f"{cell:.2f}" for cell in cells)
    print(f"| {' | '.join(texts)} |", flush=True)


def inputs(folder: Path) -> Iterator[tuple[str, MixPlan]]:
    makers = INPUTS | ({"real speech, jfk": partial(jfk, recording=JFK)} if JFK.is_file() else {})
    for name, make in makers.items():
        yield name, make(folder)


def measured_under(plan: MixPlan, voice_stem: Path, master: Path, bgm: Path) -> float:
    """LU of the music under the voice while it speaks."""
    sounds = (soundfile.read(file, dtype="float32", always_2d=True)[0] for file in (master, bgm, voice_stem))
    return under_voice_lu(*sounds, plan.speech)


def loudness(folder: Path) -> None:
    table("Ten inputs, target -14 LUFS and -1 dBTP", "input", "LUFS", "dBTP", "LU under the voice", "by our report")
    for name, plan in inputs(folder):
        bgm, master = folder / "bgm.flac", folder / "master.flac"
        report = mix(plan, bgm, master)
        heard = ebur128(master)
        under = None
        if plan.voice is not None and report.under_speech_lu is not None:
            under = measured_under(plan, plan.voice, master, bgm)
        row(name, heard.lufs, heard.true_peak_db, under, report.under_speech_lu)


def roughness(sound: Sound) -> float:
    return float(np.abs(np.diff(sound, n=2, axis=0)).max())


def joins() -> None:
    """The same take carried on over its end in three ways; 1.00 is as smooth as its inside."""
    table("A take carried on beyond its end: roughness against its inside", "take", "silence", "reflected", "continued")
    held = np.repeat(0.1 * np.sin(2 * np.pi * 441.7 * np.arange(frames(1.9)) / RATE)[:, None], 2, axis=1)
    for name, take in {
        "held note": held.astype(np.float32),
        "chords": music(4.7),
        "drums": music(4.7, drums=1),
    }.items():
        inside, more = roughness(take[frames(0.2) : -frames(0.2)]), frames(0.2)
        near = slice(len(take) - more, len(take) + more)
        ways = [np.pad(take, ((0, more), (0, 0)), mode=mode) for mode in ("constant", "symmetric")]
        row(name, *(roughness(way[near]) / inside for way in (*ways, continued(take, more))))


def speed(folder: Path) -> None:
    table("Speed and memory, whole process", "minutes", "wall s", "CPU s", "wall / real time", "peak MiB")
    for i in range(3):
        write(folder / f"take{i}.flac", music(20, -30 + 8 * i, seed=i))
    spans = tuple((a, a + 4.0) for a in np.arange(2.0, 54, 7))
    with soundfile.SoundFile(folder / "voice.flac", "w", RATE, 1, subtype="PCM_24") as stem:
        for _ in range(30):
            stem.write(voice(60, spans))
    for minutes in (1, 3, 30):
        started = time.perf_counter()
        command = [sys.executable, "-c", ONE_MIX, str(folder), str(minutes)]
        done = subprocess.run(command, capture_output=True, check=True, text=True)
        wall = time.perf_counter() - started
        memory, cpu = map(float, done.stdout.split())
        row(str(minutes), wall, cpu, f"{wall / minutes / 60:.4f}", f"{memory:.0f}")


def meter(folder: Path) -> None:
    import pyloudnorm

    table("Our meter against pyloudnorm", "input", "ours, LUFS", "pyloudnorm, LUFS", "times faster")
    for name, plan in inputs(folder):
        mix(plan, folder / "bgm.flac", folder / "master.flac")
        sound = soundfile.read(folder / "master.flac", dtype="float32")[0]
        started = time.perf_counter()
        ours = Meter()
        ours.push(sound)
        mine = ours.lufs()
        halfway = time.perf_counter()
        theirs = pyloudnorm.Meter(RATE).integrated_loudness(sound)
        row(name, mine, theirs, (time.perf_counter() - halfway) / (halfway - started))


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        loudness(folder)
        joins()
        meter(folder)
        speed(folder)


if __name__ == "__main__":
    main()
