"""Targets that can't be written are refused before any work; sound files come out as long as they went in."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from bgm.errors import BadInput
from bgm.media import audio
from bgm.media.decode import decode
from bgm.media.encode import encode_audio
from bgm.media.forms import AUDIO_FORMS, check_output, suggest_suffix
from bgm.media.probe import probe
from tests.media.making import Make


def refusal(source: Path, out: Path, *, overwrite: bool = False) -> str:
    with pytest.raises(BadInput) as caught:
        check_output(probe(source), out, overwrite)
    message = str(caught.value)
    assert str(out) in message and "\n" not in message
    return message


def test_a_good_target_passes(plain_mp4: Path, cate_mp3: Path, tmp_path: Path) -> None:
    check_output(probe(plain_mp4), tmp_path / "out.mp4")
    check_output(probe(cate_mp3), tmp_path / "out.MP3")


def test_what_exists_is_kept_unless_told(plain_mp4: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    out.touch()
    assert "exists already" in refusal(plain_mp4, out)
    check_output(probe(plain_mp4), out, overwrite=True)


def test_the_input_is_never_the_output(plain_mp4: Path, tmp_path: Path) -> None:
    soft, hard = tmp_path / "soft.mp4", tmp_path / "hard.mp4"
    soft.symlink_to(plain_mp4)
    os.link(plain_mp4, hard)
    for out in (plain_mp4, soft, hard, plain_mp4.parent / "." / plain_mp4.name):
        assert "input itself" in refusal(plain_mp4, out, overwrite=True)


def test_folders(plain_mp4: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "folder.mp4").mkdir()
    assert "is a folder" in refusal(plain_mp4, tmp_path / "folder.mp4")
    assert "does not exist" in refusal(plain_mp4, tmp_path / "missing" / "out.mp4")
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert "can't be written" in refusal(plain_mp4, tmp_path / "out.mp4")


def test_suffixes(plain_mp4: Path, webm: Path, cate_mp3: Path, tmp_path: Path) -> None:
    assert ".mp4" in refusal(plain_mp4, tmp_path / "out.mp3")
    assert ".mp4" in refusal(plain_mp4, tmp_path / "out")
    assert ".mp3" in refusal(cate_mp3, tmp_path / "out.mp4")
    assert "use .mp4" in refusal(plain_mp4, tmp_path / "out.webm")
    assert [suggest_suffix(probe(path)) for path in (plain_mp4, webm, cate_mp3)] == [".mp4", ".webm", ".mp3"]


def test_suggestions_for_what_we_do_not_write(make: Make, plain_mp4: Path) -> None:
    broadcast = make.ffmpeg("-i", plain_mp4, "-c", "copy", make.folder / "suggest.ts")
    small = ("-c:v", "libvpx", "-deadline", "realtime", "-an")
    vp8 = make.ffmpeg("-i", plain_mp4, *small, make.folder / "suggest.mkv")
    misnamed = vp8.rename(vp8.with_suffix(".mp4"))
    assert suggest_suffix(probe(broadcast)) == ".mp4"
    assert suggest_suffix(probe(misnamed)) == ".mkv"


@pytest.mark.parametrize("suffix", sorted(AUDIO_FORMS))
def test_sound_files_keep_length_times_and_tags(make: Make, tmp_path: Path, suffix: str) -> None:
    tone = ("-f", "lavfi", "-i", "sine=440:d=2.5", "-metadata", "title=제목", "-metadata", "artist=Someone")
    source = make.ffmpeg(*tone, make.folder / f"tagged{suffix}")
    info = probe(source)
    assert info.duration == pytest.approx(2.5, abs=0.001)
    expected = make.master(tmp_path / "master.flac", info.duration)
    out = tmp_path / f"out{suffix}"
    encode_audio(tmp_path / "master.flac", out, info)
    result = decode(probe(out), tmp_path / "again.flac")
    assert result is not None
    heard = audio.read(result.path)
    assert len(heard) == len(expected)
    error = heard[2000:-2000] - expected[2000:-2000]
    assert np.sqrt((error**2).mean()) < 0.3 * np.sqrt((expected**2).mean())  # a shift of one sample exceeds this
    if AUDIO_FORMS[suffix].bit_rate is None:
        assert np.abs(error).max() < 2**-22
    with av.open(str(out)) as container:
        tags = {**container.metadata, **container.streams[0].metadata}
    assert tags["title"] == "제목" and tags["artist"] == "Someone"


def test_a_real_recording(make: Make, cate_mp3: Path, tmp_path: Path) -> None:
    info = probe(cate_mp3)
    make.master(tmp_path / "master.flac", info.duration)
    encode_audio(tmp_path / "master.flac", tmp_path / "out.mp3", info)
    assert probe(tmp_path / "out.mp3").duration == pytest.approx(info.duration, abs=0.001)


JOB = """
import sys
from pathlib import Path
from bgm.media.probe import probe
from bgm.media.remux import remux
source, master, out = map(Path, sys.argv[1:])
try:
    remux(probe(source), master, out)
except OSError as error:
    print(type(error).__name__, error.errno)
"""


def test_a_disk_that_fills_up_is_told_by_the_system_and_leaves_nothing(
    make: Make, plain_mp4: Path, tmp_path: Path
) -> None:
    """A limit on file size stands in for a full disk: the kernel itself refuses to write on."""
    make.master(tmp_path / "master.flac", 4.0)
    arguments = [str(plain_mp4), str(tmp_path / "master.flac"), str(tmp_path / "out.mp4")]
    done = subprocess.run(
        [sys.executable, "-c", JOB, *arguments],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000)),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["OSError", "27"]  # EFBIG
    assert [path.name for path in tmp_path.iterdir()] == ["master.flac"]
