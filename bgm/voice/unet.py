"""Spleeter's 2stems model in torch: two U-Nets, one for the vocals and one for the accompaniment.

The method is Jansson et al., "Singing voice separation with deep U-Net convolutional networks" (2017), the sizes are
those of Hennequin et al., "Spleeter: a fast and efficient music source separation tool with pre-trained models" (2020).
Audio of any length runs through it stretch by stretch, in constant memory. Spleeter itself cuts the spectrum into
independent stretches of 512 frames; here each overlaps the one before, and their masks are crossfaded, because a mask
is least accurate at the networks' edges.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bgm.errors import EngineUnavailable
from bgm.files import beside
from bgm.media.audio import SAMPLE_RATE, Audio

if TYPE_CHECKING:
    from torch import Tensor

    from bgm.device import Loaded

    Weights = Mapping[str, Tensor]
    """The weights of one network, by their names in the published checkpoints."""

RATE = 44_100
"""The model's only sample rate."""
WINDOW, HOP = 4096, 1024
"""Of its short-time Fourier transform, in samples."""
FRAMES, BINS = 512, 1024
"""Input size of the networks: 11.9 s of frames, and the bins below 11 kHz."""
STEMS = ("vocals", "accompaniment")

_DOWN = (2, 16, 32, 64, 128, 256, 512)
"""Channels before and after each downsampling step."""
_UP = ((512, 256), (512, 128), (256, 64), (128, 32), (64, 16), (32, 1))
"""Channels before and after each upsampling step; from the second on half the input comes from skip connections."""
_NORM = ("weight", "bias", "running_mean", "running_var")
_NORM_EPSILON = 1e-3
_SHARE_EPSILON = 1e-10


