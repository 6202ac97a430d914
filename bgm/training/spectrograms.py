"""Build a set of captioned spectrograms: ``python -m bgm.training.spectrograms MUSIC -o SET``.

MUSIC is a folder of audio files (with the licence in their tags, or with a metadata.csv or .jsonl beside them), or such
a table: path and licence, optionally tags, emotion, tempo, title, artist, source. A track without a licence that allows
training is rejected by name. --composed N adds N pieces by our own composer (CC0). SET is an imagefolder for Hugging
Face's datasets: train/ and validation/ with a metadata.jsonl each, tracks.jsonl with every track, and a data card. The
same command resumes after a stop and rebuilds only what has changed.
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
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from bgm import console
from bgm.digest import digest, seed_of
from bgm.errors import BadInput, BgmError
from bgm.files import beside, sweep, write_text
from bgm.media.audio import SAMPLE_RATE, Audio, Mono, frames_of, length, read, to_mono
from bgm.music.riffusion.spectrogram import (
    CLIP_FRAMES,
    ROWS,
    SpectrogramParams,
    image_from_mel,
    mel_from_wave,
    save_image,
)
from bgm.progress import Progress
from bgm.timeline import EMOTIONS, Style
from bgm.training.examples import CARD, LICENCE_KEY, METADATA
from bgm.training.tracks import Track, composed, conditions, licence, read_tracks, why_not

Row = dict[str, Any]
SPLITS = ("train", "validation")
PARAMS = SpectrogramParams()
SECONDS = {"5.11": CLIP_FRAMES, "10": 2 * CLIP_FRAMES}
"""Values of ``--seconds`` and the image widths: latents are an eighth as wide and the U-Net halves them three times, so
widths are multiples of 64 and "10" is 1,024 columns, 10.23 s."""
VALIDATION = 0.1
QUIET = 10 ** (-50 / 20)
MOST_QUIET = 0.25
"""Share of a crop's 0.1 s frames whose RMS may be below QUIET."""
CLIPPED = 0.985
MOST_CLIPPED = 0.005
"""Share of samples that may reach CLIPPED: a limited master stays below it, a clipped recording doesn't."""
TRIES = 3
"""Random positions tried in each stretch of a track before it is skipped."""
OTHER = "other"
"""The hub's licence of a set whose tracks have several."""
_DONE = ".tracks"
"""Folder in SET with the result of every finished track, from which a stopped command resumes."""


@dataclass(frozen=True, slots=True)
class Options:
    """``crops``, ``columns`` and ``seed`` determine a track's images, together with the track itself."""

    crops: int = 4
    columns: int = CLIP_FRAMES
    seed: int = 0
    allow: frozenset[str] = frozenset()
    """Licence conditions (NC, ND) accepted on the user's own responsibility."""
    processes: int = 1

    @property
    def frames(self) -> int:
        """Samples per crop at the studio's sample rate."""
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
    parser.add_argument("--style", choices=list(Style), action="append", default=[], help="… in it; default: every one")
    parser.add_argument("--soundfont", type=Path, action="append", default=[], help="… played by this one; repeatable")
    parser.add_argument("--crops", type=int, default=4, help="pictures of a track, at most (default 4)")
    parser.add_argument("--seconds", choices=list(SECONDS), default="5.11", help="of a picture (default 5.11)")
    parser.add_argument("--licence", default="", help="of tracks that name none; 'own' for your own music")
    parser.add_argument("--allow", default="", metavar="nc,nd", help="licence conditions that you answer for")
    parser.add_argument("--seed", type=int, default=0, help="of the crops' places (default 0)")
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)), help="default: one a core")
    return console.run(parser, "spectrograms", _from_arguments, argv)


def _from_arguments(arguments: argparse.Namespace, progress: Progress) -> str:
    if arguments.music is None and not arguments.composed:
        raise BadInput("name a folder or a list of music, or --composed N")
    if min(arguments.crops, arguments.processes) < 1 or arguments.composed < 0:
        raise BadInput("--crops and --processes must be 1 or more, --composed 0 or more")
    allow = conditions(arguments.allow)
    tracks: list[Track] = read_tracks(arguments.music, arguments.licence) if arguments.music else []
    styles = [Style(name) for name in arguments.style] or list(Style)
    tracks += composed(arguments.composed, arguments.soundfont, styles)
    options = Options(arguments.crops, SECONDS[arguments.seconds], arguments.seed, allow, arguments.processes)
    ledger = build(tracks, arguments.out, options, progress)
    for track in ledger:
        if track["left_out"]:
            print(f"left out: {track['track']}: {track['left_out']}", file=sys.stderr)
    used = [track for track in ledger if track["crops"]]
    pictures = sum(track["crops"] for track in used)
    return f"{arguments.out}: {pictures} pictures of {len(used)} tracks; {len(ledger) - len(used)} tracks left out"


