"""The picture is the same, packet for packet; the new sound is where it belongs; what the file held is kept."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.stream import Disposition

from bgm.errors import BadInput, Cancelled
from bgm.media import audio
from bgm.media.decode import Cue, decode, text_cues
from bgm.media.forms import suggest_suffix
from bgm.media.picture import thumbnail
from bgm.media.probe import MediaInfo, probe
from bgm.media.remux import RemuxOptions, remux
from tests.media.making import Make

AAC_FRAME = 1024


@dataclass(frozen=True)
class Shot:
    """One video packet: its time from the first one's, its bytes."""

    time: Fraction
    payload: bytes
    is_key: bool


def shots(path: Path) -> list[Shot]:
    with av.open(str(path)) as container:
        packets = [p for p in container.demux(container.streams.video[0]) if p.size]
        first = Fraction(packets[0].pts or 0) * packets[0].time_base
        return [Shot(Fraction(p.pts or 0) * p.time_base - first, bytes(p), p.is_keyframe) for p in packets]


def sound(path: Path, scratch: Path) -> audio.Audio:
    result = decode(probe(path), scratch / f"{path.name}.flac")
    assert result is not None
    return audio.read(result.path)


def cues(info: MediaInfo) -> list[tuple[str | None, Cue]]:
    """(language, cue) of the text tracks."""
    return [(track.language, cue) for track, cue in text_cues(info, info.text_subtitles)]


def lag(expected: audio.Audio, heard: audio.Audio) -> int:
    """Samples by which ``heard`` comes late."""
    size = 1 << 16
    a, b = np.fft.rfft(expected[:size, 0], 2 * size), np.fft.rfft(heard[:size, 0], 2 * size)
    peak = int(np.argmax(np.fft.irfft(np.conj(a) * b)))
    return peak if peak < size else peak - 2 * size


@pytest.fixture(params=["mp4", "mov", "mkv", "webm", "avi", "vfr mp4", "hevc mp4"])
def source(request: pytest.FixtureRequest, make: Make) -> Path:
    """A video in each container, with variable frame rate, and with HEVC as Apple wants it."""
    kind: str = request.param
    if kind in ("webm", "avi"):
        return Path(request.getfixturevalue(kind))
    plain = request.getfixturevalue("plain_mp4")
    arguments: dict[str, tuple[object, ...]] = {
        "vfr mp4": ("-vf", "select='not(mod(n\\,3))+lt(n\\,20)'", "-fps_mode", "vfr", "-c:v", "libx264"),
        "hevc mp4": ("-c:v", "libx265", "-x265-params", "log-level=none", "-tag:v", "hvc1"),
    }
    encode = arguments.get(kind, ("-c:v", "copy"))
    return make.ffmpeg(
        "-i",
        plain,
        *encode,
        "-c:a",
        "copy",
        make.folder / f"source_{kind.replace(' ', '_')}.{kind.rsplit(maxsplit=1)[-1]}",
    )


@pytest.mark.parametrize("keep", [False, True], ids=["one track", "original kept"])
def test_picture_identical_and_sound_in_time(make: Make, source: Path, keep: bool, tmp_path: Path) -> None:
    info = probe(source)
    expected = make.master(tmp_path / "master.flac", info.duration)
    out = tmp_path / f"out{source.suffix}"
    assert remux(info, tmp_path / "master.flac", out, RemuxOptions(keep_original=keep)).notes == ()
    assert shots(out) == shots(source)
    heard = sound(out, tmp_path)
    assert abs(len(heard) - len(expected)) <= AAC_FRAME
    assert abs(lag(expected, heard)) <= 24  # half a millisecond
    after = probe(out)
    # What the encoder pads at the end is heard where the container can't say so.
    assert info.duration - 0.001 <= after.duration <= info.duration + (0.001 if ".mp4" in out.name else 0.022)
    assert after.video and info.video and after.video.codec == info.video.codec


def tag_of_video(path: Path) -> str:
    with av.open(str(path)) as container:
        return str(container.streams.video[0].codec_context.codec_tag)


def test_apples_hevc_stays_playable(make: Make, plain_mp4: Path, tmp_path: Path) -> None:
    hevc = ("-c:v", "libx265", "-x265-params", "log-level=none", "-c:a", "copy")
    for source in (
        make.ffmpeg("-i", plain_mp4, *hevc, "-tag:v", "hvc1", make.folder / "apple.mp4"),
        make.ffmpeg("-i", plain_mp4, *hevc, make.folder / "any.mkv"),
    ):
        info = probe(source)
        make.master(tmp_path / "master.flac", info.duration)
        remux(info, tmp_path / "master.flac", tmp_path / "out.mp4")
        assert tag_of_video(tmp_path / "out.mp4") == "hvc1"


