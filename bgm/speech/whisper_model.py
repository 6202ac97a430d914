"""A loaded Whisper model that several users share: what it hears in half a minute of sound, and in which language."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from bgm.device import gpu, weight_bytes
from bgm.errors import BadInput, BgmError
from bgm.progress import Progress, silent
from bgm.speech import whisper_weights as weights
from bgm.speech.stretches import Mono

Tick = Callable[[], None]
"""Called for each layer that is computed: tells the progress, and may raise to stop the work."""

TEMPERATURES = (0.0, 0.4, 0.8)
"""Tries for a window; half of Whisper's own, because what fails them all is dropped and not kept."""
REPETITIVE = 2.4
"""Whisper's own threshold of the gzip ratio, above which it tries again."""
LEAST_LOGPROB = -1.5
"""Mean log probability of a segment's tokens below which it is a guess; at -1 Whisper tries again."""
INVENTION_GAP_S = 2.0
"""Improbable words surrounded by so much silence are taken for inventions (Whisper's own rule)."""
TURBO_LAYERS = (32, 4)
"""Encoder and decoder layers of large-v3-turbo, which was not trained to translate."""
WAIT_S = 0.3


@dataclass(frozen=True)
class Model:
    """``name`` is the size or the file's name."""

    name: str
    net: Any
    device: str
    _busy: threading.Lock = field(default_factory=threading.Lock)

    @property
    def is_multilingual(self) -> bool:
        return bool(self.net.is_multilingual)

    @property
    def can_translate(self) -> bool:
        dims = self.net.dims
        return self.is_multilingual and (dims.n_audio_layer, dims.n_text_layer) != TURBO_LAYERS

    def language(self, waves: Sequence[Mono], tick: Tick) -> str:
        """The language (ISO 639-1, as Whisper writes it) that is likeliest over all of ``waves``."""
        if not self.is_multilingual:
            return "en"
        total: dict[str, float] = {}
        with self._alone(tick):
            for wave in waves:
                for code, probability in self._language_probabilities(wave).items():
                    total[code] = total.get(code, 0.0) + probability
        return max(total, key=lambda code: total[code])

    def hear(self, wave: Mono, language: str, tick: Tick, prompt: str | None = None) -> list[dict[str, Any]]:
        """Segments as openai-whisper gives them, with their words' times (s) and probabilities."""
        return self._decode(wave, tick, task="transcribe", language=language, initial_prompt=prompt, words=True)

    def translate(self, wave: Mono, language: str, tick: Tick) -> str:
        """What is said, in English."""
        segments = self._decode(wave, tick, task="translate", language=language, initial_prompt=None, words=False)
        return " ".join("".join(segment["text"] for segment in segments).split())

    def leave(self) -> bool:
        """Make room on the GPU for another model, unless this one is at work."""
        if not self._busy.acquire(blocking=False):
            return False
        try:
            self.net.to("cpu")
        finally:
            self._busy.release()
        return True

    def _settle(self) -> None:
        if self.net.device.type != self.device:
            gpu.settle(self, weight_bytes(self.net))
            self.net.to(self.device)

    def _decode(self, wave: Mono, tick: Tick, *, words: bool, **options: Any) -> list[dict[str, Any]]:
        import whisper

        with self._alone(tick):
            result = whisper.transcribe(
                self.net,
                wave,
                fp16=self.device == "cuda",
                temperature=TEMPERATURES,
                word_timestamps=words,
                hallucination_silence_threshold=INVENTION_GAP_S if words else None,
                condition_on_previous_text=False,
                **options,
            )
        return [segment for segment in result["segments"] if _is_credible(segment)]

    def _language_probabilities(self, wave: Mono) -> dict[str, float]:
        import torch
        import whisper

        mel = whisper.log_mel_spectrogram(whisper.pad_or_trim(wave), self.net.dims.n_mels)
        dtype = torch.float16 if self.device == "cuda" else torch.float32
        with torch.inference_mode():
            _, probabilities = self.net.detect_language(mel.to(self.device, dtype))
        return dict(probabilities)

    @contextmanager
    def _alone(self, tick: Tick) -> Iterator[None]:
        """One decoding at a time: Whisper keeps its cache in hooks on the shared layers. Sampling is repeatable."""
        import torch

        while not self._busy.acquire(timeout=WAIT_S):
            tick()
        layers = [*self.net.encoder.blocks, *self.net.decoder.blocks]
        hooks = [layer.register_forward_pre_hook(lambda *_: tick()) for layer in layers]
        try:
            self._settle()
            with torch.random.fork_rng(devices=[self.net.device] if self.device == "cuda" else []):
                torch.manual_seed(0)
                yield
        except torch.OutOfMemoryError as error:
            raise BgmError(f"Whisper {self.name} needs more GPU memory than is free: choose a smaller size") from error
        finally:
            for hook in hooks:
                hook.remove()
            self._busy.release()


def load(name: str, device: str, offline: bool, progress: Progress = silent) -> Model:
    """The model of a size, or of a file ending in .pt; fetched if need be, loaded once per process and shared.

    Raises BadInput for a file that is no Whisper checkpoint, and what :func:`whisper_weights.fetch` raises.
    """
    is_size = name in weights.addresses()
    path = weights.fetch(name, offline, progress) if is_size else Path(name).expanduser()
    progress(1.0, f"loading Whisper {name if is_size else path.name}")
    with _loading:  # else two users who come at once would load it twice
        return _loaded(path, path.stat().st_mtime_ns, name if is_size else None, device)


_loading = threading.Lock()


@lru_cache(maxsize=2)
def _loaded(path: Path, modified_ns: int, size: str | None, device: str) -> Model:
    import whisper

    try:
        net = whisper.load_model(str(path), device="cpu")
    except (RuntimeError, LookupError, TypeError, EOFError, pickle.UnpicklingError) as error:
        raise BadInput(f"{path} is not a Whisper checkpoint") from error
    if size is not None:
        # Given a path, openai-whisper doesn't know which attention heads follow the words' times.
        net.set_alignment_heads(whisper._ALIGNMENT_HEADS[size])
    return Model(size or path.name, net.eval(), device)


def _is_credible(segment: dict[str, Any]) -> bool:
    return segment["compression_ratio"] <= REPETITIVE and segment["avg_logprob"] >= LEAST_LOGPROB
