"""Make a set of captioned spectrograms: ``python -m bgm.training.spectrograms MUSIC -o SET``.

MUSIC is a folder of sound files (those that carry their licence in their tags, or with a metadata.csv or .jsonl beside
them), or such a table: path, licence, and where known tags, emotion, tempo, title, artist, source. A track without a
licence that allows it is refused by name. --composed N adds N pieces of our own composer, which are anybody's.
SET is an imagefolder for Hugging Face's datasets: train/ and validation/ with their metadata.jsonl, tracks.jsonl with
every track, and a data card. The same command goes on where it was stopped and makes only what has changed.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from bgm.digest import digest, seed_of
from bgm.errors import BadInput, BgmError
from bgm.files import beside, sweep, write_text
from bgm.media.audio import SAMPLE_RATE, Audio, Mono, frames_of, length, read, to_mono
from bgm.music.riffusion.spectrogram import CLIP_FRAMES, SpectrogramParams, image_from_mel, mel_from_wave, save_image
from bgm.progress import Progress
from bgm.timeline import EMOTIONS
from bgm.training import command, licences
from bgm.training.tracks import Track, composed, read_tracks

Row = dict[str, Any]
SPLITS = ("train", "validation")
METADATA = "metadata.jsonl"
PARAMS = SpectrogramParams()
SECONDS = {"5.11": CLIP_FRAMES, "10": 2 * CLIP_FRAMES}
"""What ``--seconds`` takes, and how wide the pictures then are: the U-Net halves them three times in latents of an
eighth, so 10 s, as the mission cut its music, are 1,024 columns or 10.23 s."""
VALIDATION = 0.1
QUIET = 10 ** (-50 / 20)
MOST_QUIET = 0.25
"""Share of a crop's tenths of a second that may be below QUIET."""
CLIPPED = 0.985
MOST_CLIPPED = 0.005
"""Share of the samples that may reach CLIPPED: a loud master's limiter stays below it, a clipped recording doesn't."""
TRIES = 3
"""Places that are tried in each stretch of a track before it is given up."""
_DONE = ".tracks"
"""Of every finished track what it gave: the folder in SET from which a stopped command goes on."""


@dataclass(frozen=True, slots=True)
class Options:
    """``crops``, ``columns`` and ``seed`` decide the pictures of a track beside itself."""

    crops: int = 4
    columns: int = CLIP_FRAMES
    seed: int = 0
    allow: frozenset[str] = frozenset()
    """Licence conditions (NC, ND) that the user answers for."""
    processes: int = 1

    @property
    def frames(self) -> int:
        """Samples of a crop at the studio's rate."""
        return frames_of((self.columns - 1) * PARAMS.step_size_ms / 1000)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bgm.training.spectrograms",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("music", type=Path, nargs="?", metavar="MUSIC", help="folder, .csv or .jsonl")
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="SET")
    parser.add_argument("--composed", type=int, default=0, metavar="N", help="pieces of our composer (default 0)")
    parser.add_argument("--soundfont", type=Path, action="append", default=[], help="… played by this one; repeatable")
    parser.add_argument("--crops", type=int, default=4, help="pictures of a track, at most (default 4)")
    parser.add_argument("--seconds", choices=list(SECONDS), default="5.11", help="of a picture (default 5.11)")
    parser.add_argument("--licence", default="", help="of tracks that name none; 'own' for your own music")
    parser.add_argument("--allow", default="", metavar="nc,nd", help="licence conditions that you answer for")
    parser.add_argument("--seed", type=int, default=0, help="of the crops' places (default 0)")
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)), help="default: one a core")
    return command.run(parser, "spectrograms", _from_arguments, argv)


def _from_arguments(arguments: argparse.Namespace, progress: Progress) -> str:
    if arguments.music is None and not arguments.composed:
        raise BadInput("name a folder or a list of music, or --composed N")
    if min(arguments.crops, arguments.processes) < 1 or arguments.composed < 0:
        raise BadInput("--crops and --processes must be 1 or more, --composed 0 or more")
    allow = licences.conditions(arguments.allow)
    tracks: list[Track] = read_tracks(arguments.music, arguments.licence) if arguments.music else []
    tracks += composed(arguments.composed, arguments.soundfont)
    options = Options(arguments.crops, SECONDS[arguments.seconds], arguments.seed, allow, arguments.processes)
    ledger = build(tracks, arguments.out, options, progress)
    for track in ledger:
        if track["left_out"]:
            print(f"left out: {track['track']}: {track['left_out']}", file=sys.stderr)
    used = [track for track in ledger if track["crops"]]
    pictures = sum(track["crops"] for track in used)
    return f"{arguments.out}: {pictures} pictures of {len(used)} tracks; {len(ledger) - len(used)} tracks left out"