@pytest.mark.parametrize("offset", [0.5, -0.5])
def test_the_original_sound_keeps_its_offset(make: Make, tmp_path: Path, plain_mp4: Path, offset: float) -> None:
    """Picture and sound that don't start together: the kept track stays as far from the picture as it was."""
    picture, late = max(0.0, -offset), max(0.0, offset)
    shifted = ("-itsoffset", picture, "-i", plain_mp4, "-itsoffset", late, "-i", plain_mp4)
    source = make.ffmpeg(*shifted, "-map", "0:v", "-map", "1:a", "-c", "copy", make.folder / f"apart{offset}.mp4")
    info = probe(source)
    make.master(tmp_path / "master.flac", info.duration)
    out = tmp_path / "out.mp4"
    remux(info, tmp_path / "master.flac", out, RemuxOptions(keep_original=True))
    only_original = make.ffmpeg("-i", out, "-map", "0:v", "-map", "0:a:1", "-c", "copy", tmp_path / "original.mp4")
    before, after = sound(source, tmp_path), sound(only_original, tmp_path)
    assert abs(lag(before, after)) <= 48
    assert np.abs(before - after).max() < 0.01


def test_everything_else_is_kept(make: Make, rich_mp4: Path, tmp_path: Path) -> None:
    info = probe(rich_mp4)
    make.master(tmp_path / "master.flac", info.duration)
    out = tmp_path / "out.mp4"
    assert remux(info, tmp_path / "master.flac", out, RemuxOptions(keep_original=True)).notes == ()
    with av.open(str(rich_mp4)) as before, av.open(str(out)) as after:
        assert after.metadata["title"] == before.metadata["title"] == '제목 "q"'
        assert after.metadata["artist"] == "Someone"
        assert chapters(after) == chapters(before) == [("One", 0, 2), ("둘", 2, 4)]
        assert rotation(after) == rotation(before) != 0
        assert [bytes(p) for p in packets(after, "subtitle")] == [bytes(p) for p in packets(before, "subtitle")]
    assert cues(probe(out)) == cues(info)


def test_matroska_keeps_attachments(make: Make, rich_mkv: Path, tmp_path: Path) -> None:
    info = probe(rich_mkv)
    make.master(tmp_path / "master.flac", info.duration)
    out = tmp_path / "out.mkv"
    assert remux(info, tmp_path / "master.flac", out).notes == ()
    with av.open(str(rich_mkv)) as before, av.open(str(out)) as after:
        files = [[(s.name, s.mimetype, s.data) for s in c.streams.attachments] for c in (before, after)]
        assert files[0] == files[1] != []
        assert rotation(after) == rotation(before) != 0
        assert chapters(after) == chapters(before)
    assert cues(probe(out)) == cues(info)


def test_what_another_container_cannot_hold_is_converted_or_told(
    make: Make, rich_mkv: Path, rich_mp4: Path, tmp_path: Path
) -> None:
    make.master(tmp_path / "master.flac", 4.0)
    to_mp4 = remux(probe(rich_mkv), tmp_path / "master.flac", tmp_path / "out.mp4").notes
    assert len(to_mp4) == 1 and "attached file" in to_mp4[0]
    assert remux(probe(rich_mp4), tmp_path / "master.flac", tmp_path / "out.mkv").notes == ()
    for out, codec in ((tmp_path / "out.mp4", "mov_text"), (tmp_path / "out.mkv", "srt")):
        info = probe(out)
        assert [(name, c.start, c.text) for name, c in cues(info)] == [
            ("kor", 0.5, "Hello there\nsecond line"),
            ("kor", 2.0, "안녕"),
        ]
        assert info.subtitles[0].codec == codec
        assert shots(out)[10].time == shots(rich_mp4)[10].time


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_cover_art_is_kept(make: Make, plain_mp4: Path, tmp_path: Path, suffix: str) -> None:
    cover = make.ffmpeg("-f", "lavfi", "-i", "color=red:s=64x64", "-frames:v", 1, make.folder / "cover.jpg")
    both = ("-i", plain_mp4, "-i", cover, "-map", 0, "-map", 1, "-c", "copy", "-disposition:v:1", "attached_pic")
    info = probe(make.ffmpeg(*both, make.folder / "covered.mp4"))
    make.master(tmp_path / "master.flac", info.duration)
    out = tmp_path / f"out{suffix}"
    assert remux(info, tmp_path / "master.flac", out).notes == ()
    with av.open(str(out)) as container:
        art = [s for s in container.streams.video if s.disposition & Disposition.attached_pic]
        assert [bytes(next(container.demux(s))) for s in art] == [cover.read_bytes()]


