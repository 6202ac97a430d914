"""Riffusion's spectrogram images: sound → mel amplitudes → an RGB picture, to the pixel, and back to sound.

The format is the published one of riffusion-model-v1: short-time Fourier magnitudes (Hann window of 100 ms every 10 ms,
padded to 400 ms) on 512 HTK mel bands up to 10 kHz, divided by their maximum, to the power 0.25, inverted, 8 bit, low
frequencies at the bottom. The parameters travel in the picture's EXIF under the tag numbers that riffusion uses.
Arrays are (channels, mel bands, frames), float32; sound is (frames, channels), -1..1.

What a picture leaves out is taken from a guide (the composer's audio) or estimated. Everything goes in chunks of 512
frames with context, so any length streams.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from bgm.errors import BadInput

if TYPE_CHECKING:
    import torch
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
EXIF_TAGS = {
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
TRIPLE_RES_MONO = 11007
MAX_VALUE = 11080


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
        tags: dict[int, Any] = {tag: getattr(self, name) for name, tag in EXIF_TAGS.items()}
        return {**tags, TRIPLE_RES_MONO: False}


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
    # The fourth root spreads quiet sound over more of the 256 levels: a decibel scale would need a floor.
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
    # In stereo the red channel stays empty, as in the published pictures.
    planes = [np.zeros_like(pixels[0]), *pixels] if params.stereo else [pixels[0]] * 3
    image = pil.fromarray(np.ascontiguousarray(np.stack(planes, axis=-1)))
    image.getexif().update({**params.to_exif(), MAX_VALUE: maximum * PCM16_SCALE})
    return image


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


MelReader = Callable[[int, int], Array]
"""``(first, last)`` → mel amplitudes (1, bands, last - first)."""
SoundReader = Callable[[int, int], Array]
"""``(start, stop)`` → samples (stop - start, 2) at the params' rate, also before 0 and past the end."""

CONTEXT = 24
"""Frames on either side of a chunk that are computed with it and not kept."""
LAG = CONTEXT // 2
"""Frames that wait for the next chunk: every sample is made of final frames only."""
MOMENTUM = 0.99
GUIDED_ITERATIONS = 16
"""From the phases of another piece this reaches the error of 32 from random ones; from the same piece 4 are enough."""
FREE_ITERATIONS = 32
LOUDEST_HIGHS = 2.0
"""How much louder than in the guide the part above the picture may become."""
_TINY = 1e-9


@dataclass(frozen=True, slots=True)
class Guide:
    """Sound that lends its phase, stereo field and high frequencies.

    ``held(first, last)`` tells which frames are this very sound and must come out unchanged.
    """

    read: SoundReader
    held: Callable[[int, int], npt.NDArray[np.bool_]]


@dataclass(frozen=True, slots=True)
class PhaseSearch:
    """How long Griffin-Lim goes on, from which random phases where there is no guide, and on which device."""

    iterations: int
    seed: int = 0
    device: str = "cpu"


def wave_blocks(
    mel: MelReader,
    frames: int,
    params: SpectrogramParams,
    guide: Guide | None = None,
    search: PhaseSearch | None = None,
) -> Iterator[Array]:
    """Sound (samples, channels) of ``frames`` frames, in blocks; together ``(frames - 1) * hop`` samples.

    Stereo with a guide, else mono from random phases. ``mel`` is in the amplitudes of ``params.sample_rate``.
    """
    import torch

    search = search or PhaseSearch(GUIDED_ITERATIONS if guide else FREE_ITERATIONS)
    device = search.device
    generator = torch.Generator().manual_seed(search.seed)
    tail: Any = None
    for start in range(0, frames, CLIP_FRAMES):
        # 1. A chunk with context on both sides,
        span = _Span.around(start, frames)
        # 2. its magnitudes on the coarse grid, and the guide's whole spectrum,
        magnitude = magnitudes(torch.from_numpy(mel(span.first, span.last)).to(device), params)
        full = _guide_spectrum(guide, span, params, device) if guide else None
        # 3. phases to begin with; what the chunk before has settled stays as it was,
        begin, fixed = _beginning(magnitude, full, guide, span, generator)
        if tail is not None:
            begin[..., : tail.shape[-1]] = tail
        # 4. refined until neighbouring windows agree,
        spectrum = griffin_lim(magnitude, begin, fixed, params, search.iterations)
        tail = spectrum[..., span.stop - CONTEXT - span.first :] if span.stop < frames else None
        if guide and full is not None:
            # 5. and given the guide's stereo field and highs, but where a frame is the guide's own.
            held = torch.from_numpy(guide.held(span.first, span.last)).to(device)
            spectrum = torch.where(held, full, spread(spectrum, full))
        yield span.keep(synthesize(spectrum, params), params.hop)


