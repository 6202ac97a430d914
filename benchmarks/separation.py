"""What the separator does to speech over music, and to speech alone.

    python -m benchmarks.separation [--voices DIR] [--music DIR] [--thresholds]

SI-SDR (Le Roux et al., 2019) of real speech mixed with music, before and after, with our own voice activity; beside it
the same model without the gate. The folders hold any sounds; files whose names differ in what follows the last - or _
are one speaker. Without them the speech is ../shared/data/jfk.flac (else Debian's flite), the music two beds made by
arithmetic and two pieces of our own composer, rendered with the soundfont that is installed. ``--thresholds`` prints
what the whole mask and none gain at each level of background: the figures behind bgm/voice/separation.py.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median

import numpy as np

from benchmarks.peers import JFK, Options, ffmpeg
from benchmarks.table import LIMIT, Row, not_run
from bgm import engines
from bgm.engines import Stage
from bgm.progress import silent
from bgm.speech.activity import speech_spans
from bgm.timeline import Emotion
from bgm.voice import separation, unet
from bgm.voice.spleeter import Spleeter
from testing.voice_sounds import RATE, Sound, level_db, load, mixed, music, read, si_sdr, write

WORDS = (
    "I can hardly believe what happened this morning. The train was late again, and the whole platform was angry. "
    "Then somebody started to sing. We walked along the beach until the sun went down, and nobody spoke a word."
)
RATIOS_DB = (0, 5, 10, 15)
THRESHOLD_RATIOS_DB = (12, 15, 18, 21, 24, 27, 30, 35)
PAUSE_RATIO_DB = 5
SPEAKER_SECONDS = 24
PAUSE_SECONDS = 2.0
"""Put between a speaker's files, so that there are pauses to judge."""
PEER = "Spleeter 2stems without our gate"


class NoSpeechError(RuntimeError):
    """There is no recording of a voice on this machine."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one mix: SI-SDR in dB, the old music's level in the pauses against what it was, seconds of computing."""

    before: float
    ours: float
    bare: float
    pauses_db: float
    bare_pauses_db: float
    wall: float
    cpu: float


def voices(folder: Path | None, scratch: Path) -> dict[str, Sound]:
    """Each speaker's sound, at most so long, pauses put between the files."""
    if folder:
        speakers: dict[str, list[Sound]] = {}
        for file in _sounds(folder):
            speakers.setdefault(re.sub(r"[-_][^-_]*$", "", file.stem), []).append(_decoded(file, scratch))
        return {name: _joined(parts)[: SPEAKER_SECONDS * RATE] for name, parts in speakers.items()}
    if JFK.is_file():
        return {"jfk": load(JFK)}
    flite = shutil.which("flite")
    if not flite:
        raise NoSpeechError("neither ../shared/data/jfk.flac nor flite is here")
    subprocess.run([flite, "-voice", "rms", "-t", WORDS, "-o", str(scratch / "flite.wav")], check=True)
    return {"flite": load(scratch / "flite.wav")}


def pieces(folder: Path | None, scratch: Path) -> dict[str, Sound]:
    """The music, from its beginning."""
    if folder:
        return {file.stem[:28]: _decoded(file, scratch) for file in _sounds(folder)}
    return beds(30) | {f"composer, {e}": _composed(e, scratch) for e in (Emotion.JOY, Emotion.SADNESS)}


def beds(seconds: float) -> dict[str, Sound]:
    """The two that need nothing but arithmetic."""
    return {"calm": music(seconds, 66, drums=False), "lively": music(seconds, 126)}


def _composed(emotion: Emotion, scratch: Path) -> Sound:
    from benchmarks.music import cue
    from bgm.music.embedded import compose, render

    request, file = cue(emotion, 30), scratch / "composed.flac"
    render(compose(request), file, request.frames, silent)
    return load(file)


def _sounds(folder: Path) -> list[Path]:
    return [file for file in sorted(folder.iterdir()) if file.suffix in (".wav", ".flac", ".ogg", ".mp3")]


def _decoded(file: Path, scratch: Path) -> Sound:
    target = scratch / "decoded.wav"
    ffmpeg("-i", file, "-ar", RATE, "-ac", 1, "-c:a", "pcm_f32le", target)
    return read(target)


def _joined(parts: list[Sound]) -> Sound:
    pause = np.zeros(int(PAUSE_SECONDS * RATE), np.float32)
    return np.concatenate([sound for part in parts for sound in (part, pause)])


def measured(clean: Sound, mix: Sound, folder: Path) -> Figures:
    """Ours, file to file, and the bare model over the same mix. Where speech is, the clean sound tells."""
    source, voice = write(folder / "source.flac", mix), folder / "voice.flac"
    engine = engines.separator(engines.choose(Stage.SEPARATE, "spleeter"))
    began, cpu = time.perf_counter(), time.process_time()
    engine.separate(source, voice, speech_spans, silent)
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    ours, bare = read(voice), _bare(mix, engine)
    pause = _pauses(write(folder / "clean.flac", clean), len(clean))
    left = [level_db(sound[pause]) - level_db(mix[pause]) if pause.any() else 0.0 for sound in (ours, bare)]
    return Figures(si_sdr(mix, clean), si_sdr(ours, clean), si_sdr(bare, clean), *left, wall, cpu)


