"""Files as they come from the field: nothing of them is lost, changed or shown again without a word."""

from __future__ import annotations

import struct
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition

from bgm.errors import BadInput
from bgm.media import audio
from bgm.media.decode import decode
from bgm.media.encode import encode_audio
from bgm.media.forms import AUDIO_FORMS, Written, suggest_suffix
from bgm.media.probe import MediaInfo, probe
from bgm.media.remux import RemuxOptions, remux
from tests.media.making import Make
from tests.media.test_decode import onsets

LONG_GOP = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "500", "-sc_threshold", "0", "-c:a", "copy")


def with_its_own_sound(
    path: Path, out: Path, *, keep: bool = False, tmp: Path | None = None
) -> tuple[MediaInfo, Written, audio.Audio]:
    """Decode and write again: what is heard must be where it was."""
    info = probe(path)
    master = (tmp or out.parent) / "master.flac"
    decoded = decode(info, master)
    assert decoded is not None
    return info, remux(info, master, out, RemuxOptions(keep_original=keep)), audio.read(master)


def frames(path: Path) -> list[tuple[float, bytes]]:
    """(time, picture) of every frame that a player shows."""
    with av.open(str(path)) as container:
        shown = [(f.time or 0.0, f.to_ndarray().tobytes()) for f in container.decode(video=0)]
    return shown


def box(data: bytes, *path: bytes, start: int = 0, end: int | None = None) -> tuple[int, int]:
    """Start and end of the first box of a path in a file of the mp4 family; ``*`` before a kind takes the last."""
    stop = len(data) if end is None else end
    found = None
    while start + 8 <= stop:
        size, kind = struct.unpack(">I4s", data[start : start + 8])
        if kind == path[0].removeprefix(b"*"):
            found = (start, start + size)
            if not path[0].startswith(b"*"):
                break
        start += size
    assert found is not None, path
    if len(path) == 1:
        return found
    inside = {b"stsd": 16, b"avc1": 86, b"hvc1": 86}.get(path[0].removeprefix(b"*"), 8)
    return box(data, *path[1:], start=found[0] + inside, end=found[1])


def replaced(data: bytes, path: tuple[bytes, ...], new: bytes, *, append: bool = False) -> bytes:
    """``new`` in a box's place (or at its end), all that hold it grown; the moov box must be the file's last."""
    start, end = box(data, *path)
    out = bytearray(data[: end if append else start] + new + data[end:])
    grown = len(out) - len(data)
    for depth in range(1, len(path) + (1 if append else 0)):
        place = box(data, *path[:depth])[0]
        struct.pack_into(">I", out, place, struct.unpack(">I", data[place : place + 4])[0] + grown)
    return bytes(out)


def with_edits(source: Path, out: Path, *edits: tuple[float, float]) -> Path:
    """Both tracks of an mp4 cut to ``edits`` ([start, end) in seconds) by edit lists, as phones trim."""
    data = source.read_bytes()
    scale = struct.unpack(">I", data[(at := box(data, b"moov", b"mvhd")[0] + 20) : at + 4])[0]
    for track in (b"trak", b"*trak"):
        header = box(data, b"moov", track, b"mdia", b"mdhd")[0]
        ticks = struct.unpack(">I", data[header + 20 : header + 24])[0]
        place = box(data, b"moov", track, b"edts", b"elst")[0]
        first = struct.unpack(">i", data[place + 20 : place + 24])[0]
        entries = b"".join(
            struct.pack(">IiI", round((b - a) * scale), first + round(a * ticks), 65536) for a, b in edits
        )
        new = struct.pack(">I4sII", 16 + len(entries), b"elst", 0, len(edits)) + entries
        data = replaced(data, (b"moov", track, b"edts", b"elst"), new)
    out.write_bytes(data)
    return out


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv"])
@pytest.mark.parametrize("late", [0.0, 1.0], ids=["sound lasts longer", "sound first"])
def test_sound_before_and_after_the_picture_is_kept(
    make: Make, plain_mp4: Path, tmp_path: Path, suffix: str, late: float
) -> None:
    short = ("-itsoffset", late, "-t", 2, "-i", plain_mp4, "-i", plain_mp4, "-map", "0:v", "-map", "1:a", "-c", "copy")
    source = make.ffmpeg(*short, make.folder / f"short{late}.{suffix}")
    out = tmp_path / f"out.{suffix}"
    info, written, heard = with_its_own_sound(source, out, keep=True)
    assert onsets(heard) == pytest.approx([0.25, 1.25, 2.25, 3.25], abs=0.025)
    assert info.duration == pytest.approx(4.0, abs=0.03) and not written.notes
    after = probe(out)
    assert after.video and after.video.start == pytest.approx(late, abs=0.025)
    assert after.duration == pytest.approx(info.duration, abs=0.03)
    with av.open(str(out)) as container:
        kept = [p for p in container.demux(container.streams.audio[1]) if p.pts is not None]
        assert float(kept[-1].pts * kept[-1].time_base) > 3.9  # type: ignore[operator]
        picture = container.streams.video[0]
        if suffix != "mkv":  # the last picture stands until the end
            assert float(picture.duration * picture.time_base) == pytest.approx(4.0 - late, abs=0.1)  # type: ignore[operator]
    assert [f[1] for f in frames(out)] == [f[1] for f in frames(source)]


