"""Wire format of paint jobs and pictures: one line of JSON, then raw pixels. Nothing is unpickled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from bgm.errors import BadInput
from bgm.music.riffusion.engine import Riffusion
from bgm.music.riffusion.model import LoraChoice, ModelKey
from bgm.music.riffusion.multidiffusion import DenoiseSettings
from bgm.music.riffusion.painting import PIXELS_PER_COLUMN, PaintJob, Region
from bgm.music.riffusion.spectrogram import ROWS, Pixels
from bgm.settings import SETTINGS

MOST_BYTES = 64 << 20
MOST_COLUMNS, MOST_REGIONS, MOST_LETTERS = 4096, 2000, 4000
"""Above what a page requests: 150 s are 1875 columns, shared by two takes."""
LIMITS = {"steps": (1, 200), "strength": (0.0, 1.0), "guidance": (0.0, 30.0), "batch": (1, 64)}


def pack_job(job: PaintJob) -> bytes:
    """For POST /paint."""
    head = {
        **pack_key(job.key),
        "shape": job.pixels.shape,
        "held": np.packbits(job.held).tobytes().hex(),
        "regions": [asdict(region) for region in job.regions],
        "settings": asdict(job.settings),
    }
    return json.dumps(head).encode() + b"\n" + np.ascontiguousarray(job.pixels).tobytes()


def unpack_job(body: bytes) -> PaintJob:
    """Raises BadInput for anything that :func:`pack_job` would not have written."""
    line, _, raw = body.partition(b"\n")
    key = unpack_key(line)
    try:
        head = json.loads(line)
        takes, columns = _size(head["shape"])
        # The sizes were checked by _size() before this: reshape raises ValueError where the bytes are fewer or more.
        pixels = np.frombuffer(raw, np.uint8).reshape(takes, ROWS, columns * PIXELS_PER_COLUMN)
        # packbits fills the last byte up: of as many bits as there are columns.
        held = np.unpackbits(np.frombuffer(bytes.fromhex(head["held"]), np.uint8))[:columns].astype(bool)
        regions = tuple(_region(one, takes, columns) for one in head["regions"])
        if len(held) != columns or len(regions) > MOST_REGIONS:
            raise ValueError("its parts don't fit its picture")
        return PaintJob(key, pixels, held, regions, _settings(head["settings"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"this is no paint job ({type(error).__name__}: {error})") from error


def pack_key(key: ModelKey) -> dict[str, Any]:
    """The body of POST /ready, and a part of every job."""
    return {"revision": Riffusion.revision, "source": key.source, "lora": key.lora.source, "weight": key.lora.weight}


def unpack_key(line: bytes) -> ModelKey:
    """Raises BadInput for malformed input and for a client of another engine revision."""
    try:
        head = json.loads(line)
        revision = head["revision"]
        names = [None if head[name] is None else str(head[name]) for name in ("source", "lora")]
        key = ModelKey(names[0], LoraChoice(names[1], float(head["weight"])))
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput("this is no question for a painter") from error
    # Another version would paint other bits, and the take would be kept under a digest that says otherwise.
    if revision != Riffusion.revision:
        raise BadInput("it is of another version of the studio: install the same on both sides")
    return key


def pack_picture(pixels: Pixels) -> bytes:
    """The end of the answer to POST /paint."""
    return json.dumps({"shape": pixels.shape}).encode() + b"\n" + np.ascontiguousarray(pixels).tobytes()


def unpack_picture(head: Mapping[str, Any], raw: bytes, shape: tuple[int, ...]) -> Pixels:
    """Raises ValueError if it is incomplete or not of the requested shape."""
    pixels = np.frombuffer(raw, np.uint8).reshape(head["shape"])
    if pixels.shape != shape:
        raise ValueError(f"a picture of {pixels.shape} instead of {shape}")
    return pixels


def _size(shape: Any) -> tuple[int, int]:
    takes, rows, width = (int(number) for number in shape)
    columns, rest = divmod(width, PIXELS_PER_COLUMN)
    SETTINGS["takes"].check(takes)  # as many as a project may ask for at a time
    if not (rows == ROWS and rest == 0 and 1 <= columns <= MOST_COLUMNS):
        raise ValueError("a picture of an impossible size")
    return takes, columns


def _region(one: Mapping[str, Any], takes: int, columns: int) -> Region:
    start, stop = int(one["start"]), int(one["stop"])
    prompt = tuple((str(text)[:MOST_LETTERS], float(share)) for text, share in one["prompt"])
    seeds = tuple(int(seed) for seed in one["seeds"])
    if not (0 <= start < stop <= columns and len(seeds) == takes and prompt and all(seed >= 0 for seed in seeds)):
        raise ValueError("a region outside the picture")
    return Region(start, stop, prompt, seeds, str(one["negative"])[:MOST_LETTERS])


def _settings(given: Mapping[str, Any]) -> DenoiseSettings:
    for name, (least, most) in LIMITS.items():
        if not least <= given[name] <= most:
            raise ValueError(f"{name} outside {least} to {most}")
    return DenoiseSettings(**given)
