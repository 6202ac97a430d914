"""Spectrogram → sound: what a mel picture leaves out is taken from a guide (the composer's audio) or estimated.

Mel amplitudes become Fourier magnitudes on a grid of 10 Hz by a pseudo-inverse. Phases start from the guide's and are
refined by Griffin-Lim with momentum (Perraudin, Balazs, Søndergaard: A fast Griffin-Lim algorithm, WASPAA 2013) at
twice the picture's highest frequency, where the transforms are small. The stereo field and all above the picture's
highest frequency are the guide's. Everything goes in chunks of 512 frames with context, so any length streams.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from bgm.music.riffusion.spectrogram import CLIP_FRAMES, Array, SpectrogramParams, mel_filters

if TYPE_CHECKING:
    import torch

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
        span = _Span.around(start, frames)
        magnitude = magnitudes(torch.from_numpy(mel(span.first, span.last)).to(device), params)
        full = _guide_spectrum(guide, span, params, device) if guide else None
        begin, fixed = _beginning(magnitude, full, guide, span, generator)
        if tail is not None:
            begin[..., : tail.shape[-1]] = tail
        spectrum = griffin_lim(magnitude, begin, fixed, params, search.iterations)
        tail = spectrum[..., span.stop - CONTEXT - span.first :] if span.stop < frames else None
        if guide and full is not None:
            held = torch.from_numpy(guide.held(span.first, span.last)).to(device)
            spectrum = torch.where(held, full, spread(spectrum, full))
        yield span.keep(synthesize(spectrum, params), params.hop)


def wave_from_mel(mel: Array, params: SpectrogramParams, search: PhaseSearch | None = None) -> Array:
    """Mono sound (samples, 1) of mel amplitudes (1, bands, frames), phases estimated from random ones."""
    blocks = wave_blocks(lambda a, b: mel[..., a:b], mel.shape[-1], params, search=search)
    return np.concatenate(list(blocks))


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
    interpolation = np.maximum(0.0, 1.0 - np.abs(fine[:, None] - coarse) / finer)
    inverse: npt.NDArray[np.float32] = np.linalg.pinv(filters @ interpolation, rcond=1e-3).astype(np.float32)
    return inverse