def build(tracks: Sequence[Track], out: Path, options: Options, progress: Progress) -> list[Row]:
    """Write the set; a line for every track: its licence, its pictures, or why it was left out.

    Memory doesn't grow with the music, and the pictures don't depend on the number of processes. Raises BadInput
    where ``out`` holds something else, or where nothing could be used.
    """
    _claim(out)
    refused = {track.name: why for track in tracks if (why := _refusal(track, options.allow))}
    usable = [track for track in tracks if track.name not in refused]
    held = held_out(usable)
    jobs = [Job(track, SPLITS[track.name in held], out, options) for track in usable]
    found = {job.track.name: known for job in jobs if (known := made_before(job))}
    found |= _made([job for job in jobs if job.track.name not in found], options.processes, progress)
    ledger = [_entry(track, found.get(track.name, {}), refused.get(track.name)) for track in tracks]
    rows = {
        split: [row for job in jobs if job.split == split for row in found[job.track.name]["rows"]] for split in SPLITS
    }
    if not any(rows.values()):
        raise BadInput(f"nothing in it could be used: {ledger[0]['track']}: {ledger[0]['left_out']}")
    _finish(out, rows, ledger, options)
    return ledger


@dataclass(frozen=True, slots=True)
class Job:
    """One track's pictures to make."""

    track: Track
    split: str
    out: Path
    options: Options

    @property
    def name(self) -> str:
        return digest(self.track.name)

    @property
    def record(self) -> Path:
        return self.out / _DONE / f"{self.name}.json"

    @property
    def key(self) -> str:
        """What was made of the same stays."""
        return digest(self.track.identity, self.split, self.options.crops, self.options.columns, self.options.seed)


def held_out(tracks: Sequence[Track]) -> set[str]:
    """Names of the tracks for validation: a tenth of each emotion, by a digest, and one where there are three.

    Whole tracks, never crops: two stretches of one track in both splits would make any figure look good. Where no
    emotion has three, one track of two or more is held out, so that there is something to judge by.
    """
    held: set[str] = set()
    for emotion in ("", *EMOTIONS):
        own = sorted((t.name for t in tracks if t.emotion == emotion), key=digest)
        held |= set(own[: max(round(VALIDATION * len(own)), int(len(own) >= 3))])
    if not held and len(tracks) > 1:
        held = {min((t.name for t in tracks), key=digest)}
    return held


def _claim(out: Path) -> None:
    """Make the folder, or find it to be an earlier set: nobody's other files are mixed with ours."""
    if out.exists() and not (out / _DONE).is_dir() and (not out.is_dir() or any(out.iterdir())):
        raise BadInput(f"{out} holds other files: name a new folder for the set")
    for name in (_DONE, *SPLITS):
        (out / name).mkdir(parents=True, exist_ok=True)
        sweep(out / name)


def _refusal(track: Track, allow: frozenset[str]) -> str | None:
    """Why a track isn't even opened."""
    if not track.path.is_file():
        return "there is no such file"
    return licences.why_not(track.licence, allow) or (
        None if track.caption else "no tags, emotion or tempo to caption it"
    )


def _made(jobs: Sequence[Job], processes: int, progress: Progress) -> dict[str, Row]:
    """What each track gave, by its name; a few tracks ahead are given out, not all."""
    waiting, running, found = iter(jobs), dict[Future[Row], Job](), dict[str, Row]()
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, mp_context=context, initializer=_begin)
    try:
        while len(found) < len(jobs):
            while len(running) < 2 * processes and (job := next(waiting, None)):
                running[pool.submit(make, job)] = job
            for future in wait(running, timeout=0.5, return_when=FIRST_COMPLETED).done:
                found[running.pop(future).track.name] = future.result()
            progress(len(found) / len(jobs), f"{len(found)} of {len(jobs)} tracks")
    except BrokenProcessPool as error:
        raise BgmError("a process was killed (too little memory?): the same command goes on from here") from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return found


