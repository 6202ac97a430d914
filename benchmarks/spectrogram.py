"""Sound from spectrogram pictures, ours beside the published way: ``python -m benchmarks.spectrogram``.

Both get the same 8-bit pictures of 5.11 s clips by our composer and begin from random phases. The published way is what
riffusion-hobby does: torchaudio's InverseMelScale (200 steps of gradient descent) and Griffin-Lim (32 iterations,
momentum 0.99) at 44.1 kHz with transforms of 17640 samples. ``--riffusion-hobby DIR`` takes its own converter from a
checkout (github.com/riffusion/riffusion-hobby), and then the pictures themselves are compared too; it needs
``--torchaudio DIR``, a folder with torchaudio 2.0.2: its wheel, unpacked, with nothing left in torchaudio/lib
(``pip download --no-deps torchaudio==2.0.2``). Without them the same two steps follow their definition.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np

from benchmarks.machine import commit
from benchmarks.peers import Options
from benchmarks.table import LIMIT, Row, not_run
from benchmarks.timing import medians
from bgm.media import audio
from bgm.music.embedded import compose, render
from bgm.music.riffusion import spectrogram
from bgm.music.riffusion.spectrogram import Array, SpectrogramParams
from bgm.music.score import Cue, Piece
from bgm.progress import silent
from bgm.timeline import EMOTIONS
from testing.spectrograms import mel_from_image, wave_from_mel

PARAMS = SpectrogramParams()
SAMPLES = (spectrogram.CLIP_FRAMES - 1) * PARAMS.hop
FLOOR = 1e-3
"""Amplitudes 60 dB under the loudest are not compared."""
Converter = Callable[[Array], Array]


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.spectrogram",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--clips", type=int, default=2, help="how many of the seven moods (default 2)")
    parser.add_argument("--threads", type=int, default=1, help="torch's threads for both (default 1)")
    parser.add_argument("--riffusion-hobby", type=Path, metavar="DIR", help="a checkout of it")
    parser.add_argument("--torchaudio", type=Path, metavar="DIR", help="folder that holds torchaudio without binaries")
    arguments = parser.parse_args(argv)
    options = Options(riffusion_hobby=arguments.riffusion_hobby, torchaudio=arguments.torchaudio)
    figures = compare(options, arguments.clips, arguments.threads)
    ratio = figures["published"]["cpu_seconds_per_clip"] / figures["ours"]["cpu_seconds_per_clip"]
    print(json.dumps({**figures, "times_faster": round(ratio, 1), "reference": reference_name(options)}, indent=1))


def rows(options: Options) -> Iterator[Row]:
    """Picture to sound: time and error; sound to picture, where riffusion-hobby is there."""
    figures, peer = compare(options, 2, 1), reference_name(options)
    ours, theirs = figures["ours"], figures["published"]
    for what, unit, key in (
        ("picture to sound, 5.11 s, random phases, one thread", "s", "seconds_per_clip"),
        ("the same: log-mel error", "dB", "log_mel_error_db"),
        ("the same: spectral convergence", "", "spectral_convergence"),
    ):
        yield Row(what, unit, ours[key], peer, theirs[key], 2)
    if converter_folders(options):
        yield from _pictures(options)
    else:
        why = "needs `--riffusion-hobby DIR --torchaudio DIR`"
        yield not_run("sound to picture: time, largest difference of a pixel", "riffusion-hobby", why)


def compare(options: Options, clips: int, threads: int) -> dict[str, dict[str, float]]:
    """:func:`measure` of ours and of the published way."""
    import torch

    torch.set_num_threads(threads)
    mels = [picture_of(clip(number)) for number in range(min(clips, len(EMOTIONS)))]
    reference = hobbys(options) if converter_folders(options) else by_definition
    return {"ours": measure(lambda mel: wave_from_mel(mel, PARAMS), mels), "published": measure(reference, mels)}


def _pictures(options: Options) -> Iterator[Row]:
    """Clips to pictures by both: how far pixels differ (of 255), and the time."""
    import pydub

    images, waves = image_converter(options), [clip(number) for number in range(2)]
    pcm = [(np.clip(wave[:, 0], -1, 1) * 32767).astype(np.int16) for wave in waves]
    segments = [pydub.AudioSegment(p.tobytes(), frame_rate=PARAMS.sample_rate, sample_width=2, channels=1) for p in pcm]
    sounds = [p[:, None].astype(np.float32) / np.float32(spectrogram.PCM16_SCALE) for p in pcm]
    pairs = [
        (np.asarray(image_of(sound), int), np.asarray(images.spectrogram_image_from_audio(segment), int))
        for sound, segment in zip(sounds, segments, strict=True)
    ]
    runs = {
        "ours": lambda: image_of(sounds[0]),
        "theirs": lambda: images.spectrogram_image_from_audio(segments[0]),
    }
    took, peer = medians(runs, 5), reference_name(options)
    yield Row("sound to picture, 5.11 s, one thread", "s", took["ours"], peer, took["theirs"], 5)
    largest = max(int(np.abs(ours - theirs).max()) for ours, theirs in pairs)
    yield Row("the same: largest difference of a pixel, in its 255 steps", "", largest, LIMIT, 1, len(pairs))


def image_of(wave: Array) -> Any:
    """Our picture of (samples, 1)."""
    return spectrogram.image_from_mel(spectrogram.mel_from_wave(wave, PARAMS), PARAMS)


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
    return mel_from_image(image_of(wave))[0]


def measure(convert: Converter, mels: list[Array]) -> dict[str, float]:
    """Median wall and CPU time per clip after a warm-up; mean errors of the mel amplitudes that the sound has again."""
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
    return {
        "seconds_per_clip": round(median(seconds), 3),
        "cpu_seconds_per_clip": round(median(cpu), 3),
        "spectral_convergence": round(mean(map(float, convergence)), 3),
        "log_mel_error_db": round(mean(map(float, decibels)), 3),
    }


def converter_folders(options: Options) -> list[Path]:
    """What Python must find to import riffusion-hobby's converter; empty unless both were given."""
    folders = [options.riffusion_hobby, options.torchaudio]
    return [folder.resolve() for folder in folders if folder] if all(folders) else []


def reference_name(options: Options) -> str:
    """The peer, with its commit."""
    if not options.riffusion_hobby or not options.torchaudio:
        return "riffusion-hobby's two steps, written from their definition"
    return f"riffusion-hobby {commit(options.riffusion_hobby)}, torchaudio 2.0.2"


def image_converter(options: Options) -> Any:
    """riffusion-hobby's own SpectrogramImageConverter with its default parameters."""
    sys.path[:0] = [str(folder) for folder in converter_folders(options) if str(folder) not in sys.path]
    from riffusion.spectrogram_image_converter import SpectrogramImageConverter
    from riffusion.spectrogram_params import SpectrogramParams as TheirParams

    return SpectrogramImageConverter(TheirParams(), device="cpu")


def hobbys(options: Options) -> Converter:
    """Mel amplitudes to sound by riffusion-hobby's converter."""
    import torch

    convert = image_converter(options).converter.waveform_from_mel_amplitudes
    return lambda mel: convert(_scaled(torch.from_numpy(mel))).numpy().T / spectrogram.PCM16_SCALE


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