def test_a_talk_under_one_picture_lasts_as_long_as_it_is_heard(make: Make, plain_mp4: Path, tmp_path: Path) -> None:
    one = ("-f", "lavfi", "-i", "color=navy:s=64x64:r=25:d=0.04", "-i", plain_mp4, "-map", 0, "-map", "1:a")
    source = make.ffmpeg(*one, "-c:v", "libx264", "-c:a", "copy", make.folder / "still_picture.mp4")
    info, written, _ = with_its_own_sound(source, tmp_path / "out.mp4")
    assert info.duration == pytest.approx(4.0, abs=0.01) and not written.notes
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert {round(float(s.duration * s.time_base), 1) for s in container.streams} == {4.0}


JOINED = {
    "ts": ("-c", "copy"),
    "mpg": ("-c:v", "mpeg2video", "-c:a", "mp2"),
    "webm": ("-c:v", "libvpx", "-deadline", "realtime", "-c:a", "libopus", "-f", "webm", "-live", "1"),
}


@pytest.mark.parametrize("suffix", JOINED)
def test_two_recordings_in_one_file_follow_each_other(make: Make, plain_mp4: Path, tmp_path: Path, suffix: str) -> None:
    """The clock starts again in the middle: both halves are seen and heard, in time with each other."""
    part = make.ffmpeg("-i", plain_mp4, *JOINED[suffix], make.folder / f"part.{suffix}")
    joined = tmp_path / f"joined.{suffix}"
    joined.write_bytes(part.read_bytes() * 2)
    info, _, heard = with_its_own_sound(joined, tmp_path / "out.mkv")
    assert any("starts again" in note for note in info.notes)
    assert info.duration == pytest.approx(8.0, abs=0.3)
    found = onsets(heard)
    assert len(found) == 8
    shown = frames(tmp_path / "out.mkv")
    assert len(shown) == 200 and np.all(np.diff([time for time, _ in shown]) > 0)
    second = next(time for time, picture in shown[1:] if picture == shown[0][1])
    assert found[4] - second == pytest.approx(found[0] - shown[0][0], abs=0.021)  # a packet of sound at the most


@pytest.mark.parametrize("shift", [-3.2, -0.5, 30.0, 3600.0])
def test_a_clock_that_jumps_goes_on(make: Make, plain_mp4: Path, tmp_path: Path, shift: float) -> None:
    """A recorder that reconnects: back by less than what was recorded, or ahead by more than anybody pauses."""
    first = make.ffmpeg("-i", plain_mp4, "-c", "copy", make.folder / "first.ts")
    second = make.ffmpeg("-i", plain_mp4, "-c", "copy", "-output_ts_offset", 4 + shift, tmp_path / "second.ts")
    joined = tmp_path / "jumps.ts"
    joined.write_bytes(first.read_bytes() + second.read_bytes())
    info, _, heard = with_its_own_sound(joined, tmp_path / "out.mp4")
    assert info.notes and info.duration == pytest.approx(8.06, abs=0.1)
    assert len(onsets(heard)) == 8
    assert len(frames(tmp_path / "out.mp4")) == 200


