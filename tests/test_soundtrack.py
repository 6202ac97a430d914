"""Of several sound tracks the one that speaks is heard, or the one that was asked for, or all; the others are named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from bgm import soundtrack
from bgm.errors import BadInput
from bgm.media import audio
from bgm.media.probe import probe
from bgm.progress import silent
from bgm.settings import Settings
from tests.media.making import Make

QUIET, VOICE, MUSIC = "quiet", "voice", "music"


@pytest.fixture(scope="module")
def sounds(jfk: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Six seconds each of digital silence, of a voice, and of a chord that swells and dies."""
    folder = tmp_path_factory.mktemp("sounds")
    wave, rate = soundfile.read(jfk, frames=6 * 16_000, dtype="float32")
    t = np.arange(6 * rate) / rate
    chord = sum(0.1 * np.sin(2 * np.pi * f * t) for f in (220.0, 277.2, 329.6)) * (1 - t % 1)
    for name, samples in ((QUIET, np.zeros(6 * rate)), (VOICE, wave), (MUSIC, chord)):
        soundfile.write(folder / f"{name}.wav", samples, rate)
    return {name: folder / f"{name}.wav" for name in (QUIET, VOICE, MUSIC)}


def recorded(folder: Path, sounds: dict[str, Path], *tracks: str, default: int = 1) -> Path:
    """A recording with a sound track for each name; the one of number ``default`` plays by default."""
    inputs = [word for track in tracks for word in ("-i", str(sounds[track]))]
    options: list[object] = ["-map", 0, "-c:v", "mpeg4"]
    for number, track in enumerate(tracks, 1):
        flag = "default" if number == default else 0
        options += [
            "-map",
            number,
            f"-disposition:a:{number - 1}",
            flag,
            f"-metadata:s:a:{number - 1}",
            f"title={track}",
        ]
    picture = ("-f", "lavfi", "-i", "color=s=64x64:d=6")
    return Make(folder).ffmpeg(*picture, *inputs, *options, "-c:a", "flac", folder / "recorded.mkv")


def heard(video: Path, wanted: str = "auto") -> tuple[soundtrack.Heard, float]:
    """What was heard, and its level."""
    target = video.with_suffix(".flac")
    result = soundtrack.hear(probe(video), wanted, target, silent)
    assert [path.name for path in sorted(video.parent.iterdir())] == ["recorded.flac", "recorded.mkv"]
    return result, float(np.sqrt(np.mean(np.square(audio.read(target)))))


@pytest.mark.parametrize(
    ("tracks", "default", "number"),
    [
        ((QUIET, VOICE, QUIET), 1, "2"),
        ((MUSIC, VOICE), 1, "2"),
        ((VOICE, MUSIC), 2, "1"),
        ((VOICE, VOICE), 2, "2"),
        ((QUIET, MUSIC), 1, "2"),
        ((MUSIC, MUSIC), 2, "2"),
        ((QUIET, QUIET), 1, "1"),
    ],
)
def test_the_track_with_speech_is_heard(
    tmp_path: Path, sounds: dict[str, Path], tracks: tuple[str, ...], default: int, number: str
) -> None:
    result, _ = heard(recorded(tmp_path, sounds, *tracks, default=default))
    assert result.used == number
    assert f"Of {len(tracks)} sound tracks number {number} ({tracks[int(number) - 1]}) is used" in result.notes[0]
    for other, track in enumerate(tracks, 1):
        assert str(other) == number or f"{other} ({track}), " in result.notes[0].partition("Not used:")[2]


def test_the_track_that_was_asked_for_is_heard(tmp_path: Path, sounds: dict[str, Path]) -> None:
    video = recorded(tmp_path, sounds, QUIET, VOICE)
    assert heard(video, "1") == (soundtrack.Heard("1", heard(video, "1")[0].notes), 0.0)
    assert heard(video, "2")[1] > 0.01
    assert "as was asked for" in heard(video, "1")[0].notes[0]


def test_all_tracks_can_be_heard_together(tmp_path: Path, sounds: dict[str, Path]) -> None:
    video = recorded(tmp_path, sounds, MUSIC, VOICE)
    result, level = heard(video, "mix")
    both = heard(video, "1")[1] ** 2 + heard(video, "2")[1] ** 2
    assert level**2 == pytest.approx(both, rel=0.05)
    assert result.used == "mix" and "All 2 sound tracks" in result.notes[0]


def test_a_track_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path, sounds: dict[str, Path]) -> None:
    video = recorded(tmp_path, sounds, MUSIC, VOICE)
    with pytest.raises(BadInput, match=r"no sound track 3 in recorded.mkv; it has 1 \(music\), 2 \(voice\)"):
        heard(video, "3")


@pytest.mark.parametrize("wanted", ["", "0", "-1", "65", "two", "1.0", "٢", "01"])
def test_what_names_no_track(wanted: str) -> None:
    with pytest.raises(BadInput, match="audio-track must be"):
        Settings(audio_track=wanted)
