"""Whisper base in OpenAI's own format, made of the packaged weights, which are CTranslate2's (float16).

The names map one to one: CTranslate2 only puts the projections of an attention into one matrix. The layout of its
``model.bin`` is what its converter writes (``ctranslate2.specs.model_spec``).
"""

from __future__ import annotations

import io
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from bgm import weights

Arrays = dict[str, npt.NDArray[np.float32]]
DTYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}
BASE = {
    "n_mels": 80,
    "n_audio_ctx": 1500,
    "n_audio_state": 512,
    "n_audio_head": 8,
    "n_audio_layer": 6,
    "n_vocab": 51865,
    "n_text_ctx": 448,
    "n_text_state": 512,
    "n_text_head": 8,
    "n_text_layer": 6,
}


def write(path: Path) -> Path:
    """The checkpoint of Whisper base at ``path``; made once, half a second."""
    if not path.is_file():
        folder = weights.provide(weights.card("faster-whisper:base"), offline=True)
        state = {name: torch.from_numpy(array.copy()).half() for name, array in _renamed(read(folder / "model.bin"))}
        torch.save({"dims": BASE, "model_state_dict": state}, path)
    return path


def read(path: Path) -> Arrays:
    """The variables of a CTranslate2 model, by their names there."""
    file = io.BytesIO(path.read_bytes())

    def number(kind: str) -> int:
        return int(struct.unpack(kind, file.read(struct.calcsize(kind)))[0])

    def text() -> str:
        return file.read(number("H"))[:-1].decode()

    assert number("I") >= 4, "its layout had no types before"
    text(), number("I")
    out: Arrays = {}
    for _ in range(number("I")):
        name = text()
        shape = [number("I") for _ in range(number("B"))]
        kind = DTYPES[number("B")]
        out[name] = np.frombuffer(file.read(number("I")), kind).reshape(shape)
    return out


def _renamed(found: Arrays) -> Iterator[tuple[str, npt.NDArray[np.float32]]]:
    for name in ("conv1", "conv2"):
        for part in ("weight", "bias"):
            yield f"encoder.{name}.{part}", found[f"encoder/{name}/{part}"]
    yield "encoder.positional_embedding", found["encoder/position_encodings/encodings"]
    yield "decoder.positional_embedding", found["decoder/position_encodings/encodings"]
    yield "decoder.token_embedding.weight", found["decoder/embeddings/weight"]
    yield from _norm(found, "encoder/layer_norm", "encoder.ln_post")
    yield from _norm(found, "decoder/layer_norm", "decoder.ln")
    for half, count in (("encoder", BASE["n_audio_layer"]), ("decoder", BASE["n_text_layer"])):
        for i in range(count):
            yield from _block(found, f"{half}/layer_{i}", f"{half}.blocks.{i}", crossed=half == "decoder")


def _block(found: Arrays, old: str, new: str, *, crossed: bool) -> Iterator[tuple[str, npt.NDArray[np.float32]]]:
    yield from _norm(found, f"{old}/self_attention/layer_norm", f"{new}.attn_ln")
    yield from _cut(found, f"{old}/self_attention/linear_0", f"{new}.attn", ("query", "key", "value"))
    yield from _linear(found, f"{old}/self_attention/linear_1", f"{new}.attn.out")
    if crossed:
        yield from _norm(found, f"{old}/attention/layer_norm", f"{new}.cross_attn_ln")
        yield from _linear(found, f"{old}/attention/linear_0", f"{new}.cross_attn.query")
        yield from _cut(found, f"{old}/attention/linear_1", f"{new}.cross_attn", ("key", "value"))
        yield from _linear(found, f"{old}/attention/linear_2", f"{new}.cross_attn.out")
    yield from _norm(found, f"{old}/ffn/layer_norm", f"{new}.mlp_ln")
    yield from _linear(found, f"{old}/ffn/linear_0", f"{new}.mlp.0")
    yield from _linear(found, f"{old}/ffn/linear_1", f"{new}.mlp.2")


def _cut(found: Arrays, old: str, new: str, names: tuple[str, ...]) -> Iterator[tuple[str, npt.NDArray[np.float32]]]:
    """The joined projections apart; OpenAI's key has no bias."""
    for part in ("weight", "bias"):
        for name, array in zip(names, np.split(found[f"{old}/{part}"], len(names)), strict=True):
            if (name, part) != ("key", "bias"):
                yield f"{new}.{name}.{part}", array


def _linear(found: Arrays, old: str, new: str) -> Iterator[tuple[str, npt.NDArray[np.float32]]]:
    for part in ("weight", "bias"):
        yield f"{new}.{part}", found[f"{old}/{part}"]


def _norm(found: Arrays, old: str, new: str) -> Iterator[tuple[str, npt.NDArray[np.float32]]]:
    yield f"{new}.weight", found[f"{old}/gamma"]
    yield f"{new}.bias", found[f"{old}/beta"]


if __name__ == "__main__":
    print(write(Path(sys.argv[1])))
