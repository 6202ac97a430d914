"""Riffusion's format as tests and benchmarks need it and the product doesn't: pictures read, sound from mel alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bgm.errors import BadInput
from bgm.music.riffusion.spectrogram import (
    EXIF_TAGS,
    MAX_VALUE,
    PCM16_SCALE,
    TRIPLE_RES_MONO,
    Array,
    PhaseSearch,
    SpectrogramParams,
    mel_from_pixels,
    wave_blocks,
)

if TYPE_CHECKING:
    from PIL.Image import Image


def params_of(exif: Any) -> SpectrogramParams:
    """The parameters in a picture's EXIF, else the defaults. Raises BadInput for a kind that can't be read."""
    if exif.get(TRIPLE_RES_MONO):
        raise BadInput("this spectrogram has tripled frequency resolution, which can't be read")
    usual = SpectrogramParams()
    known = {name: exif[tag] for name, tag in EXIF_TAGS.items() if tag in exif}
    return SpectrogramParams(**{name: type(getattr(usual, name))(value) for name, value in known.items()})


def mel_from_image(image: Image) -> tuple[Array, SpectrogramParams]:
    """Mel amplitudes (1 or 2, bands, frames) of a picture and the parameters it was made with.

    A picture without a maximum in its EXIF (a model's output) gives 0..1.
    """
    exif = image.getexif()
    params = params_of(exif)
    planes = np.asarray(image.convert("RGB")).transpose(2, 0, 1)
    if planes.shape[1] != params.num_frequencies:
        raise BadInput(f"a spectrogram picture has {params.num_frequencies} rows, this one {planes.shape[1]}")
    maximum = float(exif.get(MAX_VALUE, PCM16_SCALE)) / PCM16_SCALE
    return mel_from_pixels(planes[1:3] if params.stereo else planes[:1], maximum, params), params


def wave_from_mel(mel: Array, params: SpectrogramParams, search: PhaseSearch | None = None) -> Array:
    """Mono sound (samples, 1) of mel amplitudes (1, bands, frames), phases estimated from random ones."""
    blocks = wave_blocks(lambda a, b: mel[..., a:b], mel.shape[-1], params, search=search)
    return np.concatenate(list(blocks))
