"""The video's own text track is read as plain cues."""

from __future__ import annotations

from pathlib import Path

import pytest

from bgm.media.decode import Cue, text_cues
from bgm.media.probe import probe
from tests.media.making import Make


@pytest.mark.parametrize("kind", ["mp4 mov_text", "mkv srt", "mkv ass", "webm webvtt"])
def test_every_kind_of_text_track(make: Make, webm: Path, subtitles: Path, kind: str) -> None:
    suffix, codec = kind.split()
    inputs = ("-i", webm, "-i", subtitles, "-map", "0:v", "-map", "0:a", "-map", "1", "-c", "copy")
    track = ("-c:s", codec, "-metadata:s:s:0", "language=kor")
    info = probe(make.ffmpeg(*inputs, *track, make.folder / f"subtitled_{codec}.{suffix}"))
    assert [track.language for track in info.text_subtitles] == ["kor"]
    cues = [cue for _, cue in text_cues(info, info.text_subtitles)]
    assert cues == [Cue(0.5, 1.5, "Hello there\nsecond line"), Cue(2.0, 3.0, "안녕")]


def test_times_count_from_the_picture(make: Make, rich_mkv: Path) -> None:
    later = make.ffmpeg(
        "-itsoffset", 5, "-i", rich_mkv, "-map", "0:v", "-map", "0:s", "-c", "copy", make.folder / "later.mkv"
    )
    info = probe(later)
    assert info.origin == pytest.approx(5.0)
    assert [cue.start for _, cue in text_cues(info, info.text_subtitles)] == pytest.approx([0.5, 2.0])


def test_none_where_there_is_none(plain_mp4: Path) -> None:
    info = probe(plain_mp4)
    assert list(text_cues(info, info.text_subtitles)) == []


def test_the_flags_of_a_track(make: Make, plain_mp4: Path, subtitles: Path) -> None:
    inputs = ("-i", plain_mp4, "-i", subtitles, "-i", subtitles, "-map", 0, "-map", 1, "-map", 2, "-c", "copy")
    flags = ("-disposition:s:0", "default+forced", "-disposition:s:1", 0, "-metadata:s:s:1", "title=All of it")
    tracks = probe(make.ffmpeg(*inputs, "-c:s", "srt", *flags, make.folder / "flags.mkv")).subtitles
    assert [(t.title, t.default, t.forced) for t in tracks] == [("", True, True), ("All of it", False, False)]