def _bare(mix: Sound, engine: Spleeter) -> Sound:
    stereo = np.stack([mix, mix], axis=1)
    blocks = unet.separated([stereo], engine.loaded(silent), len(mix))
    return np.asarray(np.concatenate(list(blocks)).mean(axis=1), np.float32)


def _pauses(clean: Path, frames: int) -> np.ndarray:
    """Where nobody speaks within half a second."""
    moments = np.arange(frames) / RATE
    return ~separation.inside(speech_spans(clean), moments, 0.5)


def compare(speakers: Mapping[str, Sound], music_pieces: Mapping[str, Sound], folder: Path) -> None:
    """Print the gains by level, the pauses by piece, clean speech by speaker, and the time."""
    found: dict[tuple[int, str], list[Figures]] = {}
    for ratio in RATIOS_DB:
        for name, piece in music_pieces.items():
            for clean in speakers.values():
                mix = mixed(clean, _as_long(piece, len(clean)), ratio)
                found.setdefault((ratio, name), []).append(measured(clean, mix, folder))
        every = [figures for (level, _), many in found.items() if level == ratio for figures in many]
        ours, bare = (mean(getattr(f, side) - f.before for f in every) for side in ("ours", "bare"))
        print(
            f"music {ratio} dB below: gain {ours:.1f} dB, without gate {bare:.1f} dB ({len(every)} mixes)", flush=True
        )
    for name in music_pieces:
        at = found[PAUSE_RATIO_DB, name]
        left = mean(f.pauses_db for f in at), mean(f.bare_pauses_db for f in at)
        gains = " ".join(f"{mean(f.ours - f.before for f in found[ratio, name]):.1f}" for ratio in RATIOS_DB)
        print(f"{name}: left in pauses {left[0]:.0f} dB (without gate {left[1]:.0f}), gains {gains}")
    seconds = sum(len(clean) for clean in speakers.values()) / RATE * len(music_pieces) * len(RATIOS_DB)
    every = [figures for many in found.values() for figures in many]
    print(
        f"wall {sum(f.wall for f in every) / seconds:.3f}, CPU {sum(f.cpu for f in every) / seconds:.3f} of the length"
    )
    alone = {name: measured(clean, clean, folder).ours for name, clean in speakers.items()}
    print(
        "clean speech:", ", ".join(f"{name} {db:.1f}" for name, db in alone.items()), f"mean {mean(alone.values()):.1f}"
    )


def _as_long(piece: Sound, frames: int) -> Sound:
    return np.resize(piece, frames)


def thresholds(speakers: Mapping[str, Sound], music_pieces: Mapping[str, Sound], folder: Path) -> None:
    """What the whole mask gains over none, by the background's level as it is measured."""
    engine = engines.separator(engines.choose(Stage.SEPARATE, "spleeter"))
    print("| voice | piece | music below by | measured | gain of the whole mask |\n|---|---|---|---|---|")
    for voice_name, clean in speakers.items():
        for name, piece in music_pieces.items():
            for ratio in THRESHOLD_RATIOS_DB:
                mix = mixed(clean, _as_long(piece, len(clean)), ratio)
                source = write(folder / "source.flac", mix)
                level = separation.measure(source, speech_spans(source), silent).overall_db
                gain = si_sdr(_bare(mix, engine), clean) - si_sdr(mix, clean)
                told = "" if level is None else f"{level:.1f}"
                print(f"| {voice_name} | {name} | {ratio} | {told} | {gain:+.1f} |", flush=True)


def rows(_options: Options) -> Iterator[Row]:
    """Gains beside the same model without our gate; clean speech; what is left in pauses; time."""
    what = "speech out of music {} dB below it: SI-SDR gained"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            speakers, tunes = voices(None, folder), pieces(None, folder)
        except NoSpeechError as error:
            yield not_run(what.format("0 to 15"), PEER, str(error))
            return
        every: list[Figures] = []
        for ratio in RATIOS_DB:
            mixes = [(c, mixed(c, _as_long(p, len(c)), ratio)) for c in speakers.values() for p in tunes.values()]
            found = [measured(clean, mix, folder) for clean, mix in mixes]
            gains = [mean(getattr(f, side) - f.before for f in found) for side in ("ours", "bare")]
            yield Row(what.format(ratio), "dB", gains[0], PEER, gains[1], len(found), higher_is_better=True)
            if ratio == PAUSE_RATIO_DB:
                left = [max(getattr(f, side) for f in found) for side in ("pauses_db", "bare_pauses_db")]
                yield Row("the same: music left in pauses, worst piece", "dB", left[0], PEER, left[1], len(found))
            every += found
        alone = [measured(clean, clean, folder) for clean in speakers.values()]
        kept = [mean(getattr(f, side) for f in alone) for side in ("ours", "bare")]
        yield Row("clean speech left alone: SI-SDR", "dB", kept[0], PEER, kept[1], len(alone), higher_is_better=True)
        seconds = len(next(iter(speakers.values()))) / RATE
        took = median(f.wall for f in every) / seconds
        yield Row("separation, listening included: time over the sound's length", "×", took, LIMIT, 0.1, len(every))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--voices", type=Path, metavar="DIR")
    arguments.add_argument("--music", type=Path, metavar="DIR")
    arguments.add_argument("--thresholds", action="store_true")
    wanted = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        work = thresholds if wanted.thresholds else compare
        work(voices(wanted.voices, folder), pieces(wanted.music, folder), folder)


if __name__ == "__main__":
    main()
