"""The pretrained engines through the main job, with tiny checkpoints in the real formats."""

from __future__ import annotations

from pathlib import Path

import pytest

from bgm.media import audio
from testing.riffusion_checkpoint import write_checkpoint, write_lora
from tests.emotion import tiny_roberta
from tests.shell import bgm
from tests.speech import tiny_whisper

pytestmark = pytest.mark.checkpoint
SECONDS = 8


@pytest.fixture
def talk(tmp_path: Path, sample: Path) -> Path:
    """The first seconds of the sample's sound, without its subtitles beside it."""
    from bgm.media.decode import decode
    from bgm.media.probe import probe

    whole, part = tmp_path / "whole.flac", tmp_path / "talk.wav"
    decode(probe(sample), whole)
    with audio.writer(part) as file:
        file.write(audio.read(whole, 0, audio.frames_of(SECONDS)))
    whole.unlink()
    return part


def test_whisper_the_classifier_and_riffusion_make_a_score(talk: Path, tmp_path: Path) -> None:
    words = tiny_whisper.write(tmp_path / "tiny.pt", "en", " I am so happy to see you")
    emotions = tiny_roberta.write(tmp_path / "roberta")
    pictures = write_checkpoint(tmp_path / "riffusion")
    lora = write_lora(pictures, tmp_path / "lora.bin")
    options = ["--transcriber", f"whisper:{words}", "--classifier", f"distilroberta:{emotions}"]
    options += ["--music", f"riffusion:{pictures}", "--lora", f"{lora}@0.5", "--device", "cpu", "--offline"]
    out = tmp_path / "out.wav"
    done = bgm("make", talk, "-o", out, *options, "--json")
    assert done.status == 0, done.err
    result = done.result
    assert {stage: use["name"].partition(":")[0] for stage, use in result["engines"].items()} == {
        "separate": "spleeter",
        "transcribe": "whisper",
        "classify": "distilroberta",
        "music": "riffusion",
    }
    assert result["language"] == "en"
    assert result["utterances"] >= 1
    assert "LoRA" in done.err
    assert audio.length(out) == audio.frames_of(SECONDS)
    assert result["lufs"] == pytest.approx(-14, abs=0.5)


def test_an_engine_whose_weights_are_not_there_is_said_so_before_any_work(talk: Path, tmp_path: Path) -> None:
    done = bgm("make", talk, "-o", tmp_path / "out.wav", "--music", "riffusion:nowhere/else", "--offline", "--quiet")
    assert done.status == 2
    assert "riffusion can't run here" in done.err
    assert not (tmp_path / "out.wav").exists()