def _begin() -> None:
    """In each process: one thread, Ctrl-C is the parent's, and who has lost the parent ends."""
    import torch

    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: Any) -> None:
    parent.join()
    os._exit(1)


def made_before(job: Job) -> Row | None:
    """What :func:`make` gave for the same track and options, if its pictures are all there."""
    try:
        known: Row = json.loads(job.record.read_text(encoding="utf-8"))
        whole = all((job.out / job.split / row["file_name"]).is_file() for row in known["rows"])
        return known if whole and known["key"] == job.key else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def make(job: Job) -> Row:
    """Write the track's pictures: ``rows`` of metadata.jsonl, or in ``left_out`` why there are none."""
    try:
        rows, why = list(_pictures(job)), "it is silent, clipped or too short throughout"
    except BgmError as error:
        rows, why = [], str(error)
    made: Row = {"key": job.key, "rows": rows, "left_out": "" if rows else why}
    write_text(job.record, json.dumps(made))
    return made


def _pictures(job: Job) -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="bgm-track-") as folder:
        sound = Path(folder) / "sound.flac"
        track = job.track.sound(sound)
        for number, (start, wave) in enumerate(crops(sound, job.options, track.name)):
            target = job.out / job.split / f"{job.name}-{number}.png"
            with beside(target) as part:
                save_image(image_from_mel(mel_from_wave(wave[:, None], PARAMS), PARAMS), part)
            yield {
                "file_name": target.name,
                "text": track.caption,
                "emotion": track.emotion,
                "track": track.name,
                "start": round(start / SAMPLE_RATE, 3),
                "licence": licences.read(track.licence).name,
                "artist": track.artist,
            }


def crops(sound: Path, options: Options, name: str) -> Iterator[tuple[int, Mono]]:
    """Start (in frames) and mono sound at 44.1 kHz of at most ``options.crops`` crops that are neither silent nor
    clipped: at random, one in each of as many equal stretches, so never the same bars twice."""
    import soxr

    rng = np.random.default_rng(seed_of(options.seed, name))
    room = length(sound) - options.frames
    number = min(options.crops, 1 + room // options.frames)
    edges = np.linspace(0, room, number + 1) if room >= 0 else np.zeros(1)
    for first, last in pairwise(edges):
        for _ in range(TRIES):
            start = int(rng.uniform(first, last))
            stereo = read(sound, start, start + options.frames)
            if is_fit(stereo):
                yield start, soxr.resample(to_mono(stereo), SAMPLE_RATE, PARAMS.sample_rate)
                break


def is_fit(wave: Audio) -> bool:
    """Whether (frames, channels) at the studio's rate is neither silent for long nor clipped."""
    tenth = SAMPLE_RATE // 10
    power = np.square(wave[: len(wave) // tenth * tenth]).mean(axis=1).reshape(-1, tenth).mean(axis=1)
    quiet = float(np.mean(np.sqrt(power) < QUIET))
    clipped = float(np.mean(np.abs(wave) >= CLIPPED))
    return quiet <= MOST_QUIET and clipped <= MOST_CLIPPED


def _entry(track: Track, found: Row, refused: str | None) -> Row:
    known = {"track": track.name, "title": track.title, "artist": track.artist, "source": track.source}
    crops_ = len(found.get("rows", ()))
    licence = licences.read(track.licence).name
    return {**known, "licence": licence, "crops": crops_, "left_out": refused or found.get("left_out", "")}


def _finish(out: Path, rows: dict[str, list[Row]], ledger: list[Row], options: Options) -> None:
    """What names the pictures; and no picture stays that nothing names."""
    for split, lines in rows.items():
        write_text(out / split / METADATA, _lines(lines))
        kept = {line["file_name"] for line in lines}
        for stale in (out / split).glob("*.png"):
            if stale.name not in kept:
                stale.unlink()
    write_text(out / "tracks.jsonl", _lines(ledger))
    write_text(out / licences.CARD, licences.card(rows, ledger, options.columns))


def _lines(rows: Sequence[Row]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


if __name__ == "__main__":
    sys.exit(main())
