"""Loudness, true peak, joins, memory and speed of the mix, input by input: ``python -m benchmarks.mix``.

Loudness and true peak are read by ffmpeg's ebur128, joins by the largest second difference between samples. In
``python -m benchmarks`` the same mixes stand beside FFmpeg's loudnorm, which gets them before their loudness was set
and the best it can do: two passes, linear where that is possible. The speed of both is that of whole processes that
write the music's stem and the master.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import mean

import numpy as np
import soundfile

from benchmarks.peers import JFK, Options, ffmpeg, ffmpeg_name
from benchmarks.table import Row
from benchmarks.timing import medians
from bgm.mix.master import mix
from bgm.mix.placement import MixPlan, MixSettings, continued
from testing.mix_inputs import INPUTS, jfk
from testing.mix_sounds import RATE, Sound, ebur128, frames, music, under_voice_lu, voice, write

ONE_MIX = """
import os, sys
from pathlib import Path
from bgm.mix.master import mix
from bgm.mix.placement import MixPlan, Placement
folder, minutes = Path(sys.argv[1]), int(sys.argv[2])
third = 20 * 48_000
placements = tuple(Placement(i * third, third, folder / f"take{i % 3}.flac") for i in range(3 * minutes))
speech = tuple((60.0 * i + a, 60.0 * i + a + 4) for i in range(minutes) for a in range(2, 54, 7))
mix(MixPlan(3 * minutes * third, placements, folder / "voice.flac", speech), folder / "b.flac", folder / "m.flac")
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(int(peak.split()[1]) / 1024, sum(os.times()[:2]))
"""

TARGET = "I=-14:TP=-1:LRA=50"
FLAC = ("-ar", "48000", "-c:a", "flac", "-sample_fmt", "s32")
REPEATS = 3


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
    for name, take in takes().items():
        row(name, *join_roughness(take))


def takes() -> dict[str, Sound]:
    """A held note, chords and drums, each cut off while it sounds."""
    held = np.repeat(0.1 * np.sin(2 * np.pi * 441.7 * np.arange(frames(1.9)) / RATE)[:, None], 2, axis=1)
    return {"held note": held.astype(np.float32), "chords": music(4.7), "drums": music(4.7, drums=1)}


def join_roughness(take: Sound) -> tuple[float, ...]:
    """At a take's end against its inside: followed by silence, by itself reflected, by our continuation."""
    inside, more = roughness(take[frames(0.2) : -frames(0.2)]), frames(0.2)
    near = slice(len(take) - more, len(take) + more)
    ways = [np.pad(take, ((0, more), (0, 0)), mode=mode) for mode in ("constant", "symmetric")]
    return tuple(roughness(way[near]) / inside for way in (*ways, continued(take, more)))


def speed(folder: Path) -> None:
    table("Speed and memory, whole process", "minutes", "wall s", "CPU s", "wall / real time", "peak MiB")
    long_inputs(folder)
    for minutes in (1, 3, 30):
        started = time.perf_counter()
        memory, cpu = one_mix(folder, minutes)
        wall = time.perf_counter() - started
        row(str(minutes), wall, cpu, f"{wall / minutes / 60:.4f}", f"{memory:.0f}")


def long_inputs(folder: Path) -> None:
    """Three takes of 20 s and half an hour of voice."""
    for i in range(3):
        write(folder / f"take{i}.flac", music(20, -30 + 8 * i, seed=i))
    spans = tuple((a, a + 4.0) for a in np.arange(2.0, 54, 7))
    with soundfile.SoundFile(folder / "voice.flac", "w", RATE, 1, subtype="PCM_24") as stem:
        minute = voice(60, spans)
        for _ in range(30):
            stem.write(minute)


def one_mix(folder: Path, minutes: int) -> tuple[float, float]:
    """Our mix in a process of its own: peak MiB and CPU seconds."""
    command = [sys.executable, "-c", ONE_MIX, str(folder), str(minutes)]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    memory, cpu = map(float, done.stdout.split())
    return memory, cpu


