"""The networks learnt from loud stereo: a voice on one side alone, or a very quiet one, is a voice all the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from bgm.engines import EngineOptions
from bgm.media import audio
from bgm.progress import silent
from bgm.speech.activity import speech_spans
from bgm.voice.spleeter import Spleeter
from tests.speech.sounds import at_48k


@pytest.mark.parametrize(
    ("pan", "level_db"),
    [((1, 0), 0), ((0, 1), 0), ((1, -1), 0), ((1, 1), -45)],
    ids=["left", "right", "phase", "quiet"],
)
def test_a_voice_without_pauses_is_kept(jfk: Path, tmp_path: Path, pan: tuple[int, int], level_db: float) -> None:
    if Spleeter.missing(EngineOptions(offline=True)):
        pytest.skip("Spleeter's weights are not installed")
    spoken = at_48k(jfk)[audio.frames_of(3.3) : audio.frames_of(7.0), :1]
    source = spoken * np.array(pan) * 10 ** (level_db / 20)
    soundfile.write(tmp_path / "in.flac", source, audio.SAMPLE_RATE, subtype="PCM_24")
    found = Spleeter(EngineOptions(offline=True)).separate(
        tmp_path / "in.flac", tmp_path / "voice.flac", speech_spans, silent
    )
    voice = audio.read(tmp_path / "voice.flac")
    assert found.speech
    assert np.corrcoef(voice.ravel(), source.ravel())[0, 1] > 0.95
    assert voice.std() == pytest.approx(source.std(), rel=0.15)
