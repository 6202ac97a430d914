"""Sound from spectrogram pictures, ours beside the published way: ``python -m benchmarks.spectrogram``.

Both get the same 8-bit pictures of 5.11 s clips by our composer and begin from random phases. The published way is what
riffusion-hobby sets up: torchaudio's InverseMelScale (200 steps of gradient descent) and Griffin-Lim (32 iterations,
momentum 0.99) at 44.1 kHz with transforms of 17640 samples. ``--torchaudio DIR`` uses the real torchaudio 2.0.2 from a
folder: its wheel, unpacked, with nothing left in torchaudio/lib. Without it the same two steps follow their definition.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bgm.media import audio
from bgm.music import spectrogram
from bgm.music.cue import Cue, Piece
from bgm.music.embedded import compose, render
from bgm.music.spectrogram import Array, SpectrogramParams
from bgm.music.spectrogram_inverse import wave_from_mel
from bgm.progress import silent
from bgm.timeline import EMOTIONS

PARAMS = SpectrogramParams()
SAMPLES = (spectrogram.CLIP_FRAMES - 1) * PARAMS.hop
FLOOR = 1e-3
"""Amplitudes 60 dB under the loudest are not compared."""
Converter = Callable[[Array], Array]


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.spectrogram", description=__doc__)
    parser.add_argument("--clips", type=int, default=2, help="how many of the seven moods (default 2)")
    parser.add_argument("--threads", type=int, default=1, help="torch's threads for both (default 1)")
    parser.add_argument("--torchaudio", type=Path, metavar="DIR", help="folder that holds torchaudio without binaries")
    arguments = parser.parse_args(argv)

    import torch

    torch.set_num_threads(arguments.threads)
    mels = [picture_of(clip(number)) for number in range(min(arguments.clips, len(EMOTIONS)))]
    reference = torchaudios(arguments.torchaudio) if arguments.torchaudio else by_definition
    figures = {"ours": measure(lambda mel: wave_from_mel(mel, PARAMS), mels), "published": measure(reference, mels)}
    ratio = figures["published"]["cpu_seconds_per_clip"] / figures["ours"]["cpu_seconds_per_clip"]
    result = {
        **figures,
        "times_faster": round(ratio, 1),
        "reference": "torchaudio" if arguments.torchaudio else "definition",
    }
    print(json.dumps(result, indent=1))


def clip(number: int) -> Array:
    """5.11 s from the middle of a piece, 44.1 kHz mono, (samples, 1)."""
    import soxr

    cue = Cue(Piece(number, 15.0), 15 * audio.SAMPLE_RATE, EMOTIONS[number], 1.0, "", number, False, False)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "clip.flac"
        render(compose(cue), file, cue.frames, silent)
        sound = audio.read(file, 4 * audio.SAMPLE_RATE, 10 * audio.SAMPLE_RATE).mean(axis=1, keepdims=True)
    return np.asarray(soxr.resample(sound, audio.SAMPLE_RATE, PARAMS.sample_rate))[:SAMPLES]


def picture_of(wave: Array) -> Array:
    """Mel amplitudes as they come back from the 8-bit picture."""
    return spectrogram.mel_from_image(spectrogram.image_from_mel(spectrogram.mel_from_wave(wave, PARAMS), PARAMS))[0]


def measure(convert: Converter, mels: list[Array]) -> dict[str, float]:
    """Wall and CPU time per clip after a warm-up; errors of the mel amplitudes that the sound has again."""
    convert(mels[0][..., :64])
    seconds, cpu, convergence, decibels = [], [], [], []
    for mel in mels:
        start, cpu_start = time.perf_counter(), time.process_time()
        wave = convert(mel)
        seconds.append(time.perf_counter() - start)
        cpu.append(time.process_time() - cpu_start)
        again = spectrogram.mel_from_wave(wave, PARAMS)[..., 5:-5]
        wanted = mel[..., 5 : 5 + again.shape[-1]]
        again = again[..., : wanted.shape[-1]]
        floor = FLOOR * wanted.max()
        convergence.append(np.linalg.norm(wanted - again) / np.linalg.norm(wanted))
        decibels.append(np.abs(20 * np.log10((again + floor) / (wanted + floor))).mean())
    names = ("seconds_per_clip", "cpu_seconds_per_clip", "spectral_convergence", "log_mel_error_db")
    return {n: round(float(np.mean(v)), 3) for n, v in zip(names, (seconds, cpu, convergence, decibels), strict=True)}


def torchaudios(folder: Path) -> Converter:
    """riffusion-hobby's converter: torchaudio's own transforms with its parameters."""
    sys.path.insert(0, str(folder))
    import torch
    from torchaudio import transforms

    invert = transforms.InverseMelScale(
        n_stft=PARAMS.n_fft // 2 + 1, n_mels=512, sample_rate=44_100, f_min=0, f_max=10_000, max_iter=200,
        tolerance_loss=1e-5, tolerance_change=1e-8, norm=None, mel_scale="htk",
    )  # fmt: skip
    griffin_lim = transforms.GriffinLim(
        n_fft=PARAMS.n_fft, n_iter=32, win_length=PARAMS.window, hop_length=PARAMS.hop, power=1.0, momentum=0.99
    )
    return lambda mel: griffin_lim(invert(_scaled(torch.from_numpy(mel)))).numpy().T / spectrogram.PCM16_SCALE


def by_definition(mel: Array) -> Array:
    """The same two steps written out: stochastic gradient descent on the filters' fit, then fast Griffin-Lim."""
    import torch

    generator = torch.Generator().manual_seed(0)
    magnitude = _descend(_scaled(torch.from_numpy(mel)), generator)
    window = torch.hann_window(PARAMS.window)
    sizes = (PARAMS.n_fft, PARAMS.hop, PARAMS.window, window)
    phase = torch.exp(2j * torch.pi * torch.rand(magnitude.shape, generator=generator))
    before = torch.zeros_like(phase)
    for _ in range(32):
        rebuilt = torch.stft(torch.istft(magnitude * phase, *sizes), *sizes, return_complex=True)
        phase = rebuilt - 0.99 / 1.99 * before
        phase = phase / (phase.abs() + 1e-16)
        before = rebuilt
    return torch.istft(magnitude * phase, *sizes).numpy().T / spectrogram.PCM16_SCALE


def _descend(mel: Any, generator: Any) -> Any:
    """Magnitudes (1, bins, frames) whose mel amplitudes are nearest to ``mel``: 200 steps, rate 0.1, momentum 0.9."""
    import torch

    filters = torch.zeros(PARAMS.n_fft // 2 + 1, PARAMS.num_frequencies)
    known = torch.from_numpy(spectrogram.mel_filters(PARAMS).T.copy())
    filters[: len(known)] = known
    wanted = mel.transpose(1, 2)
    found = torch.rand(*wanted.shape[:2], len(filters), generator=generator).requires_grad_()
    descent = torch.optim.SGD([found], lr=0.1, momentum=0.9)
    loss = float("inf")
    for _ in range(200):
        descent.zero_grad()
        now = (wanted - found @ filters).square().sum(dim=-1).mean()
        now.backward()
        descent.step()
        found.data.clamp_(min=0)
        if now < 1e-5 or abs(loss - float(now)) < 1e-8:
            break
        loss = float(now)
    return found.detach().transpose(1, 2)


def _scaled(mel: Any) -> Any:
    """Riffusion decodes pictures at the level of 16-bit samples."""
    return mel * spectrogram.PCM16_SCALE


if __name__ == "__main__":
    main()
