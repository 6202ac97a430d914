"""What a file holds is found; what can't be used is refused in one line."""

from __future__ import annotations

import os
from pathlib import Path

import av
import pytest

from bgm.errors import BadInput
from bgm.media.picture import thumbnail
from bgm.media.probe import MediaInfo, probe
from bgm.timeline import MAX_SECONDS
from tests.media.making import Make


def test_a_talking_video(world_mp4: Path) -> None:
    info = probe(world_mp4)
    assert info.has_video and info.video and info.audio
    assert (info.video.codec, info.video.width, info.video.height) == ("h264", 480, 270)
    assert info.video.fps == pytest.approx(30)
    assert (info.audio.channels, info.audio.rate) == (2, 48000)
    assert info.duration == pytest.approx(30.53, abs=0.01)  # the picture ends half a second before the sound


def test_a_video_without_sound(muted_mp4: Path) -> None:
    info = probe(muted_mp4)
    assert info.has_video and info.audio is None
    assert info.duration == pytest.approx(5.0)


def test_sound_alone_and_cover_art_is_no_video(make: Make, cate_mp3: Path) -> None:
    cover = make.ffmpeg("-f", "lavfi", "-i", "color=red:s=64x64", "-frames:v", 1, make.folder / "cover.jpg")
    covered = make.ffmpeg("-i", cate_mp3, "-i", cover, "-map", 0, "-map", 1, "-c", "copy", make.folder / "covered.mp3")
    for path in (cate_mp3, covered):
        info = probe(path)
        assert not info.has_video and info.audio
    assert probe(covered).duration == pytest.approx(probe(cate_mp3).duration, abs=0.03)


def test_tracks(rich_mp4: Path) -> None:
    info = probe(rich_mp4)
    assert [(t.codec, t.language, t.is_text) for t in info.text_subtitles] == [("mov_text", "kor", True)]


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "ts", "avi", "flv"])
@pytest.mark.parametrize("seconds", [2.0, 4.02, 7.0])
def test_the_timeline_lasts_as_long_as_picture_and_sound(
    make: Make, plain_mp4: Path, suffix: str, seconds: float
) -> None:
    tone = ("-f", "lavfi", "-i", f"sine=440:d={seconds}", "-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", "aac")
    info = probe(make.ffmpeg("-i", plain_mp4, *tone, make.folder / f"lasting{seconds}.{suffix}"))
    one_frame = 0.041 if suffix == "avi" else 0.001  # which knows no time of a reordered picture
    assert (
        max(4.0, seconds) - one_frame <= info.duration <= max(4.0, seconds) + 0.1
    )  # AAC's padding, where it isn't told


def test_a_recording_without_duration_is_measured(make: Make, webm: Path) -> None:
    live = make.ffmpeg(
        "-i", webm, "-c", "copy", "-live", 1, make.folder / "live.webm"
    )  # as a browser's recorder writes it
    with av.open(str(live)) as container:
        assert not container.duration
    assert probe(live).duration == pytest.approx(4.0, abs=0.05)


def refusal(path: Path) -> str:
    with pytest.raises(BadInput) as caught:
        probe(path)
    message = str(caught.value)
    assert "\n" not in message
    assert path.name.replace("\n", "\\n") in message
    return message


