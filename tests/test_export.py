"""Timecode as SMPTE ST 12-1 counts it, and the list that an editor imports."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgm.export import Timecode, edl_lines, timecode_of
from bgm.media.probe import VideoTrack, probe
from bgm.project import Project
from bgm.settings import Settings
from bgm.timeline import Emotion, Segment, Timeline

NTSC = Fraction(30000, 1001)


def video(fps: float, timecode: str | None = None) -> VideoTrack:
    return VideoTrack(0, "h264", 96, 64, fps, timecode)


def edl(duration: float, boundary: float, track: VideoTrack | None) -> list[str]:
    segments = (Segment("s1", 0, boundary, Emotion.JOY), Segment("s2", boundary, duration, Emotion.FEAR))
    project = Project(Path("p"), "talk.mov", duration, timeline=Timeline(duration, segments), settings=Settings())
    return [line for line in edl_lines(project, timecode_of(track)) if line[:3].isdigit() or line.startswith("FCM")]


def test_a_25_fps_video_that_starts_at_ten_hours() -> None:
    assert edl(14.0, 6.92, video(25, "10:00:00:00")) == [
        "FCM: NON-DROP FRAME",
        "001  AX       A     C        00:00:00:00 00:00:06:23 10:00:00:00 10:00:06:23",
        "002  AX       A     C        00:00:00:00 00:00:07:02 10:00:06:23 10:00:14:00",
    ]


def test_drop_frame_keeps_step_with_the_clock() -> None:
    """An hour of 29.97 frames a second is 107,892 frames: 01:00:00;00 in drop-frame, 00:59:56:12 without."""
    drop, non_drop = Timecode(NTSC, drop=True), Timecode(NTSC)
    assert drop.frame(3600) == 107_892
    assert drop.name(107_892) == "01:00:00;00" and non_drop.name(107_892) == "00:59:56:12"
    assert [drop.name(frame) for frame in (1799, 1800, 17_981, 17_982)] == [
        "00:00:59;29",
        "00:01:00;02",
        "00:09:59;29",
        "00:10:00;00",
    ]
    assert edl(120.0, 60.06, video(float(NTSC), "01:00:00;00"))[1].endswith("01:00:00;00 01:01:00;02")


@given(st.sampled_from([NTSC, Fraction(60000, 1001)]), st.booleans(), st.integers(0, 2_589_407))
def test_every_frame_has_one_name(rate: Fraction, drop: bool, frame: int) -> None:
    timecode = Timecode(rate, drop)
    assert timecode.number(timecode.name(frame)) == frame


@pytest.mark.parametrize(
    ("fps", "rate"),
    [(23.976, 24000 / 1001), (24, 24), (25, 25), (29.97, NTSC), (30, 30), (59.94, 60000 / 1001), (15, 15)],
)
def test_a_standard_rate_is_taken_exactly(fps: float, rate: Fraction | float) -> None:
    assert float(timecode_of(video(fps)).rate) == float(rate)


@pytest.mark.parametrize("track", [None, video(0), video(28.3), video(120), video(30, "noon")])
def test_without_a_steady_rate_or_a_sound_timecode_thirty_frames_from_zero(track: VideoTrack | None) -> None:
    assert timecode_of(track) == Timecode()


@pytest.mark.parametrize("suffix", ["mov", "mp4", "mkv"])
def test_the_timecode_is_found_in_the_file(tmp_path: Path, suffix: str) -> None:
    with av.open(str(tmp_path / f"v.{suffix}"), "w") as out:
        stream = out.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.metadata["timecode"] = "10:00:00:00"
        for _ in range(5):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 96, 3), np.uint8))))
        out.mux(stream.encode())
    found = probe(tmp_path / f"v.{suffix}").video
    assert found is not None and found.timecode == "10:00:00:00"
