"""Riffusion's spectrogram images: sound ↔ mel amplitudes ↔ an RGB picture, to the pixel.

The format is the published one of riffusion-model-v1: short-time Fourier magnitudes (Hann window of 100 ms every 10 ms,
padded to 400 ms) on 512 HTK mel bands up to 10 kHz, divided by their maximum, to the power 0.25, inverted, 8 bit, low
frequencies at the bottom. The parameters travel in the picture's EXIF under the tag numbers that riffusion uses.
Arrays are (channels, mel bands, frames), float32; sound is (frames, channels), -1..1.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from bgm.errors import BadInput

if TYPE_CHECKING:
    from PIL.Image import Image

Array = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]
"""(mel bands, frames): one channel of a picture, low frequencies at the bottom."""

ROWS = 512
"""Height of the pictures that the model was trained on: mel bands."""
CLIP_FRAMES = 512
"""Width of the pictures that the model was trained on: 5.11 s."""
PCM16_SCALE = 32_768.0
"""Riffusion computes on 16-bit sample values, so the maximum that it writes into EXIF has that scale."""

_BLOCK_FRAMES = 128
_EXIF_TAGS = {
    "sample_rate": 11000,
    "stereo": 11005,
    "step_size_ms": 11010,
    "window_duration_ms": 11020,
    "padded_duration_ms": 11030,
    "num_frequencies": 11040,
    "min_frequency": 11050,
    "max_frequency": 11060,
    "power_for_image": 11070,
}
_TRIPLE_RES_MONO = 11007
_MAX_VALUE = 11080


@dataclass(frozen=True, slots=True)
class SpectrogramParams:
    """How sound becomes a picture; the defaults are riffusion-model-v1's. Durations in ms, frequencies in Hz.

    At another ``sample_rate`` the picture is the same within two of its 255 levels, so nothing need be resampled.
    """

    stereo: bool = False
    sample_rate: int = 44_100
    step_size_ms: int = 10
    window_duration_ms: int = 100
    padded_duration_ms: int = 400
    num_frequencies: int = ROWS
    min_frequency: int = 0
    max_frequency: int = 10_000
    power_for_image: float = 0.25

    @property
    def hop(self) -> int:
        """Samples between frames."""
        return self.sample_rate * self.step_size_ms // 1000

    @property
    def window(self) -> int:
        """Samples under the Hann window."""
        return self.sample_rate * self.window_duration_ms // 1000

    @property
    def n_fft(self) -> int:
        """Samples of the transform: the window and zeros around it."""
        return self.sample_rate * self.padded_duration_ms // 1000

    def frames(self, samples: int) -> int:
        """Frames of a stretch of sound: they are centred on samples 0, hop, 2 hop, …"""
        return 1 + samples // self.hop

    def to_exif(self) -> dict[int, Any]:
        """Tag number → value, as riffusion writes them."""
        tags: dict[int, Any] = {tag: getattr(self, name) for name, tag in _EXIF_TAGS.items()}
        return {**tags, _TRIPLE_RES_MONO: False}

    @classmethod
    def from_exif(cls, exif: Any) -> SpectrogramParams:
        """Read them back; a picture without them has the defaults. Raises BadInput for a kind that we don't read."""
        if exif.get(_TRIPLE_RES_MONO):
            raise BadInput("this spectrogram has tripled frequency resolution, which can't be read")
        usual = cls()
        known = {name: exif[tag] for name, tag in _EXIF_TAGS.items() if tag in exif}
        return cls(**{name: type(getattr(usual, name))(value) for name, value in known.items()})