def test_a_pause_is_no_jump(make: Make, plain_mp4: Path, tmp_path: Path) -> None:
    """One picture a quarter of a minute, as slides are recorded."""
    slides = ("-vf", "select='not(mod(n,50))',setpts=PTS*7.5", "-fps_mode", "vfr", "-an", "-c:v", "libvpx")
    info = probe(make.ffmpeg("-i", plain_mp4, *slides, make.folder / "slides.webm"))
    assert not info.turns and info.duration > 15


@pytest.mark.parametrize("reordered", [0, 2])
def test_what_was_trimmed_off_the_ends_is_not_seen_again(
    make: Make, plain_mp4: Path, tmp_path: Path, reordered: int
) -> None:
    whole = make.ffmpeg("-i", plain_mp4, *LONG_GOP, "-bf", reordered, make.folder / f"whole{reordered}.mp4")
    source = with_edits(whole, tmp_path / "trimmed.mp4", (1.0, 3.0))
    out = tmp_path / "out.mp4"
    info, _, heard = with_its_own_sound(source, out, keep=True)
    assert info.duration == pytest.approx(2.0, abs=0.03)
    assert onsets(heard) == pytest.approx([0.25, 1.25], abs=0.003)
    assert frames(out) == frames(source) and len(frames(out)) == 50
    with av.open(str(out)) as container:
        packets = [p for p in container.demux(container.streams.video[0]) if p.size]
        assert len(packets) < 80  # of the second after the cut no more than what the last pictures are coded from
        container.seek(0)
        kept = [p for p in container.demux(container.streams.audio[1]) if p.size]
        assert float(kept[0].pts * kept[0].time_base) > -0.13 and float(kept[-1].pts * kept[-1].time_base) < 2.0
    with pytest.raises(BadInput, match=r"use \.mp4"):
        remux(info, None, tmp_path / "out.mkv")


def test_a_cut_in_the_middle_is_not_undone(make: Make, plain_mp4: Path, tmp_path: Path) -> None:
    whole = make.ffmpeg("-i", plain_mp4, *LONG_GOP, "-bf", 0, make.folder / "whole_middle.mp4")
    with pytest.raises(BadInput, match="cut out of its middle"):
        probe(with_edits(whole, tmp_path / "cut.mp4", (0.0, 1.0), (2.5, 4.0)))


@pytest.mark.parametrize("pair", ["mp4 mp4", "mp4 mkv", "mkv mkv", "mkv mp4", "webm webm", "webm mkv"])
def test_the_shape_of_the_points_is_kept(make: Make, plain_mp4: Path, webm: Path, tmp_path: Path, pair: str) -> None:
    suffix, other = pair.split()
    plain = webm if suffix == "webm" else plain_mp4
    wide = make.ffmpeg("-i", plain, "-c", "copy", "-aspect", "16:9", make.folder / f"wide.{suffix}")
    out = tmp_path / f"out.{other}"
    assert remux(probe(wide), None, out).notes == ()
    with av.open(str(wide)) as before, av.open(str(out)) as after:
        shapes = [c.streams.video[0].sample_aspect_ratio for c in (before, after)]
        assert shapes[0] == shapes[1] != 1
    assert frames(out) == frames(wide)
    with av.open(str(wide)) as before, av.open(str(out)) as after:  # the index still points where it should
        before.seek(3_000_000)
        after.seek(3_000_000)
        found = [next(c.decode(video=0)).to_ndarray().tobytes() for c in (before, after)]
        assert found[0] == found[1]


def test_panoramas_stay_panoramas(plain_mp4: Path, tmp_path: Path) -> None:
    """Google's spherical video boxes stand in the sample entry; FFmpeg writes them only when told to."""
    panel = struct.pack(">I4sI4i", 28, b"equi", 0, 0, 0, 0, 0)
    head = struct.pack(">I4sI3i", 24, b"prhd", 0, 0, 0, 0)
    projection = struct.pack(">I4s", 8 + len(head) + len(panel), b"proj") + head + panel
    maker = struct.pack(">I4sI", 19, b"svhd", 0) + b"camera\0"
    sv3d = struct.pack(">I4s", 8 + len(maker) + len(projection), b"sv3d") + maker + projection
    place = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"avc1")
    source = tmp_path / "round.mp4"
    source.write_bytes(replaced(plain_mp4.read_bytes(), place, sv3d, append=True))
    remux(probe(source), None, tmp_path / "out.mp4")
    assert b"equi" in (tmp_path / "out.mp4").read_bytes()
    assert any("360°" in note for note in remux(probe(source), None, tmp_path / "out.mov").notes)
    assert suggest_suffix(probe(source.rename(source.with_suffix(".mov")))) == ".mp4"


