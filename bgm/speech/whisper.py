"""Speech recognition and translation into English with openai-whisper (MIT; Radford et al. 2022), on torch."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from bgm import device
from bgm.engines import EngineOptions
from bgm.errors import BadInput
from bgm.progress import Tick
from bgm.speech.faster_whisper import FasterWhisper
from bgm.speech.hearing import BEAM, TEMPERATURES, Mono, Passage
from bgm.speech.recogniser import Recogniser
from bgm.speech.utterances import Timed

INVENTION_GAP_S = 2.0
"""Improbable words surrounded by this much silence count as hallucinations (Whisper's own rule)."""
REMEMBERED = 8
"""Windows whose encoding is cached, for language detection, transcription, word times and translation."""
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

    def _load(self, path: Path, title: str, place: str) -> Loaded:
        key = path, path.stat().st_mtime_ns, place
        return _shelf.get(key, lambda: loaded(path, title, place))


class Loaded(device.Loaded[Any]):
    """A :class:`hearing.Model` on torch, shared by all users."""

    instead = "a smaller size"

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

    def translate(self, wave: Mono, language: str, check: Tick) -> list[Passage]:
        how = {"language": language, "task": "translate", "no_speech_threshold": None}
        return self._decode(wave, check, **how) or self._decode(wave, check, **how, without_timestamps=True)

    def _decode(self, wave: Mono, check: Tick, **how: Any) -> list[Passage]:
        import whisper

        with self._alone(check) as net:
            result = whisper.transcribe(
                net,
                wave,
                fp16=self.device == "cuda",
                beam_size=BEAM if self.device == "cuda" else None,  # three times the work on a CPU
                temperature=TEMPERATURES,
                condition_on_previous_text=False,
                **how,
            )
        return [_passage(segment) for segment in result["segments"] if segment["text"].strip()]

    @contextmanager
    def _alone(self, check: Tick) -> Iterator[Any]:
        """The model; ``check`` is called for every token. Sampling is reproducible."""
        import torch

        with self.at_work(check) as net:
            hook = net.decoder.register_forward_pre_hook(lambda *_: check())
            try:
                check()
                with torch.random.fork_rng(devices=[net.device] if self.device == "cuda" else []):
                    torch.manual_seed(0)
                    yield net
            finally:
                hook.remove()


_shelf: device.Shelf[Loaded] = device.Shelf()


def loaded(path: Path, title: str, place: str) -> Loaded:
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
    return Loaded(title, net.eval(), place)


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
            if seen.dtype == mel.dtype and torch.equal(seen, mel):
                return output
        output = compute(mel)
        known[:] = [*known, (mel.clone(), output)][-REMEMBERED:]
        return output

    encoder.forward, encoder.forget = forward, known.clear


def _passage(segment: Mapping[str, Any]) -> Passage:
    words = tuple(
        Timed(float(w["start"]), float(w["end"]), w["word"], float(w["probability"])) for w in segment.get("words", ())
    )
    measures = segment["avg_logprob"], segment["compression_ratio"]
    return Passage(float(segment["start"]), float(segment["end"]), segment["text"], words, *measures)


def _device(wanted: str) -> str:
    """The device. Apple's GPU lacks the double precision that word timestamps need, so the CPU is used instead."""
    chosen = device.pick(wanted)
    return "cpu" if chosen == "mps" else chosen