def mel_scale(hertz: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """HTK's mel scale, as torchaudio's ``mel_scale="htk"``."""
    return 2595.0 * np.log10(1.0 + np.asarray(hertz, np.float64) / 700.0)


@lru_cache(maxsize=4)
def mel_filters(params: SpectrogramParams) -> Array:
    """Triangular filters without area normalisation, (mel bands, transform bins up to the highest frequency)."""
    bins = np.arange(1 + params.max_frequency * params.n_fft // params.sample_rate)
    hertz = bins * params.sample_rate / params.n_fft
    low, high = mel_scale([params.min_frequency, params.max_frequency])
    edges = 700.0 * (10.0 ** (np.linspace(low, high, params.num_frequencies + 2) / 2595.0) - 1.0)
    width = np.diff(edges)[:, None]
    rising = (hertz - edges[:-2, None]) / width[:-1]
    falling = (edges[2:, None] - hertz) / width[1:]
    filters: Array = np.maximum(0.0, np.minimum(rising, falling)).astype(np.float32)
    return filters


def mel_blocks(sound: Iterable[Array], params: SpectrogramParams) -> Iterator[Array]:
    """Mel amplitudes (channels, bands, frames) of a stream of (frames, channels) blocks, as they become known.

    The sound is mirrored at both ends (half a window), so ``n`` samples give ``1 + n // hop`` frames.
    """
    half = params.window // 2
    waiting: Array | None = None
    mirrored = False
    for block in sound:
        waiting = block if waiting is None else np.concatenate([waiting, block])
        if not mirrored and len(waiting) > half:
            waiting, mirrored = np.pad(waiting, ((half, 0), (0, 0)), mode="reflect"), True
        if mirrored:
            done = max(0, 1 + (len(waiting) - params.window) // params.hop)
            yield from _mel_of_whole_windows(waiting, done, params)
            waiting = waiting[done * params.hop :]
    if waiting is not None and (mirrored or len(waiting)):
        waiting = _mirror_end(waiting, half, mirrored)
        yield from _mel_of_whole_windows(waiting, 1 + (len(waiting) - params.window) // params.hop, params)


def mel_from_wave(wave: Array, params: SpectrogramParams) -> Array:
    """Mel amplitudes (channels, bands, 1 + samples // hop) of (frames, channels); mono params mix the channels.

    The amplitudes are those of -1..1 samples: riffusion's own divided by 32768.
    """
    if not len(wave):
        raise BadInput("there is no sound to make a spectrogram of")
    if not params.stereo:
        wave = wave.mean(axis=1, keepdims=True)
    elif wave.shape[1] == 1:
        wave = np.repeat(wave, 2, axis=1)
    return np.concatenate(list(mel_blocks([wave], params)), axis=2)


def pixels_from_mel(mel: Array, maximum: float, params: SpectrogramParams) -> Pixels:
    """8-bit pixels (…, bands, frames), 255 for silence, high frequencies on top; ``maximum`` is what becomes 0."""
    scaled = (mel / np.float32(max(maximum, 1e-30))) ** np.float32(params.power_for_image)
    pixels: Pixels = np.clip(255.0 - 255.0 * scaled, 0.0, 255.0).astype(np.uint8)
    return pixels[..., ::-1, :]


def mel_from_pixels(pixels: Pixels, maximum: float, params: SpectrogramParams) -> Array:
    """The inverse of :func:`pixels_from_mel`, but for the rounding."""
    mel: Array = ((255.0 - pixels[..., ::-1, :].astype(np.float32)) / 255.0) ** (1.0 / params.power_for_image)
    return mel * np.float32(maximum)


def image_from_mel(mel: Array, params: SpectrogramParams) -> Image:
    """The picture of (1 or 2, bands, frames): grey for mono, (0, left, right) for stereo; parameters in its EXIF."""
    from PIL import Image as pil

    maximum = float(mel.max())
    pixels = pixels_from_mel(mel, maximum, params)
    planes = [np.zeros_like(pixels[0]), *pixels] if params.stereo else [pixels[0]] * 3
    image = pil.fromarray(np.ascontiguousarray(np.stack(planes, axis=-1)))
    image.getexif().update({**params.to_exif(), _MAX_VALUE: maximum * PCM16_SCALE})
    return image


def mel_from_image(image: Image) -> tuple[Array, SpectrogramParams]:
    """Mel amplitudes (1 or 2, bands, frames) of a picture and the parameters it was made with.

    A picture without a maximum in its EXIF (a model's output) gives 0..1.
    """
    exif = image.getexif()
    params = SpectrogramParams.from_exif(exif)
    planes = np.asarray(image.convert("RGB")).transpose(2, 0, 1)
    if planes.shape[1] != params.num_frequencies:
        raise BadInput(f"a spectrogram picture has {params.num_frequencies} rows, this one {planes.shape[1]}")
    maximum = float(exif.get(_MAX_VALUE, PCM16_SCALE)) / PCM16_SCALE
    return mel_from_pixels(planes[1:3] if params.stereo else planes[:1], maximum, params), params


def save_image(image: Image, target: Path) -> None:
    """Write a picture with its EXIF (PNG keeps every pixel)."""
    image.save(target, exif=image.getexif())


def _mirror_end(waiting: Array, half: int, mirrored: bool) -> Array:
    before = 0 if mirrored else half
    return np.pad(waiting, ((before, half), (0, 0)), mode="reflect" if len(waiting) > 1 else "edge")


def _mel_of_whole_windows(sound: Array, count: int, params: SpectrogramParams) -> Iterator[Array]:
    """The first ``count`` frames whose windows start at samples 0, hop, 2 hop, … of ``sound``."""
    for first in range(0, count, _BLOCK_FRAMES):
        frames = min(_BLOCK_FRAMES, count - first)
        start = first * params.hop
        yield _mel(sound[start : start + (frames - 1) * params.hop + params.window], params)


def _mel(sound: Array, params: SpectrogramParams) -> Array:
    import torch

    filters = torch.from_numpy(mel_filters(params))
    windows = torch.from_numpy(np.ascontiguousarray(sound.T)).unfold(-1, params.window, params.hop)
    spectrum = torch.fft.rfft(windows * torch.hann_window(params.window), n=params.n_fft)
    mel: Array = (filters @ spectrum[..., : filters.shape[1]].abs().transpose(1, 2)).numpy()
    return mel
