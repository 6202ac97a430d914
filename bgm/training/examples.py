"""A set as it is read: its licence, its pictures, each checked, and their latents, which are computed once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bgm.digest import digest
from bgm.errors import BadInput
from bgm.files import beside
from bgm.music.riffusion.spectrogram import CLIP_FRAMES, ROWS, Pixels
from bgm.progress import Progress

METADATA = "metadata.jsonl"
"""Of each split: a line for each picture."""
CARD = "README.md"
"""The data card, whose front matter has the licence after LICENCE_KEY."""
LICENCE_KEY = "license: "
MULTIPLE = 64
"""Columns come in multiples: latents are an eighth as wide, and the U-Net halves them three times."""
_ENCODED_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Example:
    """A picture of a set with its caption, and the emotion that it was labelled with, if any."""

    path: Path
    text: str
    emotion: str
    track: str


def read(folder: Path, split: str, least: int = 1) -> list[Example]:
    """The pictures that ``split``/metadata.jsonl names. Raises BadInput where there are fewer than ``least``."""
    table = folder / split / METADATA
    try:
        lines = [json.loads(line) for line in table.read_text(encoding="utf-8").splitlines()]
        found = [
            Example(table.parent / r["file_name"], r["text"], r.get("emotion", ""), r.get("track", "")) for r in lines
        ]
    except OSError as error:
        raise BadInput(f"{folder} is no set: there is no {split}/{METADATA}; make one with spectrograms") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"{table} can't be read: each line needs file_name and text") from error
    if len(found) < least:
        count = f"only {len(found)} picture{'s' if len(found) > 1 else ''}" if found else "no pictures"
        raise BadInput(f"{folder} has {count} in {split}, and needs {least} or more: add tracks")
    return found


def licence_of(folder: Path) -> str:
    """The licence in a set's data card, as the hub writes it. Raises BadInput if there is none."""
    try:
        lines = (folder / CARD).read_text(encoding="utf-8").splitlines()
        return next(line.removeprefix(LICENCE_KEY) for line in lines if line.startswith(LICENCE_KEY))
    except (OSError, UnicodeDecodeError, StopIteration) as error:
        raise BadInput(f"{folder} has no data card ({CARD}) that names its licence") from error


def pixels(path: Path) -> Pixels:
    """(512, columns), grey. Raises BadInput for what is no picture of riffusion's kind."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            size, grey = image.size, np.asarray(image.convert("L"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise BadInput(f"{path.name} can't be read as a picture: the file is missing or damaged") from error
    if size[1] != ROWS or size[0] % MULTIPLE or not size[0]:
        right = f"{CLIP_FRAMES} × {ROWS} or {2 * CLIP_FRAMES} × {ROWS}"
        raise BadInput(f"{path.name} is {size[0]} × {size[1]} pixels: a spectrogram is {right}")
    return grey


@dataclass(frozen=True, slots=True)
class Latents:
    """``spread`` is (n, 2, 4, 64, columns / 8), float16: means and deviations, mapped from disk; and n captions."""

    spread: npt.NDArray[np.float16]
    texts: tuple[str, ...]

    @property
    def columns(self) -> int:
        """Of a picture."""
        return 8 * int(self.spread.shape[-1])

    @property
    def identity(self) -> str:
        """Of its first and last picture, its captions and its size: whether it is another set."""
        ends = [float(np.abs(self.spread[i].astype(np.float32)).sum()) for i in (0, -1)]
        return digest(self.spread.shape, self.texts, ends)


def latents(examples: Sequence[Example], vae: Any, store: Path, progress: Progress) -> Latents:
    """Encode the pictures, or take what was encoded by the same network before and lies in ``store``.

    Memory holds a few pictures at a time. Raises BadInput for a picture of another size, and for a network that
    makes something else than numbers of it.
    """
    texts = tuple(example.text for example in examples)
    states = [(e.path.name, e.path.stat().st_size, e.path.stat().st_mtime_ns) for e in examples if e.path.is_file()]
    file = store / f"{digest(states, _identity(vae))}.npy"
    if len(states) == len(examples) and file.is_file():
        with suppress(ValueError, OSError):
            return Latents(np.load(file, mmap_mode="r"), texts)
    store.mkdir(parents=True, exist_ok=True)
    width = pixels(examples[0].path).shape[1]
    with beside(file) as part:
        shape = (len(examples), 2, 4, ROWS // 8, width // 8)
        written = np.lib.format.open_memmap(part, "w+", np.float16, shape)
        for first in range(0, len(examples), _ENCODED_AT_ONCE):
            some = examples[first : first + _ENCODED_AT_ONCE]
            written[first : first + len(some)] = _encoded(some, width, vae)
            progress((first + len(some)) / len(examples), f"encoding picture {first + len(some)} of {len(examples)}")
        written.flush()
    return Latents(np.load(file, mmap_mode="r"), texts)


def _encoded(examples: Sequence[Example], width: int, vae: Any) -> npt.NDArray[np.float16]:
    import torch

    pictures = [pixels(example.path) for example in examples]
    other = next((e for e, p in zip(examples, pictures, strict=True) if p.shape[1] != width), None)
    if other:
        raise BadInput(f"{other.path.name} is not {width} pixels wide as the pictures before it: a set has one size")
    signal = torch.from_numpy(np.stack(pictures)).to(vae.device, torch.float32) / 127.5 - 1
    with torch.no_grad():
        spread = vae.encode(signal[:, None].expand(-1, 3, -1, -1)).latent_dist
    both = torch.stack([spread.mean, spread.std], dim=1) * vae.config.scaling_factor
    if not torch.isfinite(both).all():
        raise BadInput(f"the base makes of {examples[0].path.name} what is no number (NaN): its weights are damaged")
    return np.asarray(both.half().cpu().numpy())


def _identity(network: Any) -> str:
    """Which weights these are: by their sum, their number and the scale."""
    weights = list(network.parameters())
    total = sum(float(w.detach().double().abs().sum().nan_to_num(-1.0)) for w in weights)
    return digest(total, sum(w.numel() for w in weights), network.config.scaling_factor)