def ffmpegs_mix(folder: Path, minutes: int) -> None:
    """The same takes in a row under the same voice: sidechain compressor, then loudnorm in two passes."""
    count = 3 * minutes
    files = [word for i in range(count) for word in ("-i", folder / f"take{i % 3}.flac")]
    graph = (
        f"[0:a]pan=stereo|c0=c0|c1=c0,asplit[voice][key];{''.join(f'[{i + 1}:a]' for i in range(count))}"
        f"concat=n={count}:v=0:a=1[music];[music][key]sidechaincompress=threshold=0.02:ratio=8:attack=20:release=500"
        ",asplit[bgm][under];[voice][under]amix=inputs=2:normalize=0,"
    )
    sources = ["-t", 60 * minutes, "-i", folder / "voice.flac", *files, "-filter_complex"]
    to_nothing = ["-map", "[out]", "-f", "null", "-"]
    found = measured(ffmpeg(*sources, f"{graph}{loudnorm()}[out];[bgm]anullsink", *to_nothing))
    outputs = ["-map", "[bgm]", *FLAC, folder / "bgm.flac", "-map", "[out]", *FLAC, folder / "master.flac"]
    ffmpeg(*sources, f"{graph}{loudnorm(found)}[out]", *outputs)


def loudnorm(found: dict[str, str] | None = None) -> str:
    """FFmpeg's filter: the pass that measures, or the one that uses what was ``found``."""
    if found is None:
        return f"loudnorm={TARGET}:print_format=json"
    known = {"measured_I": "input_i", "measured_TP": "input_tp", "measured_LRA": "input_lra"}
    known |= {"measured_thresh": "input_thresh", "offset": "target_offset"}
    return f"loudnorm={TARGET}:linear=true:" + ":".join(f"{name}={found[key]}" for name, key in known.items())


def measured(log: str) -> dict[str, str]:
    """What the first pass printed as JSON at the end of its log."""
    return dict(json.loads(log[log.rindex("{") : log.rindex("}") + 1]))


def rows(_options: Options) -> Iterator[Row]:
    """The mixes' loudness and peaks, the joins, and the speed, beside FFmpeg's."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        yield from _against_loudnorm(folder)
        worst = [max(way) for way in zip(*map(join_roughness, takes().values()), strict=True)]
        what = "a take carried on beyond its end: roughest join (1: as smooth as inside)"
        yield Row(what, "", worst[2], "numpy.pad, reflected", worst[1], len(takes()))
        long_inputs(folder)
        runs = {"ours": lambda: one_mix(folder, 2), "ffmpeg": lambda: ffmpegs_mix(folder, 2)}
        took = medians(runs, REPEATS)
        what, peer = "mix of 2 min: music under a voice", f"{ffmpeg_name()} sidechaincompress, loudnorm"
        yield Row(what, "s", took["ours"], peer, took["ffmpeg"], REPEATS)


def _against_loudnorm(folder: Path) -> Iterator[Row]:
    ours, theirs = [], []
    plain, master, normed = folder / "plain.flac", folder / "master.flac", folder / "normed.flac"
    for _, plan in inputs(folder):
        mix(plan, folder / "bgm.flac", master)
        ours.append(ebur128(master))
        mix(replace(plan, settings=MixSettings(lufs=None)), folder / "bgm.flac", plain)
        first = ffmpeg("-i", plain, "-af", loudnorm(), "-f", "null", "-")
        ffmpeg("-i", plain, "-af", loudnorm(measured(first)), *FLAC, normed)
        theirs.append(ebur128(normed))
    peer, count = f"{ffmpeg_name()} loudnorm, two passes", len(ours)
    off = [[abs(heard.lufs + 14) for heard in side] for side in (ours, theirs)]
    yield Row("mixes brought to -14 LUFS: mean distance", "LU", mean(off[0]), peer, mean(off[1]), count)
    yield Row("the same: the farthest", "LU", max(off[0]), peer, max(off[1]), count)
    over = [max(heard.true_peak_db + 1 for heard in side) for side in (ours, theirs)]
    yield Row("the same: highest true peak over the ceiling of -1 dBTP", "dB", over[0], peer, over[1], count)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        loudness(folder)
        joins()
        speed(folder)


if __name__ == "__main__":
    main()