def test_tracks_and_which_is_played(make: Make, rich_mp4: Path, subtitles: Path, tmp_path: Path) -> None:
    info = probe(rich_mp4)
    make.master(tmp_path / "master.flac", info.duration)
    out = tmp_path / "out.mp4"
    remux(info, tmp_path / "master.flac", out, RemuxOptions(keep_original=True, subtitles=subtitles, language="en"))
    with av.open(str(out)) as container:
        new, original = container.streams.audio
        assert new.disposition & Disposition.default and not original.disposition & Disposition.default
        assert [s.language for s in container.streams.subtitles] == ["kor", "eng"]
        assert container.streams.best("audio") is new
    with av.open(str(out)) as container, av.open(str(rich_mp4)) as before:
        kept = [bytes(p) for p in packets(container, "audio", 1)]
        assert kept == [bytes(p) for p in packets(before, "audio")]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_the_transcript_becomes_a_track(
    make: Make, plain_mp4: Path, subtitles: Path, tmp_path: Path, suffix: str
) -> None:
    info = probe(plain_mp4)
    make.master(tmp_path / "master.flac", info.duration)
    out = tmp_path / f"out{suffix}"
    remux(info, tmp_path / "master.flac", out, RemuxOptions(subtitles=subtitles, language="ko"))
    with av.open(str(out)) as container:
        assert not container.streams.subtitles[0].disposition & Disposition.default, "it is shown when asked"
    assert cues(probe(out)) == [("kor", Cue(0.5, 1.5, "Hello there\nsecond line")), ("kor", Cue(2.0, 3.0, "안녕"))]


def test_a_cut_by_edit_list_stays_cut(make: Make, plain_mp4: Path, tmp_path: Path) -> None:
    """Phones trim without encoding: pictures before the cut are in the file and hidden."""
    source = make.ffmpeg("-ss", 0.7, "-i", plain_mp4, "-c", "copy", make.folder / "trimmed.mp4")
    info = probe(source)
    expected = make.master(tmp_path / "master.flac", info.duration)
    out = tmp_path / "out.mp4"
    assert remux(info, tmp_path / "master.flac", out).notes == ()
    assert shots(out) == shots(source)
    assert thumbnail(probe(out), 0.0) == thumbnail(info, 0.0)
    assert abs(lag(expected, sound(out, tmp_path))) <= 24
    with pytest.raises(BadInput, match="would show what was cut off"):
        remux(info, tmp_path / "master.flac", tmp_path / "out.mkv")
    assert suggest_suffix(replace(info, path=info.path.rename(info.path.with_suffix(".mkv")))) == ".mp4"


def test_phone_tags_are_kept(make: Make, plain_mp4: Path, tmp_path: Path) -> None:
    tags = ("-movflags", "use_metadata_tags", "-metadata", "com.apple.quicktime.make=Apple", "-metadata", "title=Hi")
    info = probe(make.ffmpeg("-i", plain_mp4, "-c", "copy", *tags, make.folder / "phone.mov"))
    make.master(tmp_path / "master.flac", info.duration)
    remux(info, tmp_path / "master.flac", tmp_path / "out.mov")
    with av.open(str(tmp_path / "out.mov")) as container:
        assert container.metadata["com.apple.quicktime.make"] == "Apple"
        assert container.metadata["title"] == "Hi"


def test_broadcast_streams_become_mp4(make: Make, plain_mp4: Path, tmp_path: Path) -> None:
    info = probe(make.ffmpeg("-i", plain_mp4, "-c", "copy", make.folder / "broadcast.ts"))
    assert info.origin > 1
    expected = make.master(tmp_path / "master.flac", info.duration)
    out = tmp_path / "out.mp4"
    remux(info, tmp_path / "master.flac", out, RemuxOptions(keep_original=True))
    assert [s.time for s in shots(out)] == [s.time for s in shots(plain_mp4)]
    assert abs(lag(expected, sound(out, tmp_path))) <= 24
    assert info.video and info.video.start == pytest.approx(AAC_FRAME / 48000, abs=0.001)
    assert thumbnail(probe(out), 2.0 + info.video.start) == thumbnail(probe(plain_mp4), 2.0)


@pytest.mark.parametrize("name", ["world_mp4", "a_mp4", "b_avi", "muted_mp4"])
def test_real_videos(make: Make, request: pytest.FixtureRequest, name: str, tmp_path: Path) -> None:
    source: Path = request.getfixturevalue(name)
    info = probe(source)
    expected = make.master(tmp_path / "master.flac", info.duration)
    out = tmp_path / f"out{source.suffix}"
    remux(info, tmp_path / "master.flac", out, RemuxOptions(keep_original=info.audio is not None))
    assert shots(out) == shots(source)
    heard = sound(out, tmp_path)
    assert abs(len(heard) - len(expected)) <= AAC_FRAME
    assert abs(lag(expected, heard)) <= 24


