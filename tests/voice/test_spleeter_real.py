"""The real spleeter 2.4.2 in its own environment, with random weights in its checkpoint layout.

The environment is made once (about a minute of pip); BGM_SPLEETER_ENV names one that is already there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bgm.engines import EngineOptions
from bgm.errors import BgmError
from bgm.progress import silent
from bgm.voice import spleeter_env
from bgm.voice.spleeter import Spleeter
from tests.shell import bgm
from tests.voice.sounds import RATE, mixed, music, si_sdr, talk, write

pytestmark = [pytest.mark.checkpoint, pytest.mark.slow]
SECONDS = 40


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        if not os.environ.get("BGM_SPLEETER_ENV"):
            patch.setenv("BGM_SPLEETER_ENV", str(tmp_path_factory.mktemp("spleeter") / "env"))
        spleeter_env.setup(silent)
        yield


@pytest.fixture(scope="session")
def checkpoint(environment: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "2stems"
    script = Path(__file__).with_name("random_checkpoint.py")
    subprocess.run([str(spleeter_env.python()), "-I", str(script), str(folder)], check=True, capture_output=True)
    return folder


def band_db(sound: np.ndarray, low: float, high: float) -> float:
    spectrum = np.square(np.abs(np.fft.rfft(sound)))
    hertz = np.fft.rfftfreq(len(sound), 1 / RATE)
    return float(10 * np.log10(spectrum[(hertz >= low) & (hertz < high)].sum()))


def test_vocals_come_back_whole(tmp_path: Path, checkpoint: Path) -> None:
    """Random weights share every sound about evenly between the stems: what comes back is the mix, fainter."""
    speech, spans = talk(SECONDS)
    hiss = 0.003 * np.random.default_rng(0).standard_normal(len(speech)).astype(np.float32)
    sound = mixed(speech, music(SECONDS), 5) + hiss
    source = write(tmp_path / "s.flac", np.stack([sound, 0.5 * sound], axis=1))
    options = EngineOptions(model=str(checkpoint), offline=True)
    assert Spleeter.missing(options) is None
    seen: list[float] = []
    Spleeter(options).separate(source, spans, tmp_path / "v.flac", lambda fraction, note="": seen.append(fraction))
    voice = soundfile.read(str(tmp_path / "v.flac"), dtype="float32")[0]
    assert voice.shape == (SECONDS * RATE, 2)
    assert si_sdr(voice[:, 0], sound) > 15, "in step with the source, through every chunk"
    loss = band_db(sound, 300, 4000) - band_db(voice[:, 0], 300, 4000)
    for low, high in ((11_000, 16_000), (16_500, 20_000)):
        assert band_db(sound, low, high) - band_db(voice[:, 0], low, high) == pytest.approx(loss, abs=3)
    assert seen == sorted(seen) and seen[-1] == 1


@pytest.mark.parametrize("name", ["model.index", "model.data-00000-of-00001"])
def test_a_damaged_model_is_an_explained_failure_and_never_noise(tmp_path: Path, checkpoint: Path, name: str) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(checkpoint, broken)
    os.truncate(broken / name, (broken / name).stat().st_size // 2)
    source = write(tmp_path / "s.flac", talk(2.0)[0])
    with pytest.raises(BgmError, match=r"Spleeter failed with the model in .*broken"):
        Spleeter(EngineOptions(model=str(broken))).separate(source, ((0, 1),), tmp_path / "v.flac", silent)
    assert not (tmp_path / "v.flac").exists()


def test_the_main_job_takes_its_voice_from_spleeter(tmp_path: Path, checkpoint: Path) -> None:
    speech, _ = talk(10)
    source = write(tmp_path / "talk.flac", mixed(speech, music(10), 5))
    options = ["--separator", f"spleeter:{checkpoint}", "--offline", "--json"]
    done = bgm("make", source, "-o", tmp_path / "out.flac", *options)
    assert done.status == 0, done.err
    assert done.result["engines"]["separate"]["name"].startswith("spleeter")
    assert soundfile.info(str(tmp_path / "out.flac")).frames == len(speech)
