"""The pretrained engine: our composer sketches the music, and riffusion-model-v1 with the emotion LoRA repaints it.

The composer's piece, at full length, becomes a spectrogram; diffusion (img2img) repaints it with the emotion's prompt;
the picture becomes sound with the sketch's phase, stereo field and highs. Adjacent segments are one picture.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import ClassVar

import numpy as np

from bgm.engines import Composer, EngineOptions
from bgm.files import beside
from bgm.media.audio import SAMPLE_RATE, Audio, AudioWriter, writer
from bgm.media.signal import falling, rising
from bgm.music.mastering import gain_for, softened
from bgm.music.riffusion import model, painting
from bgm.music.riffusion.multidiffusion import DenoiseSettings
from bgm.music.riffusion.painting import PaintJob
from bgm.music.riffusion.spectrogram import (
    GUIDED_ITERATIONS,
    Guide,
    PhaseSearch,
    Pixels,
    mel_blocks,
    mel_from_pixels,
    pixels_from_mel,
    wave_blocks,
)
from bgm.music.riffusion.strands import (
    JOIN,
    PARAMS,
    Layer,
    Part,
    SeedRenderer,
    Strand,
    composed,
    neighbours,
    parts,
    plan_of,
    regions,
    strands,
)
from bgm.music.score import Cue, Made
from bgm.progress import Progress
from bgm.progress import part as share

_PACKAGES = ("torch", "diffusers", "transformers", "peft")
NO_GPU = "no GPU (a minute of music takes over an hour on a CPU; --device cpu insists)"
_LOADED, _SKETCHED, _DRAWN, _PAINTED = 0.05, 0.1, 0.15, 0.85
"""Share of the work done: of the whole, then of each part."""


class Riffusion(Composer):
    """``options.model`` is a hub id or folder, ``options.lora`` as in :class:`~bgm.music.riffusion.model.LoraChoice`.

    The pipeline is loaded at the first use and shared by all sessions. A take's notes tell which LoRA was used.
    """

    name: ClassVar[str] = "riffusion"
    revision: ClassVar[str] = "6"
    heeds: ClassVar[tuple[str, ...]] = ("lora",)
    reads_sentences: ClassVar[bool] = True
    paints: ClassVar[bool] = True

    def __init__(
        self,
        options: EngineOptions,
        *,
        settings: DenoiseSettings | None = None,
        seed_renderer: SeedRenderer | None = None,
    ) -> None:
        self._key = model.ModelKey.of(options)
        self._settings = settings or DenoiseSettings()
        self._render = seed_renderer or composed

    @classmethod
    def missing(cls, options: EngineOptions) -> str | None:
        """Why it can't run here. On a bare CPU it runs only when the user names the device or a folder of weights."""
        if painting.is_elsewhere():
            return None  # what the painter lacks it says itself
        absent = [package for package in _PACKAGES if find_spec(package) is None]
        if absent:
            return f"not installed: {', '.join(absent)}"
        key = model.ModelKey.of(options)
        if key.device == "auto" and not model.is_folder(key) and not model.has_accelerator():
            return NO_GPU
        return model.why_missing(key)

    def compose(self, cues: Sequence[Cue], targets: Sequence[Path], progress: Progress) -> Iterator[Made]:
        """Write cue ``i`` to ``targets[i]`` (FLAC, 48 kHz, stereo, 24 bit, exactly its length), yielding each.

        Adjacent cues become one seamless piece; a cue whose neighbour isn't among them joins to the neighbour's take.
        """
        notes, device = painting.ready(self._key, share(progress, 0.0, _LOADED))
        total = sum(cue.frames for cue in cues)
        done = 0
        for strand in strands(cues):
            frames = sum(cues[i].frames for indices in strand.segments for i in indices)
            own = share(share(progress, _LOADED, 1.0), done / total, (done + frames) / total)
            yield from (Made(i, notes) for i in self._strand(strand, cues, targets, device, own))
            done += frames
        progress(1.0, "music is ready")

    def _strand(
        self, strand: Strand, cues: Sequence[Cue], targets: Sequence[Path], device: str, progress: Progress
    ) -> Iterator[int]:
        """Part by part; a cue is complete when the part in which it ends is. Sound is computed on ``device``."""
        around = neighbours(strand, cues, targets)
        with ExitStack() as open_things:
            layers, recorders = [], []
            for take, sides in enumerate(around):
                indices = strand.layer(take)
                folder = open_things.enter_context(tempfile.TemporaryDirectory(prefix="bgm-sketch-"))
                layers.append(Layer([cues[i] for i in indices], sides, Path(folder), self._render))
                recorder = Recorder([(i, targets[i], cues[i].frames) for i in indices])
                recorders.append(open_things.enter_context(recorder))
            # A part continues from the sound of the previous one, so parts are made in turn, takes side by side.
            stretches = parts(layers[0].total, strand.takes)
            for number, (first, last) in enumerate(stretches):
                own = share(progress, number / len(stretches), (number + 1) / len(stretches))
                bodies = self._part(layers, (first, last), device, own)
                for layer, recorder, body in zip(layers, recorders, bodies, strict=True):
                    layer.follow(body)
                    yield from recorder.write(body)

    def _part(self, layers: Sequence[Layer], stretch: tuple[int, int], device: str, progress: Progress) -> list[Audio]:
        """The sound of all takes of one stretch of the strand."""
        # 1. The sketch and its neighbours as sound, 2. as pictures, side by side in one job,
        plan, sounds = plan_of(layers, *stretch, share(progress, 0.0, _SKETCHED))
        drawn = [to_picture(sound, own) for sound, own in _each(sounds, progress, _SKETCHED, _DRAWN)]
        job = PaintJob(
            key=self._key,
            pixels=np.stack([picture.pixels for picture in drawn]),
            held=plan.held_columns(),
            regions=regions(plan, [layer.cues for layer in layers], layers[0].score),
            settings=self._settings,
        )
        # 3. repainted,
        painted = painting.paint(job, share(progress, _DRAWN, _PAINTED))
        # 4. and played again with the phases of the sketch.
        bodies = []
        for take, (sound, own) in enumerate(_each(sounds, progress, _PAINTED, 1.0)):
            body = to_sound(Picture(painted[take], drawn[take].maximum), sound, plan, device, own)
            closing = layers[take].cues[-1]
            ends = closing.ending and stretch[1] == layers[take].total
            bodies.append(faded_out(body, closing.frames) if ends else body)
        return bodies


