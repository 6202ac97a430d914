"""Videos that several tests of this room read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.media.making import Make

SRT = "1\n00:00:00,500 --> 00:00:01,500\nHello <i>there</i>\nsecond line\n\n2\n00:00:02,000 --> 00:00:03,000\n안녕\n"
TAGS = """;FFMETADATA1
title=제목 "q"
artist=Someone
[CHAPTER]
TIMEBASE=1/1000
START=0
END=2000
title=One
[CHAPTER]
TIMEBASE=1/1000
START=2000
END=4000
title=둘
"""
PICTURE = ("-f", "lavfi", "-i", "testsrc2=s=192x128:r=25:d=4")
BEEPS = ("-f", "lavfi", "-i", "aevalsrc=0.5*sin(6283*t)*between(mod(t\\,1)\\,0.25\\,0.5):d=4:s=48000")
"""A beep from 0.25 s to 0.5 s of every second."""


@pytest.fixture(scope="session")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    return Make(tmp_path_factory.mktemp("media"))


@pytest.fixture(scope="session")
def plain_mp4(make: Make) -> Path:
    """4 s of H.264 with reordered pictures and AAC beeps."""
    codec = ("-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "50", "-c:a", "aac")
    return make.ffmpeg(*PICTURE, *BEEPS, *codec, make.folder / "plain.mp4")


@pytest.fixture(scope="session")
def subtitles(make: Make) -> Path:
    path = make.folder / "text.srt"
    path.write_text(SRT, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def rich_mp4(make: Make, plain_mp4: Path, subtitles: Path) -> Path:
    """Rotated, tagged, with chapters and a Korean subtitle track."""
    tags = make.folder / "tags.txt"
    tags.write_text(TAGS, encoding="utf-8")
    rotated = make.ffmpeg("-display_rotation", 90, "-i", plain_mp4, "-c", "copy", make.folder / "rotated.mp4")
    inputs = ("-i", rotated, "-i", tags, "-i", subtitles, "-map", 0, "-map", 2, "-map_metadata", 1, "-map_chapters", 1)
    return make.ffmpeg(
        *inputs, "-c", "copy", "-c:s", "mov_text", "-metadata:s:s:0", "language=kor", make.folder / "rich.mp4"
    )


@pytest.fixture(scope="session")
def rich_mkv(make: Make, rich_mp4: Path) -> Path:
    """The same in Matroska, with an attached file."""
    font = make.folder / "font.txt"
    font.write_text("a font, let us say")
    streams = ("-map", "0:v", "-map", "0:a", "-map", "0:s", "-c", "copy", "-c:s", "srt")
    return make.ffmpeg(
        "-i", rich_mp4, *streams, "-attach", font, "-metadata:s:t", "mimetype=text/plain", make.folder / "rich.mkv"
    )


@pytest.fixture(scope="session")
def avi(make: Make) -> Path:
    """MPEG-4 with reordered pictures: AVI states no presentation times."""
    return make.ffmpeg(*PICTURE, *BEEPS, "-c:v", "mpeg4", "-bf", "2", "-c:a", "mp3", make.folder / "old.avi")


@pytest.fixture(scope="session")
def webm(make: Make) -> Path:
    fast = ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus")
    return make.ffmpeg(*PICTURE, *BEEPS, *fast, make.folder / "web.webm")
