"""Sound from pictures: how near it comes, what the guide lends, and that chunks leave no trace."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bgm.music.riffusion import spectrogram
from bgm.music.riffusion.spectrogram import Guide, PhaseSearch, SpectrogramParams, wave_blocks
from testing.spectrograms import wave_from_mel
from tests.music.riffusion.sounds import Sound, music, one_thread

__all__ = ["one_thread"]
PARAMS = replace(SpectrogramParams(), sample_rate=48_000)


def decibels_off(wanted: Sound, wave: Sound) -> float:
    """Mean difference of log mel amplitudes over a floor 60 dB down, edges left out."""
    got = spectrogram.mel_from_wave(wave, PARAMS)
    frames = slice(5, min(wanted.shape[2], got.shape[2]) - 5)
    floor = 1e-3 * wanted.max()
    ratio = (got[:, :, frames] + floor) / (wanted[:, :, frames] + floor)
    return float(np.abs(20 * np.log10(ratio)).mean())


def guide_of(sound: Sound, held_until: int = 0) -> Guide:
    def read(start: int, stop: int) -> Sound:
        index = np.abs(np.arange(start, stop))
        return sound[len(sound) - 1 - np.abs(len(sound) - 1 - index)]

    return Guide(read, lambda first, last: np.arange(first, last) < held_until)


def played(mel: Sound, guide: Guide, iterations: int = 4) -> Sound:
    blocks = wave_blocks(lambda a, b: mel[..., a:b], mel.shape[2], PARAMS, guide, PhaseSearch(iterations))
    return np.concatenate(list(blocks))


def test_from_the_picture_alone_the_music_comes_back() -> None:
    mel = spectrogram.mel_from_wave(music(3, 48_000), PARAMS)
    wave = wave_from_mel(mel, PARAMS)
    assert wave.shape == (3 * 48_000, 1)
    assert decibels_off(mel, wave) < 1.5
    np.testing.assert_array_equal(wave, wave_from_mel(mel, PARAMS))


def test_the_guide_gives_phase_and_stereo_field() -> None:
    sound = music(3, 48_000)
    mel = spectrogram.mel_from_wave(sound, PARAMS)
    wave = played(mel, guide_of(sound))
    assert wave.shape == (3 * 48_000, 2)
    assert decibels_off(mel, wave) < 1.0
    assert all(np.corrcoef(wave[:, c], sound[: len(wave), c])[0, 1] > 0.9 for c in (0, 1)), "phase and place are kept"


def test_highs_above_the_picture_come_from_the_guide_at_the_musics_level() -> None:
    sound = music(2, 48_000)
    highs = np.random.default_rng(1).standard_normal((len(sound), 2)).astype(np.float32) * 0.01
    guide = guide_of(sound + highs)
    mel = spectrogram.mel_from_wave(sound + highs, PARAMS)

    def power_above_11_khz(wave: Sound) -> float:
        return float((np.abs(np.fft.rfft(wave[:, 0]))[11_000 * len(wave) // 48_000 :] ** 2).sum()) / len(wave)

    expected = power_above_11_khz(sound + highs)
    assert power_above_11_khz(played(mel, guide)) == pytest.approx(expected, rel=0.2)
    assert power_above_11_khz(played(0.5 * mel, guide)) == pytest.approx(0.25 * expected, rel=0.2)


def test_held_frames_come_out_as_they_were() -> None:
    sound = music(6, 48_000)
    mel = spectrogram.mel_from_wave(sound, PARAMS)
    wave = played(np.zeros_like(mel), guide_of(sound, held_until=530))
    exact = 525 * 480
    np.testing.assert_allclose(wave[:exact], sound[:exact], atol=1e-5)
    assert np.abs(wave[535 * 480 :]).max() < 1e-4


def test_chunks_leave_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the joints of short chunks the wave jumps no more than elsewhere, and the sound is that of long ones."""
    sound = music(4, 48_000)
    mel = spectrogram.mel_from_wave(sound, PARAMS)
    long = played(mel, guide_of(sound))
    monkeypatch.setattr(spectrogram, "CLIP_FRAMES", 64)
    short = played(mel, guide_of(sound))
    assert len(short) == len(long)
    steps = np.abs(np.diff(short[:, 0], n=2))
    joints = [(64 * k - spectrogram.LAG) * 480 for k in range(1, 6)]
    assert max(steps[j - 3 : j + 3].max() for j in joints) <= steps.max() * 0.5
    assert abs(decibels_off(mel, short) - decibels_off(mel, long)) < 0.1
