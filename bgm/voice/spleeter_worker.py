"""Runs inside spleeter's own environment, as a script; nothing of ours can be imported here.

``spleeter_worker.py separate MODEL_DIR`` answers sounds on stdin with their vocals on stdout, one after another: a
count of frames (8 bytes, little endian), then that many frames of 2 float32 at 44.1 kHz. A first answer of 0 frames
says that the model is loaded. ``spleeter_worker.py fetch FOLDER`` downloads the model into a folder.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

CONFIGURATION = "2stems-16kHz"
"""The same weights as 2stems, applied up to 16.5 kHz instead of 11 kHz."""


def main(task: str, folder: str) -> None:
    """Do what the arguments say. What libraries print goes to stderr: stdout carries sound only."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    if task == "fetch":
        fetch(Path(folder))
    else:
        serve(loaded(Path(folder)), sys.stdin.buffer, answers)


def fetch(folder: Path) -> None:
    """Download, check and unpack the model by spleeter's own provider."""
    from spleeter.model.provider import ModelProvider

    ModelProvider.default().download("2stems", str(folder))


def loaded(folder: Path) -> Callable[[Any], Any]:
    """The model as a function from waveform to vocals, both (frames, 2).

    The graph is built and the weights are restored once. Restoring fails where a tensor is missing or damaged;
    spleeter's own estimator would go on with random weights.
    """
    import tensorflow as tf
    from spleeter.model import EstimatorSpecBuilder, InputProviderFactory

    parameters = configuration()
    provider = InputProviderFactory.get(parameters)
    features = provider.get_input_dict_placeholders()
    vocals = EstimatorSpecBuilder(features, parameters).outputs["vocals"]
    session = tf.compat.v1.Session()
    tf.compat.v1.train.Saver().restore(session, str(folder / "model"))

    def separate(waveform: Any) -> Any:
        return session.run(vocals, feed_dict=provider.get_feed_dict(features, waveform, ""))

    return separate


def configuration() -> dict[str, Any]:
    """Spleeter's own, but above its band a frame keeps the band's mean share instead of nothing."""
    text = resources.files("spleeter.resources").joinpath(f"{CONFIGURATION}.json").read_text(encoding="utf-8")
    return json.loads(text) | {"mask_extension": "average"}


def serve(separate: Callable[[Any], Any], sounds: BinaryIO, answers: BinaryIO) -> None:
    """Answer until stdin ends."""
    send(answers, np.zeros((0, 2), np.float32))
    while header := sounds.read(8):
        frames = int.from_bytes(header, "little")
        waveform = np.frombuffer(sounds.read(frames * 8), "<f4").reshape(-1, 2)
        send(answers, np.asarray(separate(waveform), "<f4"))


def send(answers: BinaryIO, waveform: Any) -> None:
    """One message."""
    answers.write(len(waveform).to_bytes(8, "little"))
    answers.write(waveform.tobytes())
    answers.flush()


if __name__ == "__main__":
    import tensorflow

    tensorflow.compat.v1.disable_eager_execution()
    main(*sys.argv[1:])