def test_reordered_pictures_in_avi_get_their_times(make: Make, plain_mp4: Path, tmp_path: Path) -> None:
    coded = ("-c:v", "libx264", "-preset", "ultrafast", "-bf", 3, "-b_strategy", 0, "-c:a", "mp3")
    source = make.ffmpeg("-i", plain_mp4, *coded, make.folder / "reordered.avi")
    remux(probe(source), None, tmp_path / "out.mkv")
    shown = frames(tmp_path / "out.mkv")
    assert [picture for _, picture in shown] == [picture for _, picture in frames(source)]
    assert np.diff([time for time, _ in shown]) == pytest.approx(0.04, abs=0.0011)


def test_a_cameras_measurements_are_kept_or_told(rich_mp4: Path, tmp_path: Path) -> None:
    """A telemetry track such as action cameras write, made of the text track."""
    data = rich_mp4.read_bytes()
    at = data.rindex(b"moov")
    source = tmp_path / "camera.mp4"
    source.write_bytes(data[:at] + data[at:].replace(b"sbtl", b"meta", 1).replace(b"tx3g", b"gpmd", 1))
    assert remux(probe(source), None, tmp_path / "out.mp4").notes == ()
    with av.open(str(source)) as before, av.open(str(tmp_path / "out.mp4")) as after:
        samples = [[bytes(p) for p in c.demux(c.streams.data[0]) if p.size] for c in (before, after)]
        assert samples[0] == samples[1] != []
    assert any("data track" in note for note in remux(probe(source), None, tmp_path / "out.mkv").notes)


@pytest.mark.parametrize("share", [0.55, 0.8])
def test_a_recording_that_a_crash_cut_off_is_used(make: Make, plain_mp4: Path, tmp_path: Path, share: float) -> None:
    pieces = ("-movflags", "+frag_keyframe+empty_moov+default_base_moof", "-g", 12)
    whole = make.ffmpeg("-i", plain_mp4, "-c:v", "libx264", *pieces, "-c:a", "copy", make.folder / "pieces.mp4")
    assert not probe(whole).notes
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * share)])
    info, _, _ = with_its_own_sound(cut, tmp_path / "out.mp4")
    assert any("cut off" in note for note in info.notes)
    assert 4 * share - 1 < info.duration < 4
    assert probe(tmp_path / "out.mp4").duration == pytest.approx(info.duration, abs=0.03)


@pytest.mark.parametrize("suffix", sorted(AUDIO_FORMS))
def test_cover_and_chapters_of_a_sound_file(make: Make, tmp_path: Path, suffix: str) -> None:
    tags = tmp_path / "tags.txt"
    tags.write_text(
        ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=1000\ntitle=A\n"
        "[CHAPTER]\nTIMEBASE=1/1000\nSTART=1000\nEND=2000\ntitle=B\n"
    )
    art = make.ffmpeg("-f", "lavfi", "-i", "color=red:s=64x64", "-frames:v", 1, tmp_path / "cover.jpg")
    inputs = ("-f", "lavfi", "-i", "sine=440:d=2", "-i", art, "-i", tags, "-map", 0, "-map", 1, "-map_chapters", 2)
    source = make.ffmpeg(
        *inputs, "-c:a", "aac", "-c:v", "copy", "-disposition:v", "attached_pic", tmp_path / "book.m4a"
    )
    info = probe(source)
    make.master(tmp_path / "master.flac", info.duration)
    out = tmp_path / f"out{suffix}"
    written = encode_audio(tmp_path / "master.flac", out, info)
    with av.open(str(out)) as container:
        titles = [(c["metadata"]["title"], float(c["start"] * c["time_base"])) for c in container.chapters()]
        covers = [s for s in container.streams.video if s.disposition & Disposition.attached_pic]
        pictures = [bytes(next(container.demux(s))) for s in covers]
    told = " ".join(written.notes)
    assert titles == [("A", 0.0), ("B", 1.0)] or "2 chapters" in told
    assert pictures == [art.read_bytes()] or "1 cover picture" in told
    assert (suffix == ".wav") == ("cover" in told)