def build(tracks: Sequence[Track], out: Path, options: Options, progress: Progress) -> list[Row]:
    """Write the set. Returns one row per track: its licence, its number of crops, or why it was left out.

    Memory doesn't grow with the number or length of tracks (audio is decoded to disk and read crop by crop), and the
    images don't depend on the number of processes. Raises BadInput if ``out`` holds other files or no track is usable.
    """
    _claim(out)
    refused = {track.name: why for track in tracks if (why := _refusal(track, options.allow))}
    usable = [track for track in tracks if track.name not in refused]
    # Before any work, and from all tracks: what is held out must not depend on which were finished first.
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
    """One track to process."""

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
        """Digest of everything that determines the images: a record with this key is reused."""
        return digest(self.track.identity, self.split, self.options.crops, self.options.columns, self.options.seed)


def held_out(tracks: Sequence[Track]) -> set[str]:
    """Names of the validation tracks: a tenth of each emotion, chosen by digest, at least one of three or more.

    Split by track, never by crop: crops of one track in both splits would leak. If no emotion has three tracks, one
    track is held out of two or more, so that there is a validation loss.
    """
    held: set[str] = set()
    for emotion in ("", *EMOTIONS):
        # By the digest of the name: a set that grows keeps its old tracks where they were, and no order of the folder
        # shows.
        own = sorted((t.name for t in tracks if t.emotion == emotion), key=digest)
        held |= set(own[: max(round(VALIDATION * len(own)), int(len(own) >= 3))])
    if not held and len(tracks) > 1:
        held = {min((t.name for t in tracks), key=digest)}
    return held


def _claim(out: Path) -> None:
    """Create the folder, or accept an earlier set. Raises BadInput if it holds anything else."""
    if out.exists() and not (out / _DONE).is_dir() and (not out.is_dir() or any(out.iterdir())):
        raise BadInput(f"{out} holds other files: name a new folder for the set")
    for name in (_DONE, *SPLITS):
        (out / name).mkdir(parents=True, exist_ok=True)
        sweep(out / name)


def _refusal(track: Track, allow: frozenset[str]) -> str | None:
    """Why a track is rejected before it is opened, or None."""
    if not track.path.is_file():
        return "there is no such file"
    return why_not(track.licence, allow) or (None if track.caption else "no tags, emotion or tempo to caption it")


def _made(jobs: Sequence[Job], processes: int, progress: Progress) -> dict[str, Row]:
    """The rows of each track, by name. Two tracks per process are queued at a time, not all."""
    waiting, running, found = iter(jobs), dict[Future[Row], Job](), dict[str, Row]()
    # spawn: a forked child inherits the locks of other threads in whatever state they are.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, mp_context=context, initializer=_begin)
    try:
        while len(found) < len(jobs):
            # Two per process keep each busy; all at once would pickle every track before the first is made.
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
    """Worker initializer: one thread, ignore Ctrl-C (the parent handles it), exit if the parent dies."""
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
    """The stored result of :func:`make` for the same track and options, if all its images exist."""
    try:
        known: Row = json.loads(job.record.read_text(encoding="utf-8"))
        whole = all((job.out / job.split / row["file_name"]).is_file() for row in known["rows"])
        return known if whole and known["key"] == job.key else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def make(job: Job) -> Row:
    """Write the track's images. ``rows`` go to metadata.jsonl; ``left_out`` says why there are none."""
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
                "licence": licence(track.licence).name,
                "artist": track.artist,
            }


