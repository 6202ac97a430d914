"""Music under a voice, ours beside FFmpeg's sidechain compressor: ``python -m benchmarks.ducking``.

The compressor gets the help that a careful person would give it: voice and music are first brought to one loudness
each, and its threshold was chosen (``--thresholds`` prints what each gives) so that the middle one of the mixes has the
music as deep under the voice as ours. Judged on the same takes: how far the depth differs from mix to mix, and how much
the music's level goes up and down while somebody speaks (the standard deviation of its gain, the first and last half
second of a phrase left out). FFmpeg's meter reads all levels.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean

import numpy as np
import soundfile

from benchmarks.mix import inputs
from benchmarks.peers import Options, ffmpeg, ffmpeg_name
from benchmarks.table import Row, show
from bgm.mix.master import mix
from bgm.mix.placement import MixPlan, MixSettings, Spans
from testing.mix_sounds import RATE, Sound, ebur128, frames, under_voice_lu

VOICE_LUFS, MUSIC_LUFS = -20.0, -20.0
COMPRESSOR = "ratio=8:attack=20:release=1000:detection=rms"
THRESHOLD = 0.0065
EDGE_S, CELL_S = 0.5, 0.05
AUDIBLE = 1e-4


@dataclass(frozen=True)
class Ducked:
    """``depth``: LU of the music under the voice while it speaks. ``wobble``: dB, deviation of its gain meanwhile."""

    depth: float
    wobble: float


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ducking", description=__doc__)
    parser.add_argument("--thresholds", type=float, nargs="+", metavar="T", help="print each mix's depth and wobble")
    thresholds = parser.parse_args().thresholds
    if not thresholds:
        show(rows(Options()))
        return
    with tempfile.TemporaryDirectory() as folder:
        for name, plan in spoken(Path(folder)):
            found = [by_ffmpeg(plan, Path(folder), t) for t in thresholds]
            print(name, by_us(plan, Path(folder)), *(f"{t}: {d}" for t, d in zip(thresholds, found, strict=True)))


def rows(_options: Options) -> Iterator[Row]:
    """Evenness of the depth over the mixes, and of the gain within the phrases."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pairs = [(by_us(plan, folder), by_ffmpeg(plan, folder, THRESHOLD)) for _, plan in spoken(folder)]
    peer = f"{ffmpeg_name()} sidechaincompress, stems levelled first"
    depths = [float(np.ptp([pair[i].depth for pair in pairs])) for i in (0, 1)]
    wobbles = [mean(pair[i].wobble for pair in pairs) for i in (0, 1)]
    spread = "music under the voice while it speaks: deepest less shallowest mix"
    yield Row(spread, "LU", depths[0], peer, depths[1], len(pairs))
    steady = "music's gain while somebody speaks: deviation, mean of the mixes"
    yield Row(steady, "dB", wobbles[0], peer, wobbles[1], len(pairs))


def spoken(folder: Path) -> Iterator[tuple[str, MixPlan]]:
    """The mixes of benchmarks.mix in which music plays where somebody speaks."""
    for name, plan in inputs(folder):
        if plan.speech and plan.voice is not None:
            music = _stretched(_music(plan), plan.speech)
            if np.sqrt(np.mean(np.square(music))) > AUDIBLE:
                yield name, plan


def by_us(plan: MixPlan, folder: Path) -> Ducked:
    """Mixed with ducking and without, which shows the gain; as quiet as broadcasting, so that no limiter has a part."""
    bgm, master, plain = folder / "bgm.flac", folder / "master.flac", folder / "plain.flac"
    mix(replace(plan, settings=MixSettings(lufs=-23.0)), bgm, master)
    mix(replace(plan, settings=MixSettings(lufs=-23.0, duck=False)), plain, folder / "unused.flac")
    return _judged(plan, _read(master), _read(bgm), _read(plain))


def by_ffmpeg(plan: MixPlan, folder: Path, threshold: float) -> Ducked:
    """Takes in a row under the voice, both levelled, the voice pressing the music down."""
    music, bgm, master = folder / "music.flac", folder / "ducked.flac", folder / "mixed.flac"
    voice = _read(_voice(plan))
    voice_gain = VOICE_LUFS - ebur128(np.repeat(voice, 2, axis=1)).lufs
    plain = _music(plan)
    plain = plain * np.float32(10 ** ((MUSIC_LUFS - ebur128(plain).lufs) / 20))
    soundfile.write(music, plain, RATE, subtype="PCM_24")
    graph = (
        f"[0:a]volume={voice_gain}dB,pan=stereo|c0=c0|c1=c0,apad=pad_dur=1,asplit[voice][key];"
        f"[1:a]apad=pad_dur=1[music];[music][key]sidechaincompress=threshold={threshold}:{COMPRESSOR},asplit[bgm][under];"
        "[voice][under]amix=inputs=2:normalize=0[mixed]"
    )
    flac = ["-c:a", "flac", "-sample_fmt", "s32"]
    outputs = ["-map", "[bgm]", *flac, bgm, "-map", "[mixed]", *flac, master]
    ffmpeg("-i", _voice(plan), "-i", music, "-filter_complex", graph, *outputs)
    return _judged(plan, _read(master)[: plan.frames], _read(bgm)[: plan.frames], plain)


def _judged(plan: MixPlan, master: Sound, bgm: Sound, plain: Sound) -> Ducked:
    depth = under_voice_lu(master, bgm, _read(_voice(plan)), plan.speech)
    inner = tuple((a + EDGE_S, b - EDGE_S) for a, b in plan.speech if b - a > 3 * EDGE_S)
    ducked, open_ = (_levels(_stretched(sound, inner)) for sound in (bgm, plain))
    heard = (open_ > AUDIBLE) & (ducked > 0)
    return Ducked(depth, float(np.std(20 * np.log10(ducked[heard] / open_[heard]))))


def _levels(sound: Sound) -> Sound:
    """RMS of each cell of 50 ms."""
    size = frames(CELL_S)
    cells = sound[: len(sound) // size * size].reshape(-1, size * sound.shape[1])
    return np.asarray(np.sqrt(np.mean(np.square(cells), axis=1)))


def _stretched(sound: Sound, spans: Spans) -> Sound:
    return np.concatenate([sound[frames(start) : frames(end)] for start, end in spans])


def _music(plan: MixPlan) -> Sound:
    """The takes as they are, one after the other."""
    return np.concatenate(
        [np.zeros((p.frames, 2), np.float32) if p.take is None else _read(p.take) for p in plan.placements]
    )


def _voice(plan: MixPlan) -> Path:
    if plan.voice is None:
        raise ValueError("nobody speaks in this mix")
    return plan.voice


def _read(file: Path) -> Sound:
    return np.asarray(soundfile.read(file, dtype="float32", always_2d=True)[0])


if __name__ == "__main__":
    main()
