"""What strangers may upload: nothing that it names is opened, and nothing about it may grow without end."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from bgm.errors import BadInput, Cancelled
from bgm.media import audio, container
from bgm.media.decode import decode
from bgm.media.picture import picture_cuts, thumbnail
from bgm.media.probe import probe, vet
from bgm.media.remux import remux
from bgm.progress import silent
from tests.media.making import Make


class Listener:
    """A server on loopback that counts who comes."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.callers = 0
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                caller, _ = self._socket.accept()
            except OSError:
                return
            self.callers += 1
            caller.close()

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    server = Listener()
    yield server
    server.close()


HLS = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n{address}\n#EXT-X-ENDLIST\n"
DASH = (
    '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT4S">'
    '<Period><AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1">'
    "<BaseURL>{address}</BaseURL></Representation></AdaptationSet></Period></MPD>"
)
SDP = (
    "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video {port} RTP/AVP 96\na=rtpmap:96 H264/90000\n"
)
PLAYLISTS = {
    "hls": HLS,
    "hls with a key": '#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="{address}"\n' + HLS.partition("\n")[2],
    "dash": DASH,
    "concat": "ffconcat version 1.0\nfile '{address}'\n",
    "sdp": SDP,
    "smooth": '<?xml version="1.0"?><SmoothStreamingMedia><StreamIndex Url="{address}"/></SmoothStreamingMedia>',
    "reference": "[Reference]\nRef1={address}\n",
    "image list": "{address}\n",
}


@pytest.fixture
def segment(make: Make, plain_mp4: Path, tmp_path: Path) -> Path:
    """What a list may name and FFmpeg's defaults would open."""
    return make.ffmpeg("-i", plain_mp4, "-c", "copy", tmp_path / "inside.ts")


@pytest.mark.parametrize("suffix", ["mp4", "m3u8", "mpd", "ffconcat", "sdp", "nut", "wav"])
@pytest.mark.parametrize("form", PLAYLISTS)
def test_nothing_that_a_file_names_is_opened(listener: Listener, segment: Path, form: str, suffix: str) -> None:
    outside = (f"http://127.0.0.1:{listener.port}/a.ts", "file:///etc/passwd", str(segment), segment.as_uri())
    for address in (segment.name, *outside):
        path = segment.with_name(f"upload.{suffix}")
        path.write_text(PLAYLISTS[form].format(address=address, port=listener.port))
        with pytest.raises(BadInput, match=f"upload.{suffix}"):
            probe(path)
    assert listener.callers == 0


def test_the_listener_hears_a_player_that_follows_the_list(listener: Listener, tmp_path: Path) -> None:
    """Else the test above could not fail."""
    path = tmp_path / "upload.m3u8"
    path.write_text(HLS.format(address=f"http://127.0.0.1:{listener.port}/a.ts"))
    with pytest.raises(av.error.FFmpegError):
        av.open(str(path), options={"protocol_whitelist": "file,http,tcp"}, timeout=5)
    assert listener.callers > 0


def test_only_files_of_one_piece_are_on_the_list_of_formats() -> None:
    readable = set(container.READABLE.split(","))
    naming_others = {
        "hls",
        "dash",
        "concat",
        "concatf",
        "sdp",
        "rtsp",
        "rtp",
        "image2",
        "imf",
        "lavfi",
        "vobsub",
        "ffmetadata",
    }
    assert not readable & naming_others


def test_too_many_tracks_are_refused(make: Make, tmp_path: Path) -> None:
    tracks = ("-map", "0") * (container.MAX_STREAMS + 5)
    path = make.ffmpeg("-f", "lavfi", "-i", "sine=440:d=0.2", *tracks, "-c:a", "pcm_s16le", tmp_path / "many.mkv")
    with pytest.raises(BadInput, match="too many tracks"):
        probe(path)


def patched(path: Path, size: tuple[int, int], claimed: tuple[int, int]) -> bytes:
    """An mp4 whose sample description claims another size."""
    data = bytearray(path.read_bytes())
    at = data.index(b"avc1", data.index(b"stsd"))
    assert struct.unpack(">HH", data[at + 28 : at + 32]) == size
    data[at + 28 : at + 32] = struct.pack(">HH", *claimed)
    return bytes(data)