def _each(sounds: Sequence[Audio], progress: Progress, start: float, stop: float) -> Iterator[tuple[Audio, Progress]]:
    """Every take's sound with its share of the progress."""
    step = (stop - start) / len(sounds)
    for i, sound in enumerate(sounds):
        yield sound, share(progress, start + i * step, start + (i + 1) * step)


LEVELLING = SAMPLE_RATE
ENDING = 2 * SAMPLE_RATE
"""The last cue of the video fades over its last 2 s (at most a quarter of it)."""


@dataclass(frozen=True, slots=True)
class Picture:
    """(512, frames) pixels, and the mel amplitude of a black one."""

    pixels: Pixels
    maximum: float


def to_picture(sound: Audio, progress: Progress) -> Picture:
    """The riffusion picture of padded stereo sound, 8 pixels per column."""
    mels = []
    for mel in mel_blocks([sound.mean(axis=1, keepdims=True)], PARAMS):
        mels.append(mel[0])
        progress(sum(m.shape[1] for m in mels) / PARAMS.frames(len(sound)), "drawing the spectrogram")
    # Centred frames give one more than there are hops; the picture is whole columns.
    mel = np.concatenate(mels, axis=1)[:, : len(sound) // PARAMS.hop]
    maximum = float(mel.max())
    return Picture(pixels_from_mel(mel, maximum, PARAMS), maximum)


def to_sound(painted: Picture, sound: Audio, part: Part, device: str, progress: Progress) -> Audio:
    """The body of the part (frames, 2) as painted; ``sound`` lends its phase, stereo field and highs.

    If neighbours are held, its ends continue from theirs; otherwise it has the usual level of takes.
    """

    def mel(first: int, last: int) -> Audio:
        return mel_from_pixels(painted.pixels[None, :, first:last], painted.maximum, PARAMS)

    frames = painted.pixels.shape[1]
    guide = Guide(lambda start, stop: _mirrored(sound, start, stop), part.held_frames)
    blocks: list[Audio] = []
    for block in wave_blocks(mel, frames, PARAMS, guide, PhaseSearch(GUIDED_ITERATIONS, device=device)):
        blocks.append(block)
        progress(sum(map(len, blocks)) / len(sound), "playing the spectrogram")
    wave = np.concatenate(blocks)
    body = _joined(wave, sound, part)[part.lead : part.end]
    return softened(body * _gain(gain_for([body]), len(body), part)[:, None])


def faded_out(body: Audio, cue_frames: int) -> Audio:
    """The end of the last cue: a raised cosine down to silence."""
    length = min(ENDING, cue_frames // 4, len(body))
    curve = falling(np.arange(1, length + 1) / length)
    body[len(body) - length :] *= curve[:, None].astype(np.float32)
    return body


class Recorder:
    """Cuts a stream of audio into the files of one take; a file appears when it is complete."""

    def __init__(self, pieces: Sequence[tuple[int, Path, int]]) -> None:
        """``pieces``: the cue's index, its target and its length in frames, in order."""
        self._pieces = iter(pieces)
        self._open = ExitStack()
        self._file: AudioWriter | None = None
        self._index = 0
        self._left = 0

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.__exit__(kind, error, trace)

    def write(self, sound: Audio) -> Iterator[int]:
        """Append audio; yield the index of every cue whose file is now complete."""
        while len(sound):
            file = self._file or self._next()
            count = min(len(sound), self._left)
            file.write(sound[:count])
            sound = sound[count:]
            self._left -= count
            if not self._left:
                self._file = None
                self._open.close()
                yield self._index

    def _next(self) -> AudioWriter:
        self._index, target, self._left = next(self._pieces)
        self._file = self._open.enter_context(writer(self._open.enter_context(beside(target))))
        return self._file


def _joined(wave: Audio, sound: Audio, part: Part) -> Audio:
    """Mirror the error just outside the body into it, faded out, so that it joins its neighbours."""
    fade = falling(np.arange(JOIN) / JOIN).astype(np.float32)[:, None]
    if part.lead:
        # Griffin-Lim only approximates the held sound: the error at the seam is mirrored and faded out. A crossfade
        # would make two sounds audible at once.
        lacking = (sound[part.lead - JOIN : part.lead] - wave[part.lead - JOIN : part.lead])[::-1]
        length = min(JOIN, part.end - part.lead)
        wave[part.lead : part.lead + length] += (lacking * fade)[:length]
    if part.trail_held and part.trail >= JOIN:
        lacking = (sound[part.end : part.end + JOIN] - wave[part.end : part.end + JOIN])[::-1]
        wave[part.end - JOIN : part.end] += lacking * fade[::-1]
    return wave


def _gain(settled: float, length: int, part: Part) -> Audio:
    """(length,): the gain that brings the take to the usual level, reached within a second of a neighbour."""
    gain = np.full(length, settled, np.float32)
    ramp = min(LEVELLING, length // 2)
    towards = 1 + (settled - 1) * rising(np.arange(ramp) / max(1, ramp))
    if part.lead:
        gain[:ramp] = towards
    if part.trail and part.trail_held:
        gain[length - ramp :] = towards[::-1]
    return gain


def _mirrored(sound: Audio, start: int, stop: int) -> Audio:
    """Samples ``start`` to ``stop``; outside the sound its mirror image."""
    last = len(sound) - 1
    index = np.abs(np.arange(start, stop))
    return sound[last - np.abs(last - index)]
