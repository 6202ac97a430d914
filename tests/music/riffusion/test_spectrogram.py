"""Riffusion's pictures against its published definition, computed with other libraries, and the way back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bgm.errors import BadInput
from bgm.music.riffusion import spectrogram
from bgm.music.riffusion.spectrogram import SpectrogramParams
from testing.spectrograms import mel_from_image
from tests.music.riffusion.sounds import Sound, music, one_thread

__all__ = ["one_thread"]
PARAMS = SpectrogramParams()
CLIP_SAMPLES = 225_351


def published(wave: Sound) -> Sound:
    """torchaudio's Spectrogram and MelScale as riffusion sets them, transformers' filters: (bands, frames)."""
    import torch
    from transformers.audio_utils import mel_filter_bank

    window = torch.hann_window(4410)
    spectrum = torch.stft(torch.from_numpy(wave), 17640, 441, 4410, window, pad_mode="reflect", return_complex=True)
    filters = mel_filter_bank(8821, 512, 0.0, 10_000.0, 44_100, norm=None, mel_scale="htk")
    return filters.T @ spectrum.abs().numpy()


def published_pixels(mel: Sound) -> Sound:
    return np.flipud((255 - 255 * (mel / mel.max()) ** 0.25).astype(np.uint8)).astype(int)


def test_a_clip_is_the_models_picture_to_the_pixel() -> None:
    wave = music(5.2, 44_100)[:CLIP_SAMPLES]
    picture = np.asarray(spectrogram.image_from_mel(spectrogram.mel_from_wave(wave, PARAMS), PARAMS)).astype(int)
    assert picture.shape == (512, 512, 3)
    expected = published_pixels(published(wave.mean(axis=1)))
    assert np.abs(picture - expected[..., None]).max() <= 1
    assert (picture == expected[..., None]).mean() > 0.999


def test_48_khz_gives_the_same_picture_without_resampling() -> None:
    """Up to 8 kHz, where no partial of one rate is missing at the other."""
    rows = []
    for rate in (44_100, 48_000):
        params = replace(PARAMS, sample_rate=rate)
        time = np.arange(3 * rate) / rate
        chirp = np.sin(2 * np.pi * (100 * time + 900 * time**2)).astype(np.float32)[:, None]
        mel = spectrogram.mel_from_wave(chirp, params)
        rows.append(np.asarray(spectrogram.image_from_mel(mel, params))[..., 0].astype(int)[:, 10:-10])
    assert np.abs(rows[0] - rows[1]).max() <= 2


@pytest.mark.parametrize("stereo", [False, True])
def test_the_way_there_and_back_through_a_file_keeps_every_pixel(tmp_path: Path, stereo: bool) -> None:
    params = replace(PARAMS, stereo=stereo)
    image = spectrogram.image_from_mel(spectrogram.mel_from_wave(music(2, 44_100), params), params)
    spectrogram.save_image(image, tmp_path / "clip.png")
    with Image.open(tmp_path / "clip.png") as again:
        mel, read = mel_from_image(again)
        tags = dict(again.getexif())
    assert read == params
    assert {
        11000: 44_100,
        11010: 10,
        11020: 100,
        11030: 400,
        11040: 512,
        11060: 10_000,
        11070: 0.25,
    }.items() <= tags.items()
    assert mel.shape == (1 + stereo, 512, 201)
    back = spectrogram.image_from_mel(mel, params)
    assert np.abs(np.asarray(back).astype(int) - np.asarray(image)).max() <= 1


def test_stereo_is_green_and_blue() -> None:
    wave = music(1, 44_100)
    wave[:, 1] = 0
    params = replace(PARAMS, stereo=True)
    planes = np.asarray(spectrogram.image_from_mel(spectrogram.mel_from_wave(wave, params), params))
    assert planes[..., 0].max() == 0
    assert planes[..., 1].min() == 0, "the left channel has the loudest pixel"
    assert planes[..., 2].min() == 255, "the right channel is silent"


@pytest.mark.parametrize("block", [1000, 4410, 50_000])
def test_a_stream_in_blocks_gives_what_the_whole_gives(block: int) -> None:
    wave = music(1.234, 44_100).mean(axis=1, keepdims=True)
    blocks = (wave[i : i + block] for i in range(0, len(wave), block))
    streamed = np.concatenate(list(spectrogram.mel_blocks(blocks, PARAMS)), axis=2)
    whole = spectrogram.mel_from_wave(wave, PARAMS)
    assert streamed.shape == whole.shape == (1, 512, 1 + len(wave) // 441)
    np.testing.assert_allclose(streamed, whole, rtol=1e-4, atol=1e-5)


def test_very_short_and_silent_sound_have_a_picture_too() -> None:
    short = spectrogram.mel_from_wave(np.ones((100, 1), np.float32), PARAMS)
    assert short.shape == (1, 512, 1)
    silent = spectrogram.mel_from_wave(np.zeros((4410, 2), np.float32), PARAMS)
    assert np.asarray(spectrogram.image_from_mel(silent, PARAMS)).min() == 255


def test_what_is_no_spectrogram_is_refused() -> None:
    with pytest.raises(BadInput, match="no sound"):
        spectrogram.mel_from_wave(np.zeros((0, 2), np.float32), PARAMS)
    with pytest.raises(BadInput, match="512 rows"):
        mel_from_image(Image.new("RGB", (512, 300)))
    tripled = Image.new("RGB", (512, 512))
    tripled.getexif()[11007] = 1
    with pytest.raises(BadInput, match="tripled"):
        mel_from_image(tripled)
