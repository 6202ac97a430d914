"""The pretrained engine: riffusion-model-v1 with the emotion LoRA paints the music, our composer sketches it.

The composer's piece, at full length, is drawn as a spectrogram; diffusion (img2img) repaints it after the emotion's
prompt; the picture is played with the sketch's phase, stereo field and highs. Segments that touch are one picture.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

import numpy as np

from bgm.engines import Composer, EngineOptions
from bgm.media.audio import Audio
from bgm.music.riffusion import model, painting
from bgm.music.riffusion.multidiffusion import DenoiseSettings
from bgm.music.riffusion.paint import PaintJob
from bgm.music.riffusion.sound import Picture, Recorder, faded_out, to_picture, to_sound
from bgm.music.riffusion.strands import (
    Layer,
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
    """``options.model`` is a hub id or folder, ``options.lora`` as in :class:`~bgm.music.riffusion.lora.LoraChoice`.

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
        """Write cue ``i`` to ``targets[i]`` (FLAC, 48 kHz, stereo, 24 bit, exactly its length), and tell of each.

        Cues that touch become one seamless piece; a cue whose neighbour isn't among them joins to the neighbour's take.
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
        """Part after part; a cue is there when the part that it ends in is done. Sound is computed on ``device``."""
        around = neighbours(strand, cues, targets)
        with ExitStack() as open_things:
            layers, recorders = [], []
            for take, sides in enumerate(around):
                indices = strand.layer(take)
                folder = open_things.enter_context(tempfile.TemporaryDirectory(prefix="bgm-sketch-"))
                layers.append(Layer([cues[i] for i in indices], sides, Path(folder), self._render))
                recorder = Recorder([(i, targets[i], cues[i].frames) for i in indices])
                recorders.append(open_things.enter_context(recorder))
            stretches = parts(layers[0].total, strand.takes)
            for number, (first, last) in enumerate(stretches):
                own = share(progress, number / len(stretches), (number + 1) / len(stretches))
                bodies = self._part(layers, (first, last), device, own)
                for layer, recorder, body in zip(layers, recorders, bodies, strict=True):
                    layer.follow(body)
                    yield from recorder.write(body)

    def _part(self, layers: Sequence[Layer], stretch: tuple[int, int], device: str, progress: Progress) -> list[Audio]:
        """The sound of all takes of one stretch of the strand."""
        plan, sounds = plan_of(layers, *stretch, share(progress, 0.0, _SKETCHED))
        drawn = [to_picture(sound, own) for sound, own in _each(sounds, progress, _SKETCHED, _DRAWN)]
        job = PaintJob(
            key=self._key,
            pixels=np.stack([picture.pixels for picture in drawn]),
            held=plan.held_columns(),
            regions=regions(plan, [layer.cues for layer in layers], layers[0].score),
            settings=self._settings,
        )
        painted = painting.paint(job, share(progress, _DRAWN, _PAINTED))
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
