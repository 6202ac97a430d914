"""Three opinions on what is voice, averaged, and the mask that follows from them.

Each alone harms speech in its own way; their mean keeps what at least two agree on, which a chain of them would not.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bgm.voice.hpss import fluctuating
from bgm.voice.learning import SHORT
from bgm.voice.nmf import Dictionary
from bgm.voice.stft import Magnitude, Signal, Spectrum

_TINY = np.float32(1e-9)


def voice_mask(mix: Signal, spectrum: Spectrum, denoised: Signal | None, dictionary: Dictionary | None) -> Magnitude:
    """The share of the voice, 0..1, (frames of ``SHORT``, bins), in a mono mix at 48 kHz and its spectrum.

    ``denoised`` is RNNoise's output for the same samples; it and the dictionary are left out where they are None.
    """
    opinions = list(_opinions(mix, spectrum, denoised, dictionary))
    voice = sum(opinions[1:], opinions[0]) / np.float32(len(opinions))
    size = np.abs(voice)
    return np.asarray(size / (size + np.abs(spectrum - voice) + _TINY), np.float32)


def _opinions(
    mix: Signal, spectrum: Spectrum, denoised: Signal | None, dictionary: Dictionary | None
) -> Iterator[Spectrum]:
    yield SHORT.forward(fluctuating(mix))
    if dictionary is not None:
        yield spectrum * dictionary.speech_mask(np.abs(spectrum))
    if denoised is not None:
        yield SHORT.forward(denoised)
