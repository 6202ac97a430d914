"""Whisper (Radford et al. 2022): speech recognition and translation into English, by either of two libraries.

openai-whisper (MIT) runs on torch. faster-whisper (MIT) runs on CTranslate2, with 8-bit integers on a CPU; its base
size comes with pip, weights included; other sizes, and any Whisper converted for CTranslate2, come from the hub or a
folder.
"""

from __future__ import annotations

import json
import pickle
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from bgm import device
from bgm.engines import EngineOptions
from bgm.errors import BadInput
from bgm.progress import Tick
from bgm.speech.activity import Mono
from bgm.speech.hearing import BEAM, TEMPERATURES, Passage, Recogniser
from bgm.speech.words import Timed

REMEMBERED = 8
"""Windows whose encoding is cached (3 MB each for base), for language detection, transcription, word times and
translation."""

INVENTION_GAP_S = 2.0
"""Improbable words surrounded by this much silence count as hallucinations (Whisper's own rule)."""
TURBO_LAYERS = (32, 4)
"""Encoder and decoder layers of large-v3-turbo, which was not trained to translate."""
SIZE_OF_LAYERS = {
    (4, 4): "tiny",
    (6, 6): "base",
    (12, 12): "small",
    (24, 24): "medium",
    (32, 32): "large-v2",
    TURBO_LAYERS: "turbo",
}
"""Encoder and decoder layers → the published size; large-v3 differs from v2 by its 128 mel bands."""


class Whisper(Recogniser):
    """Engine of the transcribe stage: the first choice on a GPU, and for your own checkpoint."""

    name: ClassVar[str] = "whisper"

    @classmethod
    def passed_over(cls, options: EngineOptions) -> str | None:
        """On a CPU faster-whisper, if it can run, is three times faster with the same model."""
        if options.device != "cpu" and _device(options.device) == "cuda":
            return None
        return None if FasterWhisper.missing(options) else "faster-whisper is quicker on a processor"

    def _device(self) -> str:
        return _device(self._options.device)

    def _load(self, path: Path, title: str, place: str) -> TorchModel:
        key = path, path.stat().st_mtime_ns, place
        return _torch_shelf.get(key, lambda: loaded(path, title, place))


class _Loaded(device.Loaded[Any]):
    """What both libraries' models share; the rest of :class:`hearing.Model` is the library's."""

    instead = "a smaller size"

    def translate(self, wave: Mono, language: str, check: Tick) -> list[Passage]:
        # 1. Without a threshold: whether somebody speaks here has been decided by voice activity detection.
        how = {"language": language, "task": "translate", "no_speech_threshold": None}
        # 2. Where nothing comes out, which happens with short pieces, once more without timestamps.
        return self._decode(wave, check, **how) or self._decode(wave, check, **how, without_timestamps=True)

    def _decode(self, wave: Mono, check: Tick, **how: Any) -> list[Passage]:
        raise NotImplementedError


class TorchModel(_Loaded):
    """A :class:`hearing.Model` on torch, shared by all users."""

    def move(self, place: str) -> None:
        self.model.encoder.forget()
        super().move(place)

    @property
    def languages(self) -> frozenset[str]:
        from whisper.tokenizer import LANGUAGES

        return frozenset(LANGUAGES) if self.model.is_multilingual else frozenset({"en"})

    @property
    def translates(self) -> bool:
        return bool(self.model.is_multilingual) and _layers(self.model) != TURBO_LAYERS

    def detect(self, wave: Mono, check: Tick) -> Mapping[str, float]:
        import torch
        from whisper.audio import N_FRAMES, N_SAMPLES, log_mel_spectrogram, pad_or_trim

        with self._alone(check) as net:
            # Windows are cut as in transcribe(), so that the cached encoding of the same window is found.
            mel = log_mel_spectrogram(wave, net.dims.n_mels, padding=N_SAMPLES)
            window = pad_or_trim(mel[:, : mel.shape[-1] - N_FRAMES], N_FRAMES)
            dtype = torch.float16 if self.device == "cuda" else torch.float32
            return dict(net.detect_language(window.to(self.device, dtype))[1])

    def hear(self, wave: Mono, language: str, prompt: str | None, check: Tick) -> list[Passage]:
        how = {"word_timestamps": True, "hallucination_silence_threshold": INVENTION_GAP_S}
        return self._decode(wave, check, language=language, initial_prompt=prompt, **how)

    def _decode(self, wave: Mono, check: Tick, **how: Any) -> list[Passage]:
        import whisper

        with self._alone(check) as net:
            result = whisper.transcribe(
                net,
                wave,
                fp16=self.device == "cuda",
                beam_size=BEAM if self.device == "cuda" else None,  # three times the work on a CPU
                temperature=TEMPERATURES,
                # One wrong sentence would be repeated in all that follow (a known failure of Whisper on long audio).
                condition_on_previous_text=False,
                **how,
            )
        return [_torch_passage(segment) for segment in result["segments"] if segment["text"].strip()]

    @contextmanager
    def _alone(self, check: Tick) -> Iterator[Any]:
        """The model; ``check`` is called for every token. Sampling is reproducible."""
        import torch

        with self.at_work(check) as net:
            hook = net.decoder.register_forward_pre_hook(lambda *_: check())
            try:
                check()
                # Higher temperatures sample: the same recording must give the same text, for every user.
                with torch.random.fork_rng(devices=[net.device] if self.device == "cuda" else []):
                    torch.manual_seed(0)
                    yield net
            finally:
                hook.remove()