def magnitudes(mel: torch.Tensor, params: SpectrogramParams) -> torch.Tensor:
    """Mel amplitudes (…, bands, frames) → Fourier magnitudes (…, bins, frames), one bin per 1 / window."""
    inverse = mel.new_tensor(_inverse_filters(params))
    return (inverse @ mel).clamp_min(0.0)


def griffin_lim(
    magnitude: torch.Tensor, start: torch.Tensor, fixed: torch.Tensor, params: SpectrogramParams, iterations: int
) -> torch.Tensor:
    """Complex spectrum (…, bins, frames) with these magnitudes and phases that fit together.

    Frames where ``fixed`` (frames,) stay exactly as in ``start``.
    """
    import torch

    size, hop = _work_size(params)
    window = torch.hann_window(size, device=magnitude.device)

    def with_phase_of(other: torch.Tensor) -> torch.Tensor:
        return torch.where(fixed, start, magnitude * other / (other.abs() + _TINY))

    spectrum = with_phase_of(start)
    previous = torch.zeros_like(spectrum)
    for _ in range(iterations):
        wave = torch.istft(spectrum, size, hop, size, window)
        rebuilt = torch.stft(wave, size, hop, size, window, pad_mode="constant", return_complex=True)
        # The momentum of the fast variant: on past the projection by a share of the last step.
        spectrum = with_phase_of(rebuilt + MOMENTUM * (rebuilt - previous))
        previous = rebuilt
    return spectrum


def spread(middle: torch.Tensor, guide: torch.Tensor) -> torch.Tensor:
    """Give a mono spectrum (1, bins, frames) the stereo field and the highs of ``guide`` (2, all bins, frames).

    Side follows mid as it does in the guide, bin by bin and never louder than mid, so the two channels' mean is
    ``middle`` itself. The highs follow the loudness of the octave below them.
    """
    import torch

    bins = middle.shape[-2]
    low = guide[:, :bins]
    guide_middle = low.mean(dim=0, keepdim=True)
    # Side over middle, complex, per bin; limited to 1, or bins that are almost silent in the middle would explode.
    ratio = (low[:1] - guide_middle) * guide_middle.conj() / (guide_middle.abs().square() + _TINY)
    side = middle * ratio / ratio.abs().clamp_min(1.0)
    stereo = torch.cat([middle + side, middle - side])
    return torch.cat([stereo, guide[:, bins:] * _highs_gain(middle, guide_middle)], dim=1)


def synthesize(spectrum: torch.Tensor, params: SpectrogramParams) -> Array:
    """Spectrum (channels, bins, frames) → sound (samples, channels) at the params' rate; missing bins are silent."""
    import torch

    missing = params.window // 2 + 1 - spectrum.shape[-2]
    whole = torch.nn.functional.pad(spectrum, (0, 0, 0, missing))
    window = torch.hann_window(params.window, device=spectrum.device)
    wave: Array = torch.istft(whole, params.window, params.hop, params.window, window).cpu().numpy().T
    return wave


