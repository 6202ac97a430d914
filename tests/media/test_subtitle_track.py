"""The video's own text track is read as plain cues."""

from __future__ import annotations

from pathlib import Path

import pytest

from bgm.media.probe import probe
from bgm.media.subtitle_track import Cue, extract_text_subtitles
from tests.media.making import Make


@pytest.mark.parametrize("kind", ["mp4 mov_text", "mkv srt", "mkv ass", "webm webvtt"])
def test_every_kind_of_text_track(make: Make, webm: Path, subtitles: Path, kind: str) -> None:
    suffix, codec = kind.split()
    inputs = ("-i", webm, "-i", subtitles, "-map", "0:v", "-map", "0:a", "-map", "1", "-c", "copy")
    track = ("-c:s", codec, "-metadata:s:s:0", "language=kor")
    found = extract_text_subtitles(probe(make.ffmpeg(*inputs, *track, make.folder / f"subtitled_{codec}.{suffix}")))
    assert found is not None and found.language == "kor"
    assert found.cues == (Cue(0.5, 1.5, "Hello there\nsecond line"), Cue(2.0, 3.0, "안녕"))


def test_times_count_from_the_picture(make: Make, rich_mkv: Path) -> None:
    later = make.ffmpeg(
        "-itsoffset", 5, "-i", rich_mkv, "-map", "0:v", "-map", "0:s", "-c", "copy", make.folder / "later.mkv"
    )
    info = probe(later)
    assert info.origin == pytest.approx(5.0)
    found = extract_text_subtitles(info)
    assert found is not None
    assert [cue.start for cue in found.cues] == pytest.approx([0.5, 2.0])


def test_none_where_there_is_none(plain_mp4: Path) -> None:
    assert extract_text_subtitles(probe(plain_mp4)) is None