class Model:
    """Both networks with their weights. Moves between devices like a torch module."""

    def __init__(self, weights: Path) -> None:
        """``weights`` is a file written by :func:`convert`; raises EngineUnavailable if it isn't one."""
        import torch

        self._networks: list[dict[str, Tensor]] = _load(weights)
        self._window = torch.hann_window(WINDOW)
        self.to("cpu")

    def to(self, device: str) -> None:
        """Move all weights, with the kernels in the fastest memory format: channels last."""
        import torch

        for own in self._networks:
            for name, t in own.items():
                order = torch.channels_last if t.dim() == 4 else torch.contiguous_format
                own[name] = t.to(device, memory_format=order)
        self._window = self._window.to(device)

    def parameters(self) -> Iterator[Tensor]:
        """All weights."""
        for own in self._networks:
            yield from own.values()

    def buffers(self) -> Iterator[Tensor]:
        """Other tensors that take memory."""
        yield self._window

    def spectrum(self, samples: Audio) -> Tensor:
        """Samples (WINDOW + (n - 1) · HOP, 2) → (2, n, 1 + WINDOW / 2), complex."""
        import torch

        sound = torch.from_numpy(np.ascontiguousarray(samples.T)).to(self._window.device)
        return torch.fft.rfft(sound.unfold(1, WINDOW, HOP) * self._window)

    def vocal_share(self, spectrum: Tensor) -> Tensor:
        """The vocals' share of the power, 0..1, (2, FRAMES, BINS), in a spectrum of FRAMES frames."""
        import torch

        mix = spectrum[None, :, :, :BINS].abs().contiguous(memory_format=torch.channels_last)
        # Each network guesses magnitudes on its own; what is kept is their ratio (a soft Wiener mask), which sums to 1.
        vocals, rest = (_estimate(mix, own)[0].square() for own in self._networks)
        return (vocals + _SHARE_EPSILON / 2) / (vocals + rest + _SHARE_EPSILON)

    def masked(self, spectrum: Tensor, share: Tensor) -> Audio:
        """Apply a mask (2, n, BINS) to a spectrum of n frames; returns samples (WINDOW + (n - 1) · HOP, 2).

        Above 11 kHz, outside the networks' range, each frame's mean is used: Spleeter's own "average". The first and
        last WINDOW - HOP samples lack the adjacent frames: overlap-add the neighbours' samples.
        """
        import torch

        # 1. One share for all above the networks' range.
        above = share.mean(2, keepdim=True).expand(-1, -1, spectrum.shape[2] - BINS)
        # 2. Back to sound, windowed again, so that a mask's jumps between frames are smoothed.
        frames = torch.fft.irfft(spectrum * torch.cat([share, above], 2)) * self._window
        pieces = frames.unflatten(2, (WINDOW // HOP, HOP))
        # 3. Overlap-add by quarters of a window: each adds to four places at once, without a loop over frames.
        out = frames.new_zeros(2, frames.shape[1] + WINDOW // HOP - 1, HOP)
        for shift in range(WINDOW // HOP):
            out[:, shift : shift + frames.shape[1]] += pieces[:, :, shift]
        # Four squared Hann windows, each shifted by a quarter of its length, add up to 3/2.
        return np.asarray((out.flatten(1).T / 1.5).cpu().numpy())


def _estimate(mix: Tensor, own: Weights) -> Tensor:
    """Magnitudes of a mix (batch, 2, FRAMES, BINS) → those of one stem.

    The sizes halve six times and double six times; on the way up, skip connections add each downsampling step's output.
    """
    import torch
    from torch.nn import functional as nn

    across, x = [], mix
    for step in range(1, len(_DOWN)):
        # Padded like TensorFlow: one more at the end than at the start.
        x = nn.conv2d(nn.pad(x, (1, 2, 1, 2)), *_affine(own, f"down{step}_conv.1"), stride=2)
        across.append(x)  # before normalisation and activation, as the published graph does
        x = nn.leaky_relu(_normed(x, own, f"down{step}_act.0"), 0.2)
    x = across.pop()
    for step in range(1, len(_UP) + 1):
        x = nn.conv_transpose2d(x, *_affine(own, f"up{step}.0"), stride=2)[..., 1:-2, 1:-2]
        x = _normed(nn.relu(x), own, f"up{step}.3")  # activation before normalisation, unlike on the way down
        x = torch.cat([across.pop(), x], 1) if across else x
    return mix * torch.sigmoid(nn.conv2d(x, *_affine(own, "up7.0"), dilation=2, padding=3))


def _affine(own: Weights, layer: str) -> tuple[Tensor, Tensor]:
    return own[f"{layer}.weight"], own[f"{layer}.bias"]


def _normed(x: Tensor, own: Weights, layer: str) -> Tensor:
    from torch.nn.functional import batch_norm

    weight, bias, mean, variance = (own[f"{layer}.{name}"] for name in _NORM)
    return batch_norm(x, mean, variance, weight, bias, eps=_NORM_EPSILON)


def _shapes() -> Iterator[tuple[str, tuple[int, ...]]]:
    """The name and shape of every weight of one network."""
    for step, (before, after) in enumerate(pairwise(_DOWN), 1):
        yield from _layer(f"down{step}_conv.1", (after, before, 5, 5), after)
        yield from ((f"down{step}_act.0.{name}", (after,)) for name in _NORM)
    for step, (before, after) in enumerate(_UP, 1):
        yield from _layer(f"up{step}.0", (before, after, 5, 5), after)
        yield from ((f"up{step}.3.{name}", (after,)) for name in _NORM)
    yield from _layer("up7.0", (2, 1, 4, 4), 2)


def _layer(name: str, shape: tuple[int, ...], channels: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{name}.weight", shape
    yield f"{name}.bias", (channels,)


def convert(checkpoints: Mapping[str, Path], target: Path) -> None:
    """Write the published checkpoints of both stems, which are pickles, as one safetensors file.

    Raises EngineUnavailable for a file that is damaged or holds another model.
    """
    import torch
    from safetensors.torch import save_file

    tensors = {}
    for stem, checkpoint in checkpoints.items():
        arrays = _unpickled(checkpoint)
        _check({name: np.shape(array) for name, array in arrays.items()}, checkpoint)
        own = {name: np.ascontiguousarray(arrays[name], np.float32) for name, _ in _shapes()}
        tensors.update({f"{stem}.{name}": torch.from_numpy(array) for name, array in own.items()})
    target.parent.mkdir(parents=True, exist_ok=True)
    with beside(target) as part:
        save_file(tensors, part)


def _unpickled(checkpoint: Path) -> dict[str, Any]:
    """Load a pickled dictionary of arrays; no other object in the file is instantiated."""
    import torch

    # A pickle may run anything when it is read: only what an array is made of may be named in it.
    array = (np._core.multiarray._reconstruct, "numpy.core.multiarray._reconstruct")  # type: ignore[attr-defined]
    kinds = [type(np.dtype(kind)) for kind in (np.float32, np.float64, np.int64)]
    with torch.serialization.safe_globals([array, np.ndarray, np.dtype, codecs.encode, *kinds]):
        try:
            return dict(torch.load(checkpoint, map_location="cpu", weights_only=True))
        except Exception as error:  # a damaged pickle may raise almost anything
            raise EngineUnavailable(f"{checkpoint} is damaged: put Spleeter's own file in its place") from error


def _check(found: Mapping[str, tuple[int, ...]], file: Path) -> None:
    if any(found.get(name) != shape for name, shape in _shapes()):
        raise EngineUnavailable(f"{file} holds another model than Spleeter's 2stems")


def _load(file: Path) -> list[dict[str, Tensor]]:
    """The weights of the two networks."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors = load_file(file)
    except (OSError, SafetensorError) as error:
        raise EngineUnavailable(f"{file} is damaged: delete it, and it is made again") from error
    networks = [
        {name.removeprefix(f"{stem}."): t for name, t in tensors.items() if name.startswith(f"{stem}.")}
        for stem in STEMS
    ]
    for own in networks:
        _check({name: tuple(t.shape) for name, t in own.items()}, file)
    return networks


OVERLAP = 32
"""Frames (0.74 s) over which the masks of two stretches are crossfaded."""


def separated(blocks: Iterable[Audio], loaded: Loaded[Model], total: int) -> Iterator[Audio]:
    """The vocals of a recording (frames, 2) at the studio's rate, ``total`` frames long."""
    sung = vocals(resampled(blocks, SAMPLE_RATE, RATE), loaded)
    whole = passed(sung, WINDOW, -(-total * RATE // SAMPLE_RATE) + 1)
    return passed(resampled(whole, RATE, SAMPLE_RATE), 0, total)


def vocals(blocks: Iterable[Audio], loaded: Loaded[Model], overlap: int = OVERLAP) -> Iterator[Audio]:
    """The vocals of a recording (frames, 2) at the model's rate, after WINDOW frames of silence, in blocks of any
    length.

    With an ``overlap`` of 0 the frames and stretches are those of Spleeter's own graph.
    """
    import torch

    kept = FRAMES - overlap
    rise = (torch.arange(overlap) + 0.5)[:, None] / max(1, overlap)
    last_share, last_samples = None, np.zeros((WINDOW - HOP, 2), np.float32)
    for stretch in _stretches(blocks, kept * HOP, WINDOW + (FRAMES - 1) * HOP, WINDOW):
        with loaded.at_work() as model:
            # 1. The mask, crossfaded with that of the stretch before over the frames they share.
            spectrum = model.spectrum(stretch)
            share = model.vocal_share(spectrum)
            if last_share is not None:
                share[:, :overlap] = torch.lerp(last_share.to(share.device), share[:, :overlap], rise.to(share.device))
            last_share = share[:, kept:]
            # 2. Only the frames before the next overlap become sound; the rest of the mask waits for that stretch.
            sound = model.masked(spectrum[:, :kept], share[:, :kept])
        # 3. Overlap-add: the first samples also belong to frames of the stretch before.
        sound[: len(last_samples)] += last_samples
        last_samples = sound[kept * HOP :]
        yield sound[: kept * HOP]


def _stretches(blocks: Iterable[Audio], step: int, size: int, silence: int) -> Iterator[Audio]:
    """Stretches of ``size`` frames, one every ``step``, of the audio after some silence; the last one is
    zero-padded."""
    waiting = np.zeros((silence, 2), np.float32)
    for block in blocks:
        waiting = np.concatenate([waiting, block])
        while len(waiting) >= size:
            yield waiting[:size]
            waiting = waiting[step:]
    # What is left fills less than a stretch: silence behind it, until its last frames have been in one.
    while len(waiting) > size - step:
        yield np.pad(waiting[:size], ((0, max(0, size - len(waiting))), (0, 0)))
        waiting = waiting[step:]


def passed(blocks: Iterable[Audio], skip: int, total: int) -> Iterator[Audio]:
    """``total`` frames after skipping ``skip``; zero-padded if there are too few."""
    left = total
    for block in blocks:
        wanted = block[min(skip, len(block)) :][:left]
        skip -= min(skip, len(block))
        left -= len(wanted)
        if len(wanted):
            yield wanted
    if left:
        yield np.zeros((left, 2), np.float32)


def resampled(blocks: Iterable[Audio], old: int, new: int) -> Iterator[Audio]:
    """The same audio (frames, 2) at another rate, streaming."""
    import soxr

    stream = soxr.ResampleStream(old, new, 2, dtype="float32")
    for block in blocks:
        yield stream.resample_chunk(np.ascontiguousarray(block))
    yield stream.resample_chunk(np.zeros((0, 2), np.float32), last=True)
