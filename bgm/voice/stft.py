"""Short-time Fourier transform in single precision, all frames at once (scipy's is double and frame by frame)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Signal = npt.NDArray[np.float32]
"""(samples,)"""
Spectrum = npt.NDArray[np.complex64]
"""(frames, bins)"""
Magnitude = npt.NDArray[np.float32]
"""(frames, bins), also used for masks of 0..1."""


@dataclass(frozen=True, slots=True)
class Stft:
    """A periodic Hann window of ``size`` samples every ``hop``; frame k is centred on sample k·hop.

    ``hop`` divides ``size`` at least four times, so that the squared windows add up to a constant and ``inverse``
    is exact: Griffin and Lim, "Signal estimation from modified short-time Fourier transform" (1984).
    """

    size: int
    hop: int

    def forward(self, signal: Signal) -> Spectrum:
        """Signal → (1 + ceil(samples / hop), 1 + size / 2), zeros assumed beyond both ends."""
        from scipy import fft

        tail = -len(signal) % self.hop
        padded = np.pad(signal, (self.size // 2, self.size // 2 + tail))
        frames = np.lib.stride_tricks.sliding_window_view(padded, self.size)[:: self.hop]
        return np.asarray(fft.rfft(frames * self._window(), axis=1), np.complex64)

    def inverse(self, spectrum: Spectrum, samples: int) -> Signal:
        """The signal of ``samples`` samples whose transform is nearest to ``spectrum``."""
        from scipy import fft

        frames = fft.irfft(spectrum, self.size, axis=1) * self._window()
        overlap = self.size // self.hop
        pieces = frames.reshape(len(frames), overlap, self.hop)
        total = np.zeros((len(frames) + overlap - 1, self.hop), np.float32)
        weight = np.zeros_like(total)
        squares = np.square(self._window()).reshape(overlap, self.hop)
        for shift in range(overlap):
            total[shift : shift + len(frames)] += pieces[:, shift]
            weight[shift : shift + len(frames)] += squares[shift]
        signal = (total / np.maximum(weight, 1e-6)).ravel()
        return np.asarray(signal[self.size // 2 :][:samples], np.float32)

    def bin_of(self, hertz: float, sample_rate: int) -> int:
        """The bin nearest to a frequency."""
        return round(hertz * self.size / sample_rate)

    def _window(self) -> Signal:
        return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(self.size) / self.size)).astype(np.float32)
