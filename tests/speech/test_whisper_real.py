"""The openai-whisper engine with real weights: base in OpenAI's format, made of the packaged ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import whisper

from bgm.engines import EngineOptions
from bgm.speech import whisper as engine
from bgm.speech.activity import speech_spans
from bgm.speech.whisper import Whisper
from bgm.speech.words import Recording, Transcript
from tests.conftest import JFK_WORDS
from tests.speech import openai_base

pytestmark = pytest.mark.checkpoint


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return openai_base.write(tmp_path_factory.mktemp("openai") / "base.pt")


@pytest.fixture(scope="module")
def heard(checkpoint: Path, jfk_48k: Path) -> tuple[Transcript, int]:
    """The transcript, and how many windows the encoder has computed for it."""
    encoded = 0
    remember: Callable[[Any], None] = engine._remember

    def counting(encoder: Any) -> None:
        compute = encoder.forward

        def forward(mel: Any) -> Any:
            nonlocal encoded
            encoded += 1
            return compute(mel)

        encoder.forward = forward
        remember(encoder)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "_remember", counting)
        options = EngineOptions(model=str(checkpoint), offline=True, device="cpu")
        recording = Recording(jfk_48k, speech_spans(jfk_48k), 11.0)
        return Whisper(options).transcribe(recording), encoded


def test_real_speech_is_heard_with_its_times(heard: tuple[Transcript, int]) -> None:
    utterances = heard[0].utterances
    words = "".join(c for u in utterances for c in f" {u.text.lower()}" if c not in ",.;?!").split()
    assert words == list(JFK_WORDS)
    assert 0 <= utterances[0].start < 1
    assert 10 < utterances[-1].end <= 11
    assert len(utterances) >= 2, "the pause after the first words is heard"


def test_a_window_is_encoded_once_for_its_language_its_words_and_their_times(heard: tuple[Transcript, int]) -> None:
    assert heard[1] == 1


def test_a_checkpoint_gets_the_published_heads_of_its_size(checkpoint: Path) -> None:
    net = engine.loaded(checkpoint, "base", "cpu").model
    published = whisper.model.Whisper(net.dims)
    published.set_alignment_heads(whisper._ALIGNMENT_HEADS["base"])
    assert torch.equal(net.alignment_heads.to_dense(), published.alignment_heads.to_dense())


@pytest.mark.parametrize(
    ("layers", "vocabulary", "mels", "size"),
    [
        ((4, 4), 51864, 80, "tiny.en"),
        ((12, 12), 51865, 80, "small"),
        ((32, 32), 51865, 80, "large-v2"),
        ((32, 32), 51866, 128, "large-v3"),
        ((32, 4), 51866, 128, "turbo"),
        ((5, 7), 51865, 80, ""),
    ],
)
def test_the_size_is_told_from_the_dimensions(layers: tuple[int, int], vocabulary: int, mels: int, size: str) -> None:
    dims = whisper.model.ModelDimensions(mels, 1500, 8, 2, layers[0], vocabulary, 448, 8, 2, layers[1])
    assert engine.published_size(whisper.model.Whisper(dims)) == size
