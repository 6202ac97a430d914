"""Speech recognition and translation with faster-whisper (MIT), Whisper on CTranslate2: int8 on a CPU.

The base size comes with pip, weights included; other sizes, and any Whisper converted for CTranslate2, come from the
hub or a folder.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from bgm import device
from bgm.engines import EngineOptions
from bgm.errors import BadInput
from bgm.progress import Tick
from bgm.speech.hearing import BEAM, TEMPERATURES, Mono, Passage
from bgm.speech.recogniser import Recogniser
from bgm.speech.utterances import Timed

MOST_THREADS = 4
"""CTranslate2's own default; more threads gain little for the base size."""
REMEMBERED = 8
"""Windows whose encoding is cached (3 MB each for base), for language detection, transcription and translation."""
TINY_DEEPEST = 3
"""The deepest decoder layer of tiny, the smallest that translates; with large-v3's 128 mel bands it is turbo's.
Decoders cut to this depth (turbo, the distilled ones) were not trained to translate."""


class FasterWhisper(Recogniser):
    """Engine of the transcribe stage."""

    name: ClassVar[str] = "faster-whisper"

    @classmethod
    def missing(cls, options: EngineOptions) -> str | None:
        if not find_spec("faster_whisper"):
            return "the package faster-whisper is not installed"
        return super().missing(options)

    def _device(self) -> str:
        """CTranslate2 supports NVIDIA GPUs and CPUs."""
        import ctranslate2

        return "cuda" if device.pick(self._options.device) == "cuda" and ctranslate2.get_cuda_device_count() else "cpu"

    def _load(self, path: Path, title: str, place: str) -> Loaded:
        key = path, (path / "model.bin").stat().st_mtime_ns, place
        return _shelf.get(key, lambda: _loaded(path, title, place))


class Loaded(device.Loaded[Any]):
    """A :class:`hearing.Model` on CTranslate2, shared by all users."""

    instead = "a smaller size"

    def __init__(self, title: str, model: Any, place: str, folder: Path) -> None:
        super().__init__(title, model, place)
        self._bytes = (folder / "model.bin").stat().st_size
        self._is_cut = _is_cut(folder, model.model.n_mels)

    def move(self, place: str) -> None:
        """CTranslate2 keeps a copy in main memory when it leaves the GPU."""
        network = self.model.model
        if self.device == "cuda":
            network.load_model() if place == "cuda" else network.unload_model(to_cpu=True)

    def _size(self) -> int:
        return self._bytes

    @property
    def languages(self) -> frozenset[str]:
        return frozenset(self.model.supported_languages)

    @property
    def translates(self) -> bool:
        return len(self.languages) > 1 and not self._is_cut

    def detect(self, wave: Mono, check: Tick) -> Mapping[str, float]:
        with self.at_work(check) as model:
            # Drop the last frame as transcribe() does, so that the cached encoding of the same window is found.
            features = model.feature_extractor(wave)[:, :-1]
            return dict(model.detect_language(features=features)[2])

    def hear(self, wave: Mono, language: str, prompt: str | None, check: Tick) -> list[Passage]:
        return self._decode(wave, check, language=language, initial_prompt=prompt, word_timestamps=True)

    def translate(self, wave: Mono, language: str, check: Tick) -> list[Passage]:
        how = {"language": language, "task": "translate", "no_speech_threshold": None}
        return self._decode(wave, check, **how) or self._decode(wave, check, **how, without_timestamps=True)

    def _decode(self, wave: Mono, check: Tick, **how: Any) -> list[Passage]:
        out = []
        with self.at_work(check) as model:
            check()
            segments, _ = model.transcribe(
                wave, beam_size=BEAM, temperature=TEMPERATURES, condition_on_previous_text=False, **how
            )
            for segment in segments:
                check()
                out.append(_passage(segment))
        return out


_shelf: device.Shelf[Loaded] = device.Shelf()


def _loaded(folder: Path, title: str, place: str) -> Loaded:
    kind = "float16" if place == "cuda" else "int8"
    try:
        model = _remembering()(str(folder), device=place, compute_type=kind, cpu_threads=_threads())
    except Exception as error:  # CTranslate2 and tokenizers raise a bare one for a file of another kind
        raise BadInput(f"{folder} holds no Whisper for CTranslate2, or a damaged one: {error}") from error
    loaded = Loaded(title, model, place, folder)
    loaded.move("cpu")  # until it works
    return loaded


@lru_cache(maxsize=1)
def _remembering() -> Any:
    """A WhisperModel that caches the encoding of a window: the encoder does a third of all the work."""
    from faster_whisper import WhisperModel

    class Remembering(WhisperModel):  # type: ignore[misc]
        def __init__(self, *args: Any, **more: Any) -> None:
            super().__init__(*args, **more)
            self._encoded: list[tuple[Any, Any]] = []

        def encode(self, features: Any) -> Any:
            for known, output in self._encoded:
                if np.array_equal(known, features):
                    return output
            output = super().encode(features)
            self._encoded = [*self._encoded, (features.copy(), output)][-REMEMBERED:]
            return output

    return Remembering


def _is_cut(folder: Path, mel_bands: int) -> bool:
    """Whether most of the decoder's layers were removed, judging by the attention heads that ``config.json`` lists."""
    try:
        heads = json.loads((folder / "config.json").read_text(encoding="utf-8"))["alignment_heads"]
        deepest = max(int(layer) for layer, _ in heads)
    except (ValueError, TypeError, LookupError):
        return False
    return deepest < TINY_DEEPEST or (deepest == TINY_DEEPEST and mel_bands == 128)


def _passage(segment: Any) -> Passage:
    words = (Timed(float(w.start), float(w.end), w.word, float(w.probability)) for w in segment.words or ())
    times = float(segment.start), float(segment.end)
    return Passage(*times, segment.text, tuple(words), segment.avg_logprob, segment.compression_ratio)


def _threads() -> int:
    return min(MOST_THREADS, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