def test_a_picture_beyond_reason_is_refused_or_never_held(make: Make, tmp_path: Path) -> None:
    """Once by its header, once only by the stream itself."""
    huge = make.ffmpeg(
        *("-f", "lavfi", "-i", "color=black:s=12000x6000:r=1:d=1"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", tmp_path / "huge.mp4"),
    )
    for data in (huge.read_bytes(), patched(huge, (12000, 6000), (96, 64))):
        (path := tmp_path / "claims.mp4").write_bytes(data)
        assert peak_megabytes(path) < 400


def test_a_picture_that_grows_on_the_way_is_not_decoded(make: Make, tmp_path: Path) -> None:
    raw = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
    small = make.ffmpeg("-f", "lavfi", "-i", "color=red:s=96x64:r=5:d=2", *raw, tmp_path / "small.ts")
    large = make.ffmpeg("-f", "lavfi", "-i", "color=red:s=12000x6000:r=1:d=1", *raw, tmp_path / "large.ts")
    (path := tmp_path / "grows.ts").write_bytes(small.read_bytes() + large.read_bytes())
    assert peak_megabytes(path) < 400


def peak_megabytes(path: Path) -> int:
    """What a process needs that does with a video all that decodes its picture."""
    code = (
        "import sys, resource, pathlib\n"
        "from bgm.errors import BadInput\n"
        "from tests.media.test_limits import look\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "look(pathlib.Path(sys.argv[1]))\n"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)\n"
    )
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", code, str(path)]
    return int(subprocess.run(command, cwd=root, check=True, capture_output=True, text=True, timeout=120).stdout)


def look(path: Path) -> None:
    try:
        info = probe(path)
        picture_cuts(info, silent)
        thumbnail(info, info.duration / 2)
    except BadInput:
        return


def png(width: int, height: int) -> bytes:
    """A picture of one colour: a few hundred bytes for each million points."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(9)
    row = bytes(1 + (width + 7) // 8)
    rows = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_a_cover_picture_that_is_a_bomb_is_not_unpacked(make: Make, tmp_path: Path) -> None:
    cover = b"\x00image/png\x00\x03\x00" + png(30_000, 30_000)
    frame = b"APIC" + struct.pack(">I", len(cover)) + b"\x00\x00" + cover
    size = bytes((len(frame) >> shift) & 0x7F for shift in (21, 14, 7, 0))
    song = make.ffmpeg(
        "-f", "lavfi", "-i", "sine=440:d=1", "-id3v2_version", "0", "-write_xing", "0", tmp_path / "a.mp3"
    )
    (path := tmp_path / "bomb.mp3").write_bytes(b"ID3\x03\x00\x00" + size + frame + song.read_bytes())
    assert len(path.read_bytes()) < 1_000_000
    with container.open_input(path) as opened:
        assert [s.codec_context.name for s in opened.streams.video] == ["png"]
    started = time.process_time()
    assert probe(path).audio is not None
    assert time.process_time() - started < 2
    assert peak_megabytes(path) < 200


def wav(path: Path, rate: int, channels: int, frames: int) -> Path:
    data = np.full(frames * channels, 1000, "<i2").tobytes()
    head = struct.pack("<IHHIIHH", 16, 1, channels, rate, rate * 2 * channels & 0xFFFFFFFF, 2 * channels & 0xFFFF, 16)
    parts = b"fmt " + head + b"data" + struct.pack("<I", len(data)) + data
    path.write_bytes(b"RIFF" + struct.pack("<I", 4 + len(parts)) + b"WAVE" + parts)
    return path


@pytest.mark.parametrize(("rate", "channels"), [(1, 1), (100, 2), (1_900_000_000, 1), (48_000, 3000)])
def test_sound_at_a_rate_beyond_reason_is_refused(tmp_path: Path, rate: int, channels: int) -> None:
    with pytest.raises(BadInput, match="neither a picture nor a sound"):
        probe(wav(tmp_path / "odd.wav", rate, channels, 3000))


@pytest.mark.parametrize(("rate", "channels"), [(8_000, 1), (384_000, 2), (48_000, 8)])
def test_sound_at_the_edges_of_use_is_decoded(tmp_path: Path, rate: int, channels: int) -> None:
    info = probe(wav(tmp_path / "fine.wav", rate, channels, rate))
    decode(info, tmp_path / "out.flac")
    assert audio.length(tmp_path / "out.flac") == audio.SAMPLE_RATE


def test_a_stream_that_shows_late_is_left_out(make: Make, tmp_path: Path) -> None:
    """Its packets, and its end, are nothing that the file's own streams know of."""
    busy = ("-f", "lavfi", "-i", "testsrc2=s=640x360:r=25:d=12", "-c:v", "mpeg2video", "-q:v", "1", "-g", "1")
    first = make.ffmpeg(*busy, tmp_path / "a.ts")
    assert len(first.read_bytes()) > 8_000_000, "more than FFmpeg looks at when it opens a file"
    both = ("-f", "lavfi", "-i", "color=blue:s=96x64:r=25:d=1", "-f", "lavfi", "-i", "sine=440:d=1")
    second = make.ffmpeg(*both, "-c:v", "mpeg2video", "-c:a", "mp2", "-map", 0, "-map", 1, tmp_path / "b.ts")
    (path := tmp_path / "late.ts").write_bytes(first.read_bytes() + second.read_bytes() + first.read_bytes())
    with container.open_input(path) as opened:
        before = len(opened.streams)
        for _ in container.packets(opened):
            pass
    assert before == 1
    assert probe(path).duration > 1


def without_codec(data: bytes) -> bytes:
    """A picture in a format that FFmpeg has never heard of."""
    return data.replace(b"V_MPEG4/ISO/AVC", b"V_XXXXX/ISO/AVC")


def without_setup(data: bytes) -> bytes:
    """H.264 whose parameters are gone: its size is known, how its points are stored is not."""
    at = data.index(b"V_MPEG4/ISO/AVC")
    start = data.index(b"\x63\xa2", at) + 3
    return data[:start] + bytes(45) + data[start + 45 :]


def test_a_picture_that_nothing_can_decode_ends_no_work(make: Make, tmp_path: Path) -> None:
    picture = ("-f", "lavfi", "-i", "testsrc2=s=192x128:r=25:d=1", "-c:v", "libx264", "-preset", "ultrafast")
    whole = make.ffmpeg(*picture, tmp_path / "whole.mkv").read_bytes()
    (path := tmp_path / "damaged.mkv").write_bytes(without_codec(whole))
    with pytest.raises(BadInput, match="unknown or damaged"):
        probe(path)
    path.write_bytes(without_setup(whole))
    assert picture_cuts(probe(path), silent) == ()


def test_sound_that_is_all_damage_can_be_stopped(make: Make, tmp_path: Path) -> None:
    whole = make.ffmpeg("-f", "lavfi", "-i", "sine=440:d=5", "-c:a", "aac", tmp_path / "whole.mp4").read_bytes()
    start, end = whole.index(b"mdat") + 4, whole.index(b"moov") - 4
    (path := tmp_path / "damaged.mp4").write_bytes(whole[:start] + b"\xff" * (end - start) + whole[end:])

    def stop(fraction: float, note: str) -> None:
        if fraction < 1:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        decode(probe(path), tmp_path / "out.flac", stop)
    done = decode(probe(path), tmp_path / "out.flac")
    assert done and "damaged pieces" in done.notes[0]


def test_reading_to_the_end_is_given_up_after_a_while(webm: Path, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    endless = make.ffmpeg("-i", webm, "-c", "copy", "-live", 1, make.folder / "endless.webm")
    monkeypatch.setattr("bgm.media.extent.SCAN_SECONDS", -1.0)
    with pytest.raises(BadInput, match="takes too long to read"):
        probe(endless)


def element(identity: str, data: bytes) -> bytes:
    """Of Matroska, with a size of eight bytes."""
    return bytes.fromhex(identity) + (len(data) | 1 << 56).to_bytes(8, "big") + data


def with_chapters(path: Path, count: int, out: Path) -> Path:
    """Chapters whose numbers fall: FFmpeg compares each with all before it, and asks nobody whether to stop."""
    atoms = (
        element(
            "B6", element("73C4", (count - n).to_bytes(4, "big")) + element("91", (n * 1000 + 1).to_bytes(6, "big"))
        )
        for n in range(count)
    )
    data = path.read_bytes()
    at = data.index(bytes.fromhex("18538067")) + 12
    unknown_size = b"\x01" + b"\xff" * 7
    chapters = element("1043A770", element("45B9", b"".join(atoms)))
    out.write_bytes(data[: at - 8] + unknown_size + chapters + data[at:])
    return out


def test_a_file_that_keeps_ffmpeg_busy_is_given_up(make: Make, tmp_path: Path) -> None:
    song = make.ffmpeg("-f", "lavfi", "-i", "sine=440:d=1", "-c:a", "pcm_s16le", tmp_path / "one.mkv")
    few = with_chapters(song, 10, tmp_path / "few.mkv")
    vet(few)
    with av.open(few) as container:
        assert len(container.chapters()) == 10
    many = with_chapters(song, 200_000, tmp_path / "many.mkv")
    with pytest.raises(BadInput, match=r"many\.mkv can't be read safely"):
        vet(many, cpu_seconds=2)


def test_vetting_says_nothing_of_files_that_are_only_bad(tmp_path: Path, plain_mp4: Path) -> None:
    (path := tmp_path / "no.mp4").write_text("no media")
    vet(path)
    vet(plain_mp4)


def test_vetting_gives_up_a_file_that_never_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bgm.media.probe.WALL_SECONDS", 0.01)
    with pytest.raises(BadInput, match="takes too long"):
        vet(tmp_path / "any.mp4")


def test_what_the_muxer_refuses_is_one_sentence_and_leaves_no_file(
    plain_mp4: Path, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a damaged FLV once made it do: found by mutation."""

    def refused(self: object, report: object) -> None:
        raise av.error.ArgumentError(22, "Invalid argument")

    monkeypatch.setattr("bgm.media.remux._Job.run", refused)
    make.master(tmp_path / "master.flac", 1.0)
    with pytest.raises(BadInput, match=r"is damaged: not all of it can be copied into \.mkv"):
        remux(probe(plain_mp4), tmp_path / "master.flac", tmp_path / "out.mkv")
    assert [path.name for path in tmp_path.iterdir()] == ["master.flac"]