@pytest.mark.parametrize("name", ["notes.txt", "notes.mp4", "notes.mp3"])
def test_text_is_no_media(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("just words\n" * 500)
    assert "not a video or sound file" in refusal(path)


@pytest.mark.parametrize("name", ["still.png", "still.jpg", "moving.gif", "still.mp4"])
def test_a_picture_is_no_media(make: Make, tmp_path: Path, name: str) -> None:
    kind = Path(name).with_suffix(".png" if name == "still.mp4" else Path(name).suffix)
    made = make.ffmpeg(
        "-f", "lavfi", "-i", "color=red:s=64x64:d=1", *(() if "gif" in name else ("-frames:v", 1)), tmp_path / kind
    )
    path = made.rename(tmp_path / name)
    assert "not a video or sound file" in refusal(path)


def test_playlists_are_not_followed(tmp_path: Path, plain_mp4: Path) -> None:
    playlist = tmp_path / "list.m3u8"
    playlist.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n{plain_mp4}\n#EXT-X-ENDLIST\n")
    refusal(playlist)
    concat = tmp_path / "list.ffconcat"
    concat.write_text(f"ffconcat version 1.0\nfile '{plain_mp4}'\n")
    refusal(concat)


def test_what_is_not_there_or_not_a_file(tmp_path: Path) -> None:
    assert "does not exist" in refusal(tmp_path / "missing.mp4")
    assert "folder" in refusal(tmp_path)
    (tmp_path / "zero.mp4").touch()
    assert "empty" in refusal(tmp_path / "zero.mp4")
    os.mkfifo(tmp_path / "pipe.mp4")
    assert "regular file" in refusal(tmp_path / "pipe.mp4")
    assert "does not exist" in refusal(tmp_path / "two\nlines.mp4")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable(tmp_path: Path, plain_mp4: Path) -> None:
    path = tmp_path / "secret.mp4"
    path.write_bytes(plain_mp4.read_bytes())
    path.chmod(0)
    assert "ermission denied" in refusal(path)


def test_an_unreadable_file_is_named(tmp_path: Path, plain_mp4: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = tmp_path / "secret.mp4"
    path.write_bytes(plain_mp4.read_bytes())
    monkeypatch.setattr(Path, "open", denied)
    assert "Permission denied" in refusal(path)


@pytest.mark.parametrize("form", ["index at the end", "index first", "mkv", "avi"])
def test_a_file_cut_off_is_refused(make: Make, tmp_path: Path, plain_mp4: Path, avi: Path, form: str) -> None:
    copies = {"index first": ("-movflags", "+faststart", tmp_path / "first.mp4"), "mkv": (tmp_path / "whole.mkv",)}
    whole = avi if form == "avi" else plain_mp4
    if form in copies:
        whole = make.ffmpeg("-i", plain_mp4, "-c", "copy", *copies[form])
    assert probe(whole).duration == pytest.approx(4.0, abs=0.05)
    cut = tmp_path / f"cut{whole.suffix}"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    assert "incomplete" in refusal(cut)
    if form == "index first":  # its index tells even a few missing bytes
        cut.write_bytes(whole.read_bytes()[:-50])
        assert "incomplete" in refusal(cut)


def test_noise_is_no_media(tmp_path: Path) -> None:
    for suffix in (".mp3", ".mp4", ".avi", ".wav"):
        path = tmp_path / f"noise{suffix}"
        path.write_bytes(os.urandom(100_000))
        refusal(path)


def test_a_length_beyond_reason_is_refused(plain_mp4: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_SECONDS == 24 * 3600
    monkeypatch.setattr("bgm.media.extent.MAX_SECONDS", 3.0)
    assert "hours" in refusal(plain_mp4)


def test_a_huge_picture_is_refused(plain_mp4: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bgm.media.probe.MAX_PIXELS", 1000)
    assert "192 × 128" in refusal(plain_mp4)


def test_thumbnail_shows_the_right_moment_upright(make: Make, tmp_path: Path) -> None:
    import io

    from PIL import Image

    two = "color=red:s=128x64:d=2:r=25[a];color=blue:s=128x64:d=2:r=25[b];[a][b]concat"
    flat = make.ffmpeg("-f", "lavfi", "-i", two, "-c:v", "libx264", "-g", 200, tmp_path / "flat.mp4")
    info: MediaInfo = probe(make.ffmpeg("-display_rotation", 90, "-i", flat, "-c", "copy", tmp_path / "turned.mp4"))

    def colour(time: float) -> tuple[int, int, int]:
        image = Image.open(io.BytesIO(thumbnail(info, time, 40)))
        assert image.size == (40, 80)
        return image.convert("RGB").getpixel((20, 40))  # type: ignore[return-value]

    assert colour(1.5)[0] > 200 and colour(1.5)[2] < 60
    assert colour(2.5)[2] > 200 and colour(2.5)[0] < 60
