"""Our Spleeter beside Deezer's own graph with the same weights: ``python -m benchmarks.spleeter [--sound FILE]``.

Makes the reference's environment (spleeter 2.4.2 and TensorFlow 2.12.1, about 1.5 GB, a minute or two) in the user's
cache unless it is there. Prints the largest difference of the vocals, whose full scale is 1, and the CPU time of both,
each on one thread: ours with Deezer's own stretches, and as the studio uses it, with stretches that overlap.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from hashlib import sha256
from pathlib import Path

import numpy as np

from benchmarks.inputs import SAMPLE
from benchmarks.peers import ffmpeg
from bgm.device import Loaded
from bgm.engines import EngineOptions
from bgm.files import user_cache
from bgm.progress import silent
from bgm.voice import unet
from bgm.voice.spleeter import converted

REQUIREMENTS = Path(__file__).with_name("requirements-spleeter.txt")
REFERENCE = Path(__file__).with_name("spleeter_reference.py")
PEER = "spleeter 2.4.2, TensorFlow 2.12.1"
SECONDS = 45


def environment() -> Path:
    """The reference's interpreter; its environment is made when it isn't there or its requirements have changed."""
    folder = user_cache() / f"spleeter-reference-{sha256(REQUIREMENTS.read_bytes()).hexdigest()[:12]}"
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    whole = folder / "whole"
    if not whole.is_file():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-input", "-r", REQUIREMENTS], check=True)
        whole.touch()
    return python


def compare(sound: Path) -> dict[str, float]:
    """``difference``, and the CPU time of ``reference``, ``ours`` and ``overlapping`` as shares of the length."""
    import torch
    from safetensors.numpy import load_file

    python = environment()
    weights = converted(EngineOptions(offline=True), silent)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ffmpeg("-i", sound, "-t", SECONDS, "-ar", unet.RATE, "-ac", 2, "-f", "f32le", folder / "sound.raw")
        waveform = np.fromfile(folder / "sound.raw", "<f4").reshape(-1, 2)
        np.save(folder / "sound.npy", waveform)
        np.savez(folder / "weights.npz", **load_file(weights))
        files = [folder / "weights.npz", folder / "sound.npy", folder / "out.npz"]
        subprocess.run([python, "-I", REFERENCE, *files], check=True, stderr=subprocess.DEVNULL)
        theirs = np.load(folder / "out.npz")
    length = len(waveform) / unet.RATE
    found = {"reference": float(theirs["seconds"]) / length}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        loaded = Loaded("Spleeter", unet.Model(weights), "cpu")
        ours, found["ours"] = _timed(waveform, loaded, 0)
        _, found["overlapping"] = _timed(waveform, loaded, unet.OVERLAP)
    finally:
        torch.set_num_threads(threads)
    return found | {"difference": float(np.abs(ours - theirs["vocals"][: len(ours)]).max())}


def _timed(waveform: np.ndarray, loaded: Loaded[unet.Model], overlap: int) -> tuple[np.ndarray, float]:
    """The vocals, and the second run's share of the length."""
    for _ in range(2):
        began = time.process_time()
        blocks = unet.vocals([waveform], loaded, overlap)
        found = np.concatenate(list(unet.passed(blocks, unet.WINDOW, len(waveform))))
        seconds = time.process_time() - began
    return found, seconds / (len(waveform) / unet.RATE)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--sound", type=Path, default=SAMPLE, metavar="FILE")
    found = compare(arguments.parse_args().sound)
    print(f"largest difference from {PEER}: {found['difference']:.1e} of full scale")
    for name in ("reference", "ours", "overlapping"):
        print(f"{name}: {found[name]:.3f} CPU seconds for a second of sound")


if __name__ == "__main__":
    main()