_torch_shelf: device.Shelf[TorchModel] = device.Shelf()


def loaded(path: Path, title: str, place: str) -> TorchModel:
    """Read a checkpoint, on the CPU. Raises BadInput for an invalid file."""
    import whisper

    try:
        net = whisper.load_model(str(path), device="cpu")
    except (RuntimeError, LookupError, TypeError, EOFError, pickle.UnpicklingError) as error:
        raise BadInput(f"{path} is not a Whisper checkpoint, or a damaged one") from error
    heads = whisper._ALIGNMENT_HEADS.get(published_size(net))
    if heads is not None:
        # A checkpoint doesn't name the attention heads for word alignment; the default (half of all) is slower and
        # worse.
        net.set_alignment_heads(heads)
    _remember(net.encoder)
    return TorchModel(title, net.eval(), place)


def published_size(net: Any) -> str:
    """The published size that these dimensions belong to (or were tuned from); empty if it is none."""
    size = SIZE_OF_LAYERS.get(_layers(net), "")
    if size == "large-v2" and net.dims.n_mels == 128:
        return "large-v3"
    return size if net.is_multilingual or size not in ("tiny", "base", "small", "medium") else f"{size}.en"


def _layers(net: Any) -> tuple[int, int]:
    return net.dims.n_audio_layer, net.dims.n_text_layer


def _remember(encoder: Any) -> None:
    """Cache the encoder's output of the last windows: openai-whisper encodes each again for word timestamps."""
    import torch

    compute: Callable[[Any], Any] = encoder.forward
    known: list[tuple[Any, Any]] = []

    def forward(mel: Any) -> Any:
        for seen, output in known:
            # Compared by content: the library cuts a new tensor for each use of the same window.
            if seen.dtype == mel.dtype and torch.equal(seen, mel):
                return output
        output = compute(mel)
        known[:] = [*known, (mel.clone(), output)][-REMEMBERED:]
        return output

    encoder.forward, encoder.forget = forward, known.clear


def _torch_passage(segment: Mapping[str, Any]) -> Passage:
    words = tuple(
        Timed(float(w["start"]), float(w["end"]), w["word"], float(w["probability"])) for w in segment.get("words", ())
    )
    measures = segment["avg_logprob"], segment["compression_ratio"]
    return Passage(float(segment["start"]), float(segment["end"]), segment["text"], words, *measures)


def _device(wanted: str) -> str:
    """The device. Apple's GPU lacks the double precision that word timestamps need, so the CPU is used instead."""
    chosen = device.pick(wanted)
    return "cpu" if chosen == "mps" else chosen


MOST_THREADS, MOST_AT_ONCE = 4, 4
"""On a processor: threads of a call (CTranslate2's own default; more gain little for the base size), calls at a time.

The encoder gains from a second thread what the decoder loses: two stretches beside each other on two cores, each with
one thread, take half the time of one after the other with two.
"""
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

    def _load(self, path: Path, title: str, place: str) -> CTranslateModel:
        key = path, (path / "model.bin").stat().st_mtime_ns, place
        return _ctranslate_shelf.get(key, lambda: _converted(path, title, place))


class CTranslateModel(_Loaded):
    """A :class:`hearing.Model` on CTranslate2, shared by all users."""

    def __init__(self, title: str, model: Any, place: str, folder: Path, at_once: int = 1) -> None:
        super().__init__(title, model, place, at_once)
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

    def _decode(self, wave: Mono, check: Tick, **how: Any) -> list[Passage]:
        out = []
        with self.at_work(check) as model:
            check()
            segments, _ = model.transcribe(
                wave, beam_size=BEAM, temperature=TEMPERATURES, condition_on_previous_text=False, **how
            )
            for segment in segments:
                check()
                out.append(_ctranslate_passage(segment))
        return out


_ctranslate_shelf: device.Shelf[CTranslateModel] = device.Shelf()


def _converted(folder: Path, title: str, place: str) -> CTranslateModel:
    kind = "float16" if place == "cuda" else "int8"
    at_once = 1 if place == "cuda" else min(MOST_AT_ONCE, device.cores())
    threads = min(MOST_THREADS, device.cores() // at_once)
    try:
        model = _remembering()(str(folder), device=place, compute_type=kind, cpu_threads=threads, num_workers=at_once)
    except Exception as error:  # CTranslate2 and tokenizers raise a bare one for a file of another kind
        raise BadInput(f"{folder} holds no Whisper for CTranslate2, or a damaged one: {error}") from error
    ready = CTranslateModel(title, model, place, folder, at_once)
    ready.move("cpu")  # until it works
    return ready


@lru_cache(maxsize=1)
def _remembering() -> Any:
    """A WhisperModel that caches the encoding of a window: the encoder does a third of all the work."""
    from faster_whisper import WhisperModel

    class Remembering(WhisperModel):  # type: ignore[misc]
        def __init__(self, *args: Any, **more: Any) -> None:
            super().__init__(*args, **more)
            self._encoded: list[tuple[Any, Any]] = []
            self._noting = threading.Lock()

        def encode(self, features: Any) -> Any:
            for known, output in self._encoded:
                if np.array_equal(known, features):
                    return output
            output = super().encode(features)
            with self._noting:  # of two calls at a time
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


def _ctranslate_passage(segment: Any) -> Passage:
    words = (Timed(float(w.start), float(w.end), w.word, float(w.probability)) for w in segment.words or ())
    times = float(segment.start), float(segment.end)
    return Passage(*times, segment.text, tuple(words), segment.avg_logprob, segment.compression_ratio)