@dataclass(frozen=True, slots=True)
class _Span:
    """A chunk: frames ``first`` to ``last`` are computed, ``start`` to ``stop`` are its own."""

    start: int
    stop: int
    first: int
    last: int

    @classmethod
    def around(cls, start: int, frames: int) -> _Span:
        stop = min(frames, start + CLIP_FRAMES)
        return cls(start, stop, max(0, start - CONTEXT), min(frames, stop + CONTEXT))

    def keep(self, wave: Array, hop: int) -> Array:
        """Of the chunk's samples those that no later chunk touches."""
        begin = 0 if self.first == 0 else CONTEXT - LAG
        end = len(wave) if self.last == self.stop else (self.stop - LAG - self.first) * hop
        return wave[begin * hop : end]


def _beginning(
    magnitude: torch.Tensor, full: torch.Tensor | None, guide: Guide | None, span: _Span, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Where the phases start, and which frames are settled already (by the chunk before, or held)."""
    import torch

    fixed = torch.arange(span.first, span.last) < (span.start if span.first else 0)
    if full is None or guide is None:
        angles = 2 * torch.pi * torch.rand(magnitude.shape, generator=generator).to(magnitude.device)
        return torch.polar(magnitude, angles), fixed.to(magnitude.device)
    held = torch.from_numpy(guide.held(span.first, span.last))
    begin = full[:, : magnitude.shape[-2]].mean(dim=0, keepdim=True)
    return begin, (fixed | held).to(magnitude.device)


def _guide_spectrum(guide: Guide, span: _Span, params: SpectrogramParams, device: str) -> torch.Tensor:
    """(channels, window // 2 + 1, frames) of the guide."""
    import torch

    half = params.window // 2
    sound = guide.read(span.first * params.hop - half, (span.last - 1) * params.hop + half)
    windows = torch.from_numpy(np.ascontiguousarray(sound.T)).to(device).unfold(-1, params.window, params.hop)
    spectrum = torch.fft.rfft(windows * torch.hann_window(params.window, device=device))
    return spectrum.transpose(1, 2)


def _highs_gain(middle: torch.Tensor, guide_middle: torch.Tensor) -> torch.Tensor:
    """(frames,): how much louder the top half of the picture's range is than in the guide, smoothed over 5 frames.

    Amplitudes are compared, not powers: mel bands keep the mean amplitude of noise, and lose some of its power.
    """
    import torch

    top = slice(middle.shape[1] // 2, None)
    louder = middle[:, top].abs().sum(dim=(0, 1)) / (guide_middle[:, top].abs().sum(dim=(0, 1)) + _TINY)
    gain = torch.nn.functional.avg_pool1d(louder[None], 5, 1, 2, count_include_pad=False)[0]
    return gain.clamp(0.0, LOUDEST_HIGHS)


def _work_size(params: SpectrogramParams) -> tuple[int, int]:
    """Transform and hop at twice the highest frequency: nothing in the picture needs a higher rate."""
    rate = 2 * params.max_frequency
    return rate * params.window_duration_ms // 1000, rate * params.step_size_ms // 1000


@lru_cache(maxsize=4)
def _inverse_filters(params: SpectrogramParams) -> npt.NDArray[np.float32]:
    """Pseudo-inverse (bins, bands) of the mel filters, seen on the coarse grid by linear interpolation."""
    filters = mel_filters(params)
    finer = params.padded_duration_ms // params.window_duration_ms
    coarse = np.arange(0, filters.shape[1], finer)
    fine = np.arange(filters.shape[1])
    # Each fine bin from its two coarse neighbours.
    interpolation = np.maximum(0.0, 1.0 - np.abs(fine[:, None] - coarse) / finer)
    # Small singular values are cut: low mel bands are narrower than a bin, and their inverse would be noise.
    inverse: npt.NDArray[np.float32] = np.linalg.pinv(filters @ interpolation, rcond=1e-3).astype(np.float32)
    return inverse