def crops(sound: Path, options: Options, name: str) -> Iterator[tuple[int, Mono]]:
    """Start (in frames) and mono audio at 44.1 kHz of up to ``options.crops`` crops, none silent or clipped.

    Stratified: one at random from each of as many equal stretches of the track.
    """
    import soxr

    rng = np.random.default_rng(seed_of(options.seed, name))
    room = length(sound) - options.frames
    number = min(options.crops, 1 + room // options.frames)
    edges = np.linspace(0, room, number + 1) if room >= 0 else np.zeros(1)
    for first, last in pairwise(edges):
        # A stretch without a usable place is skipped: there are others, and a track of silence would be searched for
        # ever.
        for _ in range(TRIES):
            start = int(rng.uniform(first, last))
            stereo = read(sound, start, start + options.frames)
            if is_fit(stereo):
                yield start, soxr.resample(to_mono(stereo), SAMPLE_RATE, PARAMS.sample_rate)
                break


def is_fit(wave: Audio) -> bool:
    """Whether audio (frames, channels) at the studio's rate is neither mostly silent nor clipped."""
    tenth = SAMPLE_RATE // 10
    # By tenths of a second: a rest of two seconds is music, a crop that is silent for a quarter of its time teaches
    # silence.
    power = np.square(wave[: len(wave) // tenth * tenth]).mean(axis=1).reshape(-1, tenth).mean(axis=1)
    quiet = float(np.mean(np.sqrt(power) < QUIET))
    clipped = float(np.mean(np.abs(wave) >= CLIPPED))
    return quiet <= MOST_QUIET and clipped <= MOST_CLIPPED


def _entry(track: Track, found: Row, refused: str | None) -> Row:
    known = {"track": track.name, "title": track.title, "artist": track.artist, "source": track.source}
    crops_ = len(found.get("rows", ()))
    return {
        **known,
        "licence": licence(track.licence).name,
        "crops": crops_,
        "left_out": refused or found.get("left_out", ""),
    }


def _finish(out: Path, rows: dict[str, list[Row]], ledger: list[Row], options: Options) -> None:
    """Write metadata, ledger and data card, and delete images that the metadata doesn't list."""
    for split, lines in rows.items():
        write_text(out / split / METADATA, _lines(lines))
        kept = {line["file_name"] for line in lines}
        # Of tracks that left the set, or moved to the other split.
        for stale in (out / split).glob("*.png"):
            if stale.name not in kept:
                stale.unlink()
    write_text(out / "tracks.jsonl", _lines(ledger))
    write_text(out / CARD, _data_card(rows, ledger, options.columns))


def _data_card(rows: dict[str, list[Row]], ledger: list[Row], columns: int) -> str:
    """The set's README, which credits every track: those used, and those of the ledger that were left out."""
    used = [track for track in ledger if track["crops"]]
    unused = [track for track in ledger if not track["crops"]]
    pictures = {split: len(lines) for split, lines in rows.items()}
    moods = Counter(str(row["emotion"] or "none") for lines in rows.values() for row in lines)
    figures = {"pictures": pictures, "tracks": len(used), "emotions": dict(sorted(moods.items()))}
    return "\n".join(
        [
            *_front({str(track["licence"]) for track in used}),
            "# Spectrograms of music with captions",
            "",
            f"Pictures of {ROWS} mel bands and {columns} frames of 10 ms in the format of riffusion-model-v1",
            "(44.1 kHz, mono; the parameters are in each picture's EXIF), from `python -m bgm.training.spectrograms`.",
            "Captions are `text` in metadata.jsonl. No track is in both splits.",
            "",
            f"    {json.dumps(figures)}",
            "",
            "## Whose music it is",
            "",
            *(f"- {_credit(track)}" for track in used),
            "",
            "## Left out",
            "",
            *([f"- {track['track']}: {track['left_out']}" for track in unused] or ["Nothing."]),
            "",
        ]
    )


def _front(used: set[str]) -> list[str]:
    """YAML front matter for the hub. The set's licence is that of its tracks if all agree, else "other"."""
    whole = next(iter(used)) if len(used) == 1 else OTHER
    known = licence(whole).address is not None
    return [
        "---",
        f"{LICENCE_KEY}{whole.lower() if known else OTHER}",
        *([] if known else [f"license_name: {' and '.join(sorted(used))}"]),
        "task_categories: [text-to-image, text-to-audio]",
        "tags: [music, spectrogram, riffusion]",
        "configs:",
        "- config_name: default",
        "  data_files: [{split: train, path: train/**}, {split: validation, path: validation/**}]",
        "---",
    ]


def _credit(track: Mapping[str, Any]) -> str:
    """Title, author, source and licence, as Creative Commons requires, and that the work was changed (crops)."""
    known = licence(str(track["licence"]))
    named = f"{track['title'] or track['track']} by {track['artist'] or 'an unnamed author'}"
    source = f", {track['source']}" if track["source"] else ""
    return f"{named}{source}, {known.name}{f' ({known.address})' if known.address else ''}, {track['crops']} crops"


def _lines(rows: Sequence[Row]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


if __name__ == "__main__":
    sys.exit(main())
