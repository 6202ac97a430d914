"""Music learnt from the pauses: non-negative matrix factorisation whose music spectra are known beforehand.

Lee and Seung's multiplicative updates for the Kullback-Leibler divergence (2001), semi-supervised as in Smaragdis, Raj
and Shashanka, "Supervised and Semi-Supervised Separation of Sounds from Single-Channel Mixtures" (2007). scikit-learn's
NMF can't hold some of the spectra fixed while it learns others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bgm.voice.stft import Magnitude

_MUSIC_SPECTRA = 24
_SPEECH_SPECTRA = 24
_LEARNING_STEPS = 40
_FITTING_STEPS = 20
_FEWEST_FRAMES = 20
_FLOOR = np.float32(1e-6)
_MUSIC_SHARE = np.float32(0.1)
"""Where learning the speech begins: the few steps taken then explain by the music only what speech can't."""


@dataclass(frozen=True)
class Dictionary:
    """(spectra, bins) each row sums to 1: what the music is made of, and what the speech is made of."""

    music: Magnitude
    speech: Magnitude

    def speech_mask(self, magnitude: Magnitude) -> Magnitude:
        """Wiener mask of the speech for (frames, bins); each frame on its own, so blocks join without a seam."""
        fitted = np.maximum(magnitude[:, : self.music.shape[1]], _FLOOR)
        both = np.concatenate([self.music, self.speech])
        gains = np.repeat(fitted.mean(axis=1, keepdims=True), len(both), axis=1)
        for _ in range(_FITTING_STEPS):
            gains *= _pull(fitted, gains, both)
        music = np.square(gains[:, : len(self.music)] @ self.music)
        speech = np.square(gains[:, len(self.music) :] @ self.speech)
        share = np.asarray(speech / (speech + music + _FLOOR**2), np.float32)
        return _extended(share, magnitude.shape[1])


def learn(pauses: Magnitude, speech: Magnitude) -> Dictionary | None:
    """Learn the music from frames without speech, then the speech from frames that have both.

    Both are (frames, bins) with equal bins, the lower part of the spectrum that decides. None where there are too few
    frames to learn from.
    """
    if min(len(pauses), len(speech)) < _FEWEST_FRAMES:
        return None
    music_spectra = min(_MUSIC_SPECTRA, len(pauses) // 6)
    none = np.zeros((0, pauses.shape[1]), np.float32)
    music = _factorise(np.maximum(pauses, _FLOOR), none, music_spectra)
    both = _factorise(np.maximum(speech, _FLOOR), music, _SPEECH_SPECTRA)
    return Dictionary(both[: len(music)], both[len(music) :])


def _factorise(frames: Magnitude, known: Magnitude, count: int) -> Magnitude:
    """``known`` spectra and ``count`` new ones that together explain the frames; the random start never varies."""
    random = np.random.default_rng(0)
    fresh = random.random((count, frames.shape[1]), dtype=np.float32) + np.float32(0.1)
    spectra = np.concatenate([known, fresh / fresh.sum(axis=1, keepdims=True)])
    gains = random.random((len(frames), len(spectra)), dtype=np.float32) + np.float32(0.1)
    gains[:, : len(known)] *= _MUSIC_SHARE
    gains *= frames.sum(axis=1, keepdims=True) / gains.sum(axis=1, keepdims=True)
    for _ in range(_LEARNING_STEPS):
        gains *= _pull(frames, gains, spectra)
        new = gains[:, len(known) :]
        ratio = frames / (gains @ spectra + _FLOOR)
        spectra[len(known) :] *= (new.T @ ratio) / (new.sum(axis=0)[:, None] + _FLOOR)
    return spectra / (spectra.sum(axis=1, keepdims=True) + _FLOOR)


def _pull(frames: Magnitude, gains: Magnitude, spectra: Magnitude) -> Magnitude:
    """The factor by which one multiplicative step changes the gains."""
    ratio = frames / (gains @ spectra + _FLOOR)
    return np.asarray((ratio @ spectra.T) / (spectra.sum(axis=1) + _FLOOR), np.float32)


def _extended(mask: Magnitude, bins: int) -> Magnitude:
    """Carry the mean of the upper third on to ``bins``."""
    above = mask[:, 2 * mask.shape[1] // 3 :].mean(axis=1, keepdims=True)
    return np.concatenate([mask, np.repeat(above, bins - mask.shape[1], axis=1)], axis=1)