def test_without_a_master_the_sound_stays(plain_mp4: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    remux(probe(plain_mp4), None, out)
    with av.open(str(plain_mp4)) as before, av.open(str(out)) as after:
        assert [bytes(p) for p in packets(after, "audio")] == [bytes(p) for p in packets(before, "audio")]


def test_other_sound_tracks_are_told_or_kept(make: Make, plain_mp4: Path, tmp_path: Path) -> None:
    two = ("-i", plain_mp4, "-map", "0:v", "-map", "0:a", "-map", "0:a", "-c", "copy")
    names = ("-metadata:s:a:0", "title=Game", "-metadata:s:a:1", "title=Mic")
    info = probe(make.ffmpeg(*two, *names, make.folder / "two.mkv"))
    make.master(tmp_path / "master.flac", info.duration)
    written = remux(info, tmp_path / "master.flac", tmp_path / "out.mkv")
    assert any("takes the place of 2 sound tracks" in note for note in written.notes)
    for kept, titles in ((True, ["With music", "Game", "Mic"]), (False, ["Game", "Mic"])):
        out = tmp_path / f"out{kept}.mkv"
        written = remux(info, tmp_path / "master.flac" if kept else None, out, RemuxOptions(keep_original=kept))
        assert not any("sound tracks" in note for note in written.notes)
        with av.open(str(out)) as container:
            assert [stream.metadata["title"] for stream in container.streams.audio] == titles


def test_mp4_starts_with_its_index(make: Make, plain_mp4: Path, tmp_path: Path) -> None:
    make.master(tmp_path / "master.flac", 4.0)
    remux(probe(plain_mp4), tmp_path / "master.flac", tmp_path / "out.mp4")
    data = (tmp_path / "out.mp4").read_bytes()
    assert 0 < data.find(b"moov") < data.find(b"mdat")


def test_a_suffix_that_cannot_hold_the_picture_is_refused(plain_mp4: Path, tmp_path: Path) -> None:
    for source, name, advice in (
        (plain_mp4, "out.webm", ".mp4"),
        (plain_mp4, "out.avi", ".mp4"),
        (plain_mp4, "out.txt", ".mkv"),
    ):
        with pytest.raises(BadInput, match=advice) as caught:
            remux(probe(source), None, tmp_path / name)
        assert name in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_an_original_that_does_not_fit_is_refused(make: Make, webm: Path, tmp_path: Path) -> None:
    source = make.ffmpeg("-i", webm, "-c:v", "copy", "-c:a", "aac", make.folder / "vp9_aac.mkv")
    with pytest.raises(BadInput, match="original sound"):
        remux(probe(source), None, tmp_path / "out.webm", RemuxOptions(keep_original=True))


def test_stopping_leaves_the_old_file(make: Make, world_mp4: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    out.write_text("as it was")
    make.master(tmp_path / "master.flac", 30.03)

    def stop(fraction: float, note: str = "") -> None:
        if fraction > 0.1:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        remux(probe(world_mp4), tmp_path / "master.flac", out, None, stop)
    assert out.read_text() == "as it was"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["master.flac", "out.mp4"]


def test_a_full_disk_is_an_oserror_and_leaves_nothing(
    make: Make, plain_mp4: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make.master(tmp_path / "master.flac", 4.0)

    def full(self: io.FileIO, data: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("bgm.media.container._WholeWrites.write", full)
    with pytest.raises(OSError, match="No space left"):
        remux(probe(plain_mp4), tmp_path / "master.flac", tmp_path / "out.mp4")
    assert [p.name for p in tmp_path.iterdir()] == ["master.flac"]


@pytest.mark.parametrize(
    "name", ["-leading dash.mp4", 'it\'s "quoted" & $HOME.mp4', "한국어 영상.mp4", "50%d:colon.mp4"]
)
def test_names_are_only_names(
    make: Make, plain_mp4: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(plain_mp4.read_bytes())
    make.master(Path("master.flac"), 4.0)
    remux(probe(Path(name)), Path("master.flac"), Path(f"-out {name}"))
    assert probe(Path(f"-out {name}")).duration == pytest.approx(4.0)


def chapters(container: Any) -> list[tuple[str, float, float]]:
    return [
        (c["metadata"]["title"], float(c["start"] * c["time_base"]), float(c["end"] * c["time_base"]))
        for c in container.chapters()
    ]


def rotation(container: Any) -> int:
    return int(next(container.decode(video=0)).rotation)


def packets(container: Any, kind: str, number: int = 0) -> list[Any]:
    container.seek(0)
    stream = [s for s in container.streams if s.type == kind][number]
    return [p for p in container.demux(stream) if p.size]
